"""What the centre makes of a question's one noisy sum."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.letters import NoParameters
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import CountQuestion, HistogramQuestion, QuantileQuestion, Question
from hanse_privacy.statistics.quantiles import TooFewToTellError, quantiles
from hanse_server.intervals import finite, interval
from hanse_server.questions.answer import Answer, Released, Row
from hanse_server.questions.readable import amount


class NotAnsweredError(HanseError):
    """The question has no answer yet, or is of a kind that this centre does not know."""

    code = "QUESTION_NOT_ANSWERED"


@dataclass(frozen=True, kw_only=True)
class QuestionProgramme:
    """One round, then post-processing, which costs no privacy."""

    proposal: RunProposal
    step: Question
    sums: Mapping[str, NDArray[np.float64]] | None = None

    def parameters(self) -> bytes:
        """None are needed."""
        return msgspec.msgpack.encode(NoParameters())

    def absorb(self, blocks: dict[str, NDArray[np.float64]], *, round_number: int) -> "QuestionProgramme":
        """Keep the sums."""
        del round_number
        return replace(self, sums=blocks)

    def result(self) -> dict[str, Any]:
        """The answer, as JSON values (see :class:`.answer.Answer`).

        Raises:
            NotAnsweredError: If the round was not made.
        """
        if self.sums is None:
            raise NotAnsweredError("The question is not answered yet.", "Ask for its result at its end.")
        layout, partners = self.proposal.layout(self.step), len(self.proposal.roster)
        deviations = {block.name: layout.standard_deviation(block.name, vaults=partners) for block in layout.blocks}
        beside = {
            name: _released(float(self.sums[name][0]), deviations[name])
            for name in ("customers", "over")
            if name in self.sums
        }
        answer = Answer(
            operation=self.step.operation,
            measure=self.step.measure,
            by=self.step.by,
            first_week=self.step.first_week,
            last_week=self.step.last_week,
            rows=tuple(self._rows(self.sums["answer"], deviations["answer"])),
            bound=self.step.answer.clip / self.proposal.unit.vaults if "over" in beside else None,
            noise_standard_deviation=deviations,
            **beside,
        )
        return answer.model_dump(mode="json")

    def _rows(self, cells: NDArray[np.float64], deviation: float) -> Iterator[Row]:
        by_group = cells.reshape(len(self.step.group_names), -1)
        for group, own in zip(self.step.group_names, by_group, strict=True):
            match self.step:
                case CountQuestion():
                    yield Row(group=group, released=_released(float(own[0]), deviation))
                case HistogramQuestion(edges=edges):
                    for part, value in zip(_bins(edges), own, strict=True):
                        yield Row(group=group, part=part, released=_released(float(value), deviation))
                case QuantileQuestion() as question:
                    yield from _quantiles(question, group, own, deviation)


def _released(value: float, deviation: float) -> Released:
    return Released(**interval(value, deviation))


def _bins(edges: tuple[float, ...]) -> Iterator[str]:
    for low, high in zip(edges, (*edges[1:], math.inf), strict=True):
        yield f"{amount(low)} or more" if math.isinf(high) else f"{amount(low)} to below {amount(high)}"


def _quantiles(question: QuantileQuestion, group: str, nodes: NDArray[np.float64], deviation: float) -> Iterator[Row]:
    names = [f"{100 * probability:g} %" for probability in question.probabilities]
    try:
        found = quantiles(
            question.tree,
            question.tree.consistent(nodes),
            edges=np.array(question.edges),
            probabilities=question.probabilities,
            node_standard_deviation=deviation,
        )
    except TooFewToTellError:
        for name in names:
            yield Row(group=group, part=name, released=Released(value=None, low=None, high=None))
        return
    for name, one in zip(names, found, strict=True):
        released = Released(value=one.value, low=finite(one.low), high=finite(one.high))
        yield Row(group=group, part=name, released=released, is_beyond=one.is_beyond)
