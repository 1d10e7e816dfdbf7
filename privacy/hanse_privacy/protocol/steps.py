"""The steps of a run: what each computes, for whom, and the blocks that it releases.

A step is part of the signed proposal; its blocks, with the run's grid and h, are the whole public layout of what leaves
a vault.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from hanse_privacy.protocol.vocabulary import PurposeName, Tier
from hanse_privacy.release import LARGEST_CLIP, LARGEST_NOISE_MULTIPLIER, SMALLEST_CLIP, SMALLEST_SHARE, BlockLayout

MAXIMUM_ITEMS = 200_000
MAXIMUM_ROUNDS = 10_000
MAXIMUM_WEEK = 1_000
"""With a half-life of at least one week, no purchase is then so old that its weight rounds to nothing: a customer's
vector is finite whatever the customer did, and a refusal never tells of a row."""


class Part(BaseModel):
    """A part of a signed document: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Block(Part):
    """One part of a step's release: its clip, and its share of the step's privacy loss."""

    clip: float = Field(ge=SMALLEST_CLIP, le=LARGEST_CLIP)
    share: float = Field(ge=SMALLEST_SHARE, le=1)
    is_metric: bool = False
    """Whether it is released to judge the run rather than to build the model."""


class RunStep(Part):
    """What every step states."""

    reads: ClassVar[tuple[str, ...]] = ("pd:PurchasesAndSpendingHabit",)
    """W3C DPV terms of what the operation reads of a customer; a proposal must state them."""
    purpose: PurposeName
    """The step uses only customers who granted this purpose."""
    tier: Tier
    noise_multiplier: float = Field(gt=0, le=LARGEST_NOISE_MULTIPLIER)
    """σ of h vaults' noise together over the sensitivity, in every round of the step."""
    rounds: int = Field(ge=1, le=MAXIMUM_ROUNDS)

    def uncut(self) -> Mapping[str, float]:
        """Blocks in which no customer may be cut, with the longest vector that one can have.

        These count customers: a clip that cuts one would make the sum wrong for everybody.
        """
        return {"customers": 1.0}

    def metrics_share(self) -> float:
        """The part of the step's own loss that buys metrics."""
        blocks = [value for _, value in self if isinstance(value, Block)]
        return sum(block.share for block in blocks if block.is_metric)


class PopularityStep(RunStep):
    """One-shot statistics: per item, the summed purchase rate and the number of customers who bought it."""

    operation: Literal["popularity-statistics"] = "popularity-statistics"
    version: Literal[1] = 1
    rounds: int = Field(default=1, ge=1, le=1)
    last_week: int = Field(ge=1, le=MAXIMUM_WEEK)
    """Purchases up to and including this league week are used."""
    half_life_weeks: float = Field(ge=1)
    items: int = Field(ge=1, le=MAXIMUM_ITEMS)
    """Items in the league's public catalogue."""
    rate: Block
    breadth: Block
    customers: Block

    def blocks(self) -> tuple[BlockLayout, ...]:
        """The release's blocks, in order."""
        return (
            layout_of("rate", self.items, self.rate),
            layout_of("breadth", self.items, self.breadth),
            layout_of("customers", 1, self.customers),
        )


class Descent(Part):
    """How the centre walks from round to round; it costs no privacy and is stated for all to see."""

    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    l2: float = Field(ge=0)
    average_from_round: int = Field(ge=1)


class ChurnGradientStep(RunStep):
    """Rounds of differentially private gradient descent on a logistic churn model."""

    operation: Literal["churn-gradient"] = "churn-gradient"
    version: Literal[1] = 1
    last_week: int = Field(ge=1, le=MAXIMUM_WEEK)
    """Features from purchases up to this week; the label looks at the weeks after it."""
    horizon_weeks: int = Field(ge=1, le=52)
    weights: int = Field(ge=1, le=10_000)
    gradient: Block
    customers: Block | None = None
    """Present where the round also releases the noisy count of customers: in a run's first step."""
    descent: Descent | None = None
    """Present in a run's first step."""

    def blocks(self) -> tuple[BlockLayout, ...]:
        """The release's blocks, in order."""
        gradient = (layout_of("gradient", self.weights, self.gradient),)
        return gradient if self.customers is None else (*gradient, layout_of("customers", 1, self.customers))


class ChurnEvaluationStep(RunStep):
    """Score histograms of customers who stayed and who left, from which anyone computes the AUC."""

    operation: Literal["churn-evaluation"] = "churn-evaluation"
    version: Literal[1] = 1
    rounds: int = Field(default=1, ge=1, le=1)
    last_week: int = Field(ge=1, le=MAXIMUM_WEEK)
    horizon_weeks: int = Field(ge=1, le=52)
    weights: int = Field(ge=1, le=10_000)
    bins: int = Field(ge=2, le=1000)
    histogram: Block

    def blocks(self) -> tuple[BlockLayout, ...]:
        """The release's blocks, in order: one cell per label and bin."""
        return (layout_of("histogram", 2 * self.bins, self.histogram),)

    def uncut(self) -> Mapping[str, float]:
        """Each customer is in one cell."""
        return {"histogram": 1.0}


def layout_of(name: str, size: int, block: Block) -> BlockLayout:
    """A block of a release."""
    return BlockLayout(name=name, size=size, clip=block.clip, share=block.share)
