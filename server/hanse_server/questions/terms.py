"""What an asker says of a question, before the league's settings and the noise are filled in."""

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.question_steps import TREE_BRANCHING, Grouping, Measure
from hanse_privacy.statistics.trees import Tree

_COUNT_SHARE = 0.05
"""Of a count's privacy loss, for each of the two counts beside the answer."""
_HEIGHTS = range(1, 6)


class QuestionInvalidError(HanseError):
    """A question cannot be asked like this."""

    code = "QUESTION_INVALID"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Weeks:
    """League weeks, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``40-52``, or ``52`` for one week.

        Raises:
            QuestionInvalidError: If it is neither.
        """
        found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text.strip())
        if found is None:
            raise QuestionInvalidError(f"weeks is {text!r}.", "Write a week or two, such as 52 or 40-52.")
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last:
            raise QuestionInvalidError(f"weeks is {text!r}.", "The first week is 1 or later, and not after the last.")
        return cls(first=first, last=last)

    def __str__(self) -> str:
        return f"week {self.first}" if self.first == self.last else f"weeks {self.first} to {self.last}"


@dataclass(frozen=True, kw_only=True)
class Terms(ABC):
    """What every question says.

    Args:
        measure: What is looked at of each customer.
        weeks: When.
        by: By what the answer is broken down; none for one number.
    """

    operation: ClassVar[str]
    measure: Measure
    weeks: Weeks
    by: Grouping | None = None

    def in_words(self) -> str:
        """The question as a title."""
        broken_down = "" if self.by is None else f" by {self.by.value.replace('-', ' ')}"
        return f"{self._what()}{broken_down}, {self.weeks}"

    @abstractmethod
    def parts(self, groups: int) -> dict[str, Any]:
        """The fields of the step that this kind of question adds, for so many groups."""

    @abstractmethod
    def _what(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class CountTerms(Terms):
    """A sum over customers.

    Args:
        at_most: The most that a customer adds (the root of the sum of squares over the groups); none where customers
            are counted and each counts wholly.
    """

    operation: ClassVar[str] = "count-question"
    at_most: float | None = None

    def parts(self, groups: int) -> dict[str, Any]:
        """The answer's block, and the counts beside it."""
        longest = math.sqrt(groups)
        if self.measure is Measure.CUSTOMERS:
            clip = longest if self.at_most is None else min(self.at_most, longest)
        elif self.at_most is None:
            raise QuestionInvalidError(
                f"Nothing says how much {self.measure.value} one customer may add.",
                "Name it with --at-most: noise grows with it, and customers above it are scaled down and counted.",
            )
        else:
            clip = self.at_most
        beside = [
            *(() if self.measure is Measure.CUSTOMERS else ("customers",)),
            *(("over",) if self.measure is not Measure.CUSTOMERS or clip < longest else ()),
        ]
        count = {"clip": 1.0, "share": _COUNT_SHARE, "is_metric": True}
        answer = {"clip": clip, "share": 1 - _COUNT_SHARE * len(beside)}
        return {"answer": answer, **{name: dict(count) for name in beside}}

    def _what(self) -> str:
        return self.measure.value.capitalize()


@dataclass(frozen=True, kw_only=True)
class HistogramTerms(Terms):
    """How many customers fall into each bin of an amount.

    Args:
        edges: Where bins begin, from 0 on, rising; the last one has no end.
    """

    operation: ClassVar[str] = "histogram-question"
    edges: tuple[float, ...]

    def parts(self, groups: int) -> dict[str, Any]:
        """The bins, and the answer's block."""
        return {"edges": self.edges, "answer": {"clip": math.sqrt(groups), "share": 1.0}}

    def _what(self) -> str:
        return f"Customers by {self.measure.value}"


@dataclass(frozen=True, kw_only=True)
class QuantileTerms(Terms):
    """Amounts below which given shares of the customers lie.

    Args:
        probabilities: The shares, above 0 and below 1, rising.
        highest: Where the bins end; what lies above is told as "or more".
        bins: How many equal bins: 4, 16, 64, 256 or 1024.
    """

    operation: ClassVar[str] = "quantile-question"
    probabilities: tuple[float, ...]
    highest: float
    bins: int = 256

    def parts(self, groups: int) -> dict[str, Any]:
        """The tree of bins, and the answer's block."""
        trees = {tree.leaves: tree for tree in (Tree(branching=TREE_BRANCHING, height=height) for height in _HEIGHTS)}
        tree = trees.get(self.bins)
        if tree is None:
            raise QuestionInvalidError(
                f"bins is {self.bins}.", f"It must be one of {', '.join(str(leaves) for leaves in trees)}."
            )
        return {
            "probabilities": self.probabilities,
            "highest": self.highest,
            "height": tree.height,
            "answer": {"clip": math.sqrt(groups * (tree.height + 1)), "share": 1.0},
        }

    def _what(self) -> str:
        return f"Quantiles of {self.measure.value}"
