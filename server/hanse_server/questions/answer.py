"""An answer: released cells with their intervals, and the counts beside them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from hanse_privacy.protocol.question_steps import Grouping, Measure


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Released(_Part):
    """A released value and its 95 % interval; null where there is no end, or nothing to say."""

    value: float | None
    low: float | None
    high: float | None


class Row(_Part):
    """One line of the answer."""

    group: str
    """``all`` where the answer is not broken down."""
    part: str = ""
    """Of a histogram the bin, of quantiles the share of customers below."""
    released: Released
    is_beyond: bool = False
    """Of a quantile: it lies in the last bin, so that the value is where that begins."""


class Answer(_Part):
    """What a question released."""

    kind: Literal["question"] = "question"
    operation: Literal["count-question", "histogram-question", "quantile-question"]
    measure: Measure
    by: Grouping | None
    first_week: int
    last_week: int
    rows: tuple[Row, ...]
    customers: Released | None = None
    """Customers in the answer, where that was asked."""
    over: Released | None = None
    """Customers who were scaled down to the bound."""
    bound: float | None = None
    """The most that a customer added, where it may have cut."""
    noise_standard_deviation: dict[str, float]
    """Of each cell and count."""
