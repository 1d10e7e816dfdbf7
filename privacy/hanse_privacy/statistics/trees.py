"""A tree of counts over bins: every range is the sum of few noisy nodes, and all nodes together mend each other.

One customer is counted at the leaf of the own bin and at each node above it. The leaf counts that fit all noisy nodes
best are found in two passes: Hay, Rastogi, Miklau and Suciu, "Boosting the accuracy of differentially private
histograms through consistency" (VLDB 2010, arXiv:0904.0942), Theorem 3, for any branching.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.statistics.numeric_arrays import customers_places, released_numbers
from hanse_privacy.validation import require, require_at_least

LARGEST_TREE = 2**24
"""So many nodes at most: a vector of a release has one coordinate per node."""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A complete tree over ``branching ** height`` bins; nodes lie level by level from the root, left to right.

    Guarantee: a customer's vector, 1 at each node of :meth:`paths` and 0 elsewhere, has L2 norm exactly :attr:`norm`
    whatever the bin; so adding or removing a customer changes the sum of all vectors by exactly that.

    Args:
        branching: Children per inner node, 2 or more.
        height: Levels below the root, 1 or more; the root is level 0 and is counted, too.

    Raises:
        InvalidValueError: If either is out of bounds, or the tree has more than 2^24 nodes.
    """

    branching: int
    height: int

    def __post_init__(self) -> None:
        require_at_least(2, branching=self.branching)
        require_at_least(1, height=self.height)
        # A power of these cannot take long, which that of any two integers could.
        require(self.height <= 24, name="height", value=self.height, bound="24 or less")
        require(self.branching <= LARGEST_TREE, name="branching", value=self.branching, bound=f"{LARGEST_TREE} or less")
        require(self.size <= LARGEST_TREE, name="nodes of the tree", value=self.size, bound=f"{LARGEST_TREE} or less")

    @property
    def leaves(self) -> int:
        """Bins."""
        leaves: int = self.branching**self.height
        return leaves

    @property
    def size(self) -> int:
        """Nodes of all levels: the coordinates of a vector."""
        return self._start(self.height + 1)

    @property
    def norm(self) -> float:
        """L2 norm of one customer's vector: one 1 per level."""
        return math.sqrt(self.height + 1)

    def paths(self, bins: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the nodes at which each customer is counted, from the root down.

        Args:
            bins: Integers[customers], each 0 or more and below :attr:`leaves`.

        Returns:
            int64[customers, height + 1]; no customer gives no row.

        Raises:
            InvalidValueError: If a bin is out of bounds (it is not shown) or the array's type or shape is wrong.
        """
        places = customers_places("bins", bins, below=self.leaves)
        require(places.ndim == 1, name="dimensions of bins", value=places.ndim, bound="1")
        levels = range(self.height + 1)
        starts = np.array([self._start(level) for level in levels], dtype=np.int64)
        widths = np.array([self.branching ** (self.height - level) for level in levels], dtype=np.int64)
        nodes: NDArray[np.int64] = starts + places[:, None] // widths
        return nodes

    def consistent(self, noisy: NDArray[np.generic]) -> NDArray[np.float64]:
        """Estimate the leaf counts by least squares over all nodes, each with noise of the same variance.

        Of all unbiased linear estimates this has the smallest variance, of each leaf and of each sum of leaves. It
        can be negative; nothing is rounded or cut off, which would bias it.

        Args:
            noisy: Numbers[…, size]: one noisy count per node, in customers; leading dimensions are separate trees.
                Integers are taken as they are.

        Returns:
            float64[…, leaves], in customers; all zero where all nodes are zero.

        Raises:
            InvalidValueError: If an entry is NaN, infinite or beyond 2^53, or the last dimension is not ``size``.
        """
        counts = released_numbers("noisy", noisy)
        require(counts.shape[-1:] == (self.size,), name="shape of noisy", value=counts.shape, bound=f"(…, {self.size})")
        return self._least_squares(counts)

    def variance_of(self, weights: NDArray[np.generic]) -> float:
        """Return the variance of Σ weights · leaves, for the leaves of :meth:`consistent`; exact up to rounding.

        It is a multiple of the noise variance of one node: wᵀ (AᵀA)⁻¹ w, with A[node, leaf] = 1 where the leaf is
        under the node. All zero weights give 0.

        Args:
            weights: Numbers[leaves].

        Raises:
            InvalidValueError: If a weight is NaN, infinite or beyond 2^53, or the shape is another.
        """
        checked = released_numbers("weights", weights)
        require(
            checked.shape == (self.leaves,), name="shape of weights", value=checked.shape, bound=f"({self.leaves},)"
        )
        # Aᵀ of a vector that is w at the leaves and 0 above them is w: its least-squares leaves are (AᵀA)⁻¹ w.
        nodes = np.concatenate([np.zeros(self.size - self.leaves), checked])
        return max(float(checked @ self._least_squares(nodes)), 0.0)

    def prefix_variances(self) -> NDArray[np.float64]:
        """Return :meth:`variance_of` the first 0, 1, 2 … leaves, all prefixes at once.

        With T the variance of a subtree's total and V[j] that of its first j leaves, q of b subtrees and j leaves of
        the next have V[j] + q T - m² T² / (1 + b T), where m = q + j / (leaves of a subtree): what the subtrees say by
        themselves, less what the node above them adds, which it adds to all their leaves alike.

        Returns:
            float64[leaves + 1]: 0 first, the variance of the total last, as multiples of one node's noise variance.
        """
        variances, total = np.array([0.0, 1.0]), 1.0
        for _ in range(self.height):
            below = variances[:-1]
            position = np.arange(self.branching * below.size) / below.size
            before = np.floor(position) * total
            gained = position**2 * total**2 / (1 + self.branching * total)
            total = self.branching * total / (1 + self.branching * total)
            variances = np.append(np.tile(below, self.branching) + before - gained, total)
        return variances

    def _start(self, level: int) -> int:
        """Count the nodes above a level."""
        start: int = (self.branching**level - 1) // (self.branching - 1)
        return start

    def _least_squares(self, nodes: NDArray[np.float64]) -> NDArray[np.float64]:
        batch, branching = nodes.shape[:-1], self.branching
        levels = [nodes[..., self._start(level) : self._start(level + 1)] for level in range(self.height + 1)]
        # Up: the best estimate of each node from what is under it and itself, weighted by inverse variance.
        best, variance = [levels.pop()], 1.0
        while levels:
            families = best[-1].reshape(*batch, branching ** (len(levels) - 1), branching)
            own = branching * variance / (1 + branching * variance)
            best.append(own * levels.pop() + (1 - own) * families.sum(axis=-1))
            variance = own
        # Down: what a node has more than its children is shared out among them, equally.
        estimate = best.pop()
        while best:
            families = best.pop().reshape(*batch, estimate.shape[-1], branching)
            missing = (estimate - families.sum(axis=-1)) / branching
            estimate = (families + missing[..., None]).reshape(*batch, estimate.shape[-1] * branching)
        return estimate
