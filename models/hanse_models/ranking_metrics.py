"""Recall and NDCG of the first places of a ranking, per customer.

Recall@k is capped, hits / min(k, targets), so that 1 can be reached; NDCG@k is binary with the same
cap on the ideal (Jarvelin and Kekalainen 2002). Both are given apart for what is bought again and
what is new, since the two differ tenfold in groceries (Li et al. 2023, "A Next Basket Recommendation
Reality Check"). Equal scores are ranked by place in the catalogue, lower first, so that a result never depends on the
sorting routine.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array, is_marked
from hanse_models.recommender import ScoredCustomers
from hanse_privacy.validation import require, require_at_least


class RankingView(StrEnum):
    """Which items are ranked, and which of the targets count."""

    ALL = "all"
    """All items; all targets."""
    REPEAT = "repeat"
    """Items in the customer's history; targets in it."""
    EXPLORE = "explore"
    """Items never bought; targets never bought."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RankingQuality:
    """One view's metrics, one place per customer; NaN where the customer has no target in this view.

    Args:
        recall: float64[customers], capped recall.
        ndcg: float64[customers], normalised discounted cumulative gain.
    """

    recall: NDArray[np.float64]
    ndcg: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MeanEstimate:
    """A mean over customers.

    Args:
        mean: NaN if no customer could be evaluated.
        standard_error: NaN if fewer than two could.
        customers: How many were evaluated.
    """

    mean: float
    standard_error: float
    customers: int


def evaluate_ranking(
    scored: Iterable[ScoredCustomers],
    *,
    history: csr_array,
    targets: csr_array,
    evaluated: NDArray[np.bool_],
    places: int = 10,
) -> Mapping[RankingView, RankingQuality]:
    """Measure a ranking against what was bought afterwards.

    Args:
        scored: Scores chunk by chunk, as the recommender gives them; each customer at most once.
        history: Sparse [customers, items], other than zero where the customer bought the item before.
        targets: Sparse [customers, items], other than zero where the customer bought it afterwards.
        evaluated: bool[customers], who counts; others are NaN throughout. The protocol takes customers with a
            purchase before the cut, also where a cold-start test hides it.
        places: Length of the list, k.

    Returns:
        The metrics of each view, per customer, so that callers can pair and add up.

    Raises:
        InvalidValueError: If shapes do not agree.
    """
    require_at_least(1, places=places)
    customers, items = targets.shape
    require(
        history.shape == targets.shape,
        name="history's shape",
        value=history.shape,
        bound=f"{targets.shape}, as the targets'",
    )
    require(
        evaluated.shape == (customers,),
        name="evaluated's shape",
        value=evaluated.shape,
        bound=f"({customers},), one per customer",
    )
    quality = {
        view: RankingQuality(recall=np.full(customers, np.nan), ndcg=np.full(customers, np.nan)) for view in RankingView
    }
    for chunk in scored:
        require(
            chunk.scores.shape[1] == items,
            name="scores' columns",
            value=chunk.scores.shape[1],
            bound=f"{items}, the targets' items",
        )
        counted = evaluated[chunk.customers]
        rows, scores = chunk.customers[counted], chunk.scores[counted]
        bought, wanted = is_marked(history, rows), is_marked(targets, rows)
        for view, candidates in (
            (RankingView.ALL, np.ones_like(bought)),
            (RankingView.REPEAT, bought),
            (RankingView.EXPLORE, ~bought),
        ):
            recall, ndcg = _first_places(scores, candidates, wanted & candidates, min(places, items), places)
            quality[view].recall[rows] = recall
            quality[view].ndcg[rows] = ndcg
    return quality


def mean_and_standard_error(values: NDArray[np.float64]) -> MeanEstimate:
    """Average a metric, or a paired difference of two, over the customers where it is not NaN."""
    known = values[~np.isnan(values)]
    return MeanEstimate(
        mean=float(known.mean()) if len(known) > 0 else float("nan"),
        standard_error=float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else float("nan"),
        customers=len(known),
    )


def top_items(scores: NDArray[np.float64], candidates: NDArray[np.bool_], *, places: int) -> NDArray[np.int64]:
    """Return each row's best candidates, best first; equal scores by place in the catalogue.

    Args:
        scores: float64[n, items], finite.
        candidates: bool[n, items], what may be named.
        places: How many, at most the number of items.

    Returns:
        int64[n, places], -1 where a row has fewer candidates than places.
    """
    masked = np.where(candidates, scores, -np.inf)
    last = np.partition(masked, masked.shape[1] - places, axis=1)[:, -places, np.newaxis]
    above, level = masked > last, masked == last
    free = places - np.count_nonzero(above, axis=1)[:, np.newaxis]
    chosen = above | (level & (np.cumsum(level, axis=1) <= free))
    items = np.nonzero(chosen)[1].reshape(len(scores), places)
    chosen_scores = np.take_along_axis(masked, items, axis=1)
    order = np.argsort(-chosen_scores, axis=1, kind="stable")
    ranked = np.take_along_axis(items, order, axis=1)
    return np.where(np.isneginf(np.take_along_axis(chosen_scores, order, axis=1)), -1, ranked)


def _first_places(
    scores: NDArray[np.float64],
    candidates: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    listed: int,
    places: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ranked = top_items(scores, candidates, places=listed)
    hit = np.take_along_axis(wanted, np.maximum(ranked, 0), axis=1) & (ranked >= 0)
    discount = 1.0 / np.log2(np.arange(2, places + 2))
    reachable = np.minimum(np.count_nonzero(wanted, axis=1), places)
    # Customers with no target get NaN: they cannot be evaluated, and are not a zero.
    ideal = np.append(np.nan, np.cumsum(discount))[reachable]
    recall = np.count_nonzero(hit, axis=1) / np.where(reachable > 0, reachable, np.nan)
    return recall, (hit @ discount[:listed]) / ideal
