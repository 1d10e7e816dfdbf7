"""Checks of arrays at the door: numbers only, finite only; an error names the array and never repeats an entry."""

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.release import UnusableVectorError
from hanse_privacy.validation import require

LARGEST_COUNT = 2.0**53
"""A noisy number or weight beyond it is refused: from there on floating point skips whole numbers."""


def released_numbers(name: str, values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return numbers that were released, or are public, as float64 of the same shape.

    Raises:
        InvalidValueError: If the array holds something else than real numbers, NaN, infinity, or a magnitude beyond
            2^53. Empty arrays and integers pass.
    """
    numbers = _real_numbers(name, values)
    if not (np.abs(numbers) <= LARGEST_COUNT).all():
        raise InvalidValueError(
            f"{name} holds an entry that is not finite, or too large.",
            "Every entry must be a finite number of magnitude 2^53 or less.",
        )
    return numbers


def customers_numbers(name: str, values: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return customers' own numbers as float64 of the same shape: never shown, whatever is wrong with them.

    Raises:
        InvalidValueError: If the array holds something else than real numbers.
        UnusableVectorError: If an entry is NaN or infinite. Empty arrays, integers (taken to the nearest float64) and
            huge finite numbers pass.
    """
    numbers = _real_numbers(name, values)
    if not np.isfinite(numbers).all():
        raise UnusableVectorError(
            f"{name} holds an entry that is not a finite number.",
            "Mend the data or the feature that makes it; nothing was released.",
        )
    return numbers


def customers_places(name: str, places: NDArray[np.integer], *, below: int) -> NDArray[np.int64]:
    """Return customers' places in a vector as int64 of the same shape: whole numbers from 0, all ``below`` the bound.

    Raises:
        InvalidValueError: If the array holds something else than integers, or one out of bounds (not shown).
    """
    array = np.asarray(places)
    require(array.dtype.kind in "iu", name=f"type of {name}", value=str(array.dtype), bound="integers")
    if array.size and (array.min() < 0 or array.max() >= below):
        raise InvalidValueError(
            f"{name} holds a place out of bounds.", f"Every one must be 0 or more and below {below}."
        )
    return array.astype(np.int64)


def _real_numbers(name: str, values: NDArray[np.generic]) -> NDArray[np.float64]:
    array = np.asarray(values)
    require(array.dtype.kind in "iuf", name=f"type of {name}", value=str(array.dtype), bound="real numbers")
    with np.errstate(over="ignore"):  # a wider float beyond float64 becomes infinite, and is refused as such
        return array.astype(np.float64)
