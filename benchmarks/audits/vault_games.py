"""Games whose vectors come from purchases, by the operations that a vault runs, and one of vectors written by hand."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audits.games import SumGame
from audits.machinery import Batch
from hanse_client.vault.cohort_rows import CohortRows
from hanse_client.vault.operations import Work, customer_batches
from hanse_models.churn import WEIGHTS
from hanse_models.purchases import BasketWeeks, Breadth, ItemWeeks, PurchaseHistory
from hanse_models.questions import CustomerAmounts
from hanse_privacy.protocol.question_steps import (
    CountQuestion,
    Grouping,
    HistogramQuestion,
    Measure,
    QuantileQuestion,
    Question,
)
from hanse_privacy.protocol.steps import Block, ChurnEvaluationStep, ChurnGradientStep, PopularityStep
from hanse_privacy.release import BlockLayout, ReleaseLayout
from hanse_privacy.units import CustomerAcrossTheRoster

_UNITS = 2**12
_CUT = 20
_HORIZON_WEEKS = 8
_ITEMS = 5
_CANARY = "canary"


@dataclass(frozen=True, kw_only=True)
class Shopper:
    """A customer with one basket a week, the same items in each.

    Args:
        weeks: In which there was a basket.
        items: Places in the catalogue.
    """

    weeks: range
    items: range


@dataclass(frozen=True, kw_only=True)
class ShoppersData:
    """Rows of shoppers, as a vault's data layer gives them to an operation.

    Args:
        shoppers: By pseudonym.
    """

    shoppers: Mapping[str, Shopper]

    def history(self, cohort: Sequence[str], *, last_week: int) -> PurchaseHistory:
        """Purchases and baskets per week up to ``last_week``."""
        rows = [
            (row, item, week)
            for row, name in enumerate(cohort)
            for week in self.shoppers[name].weeks
            if week <= last_week
            for item in self.shoppers[name].items
        ]
        customer, item, week = np.array(rows, dtype=np.int32).reshape(-1, 3).T
        return PurchaseHistory(
            customers=len(cohort),
            items=_ITEMS,
            item_weeks=ItemWeeks(
                customer=customer, item=item, week=week.astype(np.int16), baskets=np.ones(len(rows), dtype=np.int32)
            ),
            basket_weeks=self.activity(cohort, last_week=last_week),
        )

    def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
        """Baskets and money per week up to ``last_week``."""
        rows = [
            (row, week) for row, name in enumerate(cohort) for week in self.shoppers[name].weeks if week <= last_week
        ]
        customer, week = np.array(rows, dtype=np.int32).reshape(-1, 2).T
        ones = np.ones(len(rows))
        return BasketWeeks(
            customer=customer,
            week=week.astype(np.int16),
            baskets=ones.astype(np.int32),
            value=40.0 * ones,
            discount=2.0 * ones,
        )

    def breadth(self, cohort: Sequence[str], *, last_week: int) -> Breadth:
        """Distinct stores and items per customer up to ``last_week``."""
        came = [any(week <= last_week for week in self.shoppers[name].weeks) for name in cohort]
        items = [len(self.shoppers[name].items) if there else 0 for name, there in zip(cohort, came, strict=True)]
        return Breadth(stores=np.array(came, dtype=np.int32), items=np.array(items, dtype=np.int32))

    def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
        """Baskets per week: one for each week with a basket."""
        weeks = range(question.first_week, question.last_week + 1)
        rows = [
            (row, week - question.first_week)
            for row, name in enumerate(cohort)
            for week in self.shoppers[name].weeks
            if week in weeks
        ]
        customer, group = np.array(rows, dtype=np.int32).reshape(-1, 2).T
        return CustomerAmounts(
            customers=len(cohort), groups=len(weeks), customer=customer, group=group, amount=np.ones(len(rows))
        )


_DATA = ShoppersData(
    shoppers={
        # Every item in every basket, and never seen again: longer than any clip here, whatever is released.
        _CANARY: Shopper(weeks=range(1, _CUT + 1), items=range(_ITEMS)),
        "early": Shopper(weeks=range(1, 9), items=range(3)),
        "late": Shopper(weeks=range(15, 29), items=range(2, 5)),
        "rare": Shopper(weeks=range(2, 29, 5), items=range(3, 5)),
        "after the cut": Shopper(weeks=range(22, 29), items=range(1)),
    }
)


def popularity_operation(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """Popularity statistics of five customers' purchases or of four."""
    step = PopularityStep(
        purpose="recommendation-statistics",
        tier="standard",
        noise_multiplier=noise_multiplier,
        last_week=_CUT,
        half_life_weeks=8.0,
        items=_ITEMS,
        rate=Block(clip=1.0, share=0.25),
        breadth=Block(clip=1.0, share=0.74),
        customers=Block(clip=1.0, share=0.01, is_metric=True),
    )
    return _operation(Work(step=step, weights=None), noise_multiplier=noise_multiplier, honest_shares=honest_shares)


