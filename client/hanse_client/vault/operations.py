"""The operations a vault knows, by name and version: what each computes for a cohort.

A closed list in installed code: a proposal chooses among these and a letter can pass parameters to
them; nothing else ever runs beside the data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse_client.vault.question_batches import Amounts, question_batches
from hanse_models.auc import score_histograms
from hanse_models.churn import WEIGHTS, churn_features, churn_labels, customer_gradients, eligible, score
from hanse_models.popularity import breadth_vectors, rate_vectors
from hanse_models.purchases import BasketWeeks, Breadth, PurchaseHistory
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.letters import LetterMalformedError, NoParameters, WeightsParameters, decode
from hanse_privacy.protocol.proposal import Step
from hanse_privacy.protocol.question_steps import Question
from hanse_privacy.protocol.steps import ChurnGradientStep, PopularityStep

Batch = Mapping[str, NDArray[np.float64]]
_BATCH_CUSTOMERS = 256
LARGEST_WEIGHT = 1e6
"""Beyond it a score could overflow for some customers and not for others: a refusal would then tell of rows."""


class UnknownOperationError(HanseError):
    """The letter names an operation or version that this vault does not have."""

    code = "UNKNOWN_OPERATION"


class CohortData(Amounts, Protocol):
    """What operations may read: the rows of one cohort, customers numbered as in the cohort."""

    def history(self, cohort: Sequence[str], *, last_week: int) -> PurchaseHistory:
        """Purchases and baskets per week up to ``last_week``."""

    def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
        """Baskets and money per week up to ``last_week``."""

    def breadth(self, cohort: Sequence[str], *, last_week: int) -> Breadth:
        """Distinct stores and items per customer up to ``last_week``."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one round asks, after all checks."""

    step: Step
    weights: NDArray[np.float64] | None
    vaults: int = 1
    """So many vaults' vectors of one unit may meet in the sum: each vault clips to its part."""


def parse_work(
    step: Step,
    *,
    operation: str,
    version: int,
    parameters: msgspec.Raw,
    vaults: int,
) -> Work:
    """Match a letter with the proposal's step and decode its parameters strictly.

    Raises:
        UnknownOperationError: If the letter names another operation or version than the step.
        LetterMalformedError: If the parameters do not fit.
    """
    if (operation, version) != (step.operation, step.version):
        raise UnknownOperationError(
            f"This round is for {step.operation}, version {step.version}; {operation!r}, version {version}, was asked.",
            "A run does what its proposal says, in that order.",
        )
    if isinstance(step, PopularityStep | Question):
        decode(parameters, NoParameters)
        return Work(step=step, weights=None, vaults=vaults)
    if step.weights != WEIGHTS:
        raise LetterMalformedError(
            f"The proposal's model has {step.weights} weights, this installation's {WEIGHTS}.",
            "Both ends must run the same Hanse.",
        )
    weights = np.array(decode(parameters, WeightsParameters).weights, dtype=np.float64)
    # NaN fails the comparison, too.
    if weights.shape != (step.weights,) or not (np.abs(weights) <= LARGEST_WEIGHT).all():
        raise LetterMalformedError(
            f"The weights are not {step.weights} finite numbers from -{LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}.",
            "The proposal states the model's size; a model that diverged needs a smaller learning rate.",
        )
    return Work(step=step, weights=weights, vaults=vaults)


def customer_batches(work: Work, *, data: CohortData, cohort: Sequence[str]) -> Iterator[Batch]:
    """Yield each customer's exact vectors, block by block, for the release to clip, sum and noise.

    The vectors are not private: they go to :func:`hanse_privacy.release.sum_customers` and nowhere else.
    """
    step = work.step
    if isinstance(step, PopularityStep):
        yield from _popularity(step, data=data, cohort=cohort)
        return
    if isinstance(step, Question):
        yield from question_batches(step, data=data, cohort=cohort, vaults=work.vaults)
        return
    if work.weights is None:
        raise LetterMalformedError("The round has no weights.", "Send the model's weights with it.")
    reaches_to = step.last_week + step.horizon_weeks
    activity = data.activity(cohort, last_week=reaches_to)
    breadth = data.breadth(cohort, last_week=step.last_week)
    features = churn_features(activity, breadth, customers=len(cohort), cut=step.last_week)
    labels = churn_labels(activity, customers=len(cohort), cut=step.last_week, horizon_weeks=step.horizon_weeks)
    known = eligible(activity, customers=len(cohort), cut=step.last_week)
    if isinstance(step, ChurnGradientStep):
        # A customer with nothing bought up to the cut is no case: a zero row, in no count.
        gradients = customer_gradients(work.weights, features, labels) * known[:, None]
        batch = {"gradient": gradients}
        if step.customers is not None:
            batch["customers"] = known[:, None].astype(np.float64)
        yield batch
    else:
        histogram = score_histograms(score(work.weights, features), labels, bins=step.bins).toarray()
        yield {"histogram": histogram * known[:, None]}


def _popularity(step: PopularityStep, *, data: CohortData, cohort: Sequence[str]) -> Iterator[Batch]:
    history = data.history(cohort, last_week=step.last_week)
    if history.items != step.items:
        raise LetterMalformedError(
            f"The proposal counts {step.items} items, this vault's catalogue {history.items}.",
            "Bring the same version of the league's catalogue to both.",
        )
    rates = rate_vectors(history, week=step.last_week, half_life_weeks=step.half_life_weeks)
    bought = breadth_vectors(history, week=step.last_week)
    # Who bought nothing up to the last week is no case: a zero row, in no count.
    shopped = eligible(history.basket_weeks, customers=len(cohort), cut=step.last_week)
    for start in range(0, len(cohort), _BATCH_CUSTOMERS):
        rows = slice(start, min(start + _BATCH_CUSTOMERS, len(cohort)))
        part = rates[rows].toarray()
        yield {
            "rate": part,
            "breadth": bought[rows].toarray(),
            "customers": shopped[rows, None].astype(np.float64),
        }
