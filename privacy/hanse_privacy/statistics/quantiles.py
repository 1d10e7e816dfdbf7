"""Quantiles from the noisy counts of a tree over bins: an estimate, and an interval that holds the noise.

The estimate inverts the noisy distribution made monotone (isotonic regression by pooling adjacent violators: Barlow,
Bartholomew, Bremner and Brunk, "Statistical inference under order restrictions", 1972). The interval inverts a test at
every edge between two bins (Woodruff, "Confidence intervals for medians and other position measures", JASA 1952).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.errors import HanseError
from hanse_privacy.statistics.bins import checked_edges
from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_privacy.statistics.numeric_arrays import released_numbers
from hanse_privacy.statistics.trees import Tree
from hanse_privacy.validation import require, require_non_negative, require_not_empty, require_probability

_ROUNDING = 1e-12
"""Of the largest prefix: so much may one of exact counts, or a probability times the total, be off."""


class TooFewToTellError(HanseError):
    """With its noise the number of customers is below 1: there is nothing of which a share could be found."""

    code = "TOO_FEW_TO_TELL"


@dataclass(frozen=True, kw_only=True)
class QuantileEstimate:
    """A value below which a given share of the customers lies, as far as the noise lets it be told.

    Args:
        probability: The share, above 0 and below 1.
        value: The estimate, in the unit of the edges; linear inside a bin. Where ``is_beyond``, the lower edge of the
            last bin, which is all that can be said: the value is that or more.
        low: The lower end of the 95 % interval, an edge.
        high: Its upper end, an edge; infinite where the interval reaches into the last bin, which has no upper end.
        is_beyond: Whether the estimate falls into the last bin.
    """

    probability: float
    value: float
    low: float
    high: float
    is_beyond: bool


def quantiles(
    tree: Tree,
    leaves: NDArray[np.generic],
    *,
    edges: NDArray[np.generic],
    probabilities: Sequence[float],
    node_standard_deviation: float,
) -> tuple[QuantileEstimate, ...]:
    """Estimate quantiles, each with a 95 % interval.

    Guarantee: an interval holds the quantile of the customers who were summed (the smallest value that at least that
    share of them does not pass) with probability 95 % or more, wherever they lie inside their bins; each interval by
    itself, not all together. At the first edge above the quantile, the count below less the share of the total is 0 or
    more; the lower end reaches that edge only if it is found below 0 by 1.96 standard deviations. Likewise at the other
    end. In bins wider than the noise the interval is about the bin: nobody knows where in it the customers lie. Of a
    hundred releases five may miss, those counted that are refused for too few customers and so miss nothing.

    Args:
        tree: Over the bins.
        leaves: Numbers[tree.leaves], in customers: what :meth:`.trees.Tree.consistent` made of noisy nodes; the last
            bin also holds everything above it.
        edges: Numbers[tree.leaves + 1], rising, of any widths.
        probabilities: Above 0 and below 1, in any order, also the same twice.
        node_standard_deviation: That of the noise of each node, in customers; 0 for exact counts.

    Raises:
        TooFewToTellError: If the leaves sum to less than 1 customer.
        InvalidValueError: If a number is NaN, infinite or beyond 2^53, a shape does not fit, the edges do not rise, a
            probability is out of bounds or none is given.
    """
    counts, limits = released_numbers("leaves", leaves), checked_edges(edges)
    require(counts.shape == (tree.leaves,), name="shape of leaves", value=counts.shape, bound=f"({tree.leaves},)")
    require(limits.size == tree.leaves + 1, name="edges", value=limits.size, bound=f"{tree.leaves + 1} in number")
    require_not_empty(probabilities=probabilities)
    require_non_negative(node_standard_deviation=node_standard_deviation)
    prefixes = np.concatenate([[0.0], np.cumsum(counts)])
    total = float(prefixes[-1])
    if total < 1:
        raise TooFewToTellError(
            f"The noisy number of customers is {total:.3g}: no quantile can be told.",
            "Ask again with more customers, or with less noise.",
        )
    inner = np.clip(isotonic(prefixes[1:-1]), 0.0, total)
    monotone = np.concatenate([[0.0], inner, [total]])
    rounding = _ROUNDING * float(np.abs(prefixes).max())
    estimates = []
    for probability in probabilities:
        require_probability(probability=probability)
        rank = probability * total
        margin = NORMAL_95 * node_standard_deviation * _rank_errors(tree, probability)
        # Not from the monotone counts: beside a gap, where pooling moves them, their intervals miss too often. The
        # value is inside all the same: pooling takes no count above the largest up to it or below the least after it.
        low, high = _interval(prefixes - rank, margin + rounding, limits)
        value, is_beyond = _invert(monotone, limits, rank)
        estimates.append(
            QuantileEstimate(probability=probability, value=value, low=low, high=high, is_beyond=is_beyond)
        )
    return tuple(estimates)


def rank_standard_deviation(tree: Tree, probability: float, node_standard_deviation: float) -> float:
    """Predict how far, in customers, the rank at which a quantile is read is from the one that was asked for.

    It is the root mean square, over all edges between two bins, of the standard deviation of (the count below the edge
    less the probability times the total): known before any data is read, which alone tells at which of the edges the
    quantile will be read. At single edges it is up to a fifth larger (four children per node), or far smaller.

    Args:
        tree: Over the bins, each node with independent noise.
        probability: Above 0 and below 1.
        node_standard_deviation: That of the noise of each node, in customers, 0 or more.

    Raises:
        InvalidValueError: If a number is out of its bounds.
    """
    require_probability(probability=probability)
    require_non_negative(node_standard_deviation=node_standard_deviation)
    inner = _rank_errors(tree, probability)[1:-1]
    return node_standard_deviation * math.sqrt(float(np.mean(inner**2)))


def isotonic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that never fall and are nearest in least squares, by pooling adjacent violators.

    Args:
        values: float64[n], finite; none at all gives none.
    """
    means: list[float] = []
    lengths: list[int] = []
    for value in values.tolist():
        mean, length = value, 1
        while means and means[-1] >= mean:
            before = lengths.pop()
            mean = (means.pop() * before + mean * length) / (before + length)
            length += before
        means.append(mean)
        lengths.append(length)
    return np.repeat(np.array(means, dtype=np.float64), np.array(lengths, dtype=np.int64))


