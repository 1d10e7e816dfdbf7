"""The audit of one release: its formula against the paper's figures and against mechanisms worked out in full."""

import numpy as np
import pytest
from audits.machinery import MUTANTS, SHIPPED
from audits.one_release import CanariesGame
from scipy.stats import binom

from hanse_privacy.auditing.one_run import audit_one_run, guess_extremes, one_run_bound, one_run_p_value
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.randomness import SystemRandomness, UnsafeSeededRandomness

CONFIDENCE = 1 - 1e-6


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct", "delta", "printed"),
    [
        # Appendix D, and section 7 (Figure 11), which prints 2.675 for 2.6758.
        (1_000, 100, 75, 1e-4, 0.673),
        (100_000, 1_510, 1_439, 1e-5, 2.675),
    ],
)
def test_bounds_that_the_paper_prints(canaries: int, guesses: int, correct: int, delta: float, printed: float) -> None:
    found = one_run_bound(canaries=canaries, guesses=guesses, correct=correct, delta=delta, confidence=0.95)
    assert found.epsilon_lower_bound == pytest.approx(printed, abs=1e-3)
    assert (found.canaries, found.guesses, found.correct) == (canaries, guesses, correct)


@pytest.mark.parametrize(("guesses", "correct"), [(1, 1), (40, 0), (40, 1), (40, 31), (40, 40)])
@pytest.mark.parametrize("epsilon", [0.0, 0.7, 6.0])
@pytest.mark.parametrize("delta", [0.0, 1e-6, 0.01])
def test_p_values_written_out(guesses: int, correct: int, epsilon: float, delta: float) -> None:
    chance = binom(guesses, np.exp(epsilon) / (1 + np.exp(epsilon)))
    near = [sum(chance.pmf(count) for count in range(correct - i, correct)) / i for i in range(1, correct + 1)]
    expected = min(chance.sf(correct - 1) + 2 * 60 * delta * max(near, default=0.0), 1.0)
    found = one_run_p_value(canaries=60, guesses=guesses, correct=correct, epsilon=epsilon, delta=delta)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("delta", [0.001, 0.05])
def test_no_private_mechanism_gets_a_p_value_too_often(epsilon: float, delta: float) -> None:
    canaries = 50
    right = np.exp(epsilon) / (1 + np.exp(epsilon))
    counts = np.arange(canaries + 1)
    answers = binom.sf(counts - 1, canaries, right)
    mechanisms = {
        # All are (ε, δ)-private: each bit told with the chance of randomised response, ...
        "randomised response": answers,
        # ... or as it is, with probability δ; ...
        "a bit revealed": binom.sf(counts - 1, canaries, delta + (1 - delta) * right),
        # ... or now and then all of them as they are.
        "everything revealed": delta + (1 - delta) * answers,
    }
    p_values = np.array(
        [
            one_run_p_value(canaries=canaries, guesses=canaries, correct=int(v), epsilon=epsilon, delta=delta)
            for v in counts
        ]
    )
    for reached in mechanisms.values():
        assert (reached <= p_values * (1 + 1e-9)).all()
    # Without the term of δ, the last would be refuted too often.
    assert (mechanisms["everything revealed"] - answers).max() > 0.5 * delta


def test_extremes_are_guessed() -> None:
    guesses = guess_extremes(np.array([0.3, -2.0, 5.0, 0.1, 0.2, 4.0]), guesses=3)
    assert guesses.tolist() == [0, -1, 1, 0, 0, 1]
    assert not guess_extremes(np.array([1.0, 2.0]), guesses=0).any()
    included = np.array([True, True, True, True, False, False])
    found = audit_one_run(included=included, guesses=guesses, delta=0.0, confidence=0.95)
    assert (found.canaries, found.guesses, found.correct) == (6, 3, 1)


ONE_RELEASE = CanariesGame(noise_multiplier=3.0, honest_shares=2, canaries=3_000, guesses=600)
ONE_RELEASE_DELTA = 1e-9


def test_one_shipped_release_is_not_refuted() -> None:
    found = ONE_RELEASE.play(SHIPPED, source=SystemRandomness()).audit(delta=ONE_RELEASE_DELTA, confidence=CONFIDENCE)
    assert not found.refutes(ONE_RELEASE.claimed_epsilon(delta=ONE_RELEASE_DELTA))
    # Chance would be right about 300 times: there is something to be seen.
    assert found.correct > 320


@pytest.mark.parametrize("mutant", ["noise off", "clip off"])
def test_one_broken_release_is_refuted(mutant: str) -> None:
    # Half of the noise, or a customer twice, is beyond what one release can show: the games of many releases show it.
    played = ONE_RELEASE.play(MUTANTS[mutant], source=UnsafeSeededRandomness(1))
    found = played.audit(delta=ONE_RELEASE_DELTA, confidence=CONFIDENCE)
    assert found.refutes(ONE_RELEASE.claimed_epsilon(delta=ONE_RELEASE_DELTA))


def test_what_nobody_can_guess_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="scores"):
        guess_extremes(np.array([1.0, np.nan]), guesses=1)
    with pytest.raises(InvalidValueError, match="guesses"):
        guess_extremes(np.zeros(3), guesses=4)
    with pytest.raises(InvalidValueError, match="shape"):
        audit_one_run(
            included=np.ones(3, dtype=np.bool_), guesses=np.zeros(2, dtype=np.int8), delta=0.0, confidence=0.9
        )
    with pytest.raises(InvalidValueError, match="guesses"):
        audit_one_run(
            included=np.ones(2, dtype=np.bool_), guesses=np.array([2, 0], dtype=np.int8), delta=0.0, confidence=0.9
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"canaries": 0, "guesses": 0, "correct": 0},
        {"guesses": 11},
        {"correct": 6},
        {"epsilon": -0.1},
        {"epsilon": 31.0},
        {"delta": 1.0},
        {"delta": -1e-9},
    ],
)
def test_numbers_out_of_range_are_refused(changes: dict[str, float]) -> None:
    given = {"canaries": 10, "guesses": 5, "correct": 4, "epsilon": 1.0, "delta": 0.0} | changes
    with pytest.raises(InvalidValueError):
        one_run_p_value(**given)  # type: ignore[arg-type]  # the point is a wrong value
