"""Questions over the league: a count, a histogram or quantiles of what customers bought, by group.

Each is one step of one round. What a customer adds to an answer is bounded by the step's clip: for customers counted,
histograms and quantiles that is the longest vector that a customer can have, so that nobody is cut; for amounts it is
a public bound that the asker chooses, and how many customers were over it is part of the answer.
"""

import math
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from hanse_privacy.protocol.steps import MAXIMUM_WEEK, Block, RunStep, layout_of
from hanse_privacy.release import BlockLayout
from hanse_privacy.statistics.trees import Tree

MAXIMUM_CELLS = 20_000
"""Cells of an answer: a person reads them, and a vault holds a batch of customers' vectors in memory."""
TREE_BRANCHING = 4
"""Of the trees from which quantiles are read: less noise in a rank than 2 and 16 at 256 leaves."""
SMALLEST_HIGHEST = 1e-6
"""Of a tree's bins: far above where floating point can no longer tell their edges apart."""
LARGEST_AMOUNT = 1e12
"""Of an edge between bins: far below where floating point skips whole numbers."""
ALL = "all"
"""The one group of an answer that is not broken down."""

GroupName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Measure(StrEnum):
    """What is looked at of each customer, in the question's weeks."""

    CUSTOMERS = "customers"
    """That there was a purchase at all: 1."""
    BASKETS = "baskets"
    """How many receipts."""
    SPEND = "spend"
    """The money paid, in currency."""
    QUANTITY = "quantity"
    """Pieces or units of items that the league's catalogue knows and that are not sensitive."""


class Grouping(StrEnum):
    """By what an answer is broken down."""

    CATEGORY = "category"
    """A category of the league's catalogue; sensitive items are in none."""
    WEEK = "week"
    """A league week."""
    STORE_GROUP = "store-group"
    """A group of stores, as each partner's contract names them."""


class QuestionStep(RunStep):
    """What every question states.

    Whoever bought nothing in a group in these weeks is not in that group's answer.
    """

    version: Literal[1] = 1
    rounds: int = Field(default=1, ge=1, le=1)
    measure: Measure
    first_week: int = Field(ge=1, le=MAXIMUM_WEEK)
    last_week: int = Field(ge=1, le=MAXIMUM_WEEK)
    """Both included."""
    by: Grouping | None = None
    groups: tuple[GroupName, ...] = ()
    """Categories or store groups, in the answer's order; what is in none of them is not counted."""
    answer: Block

    @model_validator(mode="after")
    def _groups_fit(self) -> Self:
        if self.first_week > self.last_week:
            raise ValueError("first_week must not be after last_week")
        is_named = self.by in (Grouping.CATEGORY, Grouping.STORE_GROUP)
        if is_named != bool(self.groups):
            raise ValueError("groups must be named for categories and store groups, and for nothing else")
        if ALL in self.groups:
            raise ValueError(f"no group can be called {ALL!r}: that is an answer's only group where it has none")
        if len(set(self.groups)) != len(self.groups):
            raise ValueError("groups must name each group once")
        return self

    @property
    def group_names(self) -> tuple[str, ...]:
        """The answer's groups, in order; one if it is not broken down."""
        if self.by is Grouping.WEEK:
            return tuple(f"week {week}" for week in range(self.first_week, self.last_week + 1))
        return self.groups or (ALL,)

    def _require_cells(self, cells: int) -> None:
        if cells > MAXIMUM_CELLS:
            raise ValueError(f"the answer has {cells:,} cells, at most {MAXIMUM_CELLS:,}: ask for fewer groups or bins")

    def _require_uncut(self) -> None:
        longest = self.uncut()["answer"]
        if self.answer.clip < longest:
            raise ValueError(f"answer.clip must be {longest!r} or more: a customer's vector can be that long")


