"""An audit of a single release: many canaries, each put in or left out by a fair coin of its own.

The method is that of Steinke, Nasr and Jagielski, "Privacy Auditing with One (1) Training Run" (NeurIPS 2023,
arXiv:2305.08846). Under (ε, 0) each guess is right with probability at most e^ε / (1 + e^ε), whatever the other
guesses; δ adds a little (Corollary 5.4 and Appendix D).

Many canaries in one release cost a single run, and power: with a δ that is not tiny the term of δ alone keeps
a high confidence out of reach, and a Gaussian mechanism never shows its full ε in one coordinate. For a bound that is
near the truth, play :mod:`.worst_case`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.auditing.audit_result import AuditResult
from hanse_privacy.auditing.binomial import log_probabilities, upper_tail
from hanse_privacy.validation import require, require_at_least, require_probability

LARGEST_EPSILON = 30.0
"""Beyond it a guess is wrong less than once in 10^13, and no audit can say more."""
_HALVINGS = 60


@dataclass(frozen=True, kw_only=True)
class OneRunAudit(AuditResult):
    """A lower bound on ε from the guesses about one release.

    Args:
        canaries: How many there were, in or out.
        guesses: About how many of them a guess was made.
        correct: How many guesses were right.
    """

    canaries: int
    guesses: int
    correct: int


def one_run_p_value(*, canaries: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """Bound the probability of so many right guesses, or more, if the mechanism were (ε, δ)-private.

    With B binomial over ``guesses`` trials of probability e^ε / (1 + e^ε), v = ``correct`` and m = ``canaries``:
    P(B ≥ v) + 2 m δ · max over i from 1 to v of P(v - i ≤ B < v) / i.

    Args:
        canaries: How many were put in or left out by independent fair coins.
        guesses: How many guesses were made, a number fixed before anything was released.
        correct: How many of them were right.
        epsilon: Of the claim, from 0 to :data:`LARGEST_EPSILON`.
        delta: Of the claim, from 0 to below 1.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    _require_counts(canaries=canaries, guesses=guesses, correct=correct)
    require(0 <= epsilon <= LARGEST_EPSILON, name="epsilon", value=epsilon, bound=f"from 0 to {LARGEST_EPSILON:g}")
    require(0 <= delta < 1, name="delta", value=delta, bound="from 0 to below 1")
    if correct == 0:
        return 1.0
    probability = 1 / (1 + math.exp(-epsilon))
    by_chance = upper_tail(correct, trials=guesses, probability=probability)
    below = np.exp(log_probabilities(trials=guesses, first=0, last=correct - 1, probability=probability))
    steps = np.arange(1, correct + 1)
    by_failure = float((np.cumsum(below[::-1]) / steps).max())
    return min(by_chance + 2 * canaries * delta * by_failure, 1.0)


def one_run_bound(*, canaries: int, guesses: int, correct: int, delta: float, confidence: float) -> OneRunAudit:
    """Return the largest ε that so many right guesses refute at the confidence.

    Args:
        canaries: As for :func:`one_run_p_value`.
        guesses: As there.
        correct: As there.
        delta: As there.
        confidence: 1 - β: a claim is refuted where its p-value is below β.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require_probability(confidence=confidence)
    low, high = 0.0, LARGEST_EPSILON
    # Only the lower end is returned, whose p-value was seen to be small: who is not ε-private is no better at less.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        p_value = one_run_p_value(canaries=canaries, guesses=guesses, correct=correct, epsilon=middle, delta=delta)
        if p_value < 1 - confidence:
            low = middle
        else:
            high = middle
    return OneRunAudit(
        epsilon_lower_bound=low,
        confidence=confidence,
        delta=delta,
        canaries=canaries,
        guesses=guesses,
        correct=correct,
    )


def guess_extremes(scores: NDArray[np.float64], *, guesses: int) -> NDArray[np.int8]:
    """Guess that the highest scores are of canaries that are in and the lowest of canaries that are out.

    Args:
        scores: float64[canaries], higher for a canary that is likelier in.
        guesses: How many to guess: half of them in, half out (the odd one in). To be fixed before looking at scores.

    Returns:
        int8[canaries]: 1 for in, -1 for out, 0 for no guess.

    Raises:
        InvalidValueError: If there are not so many canaries, or a score is no number.
    """
    require(scores.ndim == 1 and not np.isnan(scores).any(), name="scores", value="these", bound="a vector of numbers")
    require(0 <= guesses <= len(scores), name="guesses", value=guesses, bound=f"from 0 to {len(scores)}, the canaries")
    order = np.argsort(scores, kind="stable")
    made = np.zeros(len(scores), dtype=np.int8)
    made[order[: guesses // 2]] = -1
    made[order[len(scores) - (guesses - guesses // 2) :]] = 1
    return made


def audit_one_run(
    *, included: NDArray[np.bool_], guesses: NDArray[np.int8], delta: float, confidence: float
) -> OneRunAudit:
    """Compare guesses with what the coins said.

    Args:
        included: bool[canaries], by independent fair coins: who is in.
        guesses: int8[canaries], 1 for in, -1 for out, 0 for no guess, as by :func:`guess_extremes`; made from the
            release alone.
        delta: Of the claim to be audited. A claim at a smaller δ and a larger ε may be easier to refute.
        confidence: 1 - β.

    Raises:
        InvalidValueError: If shapes differ, a guess is something else, or a number is out of range.
    """
    require(
        included.ndim == 1 and included.dtype == np.bool_ and included.shape == guesses.shape,
        name="guesses' shape",
        value=guesses.shape,
        bound=f"that of the included canaries, {included.shape}",
    )
    require(bool(np.isin(guesses, (-1, 0, 1)).all()), name="guesses", value="others", bound="1, -1 or 0")
    right = (guesses == 1) & included | (guesses == -1) & ~included
    return one_run_bound(
        canaries=len(included),
        guesses=int(np.count_nonzero(guesses)),
        correct=int(np.count_nonzero(right)),
        delta=delta,
        confidence=confidence,
    )


def _require_counts(*, canaries: int, guesses: int, correct: int) -> None:
    require_at_least(1, canaries=canaries)
    require(0 <= guesses <= canaries, name="guesses", value=guesses, bound=f"from 0 to {canaries}, the canaries")
    require(0 <= correct <= guesses, name="correct", value=correct, bound=f"from 0 to {guesses}, the guesses")
