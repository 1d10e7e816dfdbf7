"""The largest entries of a noisy vector, and which of them are surely larger than what was left out."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_privacy.statistics.numeric_arrays import released_numbers
from hanse_privacy.validation import require, require_non_negative


@dataclass(frozen=True, kw_only=True)
class RankedPlace:
    """One of the largest entries.

    Args:
        place: Its index in the vector.
        value: The noisy entry.
        is_told_apart: Whether it is above the largest entry left out by more than 1.96 · √2 standard deviations of the
            noise. Where nothing is left out, it is.
    """

    place: int
    value: float
    is_told_apart: bool


def top(values: NDArray[np.generic], *, k: int, standard_deviation: float) -> tuple[RankedPlace, ...]:
    """Return the k largest entries, largest first; of equal ones the earlier place first.

    Ranking a released vector is post-processing: its sensitivity and cost are those of the release, whatever is asked
    of it here. The difference of two entries has √2 times the standard deviation of one, if their noise is independent;
    if they are equal without noise, it passes the bound with probability 2.5 %. But the pair compared here was chosen
    by its noise, and several are: read ``is_told_apart`` as a reason to believe the order, not as a test of all of it.

    Args:
        values: Numbers[n]. Integers are taken as they are.
        k: From 1 to n.
        standard_deviation: Of the noise of each entry, in the unit of the values; 0 for exact values.

    Raises:
        InvalidValueError: If an entry is NaN, infinite or beyond 2^53, ``k`` is out of range (so always if the vector
            is empty), or the vector has not one dimension.
    """
    entries = released_numbers("values", values)
    require(entries.ndim == 1, name="dimensions of values", value=entries.ndim, bound="1")
    require(1 <= k <= entries.size, name="k", value=k, bound=f"from 1 to the number of entries, {entries.size}")
    require_non_negative(standard_deviation=standard_deviation)
    order = np.argsort(-entries, kind="stable")
    left_out = float(entries[order[k]]) if k < entries.size else -math.inf
    margin = NORMAL_95 * math.sqrt(2) * standard_deviation
    chosen = ((int(place), float(entries[place])) for place in order[:k])
    return tuple(
        RankedPlace(place=place, value=value, is_told_apart=value - left_out > margin) for place, value in chosen
    )
