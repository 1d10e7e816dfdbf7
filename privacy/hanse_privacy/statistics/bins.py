"""Bins: where a customer's number falls between fixed edges, and the vector of ones that says so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.statistics.numeric_arrays import customers_numbers, customers_places, released_numbers
from hanse_privacy.validation import require, require_at_least


@dataclass(frozen=True, kw_only=True, eq=False)
class BinnedValues:
    """Where customers' numbers fall. Never leaves a vault as it is.

    Args:
        bins: int64[customers].
        beyond: So many of them lie at or above the last edge; they are in the last bin.
    """

    bins: NDArray[np.int64]
    beyond: int


def checked_edges(edges: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the edges of bins as float64[bins + 1].

    Raises:
        InvalidValueError: Unless there are at least two, finite (within 2^53 of zero) and each above the one before.
    """
    numbers = released_numbers("edges", edges)
    require(numbers.ndim == 1, name="dimensions of edges", value=numbers.ndim, bound="1")
    require_at_least(2, edges=numbers.size)
    if not (np.diff(numbers) > 0).all():
        raise InvalidValueError("edges do not rise.", "Each edge must be above the one before it.")
    return numbers


def bins_of(values: NDArray[np.generic], *, edges: NDArray[np.generic]) -> BinnedValues:
    """Put each customer's number into its bin: from an edge on, and below the next one.

    Nothing is moved silently: a number at or above the last edge goes into the last bin, which thereby has no upper
    end, and is counted; a number below the first edge is refused.

    Args:
        values: Numbers[customers], in the unit of the edges. Integers are taken as they are; huge finite numbers are
            at or above the last edge; no customer at all is no bin.
        edges: Numbers[bins + 1], rising; public, fixed before any data is read.

    Raises:
        UnusableVectorError: If a number is NaN or infinite.
        InvalidValueError: If a number is below the first edge (it is not shown), or a shape or an edge is wrong.
    """
    limits = checked_edges(edges)
    numbers = customers_numbers("values", values)
    require(numbers.ndim == 1, name="dimensions of values", value=numbers.ndim, bound="1")
    if (numbers < limits[0]).any():
        raise InvalidValueError(
            "values holds a number below the first edge.", f"Every one must be {float(limits[0])!r} or more."
        )
    # Searched among all edges but the last, what lies beyond that one falls into the last bin.
    bins = np.searchsorted(limits[:-1], numbers, side="right") - 1
    return BinnedValues(bins=bins.astype(np.int64), beyond=int((numbers >= limits[-1]).sum()))


def indicators(places: NDArray[np.integer], *, size: int) -> NDArray[np.float64]:
    """Return one row per customer: 1 at each of the customer's places, 0 elsewhere.

    Guarantee: a row has L2 norm exactly √k, with k the places per customer; so adding or removing a customer changes
    the sum of all rows by exactly that. A histogram is k = 1; the rows of :meth:`.trees.Tree.paths` make a tree.

    Args:
        places: Integers[customers, k], those of one customer all different, each 0 or more and below ``size``.
        size: Coordinates of a row, 1 or more.

    Returns:
        float64[customers, size]; no customer gives no row, no place (k = 0) a row of zeros.

    Raises:
        InvalidValueError: If a place is out of bounds or comes twice in a row, or a shape or type is wrong.
    """
    require_at_least(1, size=size)
    checked = customers_places("places", places, below=size)
    require(checked.ndim == 2, name="dimensions of places", value=checked.ndim, bound="2")
    rows = np.zeros((checked.shape[0], size))
    np.put_along_axis(rows, checked, 1.0, axis=1)
    if rows.sum() != checked.size:
        raise InvalidValueError("places holds the same place twice in one row.", "Each must come once only.")
    return rows
