"""How far off an answer will be, told before the question is asked: the noise is public, whatever the data."""

from dataclasses import dataclass

from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import CountQuestion, QuantileQuestion, Question
from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_privacy.statistics.quantiles import rank_standard_deviation
from hanse_server.questions.readable import UNITS, amount


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Half-widths of the answer's 95 % intervals: of the noise alone, for a clip's effect depends on the data.

    Args:
        unit: What a cell counts, in words.
        cell: Of each cell, or of a quantile's rank in customers.
        beside: Of each count beside the answer, by its name; in customers.
        is_rank: Whether ``cell`` is of a rank.
        may_cut: Whether customers may be scaled down to the clip.
    """

    unit: str
    cell: float
    beside: dict[str, float]
    is_rank: bool
    may_cut: bool

    def in_words(self) -> str:
        """The prediction in two or three sentences."""
        if self.is_rank:
            told = (
                f"Expect quantiles to be read within ± {amount(self.cell)} customers of their rank (95 %, on average)."
            )
        else:
            told = f"Expect ± {amount(self.cell)} {self.unit} in each cell (95 %), however large the cell is."
        if self.beside:
            named = " and ".join(f"± {amount(width)} in “{name}”" for name, width in self.beside.items())
            told += f" Expect {named}."
        if self.may_cut:
            told += " Customers above the bound are scaled down to it: “over” tells how many, not how much is lost."
        return told


def predict(proposal: RunProposal, step: Question) -> Prediction:
    """Work the prediction out from a question's proposal."""
    layout, vaults = proposal.layout(step), len(proposal.roster)
    deviations = {block.name: layout.standard_deviation(block.name, vaults=vaults) for block in layout.blocks}
    cell = deviations.pop("answer")
    if isinstance(step, QuantileQuestion):
        cell = max(rank_standard_deviation(step.tree, one, cell) for one in step.probabilities)
    return Prediction(
        unit=UNITS[step.measure] if isinstance(step, CountQuestion) else "customers",
        cell=NORMAL_95 * cell,
        beside={name: NORMAL_95 * deviation for name, deviation in deviations.items()},
        is_rank=isinstance(step, QuantileQuestion),
        may_cut=isinstance(step, CountQuestion) and step.may_cut,
    )
