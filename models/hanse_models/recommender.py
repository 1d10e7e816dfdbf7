"""The personal posterior: a customer's own history, filled up with what everybody buys.

The chance that an item is in the next basket is estimated as a posterior mean,
s(u, i) = (d(u, i) + strength * prior(i)) / (n(u) + strength), with d the decayed baskets of the
customer that hold the item and n all decayed baskets. A customer with no basket gets the prior. Items that
the customer never bought keep the same set of prior values, handed out in the order of the explore
score: personal history ranks what is bought again, the shared model ranks what is new.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import dense_rows
from hanse_models.popularity import SharedPopularity, decayed_purchases
from hanse_models.purchases import PurchaseHistory
from hanse_privacy.validation import require, require_at_least, require_positive


@dataclass(frozen=True, kw_only=True)
class RecommenderSettings:
    """How far the recommender looks back, and how much it trusts the shared model.

    Args:
        half_life_weeks: After so many weeks a customer's basket counts half.
        prior_strength: The prior weighs as many baskets as this.
    """

    half_life_weeks: float = 20.0
    prior_strength: float = 8.0

    def __post_init__(self) -> None:
        require_positive(half_life_weeks=self.half_life_weeks, prior_strength=self.prior_strength)


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoredCustomers:
    """Scores of some customers.

    Args:
        customers: int64[n], their rows.
        scores: float64[n, items], higher is better, between 0 and 1.
    """

    customers: NDArray[np.int64]
    scores: NDArray[np.float64]


def recommend_scores(
    history: PurchaseHistory,
    *,
    week: int,
    popularity: SharedPopularity,
    settings: RecommenderSettings = RecommenderSettings(),
    customers_per_chunk: int = 1024,
) -> Iterator[ScoredCustomers]:
    """Score every item for every customer from purchases up to ``week`` and the shared popularity.

    Args:
        history: The customers' own purchases; one without any is served the popular items.
        week: The last week that may be looked at.
        popularity: The shared model, or a shop's own sums.
        settings: Half-life and weight of the prior.
        customers_per_chunk: How many customers are held as dense rows at once.

    Returns:
        All customers in row order, chunk by chunk.

    Raises:
        InvalidValueError: If the popularity is over another catalogue than the history.
    """
    require(
        popularity.items == history.items,
        name="popularity.items",
        value=popularity.items,
        bound=f"the history's number of items, {history.items}",
    )
    require_at_least(1, customers_per_chunk=customers_per_chunk)
    past = decayed_purchases(history, week=week, half_life_weeks=settings.half_life_weeks)
    return (
        ScoredCustomers(
            customers=customers,
            scores=_posterior(
                dense_rows(past.items, customers), past.baskets[customers], popularity, settings.prior_strength
            ),
        )
        for customers in _chunks(history.customers, customers_per_chunk)
    )


def _posterior(
    bought: NDArray[np.float64], baskets: NDArray[np.float64], popularity: SharedPopularity, strength: float
) -> NDArray[np.float64]:
    prior = popularity.prior()
    prior_order = np.argsort(-prior, kind="stable")
    explore_order = popularity.explore_order()
    never = bought == 0
    # A row has as many never-bought items along one order as along the other, so its k-th highest
    # prior value meets its k-th item to explore.
    handed_out = np.zeros_like(bought)
    values = np.broadcast_to(prior[prior_order], bought.shape)
    handed_out[never[:, explore_order]] = values[never[:, prior_order]]
    explore_prior = np.empty_like(bought)
    explore_prior[:, explore_order] = handed_out
    return (bought + strength * np.where(never, explore_prior, prior)) / (baskets[:, np.newaxis] + strength)


def _chunks(customers: int, customers_per_chunk: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, customers, customers_per_chunk):
        yield np.arange(start, min(start + customers_per_chunk, customers), dtype=np.int64)
