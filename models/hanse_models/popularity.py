"""Popularity: the two vectors that each customer gives to a one-shot statistics run, and their sums.

Nothing is clipped here: the mechanism that releases the sums clips each customer's vector and
adds the noise. The closed form is that of personal-frequency models of grocery baskets with shared
popularity (Hu et al. 2020, "Modeling Personalized Item Frequency Information for Next-basket Recommendation").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array, sum_into_matrix
from hanse_models.purchases import PurchaseHistory, items_bought
from hanse_privacy.validation import require, require_positive


@dataclass(frozen=True, kw_only=True, eq=False)
class DecayedPurchases:
    """Purchases up to a week, each basket counted 0.5 ** (age in weeks / half-life).

    Args:
        items: Sparse float64[customers, items]: decayed baskets that hold the item.
        baskets: float64[customers]: decayed baskets.
    """

    items: csr_array
    baskets: NDArray[np.float64]


def decayed_purchases(history: PurchaseHistory, *, week: int, half_life_weeks: float) -> DecayedPurchases:
    """Add up each customer's purchases of weeks up to ``week``, older ones counting less.

    Raises:
        InvalidValueError: If the half-life is not positive.
    """
    require_positive(half_life_weeks=half_life_weeks)
    past = history.until(week)
    bought, visited = past.item_weeks, past.basket_weeks
    item_weight = bought.baskets * 0.5 ** ((week - bought.week.astype(np.float64)) / half_life_weeks)
    basket_weight = visited.baskets * 0.5 ** ((week - visited.week.astype(np.float64)) / half_life_weeks)
    return DecayedPurchases(
        items=sum_into_matrix(bought.customer, bought.item, item_weight, shape=(history.customers, history.items)),
        baskets=np.bincount(visited.customer, weights=basket_weight, minlength=history.customers).astype(np.float64),
    )


def rate_vectors(history: PurchaseHistory, *, week: int, half_life_weeks: float = 8.0) -> csr_array:
    """Return in which share of each customer's recent baskets each item is (the protocol's V1).

    Returns:
        Sparse float64[customers, items], entries above 0 up to 1; a customer with no basket has an empty row.
    """
    past = decayed_purchases(history, week=week, half_life_weeks=half_life_weeks)
    rates = past.items.copy()
    rates.data /= np.repeat(past.baskets, np.diff(rates.indptr))
    return rates


def breadth_vectors(history: PurchaseHistory, *, week: int) -> csr_array:
    """Return 1 for each item that a customer bought up to ``week`` (the protocol's V2).

    Returns:
        Sparse float64[customers, items], every stored entry 1.
    """
    return items_bought(history, first_week=1, last_week=week)


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedPopularity:
    """Both vectors summed over customers, exact or as released with noise.

    Noise may make entries negative, and it is kept: what is done about it is said where it is done.

    Args:
        rate: float64[items], sum of the rate vectors.
        breadth: float64[items], sum of the breadth vectors.
        customers: How many customers are in the sums, exact or noised.

    Raises:
        InvalidValueError: If the vectors differ in length or a number is not finite.
    """

    rate: NDArray[np.float64]
    breadth: NDArray[np.float64]
    customers: float

    def __post_init__(self) -> None:
        require(
            self.rate.ndim == 1 and self.rate.shape == self.breadth.shape,
            name="breadth's shape",
            value=self.breadth.shape,
            bound=f"that of rate, {self.rate.shape}, one entry per item",
        )
        finite = bool(np.isfinite(self.rate).all() and np.isfinite(self.breadth).all())
        require(
            finite and bool(np.isfinite(self.customers)),
            name="the sums",
            value="not all finite",
            bound="finite numbers",
        )

    @property
    def items(self) -> int:
        """Number of items in the catalogue."""
        return len(self.rate)

    def prior(self) -> NDArray[np.float64]:
        """Return the mean rate of each item, float64[items], between 0 and 1.

        A rate is a share of baskets: a mean that noise takes below 0 or above 1 is floored or capped. A noised
        count of customers below 1 counts as 1.
        """
        return np.clip(self.rate / max(self.customers, 1.0), 0.0, 1.0)

    def explore_score(self) -> NDArray[np.float64]:
        """Return by what never-bought items are ranked, float64[items]: how many customers ever bought them."""
        return self.breadth

    def explore_order(self) -> NDArray[np.int64]:
        """Return the items by falling explore score, int64[items]; equal scores by place in the catalogue."""
        return np.argsort(-self.explore_score(), kind="stable")


def exact_popularity(history: PurchaseHistory, *, week: int, half_life_weeks: float = 8.0) -> SharedPopularity:
    """Return a shop's own sums, without clip and noise; customers with no basket up to ``week`` do not count."""
    past = history.until(week)
    return SharedPopularity(
        rate=np.asarray(rate_vectors(past, week=week, half_life_weeks=half_life_weeks).sum(axis=0)).ravel(),
        breadth=np.asarray(breadth_vectors(past, week=week).sum(axis=0)).ravel(),
        customers=float(len(np.unique(past.basket_weeks.customer))),
    )