class CountQuestion(QuestionStep):
    """A sum over customers per group: of customers, baskets, money or quantity."""

    operation: Literal["count-question"] = "count-question"
    customers: Block | None = None
    """Present unless customers are what is counted: how many are in the answer."""
    over: Block | None = None
    """Present where the clip may cut a customer: how many were scaled down to it."""

    @property
    def may_cut(self) -> bool:
        """Whether a customer may be scaled down to the clip; then the answer tells how many were."""
        return self.over is not None

    @model_validator(mode="after")
    def _reports_what_it_cuts(self) -> Self:
        self._require_cells(len(self.group_names))
        is_amount = self.measure is not Measure.CUSTOMERS
        if self.over is None and (is_amount or self.answer.clip < math.sqrt(len(self.group_names))):
            raise ValueError("over must be stated where the clip may cut a customer")
        if (self.measure is Measure.CUSTOMERS) != (self.customers is None):
            raise ValueError("customers must be stated unless customers are what is counted")
        return self

    def blocks(self) -> tuple[BlockLayout, ...]:
        """The release's blocks, in order: one cell per group, then the two counts."""
        parts = (("customers", self.customers), ("over", self.over))
        return (
            layout_of("answer", len(self.group_names), self.answer),
            *(layout_of(name, 1, block) for name, block in parts if block is not None),
        )

    def uncut(self) -> Mapping[str, float]:
        """The two counts; and the answer, where nobody is to be cut in it."""
        answer = {"answer": math.sqrt(len(self.group_names))} if self.over is None else {}
        return {"customers": 1.0, "over": 1.0, **answer}


class HistogramQuestion(QuestionStep):
    """How many customers fall into each bin of an amount, per group."""

    operation: Literal["histogram-question"] = "histogram-question"
    edges: tuple[Annotated[float, Field(ge=0, le=LARGEST_AMOUNT)], ...] = Field(min_length=1, max_length=1000)
    """Lower edges of the bins, from 0 on; the last bin holds everything from its edge up."""

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        _require_amounts(self)
        if self.edges[0] != 0 or any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges must start at 0 and rise")
        self._require_cells(len(self.group_names) * len(self.edges))
        self._require_uncut()
        return self

    def blocks(self) -> tuple[BlockLayout, ...]:
        """The release's one block: the first group's bins, then the next one's."""
        return (layout_of("answer", len(self.group_names) * len(self.edges), self.answer),)

    def uncut(self) -> Mapping[str, float]:
        """A customer is in one bin of each group."""
        return {"answer": math.sqrt(len(self.group_names))}


class QuantileQuestion(QuestionStep):
    """Quantiles of an amount over customers, per group, read off a noisy tree of counts."""

    operation: Literal["quantile-question"] = "quantile-question"
    probabilities: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(min_length=1, max_length=99)
    highest: float = Field(ge=SMALLEST_HIGHEST, le=LARGEST_AMOUNT)
    """Where the last bin ends; a customer above it is counted in that bin, and a quantile there is a lower bound."""
    height: int = Field(ge=1, le=5)
    """Levels below the root: the tree has 4 to this power equal bins."""

    @property
    def tree(self) -> Tree:
        """The tree that each group's answer is."""
        return Tree(branching=TREE_BRANCHING, height=self.height)

    @property
    def edges(self) -> tuple[float, ...]:
        """Edges of the bins, from 0 to the highest: one more than there are bins."""
        leaves = self.tree.leaves
        return tuple(self.highest * place / leaves for place in range(leaves + 1))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _require_amounts(self)
        if any(low >= high for low, high in pairwise(self.probabilities)):
            raise ValueError("probabilities must rise")
        self._require_cells(len(self.group_names) * self.tree.size)
        self._require_uncut()
        return self

    def blocks(self) -> tuple[BlockLayout, ...]:
        """The release's one block: the first group's tree, level by level from the root, then the next one's."""
        return (layout_of("answer", len(self.group_names) * self.tree.size, self.answer),)

    def uncut(self) -> Mapping[str, float]:
        """A customer is in one node of each level of each group's tree."""
        return {"answer": math.sqrt(len(self.group_names) * (self.height + 1))}


Question = CountQuestion | HistogramQuestion | QuantileQuestion


def _require_amounts(question: QuestionStep) -> None:
    if question.measure is Measure.CUSTOMERS:
        raise ValueError("measure must be an amount: of baskets, spend or quantity")