def _rank_errors(tree: Tree, probability: float) -> NDArray[np.float64]:
    """Standard deviation of prefix - probability · total at each edge, as a multiple of a node's."""
    variances = tree.prefix_variances()
    # All leaves have the same covariance with the total, so a prefix has its share of the total's variance.
    shares = np.arange(tree.leaves + 1) / tree.leaves
    squares = variances + (probability**2 - 2 * probability * shares) * variances[-1]
    errors: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
    return errors


def _invert(monotone: NDArray[np.float64], limits: NDArray[np.float64], rank: float) -> tuple[float, bool]:
    """Return the smallest value with ``rank`` customers below it, and whether it is one in the last bin."""
    above = int(np.searchsorted(monotone, rank, side="left"))
    low, high = float(limits[above - 1]), float(limits[above])
    if above == limits.size - 1:
        return low, True
    start, end = float(monotone[above - 1]), float(monotone[above])
    return min(low + (high - low) * ((rank - start) / (end - start)), high), False


def _interval(
    excess: NDArray[np.float64], margin: NDArray[np.float64], limits: NDArray[np.float64]
) -> tuple[float, float]:
    """Go inward from both ends as long as an edge is told apart from the quantile, and take the last such edges."""
    is_below, is_above = excess < -margin, excess >= margin
    # The first edge is below every value and the last bin has no upper edge: no test is needed to know that.
    is_below[0], is_above[-1] = True, True
    low = int(np.argmin(is_below)) - 1
    high = is_above.size - int(np.argmin(is_above[::-1]))
    return float(limits[low]), math.inf if high >= limits.size - 1 else float(limits[high])
