"""What the centre makes of each round's noisy sum: pure state machines, one per kind of run.

All of it is post-processing of released values and costs no privacy.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse_models.auc import auc_from_histograms
from hanse_models.gradient_descent import GradientDescent, GradientDescentState
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.letters import NoParameters, WeightsParameters
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Question
from hanse_privacy.protocol.steps import ChurnEvaluationStep, ChurnGradientStep, PopularityStep
from hanse_server.intervals import finite, interval
from hanse_server.questions.programme import QuestionProgramme

_Value = TypeVar("_Value")


class ProgrammeUnknownError(HanseError):
    """The proposal's steps are no run that this centre knows how to drive."""

    code = "PROGRAMME_UNKNOWN"
    exit_code = 2


class Programme(Protocol):
    """A run as the centre sees it: parameters out, sums in, a result at the end."""

    def parameters(self) -> bytes:
        """MessagePack parameters for the next round's letters."""

    def absorb(self, blocks: dict[str, NDArray[np.float64]], *, round_number: int) -> "Programme":
        """Take one round's decoded noisy sum over all vaults."""

    def result(self) -> dict[str, Any]:
        """What the run released, as JSON values."""


@dataclass(frozen=True, kw_only=True)
class PopularityProgramme:
    """One-shot popularity statistics."""

    proposal: RunProposal
    step: PopularityStep
    sums: dict[str, NDArray[np.float64]] | None = None

    def parameters(self) -> bytes:
        """None are needed."""
        return msgspec.msgpack.encode(NoParameters())

    def absorb(self, blocks: dict[str, NDArray[np.float64]], *, round_number: int) -> "PopularityProgramme":
        """Keep the sums."""
        del round_number
        return replace(self, sums=blocks)

    def result(self) -> dict[str, Any]:
        """Rates and breadths per item, and the number of customers, each with its noise."""
        sums = _present(self.sums)
        layout, partners = self.proposal.layout(self.step), len(self.proposal.roster)
        deviations = {block.name: layout.standard_deviation(block.name, vaults=partners) for block in layout.blocks}
        return {
            "kind": "popularity",
            "last_week": self.step.last_week,
            "half_life_weeks": self.step.half_life_weeks,
            "rate": sums["rate"].tolist(),
            "breadth": sums["breadth"].tolist(),
            "customers": interval(float(sums["customers"][0]), deviations["customers"]),
            "noise_standard_deviation": deviations,
        }


@dataclass(frozen=True, kw_only=True)
class ChurnProgramme:
    """Differentially private gradient descent, then an evaluation by score histograms."""

    proposal: RunProposal
    descent: GradientDescent
    state: GradientDescentState
    customers: float | None = None
    histogram: NDArray[np.float64] | None = None

    def parameters(self) -> bytes:
        """The iterate while training, the model when it is evaluated."""
        step = self.proposal.step_of(self.state.round + 1)
        weights = self.state.weights if isinstance(step, ChurnGradientStep) else self.state.model
        return msgspec.msgpack.encode(WeightsParameters(weights=weights.tolist()))

    def absorb(self, blocks: dict[str, NDArray[np.float64]], *, round_number: int) -> "ChurnProgramme":
        """Step once, or keep the histogram."""
        step = self.proposal.step_of(round_number)
        if not isinstance(step, ChurnGradientStep):
            return replace(self, histogram=blocks["histogram"])
        customers = float(blocks["customers"][0]) if "customers" in blocks else self.customers
        # A noisy count can fall near zero, and the step would then run away; the stated floors are public.
        floor = float(self.proposal.minimum_cohort * len(self.proposal.roster))
        divisor = max(customers or 0.0, floor)
        return replace(self, state=self.descent.step(self.state, blocks["gradient"], divisor), customers=customers)

    def result(self) -> dict[str, Any]:
        """The model, the noisy count and the AUC from noisy histograms."""
        histogram = _present(self.histogram)
        partners = len(self.proposal.roster)
        evaluation = next(step for step in self.proposal.steps if isinstance(step, ChurnEvaluationStep))
        counting = next(step for step in self.proposal.steps if isinstance(step, ChurnGradientStep))
        deviation = self.proposal.layout(evaluation).standard_deviation("histogram", vaults=partners)
        released = auc_from_histograms(
            histogram[: evaluation.bins], histogram[evaluation.bins :], noise_standard_deviation=deviation
        )
        counted = self.proposal.layout(counting).standard_deviation("customers", vaults=partners)
        return {
            "kind": "churn",
            "training_last_week": counting.last_week,
            "evaluation_last_week": evaluation.last_week,
            "horizon_weeks": evaluation.horizon_weeks,
            "weights": self.state.model.tolist(),
            "customers": interval(_present(self.customers), counted),
            "auc": interval(released.value, released.standard_error),
            "auc_noise_standard_error": finite(released.noise_standard_error),
            "histogram": histogram.tolist(),
            "noise_standard_deviation": {"histogram": deviation, "customers": counted},
        }


def programme_for(proposal: RunProposal) -> Programme:
    """Choose the state machine for a proposal's steps.

    Raises:
        ProgrammeUnknownError: If the steps fit none.
    """
    steps = proposal.steps
    if len(steps) == 1 and isinstance(steps[0], PopularityStep):
        return PopularityProgramme(proposal=proposal, step=steps[0])
    if len(steps) == 1 and isinstance(steps[0], Question):
        return QuestionProgramme(proposal=proposal, step=steps[0])
    gradients = [step for step in steps if isinstance(step, ChurnGradientStep)]
    first = gradients[0] if gradients else None
    in_order = list(steps[:-1]) == gradients and isinstance(steps[-1], ChurnEvaluationStep)
    if first is not None and in_order and first.customers is not None and first.descent is not None:
        descent = GradientDescent(
            learning_rate=first.descent.learning_rate,
            momentum=first.descent.momentum,
            l2=first.descent.l2,
            average_from_round=first.descent.average_from_round,
        )
        return ChurnProgramme(proposal=proposal, descent=descent, state=descent.start(first.weights))
    raise ProgrammeUnknownError(
        "The proposal's steps are no question, no popularity statistics, and no churn training with an evaluation"
        " at its end.",
        "See examples/complete_journey/proposals for both.",
    )


def _present(value: _Value | None) -> _Value:
    if value is None:
        raise ProgrammeUnknownError("The run is not finished.", "Ask for its result at its end.")
    return value
