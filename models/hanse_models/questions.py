"""The exact vectors that customers add to an answer: one row per customer, one column per cell.

Like all exact vectors they go into a release, which clips, sums and noises them, and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array, sum_into_matrix
from hanse_models.purchases import require_known_customers
from hanse_privacy.statistics.bins import bins_of
from hanse_privacy.statistics.trees import Tree
from hanse_privacy.validation import require, require_at_least


@dataclass(frozen=True, kw_only=True, eq=False)
class CustomerAmounts:
    """What each customer did in each group; no row where there was nothing.

    Args:
        customers: How many customers; some may have no row.
        groups: How many groups.
        customer: int32[n], from 0.
        group: int32[n], from 0.
        amount: float64[n], 0 or more: baskets, money, quantity, or 1 for a customer who bought at all.

    Raises:
        InvalidValueError: If lengths differ, a value is out of range, or a customer has a group twice.
    """

    customers: int
    groups: int
    customer: NDArray[np.int32]
    group: NDArray[np.int32]
    amount: NDArray[np.float64]

    def __post_init__(self) -> None:
        require_at_least(0, customers=self.customers)
        require_at_least(1, groups=self.groups)
        lengths = {len(self.customer), len(self.group), len(self.amount)}
        require(len(lengths) == 1, name="lengths", value=sorted(lengths), bound="one length for all three columns")
        require_at_least(0, customer=int(self.customer.min(initial=0)), group=int(self.group.min(initial=0)))
        require_known_customers(self.customer, customers=self.customers)
        highest = int(self.group.max(initial=-1))
        require(highest < self.groups, name="group", value=highest, bound=f"below the number of groups, {self.groups}")
        bad = int(np.count_nonzero(~np.isfinite(self.amount) | (self.amount < 0)))
        require(
            bad == 0, name="amount", value=f"negative, infinite or missing in {bad} rows", bound="finite, 0 or more"
        )
        keys = self.customer.astype(np.int64) * self.groups + self.group
        repeated = len(keys) - len(np.unique(keys))
        require(repeated == 0, name="rows", value=f"{repeated} repeated", bound="one per customer and group")

    @property
    def bought(self) -> NDArray[np.float64]:
        """1 for each customer who has a row, float64[customers]."""
        return (np.bincount(self.customer, minlength=self.customers) > 0).astype(np.float64)


def count_vectors(amounts: CustomerAmounts) -> csr_array:
    """Each customer's amounts: sparse float64[customers, groups]."""
    return sum_into_matrix(amounts.customer, amounts.group, amounts.amount, shape=(amounts.customers, amounts.groups))


def histogram_vectors(amounts: CustomerAmounts, *, edges: Sequence[float]) -> csr_array:
    """1 in the bin that each customer's amount in a group falls into.

    Args:
        amounts: What customers did.
        edges: Lower edges, from 0; the last bin has no upper edge.

    Returns:
        Sparse float64[customers, groups · bins], each row at most the root of the number of groups long.
    """
    # What lies at or above the last of the bins' edges falls into the last bin.
    limits = np.array([*edges, edges[-1] + 1.0])
    return _ones(amounts, bins_of(amounts.amount, edges=limits).bins[:, None], cells=len(edges))


def tree_vectors(amounts: CustomerAmounts, *, edges: Sequence[float], tree: Tree) -> csr_array:
    """1 in each node of a group's tree above, and in, the bin that each customer's amount in it falls into.

    Args:
        amounts: What customers did.
        edges: Of the tree's leaves, from 0: one more than there are; amounts above the last one are in the last leaf.
        tree: The tree of each group.

    Returns:
        Sparse float64[customers, groups · nodes].
    """
    return _ones(amounts, tree.paths(bins_of(amounts.amount, edges=np.array(edges)).bins), cells=tree.size)


def _ones(amounts: CustomerAmounts, places: NDArray[np.int64], *, cells: int) -> csr_array:
    columns = amounts.group[:, None].astype(np.int64) * cells + places
    rows = np.repeat(amounts.customer, places.shape[1])
    return sum_into_matrix(
        rows, columns.ravel(), np.ones(columns.size), shape=(amounts.customers, amounts.groups * cells)
    )
