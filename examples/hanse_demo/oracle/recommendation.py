"""How good recommendations are at one partner: from its own data, and from what the league released.

The protocol is the one of the league's recommender: everybody with a purchase in the history and one in
the weeks after it, Recall@10 and NDCG@10. *Cold* customers are seen by their last 0, 1 or 3 baskets
alone and are left out of the sums they are served from.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_demo.oracle.estimates import StatisticsName, mean_estimate
from hanse_demo.oracle.purchases import PartnerPurchases
from hanse_demo.oracle.statistics import (
    FOLDS,
    FoldedPopularity,
    RecommendationWindow,
    ReleaseClips,
    customer_vectors,
    folds_of,
    league_popularity,
    own_popularity,
)
from hanse_demo.summary import LeagueGain, RecommenderRow
from hanse_models.matrices import csr_array, is_marked
from hanse_models.popularity import SharedPopularity
from hanse_models.purchases import BasketWeeks, ItemWeeks, PurchaseHistory, items_bought
from hanse_models.ranking_metrics import RankingQuality, RankingView, evaluate_ranking, top_items
from hanse_models.recommender import recommend_scores
from hanse_privacy.validation import require

PLACES = 10
COLD_BASKETS = (0, 1, 3)
"""How many of a cold customer's baskets are seen."""
_CUSTOMERS_PER_CHUNK = 128
"""Of dense rows: 128 customers by some 4,000 items are 4 MB and stay in a processor's cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecommenderQuality:
    """One recommender's metrics, one place per evaluated customer; NaN where the view has no target.

    Args:
        views: From the customer's whole history at the partner.
        cold: Recall over all items where only so many baskets are seen: float64[evaluated] by their number.
    """

    views: Mapping[RankingView, RankingQuality]
    cold: Mapping[int, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecommendationTask:
    """Whom to serve at one partner, what can be seen of them, and what they bought then.

    Args:
        evaluated: int64[n], the evaluated customers' rows among the partner's customers.
        fold: int64[n], in which fold they are left out.
        history: Their purchases up to the window's last week; customer i is ``evaluated[i]``.
        visible: The same, of their last so many baskets alone.
        targets: Sparse float64[n, items], what they bought in the target weeks.
    """

    window: RecommendationWindow
    evaluated: NDArray[np.int64]
    fold: NDArray[np.int64]
    history: PurchaseHistory
    visible: Mapping[int, PurchaseHistory]
    targets: csr_array


@dataclass(frozen=True, kw_only=True, eq=False)
class PartnerRecommendation:
    """What recommendations are worth at one partner; the arrays pair customer by customer.

    Args:
        customers: The evaluated customers' pseudonyms: the order of every array.
        rows: Own data of consenting customers, own data of all, the league's.
        gain: League less own data (consented), paired.
    """

    partner: str
    customers: tuple[str, ...]
    own_consented: RecommenderQuality
    own_all: RecommenderQuality
    league: RecommenderQuality
    rows: tuple[RecommenderRow, RecommenderRow, RecommenderRow]
    gain: LeagueGain


def evaluate_recommender(
    purchases: PartnerPurchases,
    *,
    consented: frozenset[str],
    released: SharedPopularity,
    clips: ReleaseClips,
    window: RecommendationWindow,
) -> PartnerRecommendation:
    """Measure three recommenders at one partner: own data (consented), own data (all customers), league.

    They differ in the popularity that they share, and in nothing else; each customer's own history is
    what this partner alone has seen.

    Args:
        purchases: All that the partner has, target weeks included.
        consented: The cohort of the partner's release.
        released: The sum of all partners' releases, decoded.
        clips: The proposal's, to take a fold's part out of ``released``.
        window: The proposal's, and the target.

    Raises:
        InvalidValueError: If a consenting customer is unknown, the purchases end before the target does, or
            ``released`` is over another catalogue.
    """
    members = purchases.members(consented)
    task = recommendation_task(purchases, window=window)
    vectors = customer_vectors(purchases, window=window)
    own_consented = measure(task, own_popularity(vectors, members=members))
    own_all = measure(task, own_popularity(vectors, members=np.ones_like(members)))
    league = measure(task, league_popularity(vectors, members=members, released=released, clips=clips))
    return PartnerRecommendation(
        partner=purchases.partner,
        customers=tuple(purchases.customers[row] for row in task.evaluated),
        own_consented=own_consented,
        own_all=own_all,
        league=league,
        rows=(
            recommender_row("own data, consented", own_consented),
            recommender_row("own data, all customers", own_all),
            recommender_row("league", league),
        ),
        gain=league_gain(league, own_consented),
    )


def recommendation_task(purchases: PartnerPurchases, *, window: RecommendationWindow) -> RecommendationTask:
    """Prepare what does not depend on any popularity, so that many can be measured on the same customers.

    Raises:
        InvalidValueError: If the purchases end before the target does.
    """
    last_target_week = window.last_week + window.target_weeks
    require(
        purchases.last_week >= last_target_week,
        name="purchases.last_week",
        value=purchases.last_week,
        bound=f"{last_target_week} (the last target week) or later",
    )
    whole = purchases.history
    past = whole.until(window.last_week)
    before = items_bought(past, first_week=1, last_week=window.last_week)
    after = items_bought(whole, first_week=window.last_week + 1, last_week=last_target_week)
    evaluated = np.flatnonzero((np.diff(before.indptr) > 0) & (np.diff(after.indptr) > 0)).astype(np.int64)
    return RecommendationTask(
        window=window,
        evaluated=evaluated,
        fold=folds_of(purchases.customers)[evaluated],
        history=_of_customers(past, evaluated),
        visible={
            count: _of_customers(purchases.last_baskets(count, last_week=window.last_week), evaluated)
            for count in COLD_BASKETS
        },
        targets=after[evaluated],
    )


def measure(task: RecommendationTask, popularity: FoldedPopularity) -> RecommenderQuality:
    """Serve the task's customers from one popularity and compare with what they bought.

    Raises:
        InvalidValueError: If the popularity is over another catalogue than the purchases.
    """
    scored = recommend_scores(
        task.history,
        week=task.window.last_week,
        popularity=popularity.everybody,
        customers_per_chunk=_CUSTOMERS_PER_CHUNK,
    )
    return RecommenderQuality(
        views=evaluate_ranking(
            scored,
            history=items_bought(task.history, first_week=1, last_week=task.window.last_week),
            targets=task.targets,
            evaluated=np.ones(len(task.evaluated), dtype=np.bool_),
            places=PLACES,
        ),
        cold={count: _cold_recall(task, popularity, visible) for count, visible in task.visible.items()},
    )


def recommender_row(statistics: StatisticsName, quality: RecommenderQuality) -> RecommenderRow:
    """Average the metrics over customers."""
    everything, repeat, explore = (
        quality.views[view] for view in (RankingView.ALL, RankingView.REPEAT, RankingView.EXPLORE)
    )
    return RecommenderRow(
        statistics=statistics,
        recall_all=mean_estimate(everything.recall),
        ndcg_all=mean_estimate(everything.ndcg),
        recall_repeat=mean_estimate(repeat.recall),
        ndcg_repeat=mean_estimate(repeat.ndcg),
        recall_explore=mean_estimate(explore.recall),
        ndcg_explore=mean_estimate(explore.ndcg),
        recall_cold_0=mean_estimate(quality.cold[0]),
        recall_cold_1=mean_estimate(quality.cold[1]),
        recall_cold_3=mean_estimate(quality.cold[3]),
    )


def league_gain(league: RecommenderQuality, own: RecommenderQuality) -> LeagueGain:
    """Average the differences, customer by customer."""
    everything, explore = RankingView.ALL, RankingView.EXPLORE
    return LeagueGain(
        recall_all=mean_estimate(league.views[everything].recall - own.views[everything].recall),
        recall_explore=mean_estimate(league.views[explore].recall - own.views[explore].recall),
        recall_cold_0=mean_estimate(league.cold[0] - own.cold[0]),
        recall_cold_1=mean_estimate(league.cold[1] - own.cold[1]),
        recall_cold_3=mean_estimate(league.cold[3] - own.cold[3]),
    )


def _cold_recall(
    task: RecommendationTask, popularity: FoldedPopularity, visible: PurchaseHistory
) -> NDArray[np.float64]:
    recall = np.full(len(task.evaluated), np.nan)
    for fold in range(FOLDS):
        rows = np.flatnonzero(task.fold == fold)
        # Whoever shows no basket is served the same list: the fold needs one of them only.
        unseen = len(visible.basket_weeks.customer) == 0
        scored = recommend_scores(
            _of_customers(visible, rows[:1] if unseen else rows),
            week=task.window.last_week,
            popularity=popularity.without_fold[fold],
            customers_per_chunk=_CUSTOMERS_PER_CHUNK,
        )
        for chunk in scored:
            served = rows if unseen else rows[chunk.customers]
            recall[served] = _recall_over_all_items(chunk.scores, task.targets, served)
    return recall


def _recall_over_all_items(
    scores: NDArray[np.float64], targets: csr_array, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    places = min(PLACES, targets.shape[1])
    listed = top_items(scores, np.ones(scores.shape, dtype=np.bool_), places=places)
    wanted = is_marked(targets, rows)
    hits = np.count_nonzero(np.take_along_axis(wanted, np.broadcast_to(listed, (len(rows), places)), axis=1), axis=1)
    recall: NDArray[np.float64] = hits / np.minimum(np.count_nonzero(wanted, axis=1), PLACES)
    return recall


def _of_customers(history: PurchaseHistory, rows: NDArray[np.int64]) -> PurchaseHistory:
    """Keep some customers' purchases and number the customers by their place in ``rows``."""
    place = np.full(history.customers, -1)
    place[rows] = np.arange(len(rows))
    bought, visited = history.item_weeks, history.basket_weeks
    of_item, of_basket = place[bought.customer], place[visited.customer]
    item, basket = of_item >= 0, of_basket >= 0
    return PurchaseHistory(
        customers=len(rows),
        items=history.items,
        item_weeks=ItemWeeks(
            customer=of_item[item],
            item=bought.item[item],
            week=bought.week[item],
            baskets=bought.baskets[item],
        ),
        basket_weeks=BasketWeeks(
            customer=of_basket[basket],
            week=visited.week[basket],
            baskets=visited.baskets[basket],
            value=visited.value[basket],
            discount=visited.discount[basket],
        ),
    )
