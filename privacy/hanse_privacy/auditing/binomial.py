"""The binomial distribution, summed term by term, and the Clopper-Pearson bounds on a rate.

Probabilities come from log-factorials (the standard library's ``lgamma``), so that tails far below 10^-16 keep their
digits. The bounds are those of Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case
of the binomial" (Biometrika 1934): they hold for every true rate, not only in the limit of many trials.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.validation import require, require_at_least, require_probability

LARGEST_TRIALS = 10_000_000
_BLOCK = 4096
_NOTHING = 2.0**-60
"""A rest that is this small beside what was summed is left out: floating point has 53 bits."""
_HALVINGS = 100
_CLOSE_ENOUGH = 1e-12


def log_probabilities(*, trials: int, first: int, last: int, probability: float) -> NDArray[np.float64]:
    """Return ln P(k successes) for k from ``first`` to ``last``, both included.

    Args:
        trials: Independent trials.
        first: From 0.
        last: Up to ``trials``.
        probability: Of a success, strictly between 0 and 1.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require_at_least(0, trials=trials)
    require(trials <= LARGEST_TRIALS, name="trials", value=trials, bound=f"at most {LARGEST_TRIALS}")
    require(0 <= first <= last <= trials, name="first and last", value=(first, last), bound=f"in 0 to {trials}")
    require_probability(probability=probability)
    counts = np.arange(first, last + 1)
    ways = _log_factorials(trials)[trials] - _log_factorials(trials)[counts] - _log_factorials(trials)[trials - counts]
    with_successes, with_failures = counts * math.log(probability), (trials - counts) * math.log1p(-probability)
    logarithms: NDArray[np.float64] = ways + with_successes + with_failures
    return logarithms


def upper_tail(successes: int, *, trials: int, probability: float) -> float:
    """Return the probability of at least so many successes.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require(0 <= successes <= trials, name="successes", value=successes, bound=f"from 0 to {trials}")
    if successes == 0:
        require_probability(probability=probability)
        return 1.0
    total = 0.0
    for first in range(successes, trials + 1, _BLOCK):
        last = min(first + _BLOCK - 1, trials)
        terms = np.exp(log_probabilities(trials=trials, first=first, last=last, probability=probability))
        total += float(terms.sum())
        # Past the likeliest number each term is at most the one before it.
        if last > (trials + 1) * probability and terms[-1] * (trials - last) <= _NOTHING * total:
            break
    return min(total, 1.0)


def lowest_rate(successes: int, *, trials: int, error: float) -> float:
    """Bound a rate from below; too high with probability at most ``error``.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require_at_least(1, trials=trials)
    require(0 <= successes <= trials, name="successes", value=successes, bound=f"from 0 to {trials}")
    require_probability(error=error)
    if successes == 0:
        return 0.0
    # The rate of which so many successes, or more, are just as rare as the error. It is below the one that was seen.
    low, high = 0.0, successes / trials
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if upper_tail(successes, trials=trials, probability=middle) <= error:
            low = middle
        else:
            high = middle
        if high - low <= _CLOSE_ENOUGH * high:
            break
    return low


def highest_rate(successes: int, *, trials: int, error: float) -> float:
    """Bound a rate from above; too low with probability at most ``error``.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require(0 <= successes <= trials, name="successes", value=successes, bound=f"from 0 to {trials}")
    return 1.0 - lowest_rate(trials - successes, trials=trials, error=error)


@functools.lru_cache(maxsize=4)
def _log_factorials(largest: int) -> NDArray[np.float64]:
    """Logarithms of n! for n from 0 to ``largest``."""
    return np.fromiter(map(math.lgamma, range(1, largest + 2)), dtype=np.float64, count=largest + 1)
