"""How well churn is foretold at each partner: by its own model, and by the league's.

A partner's own model is fitted without privacy on its own customers and scores its own customers. Over all
partners the own models' scores are pooled, each customer scored by the one partner's model, which is what the
partners could do without a league. Everybody who was a customer by the evaluation week is scored,
consent or not; consent decides who is learnt from.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_demo.oracle.estimates import StatisticsName, auc_estimate, nobody
from hanse_demo.oracle.purchases import PartnerPurchases
from hanse_demo.summary import ChurnRow, Estimate
from hanse_models.auc import auc, auc_difference
from hanse_models.churn import WEIGHTS, churn_features, churn_labels, eligible, fit_locally, score
from hanse_privacy.validation import require, require_at_least, require_not_empty

Scores = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChurnScores:
    """Scores of the same customers by three models; NaN throughout where a partner's own model cannot be fitted.

    Args:
        labels: bool[customers], True for who stayed away.
        own_consented: float64[customers], by the model fitted on consenting customers.
        own_all: float64[customers], by the model fitted on all customers.
        league: float64[customers], by the released model.
    """

    labels: NDArray[np.bool_]
    own_consented: Scores
    own_all: Scores
    league: Scores

    def rows(self) -> tuple[ChurnRow, ChurnRow, ChurnRow]:
        """Return each model's AUC over the customers whom it scores."""
        return (
            self._row("own data, consented", self.own_consented),
            self._row("own data, all customers", self.own_all),
            self._row("league", self.league),
        )

    def difference(self) -> Estimate:
        """Return the league's AUC less that of own data (consented), paired over the customers whom both score."""
        both = ~np.isnan(self.own_consented)
        if not both.any():
            return nobody()
        found = auc_difference(self.league[both], self.own_consented[both], self.labels[both])
        return auc_estimate(found, customers=int(np.count_nonzero(both)))

    def _row(self, statistics: StatisticsName, scores: Scores) -> ChurnRow:
        scored = ~np.isnan(scores)
        if not scored.any():
            return ChurnRow(statistics=statistics, auc=nobody())
        found = auc(scores[scored], self.labels[scored])
        return ChurnRow(statistics=statistics, auc=auc_estimate(found, customers=int(np.count_nonzero(scored))))


@dataclass(frozen=True, kw_only=True, eq=False)
class PartnerChurn:
    """One partner's customers, scored.

    Args:
        customers: The evaluated customers' pseudonyms: the order of every array in ``scores``.
    """

    partner: str
    customers: tuple[str, ...]
    scores: ChurnScores
    rows: tuple[ChurnRow, ChurnRow, ChurnRow]


@dataclass(frozen=True, kw_only=True, eq=False)
class ChurnEvaluation:
    """Churn at every partner, and over all partners' customers together.

    Args:
        partners: By name, in the order given.
        pooled: All partners' scores, one partner after another.
        rows: AUCs over all customers; an own-data row leaves out partners that cannot fit a model of their own.
        difference: League less own data (consented), paired, by DeLong.
    """

    partners: Mapping[str, PartnerChurn]
    pooled: ChurnScores
    rows: tuple[ChurnRow, ChurnRow, ChurnRow]
    difference: Estimate


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    training: int
    evaluation: int
    horizon: int
    own_l2: float


def evaluate_churn(
    partners: Mapping[str, PartnerPurchases],
    *,
    consented: Mapping[str, frozenset[str]],
    weights: NDArray[np.float64],
    training_last_week: int = 37,
    evaluation_last_week: int = 45,
    horizon_weeks: int = 8,
    own_l2: float = 1.0,
) -> ChurnEvaluation:
    """Score every partner's customers with its own models and with the league's.

    Args:
        partners: All that each partner has.
        consented: By partner, whom its own model of the first kind and the league's may learn from.
        weights: float64[15], the released model.
        training_last_week: The cut at which the partners' own models are fitted.
        evaluation_last_week: The cut at which everybody is scored, where the training's horizon has passed.
        horizon_weeks: Churn is no purchase in so many weeks after a cut.
        own_l2: Penalty of the partners' own models, on the sum of losses.

    Raises:
        InvalidValueError: If purchases end before the horizon, labels used for training reach past the
            evaluation's cut, or a consenting customer is unknown.
    """
    require_not_empty(partners=partners)
    require_at_least(1, training_last_week=training_last_week, horizon_weeks=horizon_weeks)
    require(weights.shape == (WEIGHTS,), name="weights' shape", value=weights.shape, bound=f"({WEIGHTS},)")
    require_at_least(training_last_week + horizon_weeks, evaluation_last_week=evaluation_last_week)
    comparison = _Comparison(
        training=training_last_week, evaluation=evaluation_last_week, horizon=horizon_weeks, own_l2=own_l2
    )
    by_partner = {
        name: _evaluate_partner(purchases, consented[name], weights, comparison) for name, purchases in partners.items()
    }
    pooled = _pool([found.scores for found in by_partner.values()])
    return ChurnEvaluation(partners=by_partner, pooled=pooled, rows=pooled.rows(), difference=pooled.difference())


def _evaluate_partner(
    purchases: PartnerPurchases, consented: frozenset[str], weights: Scores, comparison: _Comparison
) -> PartnerChurn:
    reaches_to = comparison.evaluation + comparison.horizon
    require(
        purchases.last_week >= reaches_to,
        name=f"last_week of {purchases.partner}",
        value=purchases.last_week,
        bound=f"{reaches_to} (evaluation and horizon) or later",
    )
    members = purchases.members(consented)
    features, labels, known = _cases(purchases, comparison.training, comparison.horizon)
    scored, churned, evaluated = _cases(purchases, comparison.evaluation, comparison.horizon)
    scored, churned = scored[evaluated], churned[evaluated]
    scores = ChurnScores(
        labels=churned,
        own_consented=_own_scores(features[known & members], labels[known & members], scored, l2=comparison.own_l2),
        own_all=_own_scores(features[known], labels[known], scored, l2=comparison.own_l2),
        league=score(weights, scored),
    )
    return PartnerChurn(
        partner=purchases.partner,
        customers=tuple(purchases.customers[row] for row in np.flatnonzero(evaluated)),
        scores=scores,
        rows=scores.rows(),
    )


def _cases(purchases: PartnerPurchases, cut: int, horizon: int) -> tuple[Scores, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return features, labels and who is eligible, for all customers."""
    activity, customers = purchases.history.basket_weeks, len(purchases.customers)
    return (
        churn_features(activity, purchases.breadth(last_week=cut), customers=customers, cut=cut),
        churn_labels(activity, customers=customers, cut=cut, horizon_weeks=horizon),
        eligible(activity, customers=customers, cut=cut),
    )


def _own_scores(features: Scores, labels: NDArray[np.bool_], scored: Scores, *, l2: float) -> Scores:
    # Nobody churned, or all did, or nobody consented: there is nothing to fit.
    if len(np.unique(labels)) < 2:
        return np.full(len(scored), np.nan)
    return score(fit_locally(features, labels, l2=l2), scored)


def _pool(parts: list[ChurnScores]) -> ChurnScores:
    return ChurnScores(
        labels=np.concatenate([part.labels for part in parts]),
        own_consented=np.concatenate([part.own_consented for part in parts]),
        own_all=np.concatenate([part.own_all for part in parts]),
        league=np.concatenate([part.league for part in parts]),
    )
