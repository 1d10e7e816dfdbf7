"""What a vault computes of one customer depends on nobody else: the sensitivity of every release rests on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hanse_client.data.queries import VaultData
from hanse_client.vault.operations import Work, customer_batches
from hanse_client.vault.policy import load_policy
from hanse_client.vault.process import load_export
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_demo.workshop import lay_out
from hanse_models.churn import FEATURES, WEIGHTS
from hanse_models.purchases import BasketWeeks, Breadth, PurchaseHistory
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import ChurnEvaluationStep, ChurnGradientStep, PopularityStep
from hanse_server.submission import propose

SOURCE = Path(__file__).parents[3] / "examples" / "own_data"
RECENT = slice(6, 12)
"""Baskets and money of the last 4, 8 and 16 weeks: all 0 for whoever lapsed longer ago."""


class RememberedData:
    """The vault's data, each question asked of the database once: what is compared is what is made of it."""

    def __init__(self, data: VaultData) -> None:
        self._data = data
        self._history = cache(data.history)
        self._activity = cache(data.activity)
        self._breadth = cache(data.breadth)

    def history(self, cohort: Sequence[str], *, last_week: int) -> PurchaseHistory:
        return self._history(tuple(cohort), last_week=last_week)

    def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
        return self._activity(tuple(cohort), last_week=last_week)

    def breadth(self, cohort: Sequence[str], *, last_week: int) -> Breadth:
        return self._breadth(tuple(cohort), last_week=last_week)


@dataclass(frozen=True)
class North:
    """North's ingested data and the steps that the example's proposals ask of it."""

    data: RememberedData
    customers: tuple[str, ...]
    popularity: PopularityStep
    gradient: ChurnGradientStep
    evaluation: ChurnEvaluationStep
    lapsed: tuple[int, ...]
    """Places of the customers without a purchase in the 16 weeks before the first cut."""

    def rows(self, work: Work, cohort: Sequence[str]) -> np.ndarray:
        """Every customer's whole vector, float64[customers, coordinates]."""
        batches = customer_batches(work, data=self.data, cohort=cohort)
        return np.concatenate([np.concatenate(list(batch.values()), axis=1) for batch in batches])


@pytest.fixture(scope="module")
def north(tmp_path_factory: pytest.TempPathFactory) -> Iterator[North]:
    with lay_out(SOURCE, tmp_path_factory.mktemp("in-process") / "league") as workshop:
        home = workshop.node("north")
        load_export(home, load_policy(home.policy))

        def proposal(draft: str) -> RunProposal:
            return propose(workshop.league, workshop.root / "proposals" / draft)

        churn, (popularity,) = proposal("churn.toml"), proposal("popularity.toml").steps
        gradient, evaluation = churn.steps[0], churn.steps[-1]
        assert isinstance(popularity, PopularityStep)
        assert isinstance(gradient, ChurnGradientStep)
        assert isinstance(evaluation, ChurnEvaluationStep)
        data = PurchaseStore(path=home.purchases).in_weeks_from(churn.week_one)
        customers = data.customers()
        activity = data.activity(customers, last_week=gradient.last_week)
        recent = activity.customer[activity.week > gradient.last_week - 16]
        yield North(
            data=RememberedData(data),
            customers=customers,
            popularity=popularity,
            gradient=gradient,
            evaluation=evaluation,
            lapsed=tuple(np.setdiff1d(activity.customer, recent).tolist()),
        )


def drawn_weights() -> np.ndarray:
    return np.random.default_rng(7).normal(size=WEIGHTS)


def cancelling_weights(seed: int) -> np.ndarray:
    """Weights whose products with a lapsed customer's row add up to 0, to within rounding.

    Any change in the order of addition then moves the score from below one half to above it, and so from one
    of the histogram's bins to the next.
    """
    weights = np.zeros(WEIGHTS)
    weights[RECENT] = np.random.default_rng(seed).normal(size=6)
    weights[-1] = -sum(weights[RECENT] * lapsed_row())
    return weights


def lapsed_row() -> np.ndarray:
    return np.array([(0.0 - feature.centre) / feature.scale for feature in FEATURES[RECENT]])


def require_independent(north: North, work: Work) -> np.ndarray:
    """Bit for bit: a customer among others, however many, is the customer alone. Return everybody's rows."""
    everybody = north.rows(work, north.customers)
    # Kernels treat the last rows of some shapes differently: sizes that divide by four and sizes that do not.
    for size in (43, 44):
        require_same(north.rows(work, north.customers[:size]), everybody[:size])
    # Each question costs time, so that not all are asked alone: a tenth, the last rows, and the lapsed.
    alone = sorted({*range(0, len(everybody), 10), 41, 42, 43, len(everybody) - 1, *north.lapsed})
    require_same(np.concatenate([north.rows(work, [north.customers[place]]) for place in alone]), everybody[alone])
    return everybody


def require_same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.flatnonzero((found.view(np.int64) != expected.view(np.int64)).any(axis=1)).tolist() == []


def test_popularity_vectors_depend_on_nobody_else(north: North) -> None:
    alone = require_independent(north, Work(step=north.popularity, weights=None))
    assert np.count_nonzero(alone[:, :-1].any(axis=1)) > 100


@pytest.mark.parametrize(
    "weights", [drawn_weights(), *map(cancelling_weights, range(8))], ids=["drawn", *map(str, range(8))]
)
def test_churn_vectors_depend_on_nobody_else(north: North, weights: np.ndarray) -> None:
    require_independent(north, Work(step=north.gradient, weights=weights))
    histogram = require_independent(north, Work(step=north.evaluation, weights=weights))
    assert set(histogram.sum(axis=1).tolist()) <= {0.0, 1.0}


def test_the_example_has_customers_whose_scores_cancel(north: North) -> None:
    """Else the test above would see nothing: the lapsed have chances of one half, to within rounding."""
    rows = north.rows(Work(step=north.gradient, weights=cancelling_weights(0)), north.customers)
    chance_less_label = rows[:, WEIGHTS - 1]
    cancelling = np.flatnonzero(np.abs(np.abs(chance_less_label) - 0.5) < 1e-12)
    assert cancelling.tolist() == list(north.lapsed)
    assert len(cancelling) >= 5
