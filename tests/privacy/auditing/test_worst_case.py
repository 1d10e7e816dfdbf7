"""The distinguishing game: bounds that hold as often as they say, and are near the truth where it is known."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, norm

from hanse_privacy.auditing.audit_result import AuditResult
from hanse_privacy.auditing.worst_case import audit_worst_case, epsilon_of_error_counts
from hanse_privacy.errors import InvalidValueError


def test_a_bound_written_out() -> None:
    low = beta.ppf(5e-7, 4_000, 10_000 - 4_000 + 1)
    high = beta.isf(5e-7, 30 + 1, 10_000 - 30)
    found = epsilon_of_error_counts(hits=4_000, false_alarms=30, releases=10_000, delta=0.01, confidence=1 - 1e-6)
    assert found == pytest.approx(math.log((low - 0.01) / high), rel=1e-6)
    assert epsilon_of_error_counts(hits=50, false_alarms=0, releases=10_000, delta=0.01, confidence=0.95) == 0
    assert epsilon_of_error_counts(hits=50, false_alarms=60, releases=100, delta=0.0, confidence=0.95) == 0


def randomised_response(epsilon: float, releases: int, *, draws: np.random.Generator) -> dict[str, np.ndarray]:
    """The canary's presence, told truly with probability e^ε / (1 + e^ε)."""
    wrong = 1 / (1 + math.exp(epsilon))
    return {
        "with_canary": (draws.random(releases) >= wrong).astype(float),
        "without_canary": (draws.random(releases) < wrong).astype(float),
    }


def test_a_bound_is_too_high_no_oftener_than_it_says() -> None:
    draws, audits, confidence = np.random.default_rng(7), 500, 0.8
    refuted = sum(
        audit_worst_case(**randomised_response(1.0, 1_000, draws=draws), delta=0.0, confidence=confidence).refutes(1.0)
        for _ in range(audits)
    )
    allowed = audits * (1 - confidence)
    assert refuted < allowed + 5 * math.sqrt(allowed * confidence)
    # And no audit that never says anything would do.
    assert refuted > 0


def test_a_bound_is_near_a_known_epsilon() -> None:
    draws = np.random.default_rng(8)
    found = audit_worst_case(**randomised_response(1.0, 200_000, draws=draws), delta=0.0, confidence=1 - 1e-6)
    assert 0.9 < found.epsilon_lower_bound < 1.0
    assert found.releases == 100_000


@pytest.mark.parametrize("above", [True, False])
def test_either_side_of_the_threshold_may_tell_more(above: bool) -> None:
    draws = np.random.default_rng(10)
    often, seldom = (draws.random(100_000) < 0.5).astype(float), (draws.random(100_000) < 0.01).astype(float)
    with_canary, without_canary = (often, seldom) if above else (1 - seldom, 1 - often)
    found = audit_worst_case(with_canary=with_canary, without_canary=without_canary, delta=0.0, confidence=0.95)
    assert found.above is above
    assert math.log(40) < found.epsilon_lower_bound < math.log(50)


def test_a_gaussian_is_told_to_its_exact_epsilon() -> None:
    draws, delta = np.random.default_rng(9), 0.05
    found = audit_worst_case(
        with_canary=draws.normal(1.0, 1.0, 400_000),
        without_canary=draws.normal(0.0, 1.0, 400_000),
        delta=delta,
        confidence=0.95,
    )
    # Theorem 8 of Balle and Wang (ICML 2018), for a sensitivity and a deviation of 1.
    exact = brentq(lambda epsilon: norm.cdf(0.5 - epsilon) - math.exp(epsilon) * norm.cdf(-0.5 - epsilon) - delta, 0, 9)
    assert exact - 0.1 < found.epsilon_lower_bound < exact


def test_a_canary_in_plain_sight() -> None:
    found = audit_worst_case(with_canary=np.ones(2_000), without_canary=np.zeros(2_000), delta=1e-5, confidence=0.95)
    assert found.epsilon_lower_bound > 5
    assert (found.hits, found.false_alarms, found.threshold) == (1_000, 0, 0.0)
    hidden = audit_worst_case(with_canary=np.ones(2_000), without_canary=np.ones(2_000), delta=1e-5, confidence=0.95)
    assert hidden.epsilon_lower_bound == 0


def test_the_bound_uses_no_score_that_chose_the_threshold() -> None:
    apart = np.concatenate([np.ones(1_000), np.zeros(1_000)])
    found = audit_worst_case(with_canary=apart, without_canary=np.zeros(2_000), delta=0.0, confidence=0.95)
    assert (found.hits, found.epsilon_lower_bound) == (0, 0)


def test_refuting() -> None:
    result = AuditResult(epsilon_lower_bound=1.0, confidence=0.95, delta=0.0)
    assert result.refutes(0.99)
    assert not result.refutes(1.0)
    with pytest.raises(InvalidValueError, match="claimed_epsilon"):
        result.refutes(math.nan)
    with pytest.raises(InvalidValueError, match="confidence"):
        AuditResult(epsilon_lower_bound=1.0, confidence=1.0, delta=0.0)
    with pytest.raises(InvalidValueError, match="epsilon_lower_bound"):
        AuditResult(epsilon_lower_bound=-1.0, confidence=0.5, delta=0.0)
    with pytest.raises(InvalidValueError, match="delta"):
        AuditResult(epsilon_lower_bound=1.0, confidence=0.5, delta=1.0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"with_canary": np.zeros(5)}, "scores"),
        ({"with_canary": np.zeros((2, 2))}, "scores"),
        ({"with_canary": np.zeros(1), "without_canary": np.zeros(1)}, "scores"),
        ({"with_canary": np.array([0, 1, np.nan, 3])}, "scores"),
        ({"delta": 1.0}, "delta"),
        ({"confidence": 1.0}, "confidence"),
    ],
)
def test_games_that_say_nothing_are_refused(changes: dict[str, object], named: str) -> None:
    given = {"with_canary": np.zeros(4), "without_canary": np.zeros(4), "delta": 0.0, "confidence": 0.9}
    with pytest.raises(InvalidValueError, match=named):
        audit_worst_case(**(given | changes))  # type: ignore[arg-type]  # the point is a wrong value