def churn_operation(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """A first round of churn gradients, at weights that say of everybody that they will stay; the canary did not."""
    step = ChurnGradientStep(
        purpose="churn-training",
        tier="standard",
        noise_multiplier=noise_multiplier,
        rounds=1,
        last_week=_CUT,
        horizon_weeks=_HORIZON_WEEKS,
        weights=WEIGHTS,
        gradient=Block(clip=1.0, share=0.8),
        customers=Block(clip=1.0, share=0.2, is_metric=True),
    )
    weights = np.zeros(WEIGHTS)
    weights[-1] = -20.0
    return _operation(Work(step=step, weights=weights), noise_multiplier=noise_multiplier, honest_shares=honest_shares)


def evaluation_operation(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """Score histograms of customers who stayed and who left, at twice the clip for everybody."""
    step = ChurnEvaluationStep(
        purpose="model-evaluation",
        tier="basic",
        noise_multiplier=noise_multiplier,
        last_week=_CUT,
        horizon_weeks=_HORIZON_WEEKS,
        weights=WEIGHTS,
        bins=5,
        histogram=Block(clip=0.5, share=1.0, is_metric=True),
    )
    work = Work(step=step, weights=np.zeros(WEIGHTS))
    return _operation(work, noise_multiplier=noise_multiplier, honest_shares=honest_shares)


_BASKETS_BY_WEEK: dict[str, Any] = {
    "purpose": "league-questions",
    "tier": "basic",
    "measure": Measure.BASKETS,
    "by": Grouping.WEEK,
    "first_week": 1,
    "last_week": _CUT,
}


def count_operation(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """Baskets by week, at a bound that the canary is far above."""
    step = CountQuestion(
        **_BASKETS_BY_WEEK,
        noise_multiplier=noise_multiplier,
        answer=Block(clip=1.0, share=0.9),
        customers=Block(clip=1.0, share=0.05, is_metric=True),
        over=Block(clip=1.0, share=0.05, is_metric=True),
    )
    return _operation(Work(step=step, weights=None), noise_multiplier=noise_multiplier, honest_shares=honest_shares)


def histogram_operation(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """Customers by baskets and week; the canary came in every week, and is as long as anybody can be."""
    step = HistogramQuestion(
        **_BASKETS_BY_WEEK,
        noise_multiplier=noise_multiplier,
        edges=(0.0, 1.0, 2.0),
        answer=Block(clip=math.sqrt(_CUT), share=1.0),
    )
    return _operation(Work(step=step, weights=None), noise_multiplier=noise_multiplier, honest_shares=honest_shares)


def quantile_operation(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """Trees of baskets by week; the canary came in every week, and is as long as anybody can be."""
    step = QuantileQuestion(
        **_BASKETS_BY_WEEK,
        noise_multiplier=noise_multiplier,
        probabilities=(0.5,),
        highest=4.0,
        height=1,
        answer=Block(clip=math.sqrt(2 * _CUT), share=1.0),
    )
    return _operation(Work(step=step, weights=None), noise_multiplier=noise_multiplier, honest_shares=honest_shares)


def _operation(work: Work, *, noise_multiplier: float, honest_shares: int) -> SumGame:
    def batches(cohort: Sequence[str]) -> Iterator[Batch]:
        return customer_batches(work, data=CohortRows(_DATA, cohort=cohort), cohort=cohort)

    everybody = sorted(_DATA.shoppers)
    rest = [name for name in everybody if name != _CANARY]
    return SumGame(
        layout=_layout(work.step.blocks(), noise_multiplier=noise_multiplier, honest_shares=honest_shares),
        with_canary=lambda: batches(everybody),
        without_canary=lambda: batches(rest),
    )


def popularity_release(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """A release in the shape of popularity statistics, of zeros or of one customer at twice every clip."""
    blocks = (
        BlockLayout(name="rate", size=_ITEMS, clip=2.0, share=0.25),
        BlockLayout(name="breadth", size=_ITEMS, clip=10.0, share=0.74),
        BlockLayout(name="customers", size=1, clip=1.0, share=0.01),
    )
    canary = {block.name: 2 * block.clip * np.eye(1, block.size) for block in blocks}
    nobody = {block.name: np.zeros((0, block.size)) for block in blocks}
    return SumGame(
        layout=_layout(blocks, noise_multiplier=noise_multiplier, honest_shares=honest_shares),
        with_canary=lambda: [canary],
        without_canary=lambda: [nobody],
    )


def person_release(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """A release in the shape of popularity statistics, of nobody or of one person at as many vaults as are honest.

    The person is at twice every clip at each of them, and always in the same direction: the worst that a unit which
    spans those vaults can be. The sum over a vault's customers and over vaults is one sum, here in one batch for each.
    """
    alone = popularity_release(noise_multiplier=noise_multiplier, honest_shares=honest_shares)
    unit = CustomerAcrossTheRoster(partners_at_most=honest_shares)
    return SumGame(
        layout=replace(alone.layout, unit=unit),
        with_canary=lambda: [batch for _ in range(unit.vaults) for batch in alone.with_canary()],
        without_canary=alone.without_canary,
    )


def count_release(*, noise_multiplier: float, honest_shares: int) -> SumGame:
    """A release of one number, of nobody or of one customer who counts for three."""
    blocks = (BlockLayout(name="customers", size=1, clip=1.0, share=1.0),)
    return SumGame(
        layout=_layout(blocks, noise_multiplier=noise_multiplier, honest_shares=honest_shares),
        with_canary=lambda: [{"customers": np.full((1, 1), 3.0)}],
        without_canary=lambda: [{"customers": np.zeros((0, 1))}],
    )


def _layout(blocks: tuple[BlockLayout, ...], *, noise_multiplier: float, honest_shares: int) -> ReleaseLayout:
    return ReleaseLayout(blocks=blocks, units=_UNITS, noise_multiplier=noise_multiplier, honest_shares=honest_shares)
