"""An answer as a table for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hanse_privacy.terminal import plain
from hanse_server.questions.answer import Answer, Released, Row
from hanse_server.questions.readable import UNITS, amount

TOO_FEW = "too few to tell"


def answer_table(answer: Answer, *, title: str) -> RenderableType:
    """One line per row of the answer, and below it what was counted beside it."""
    has_parts = any(row.part for row in answer.rows)
    has_groups = answer.by is not None or not has_parts
    table = Table()
    if has_groups:
        table.add_column("" if answer.by is None else answer.by.value.replace("-", " "))
    if has_parts:
        table.add_column("customers below" if answer.operation == "quantile-question" else answer.measure.value)
    table.add_column(value_name(answer), justify="right")
    table.add_column("95 % interval", justify="right")
    for row in answer.rows:
        named = (*((plain(row.group),) if has_groups else ()), *((row.part,) if has_parts else ()))
        table.add_row(*named, told(row), interval_of(row.released))
    return Group(Text(plain(title), style="bold"), table, *(Text(said) for said in beside(answer)))


def value_name(answer: Answer) -> str:
    """What the answer's numbers are."""
    if answer.operation == "quantile-question":
        return answer.measure.value
    return "customers" if answer.operation == "histogram-question" else answer.measure.value


def told(row: Row) -> str:
    """A row's value in words."""
    if row.released.value is None:
        return TOO_FEW
    return f"{amount(row.released.value)}{' or more' if row.is_beyond else ''}"


def interval_of(released: Released) -> str:
    """An interval in words."""
    if released.value is None or released.low is None:
        return "–"
    return f"{amount(released.low)} to {'∞' if released.high is None else amount(released.high)}"


def beside(answer: Answer) -> tuple[str, ...]:
    """What was counted beside the answer, and what a number means."""
    said = []
    if answer.customers is not None and answer.customers.value is not None:
        said.append(f"Customers in it: {amount(answer.customers.value)} ({interval_of(answer.customers)}).")
    if answer.over is not None and answer.over.value is not None and answer.bound is not None:
        said.append(
            f"Scaled down to {amount(answer.bound)} {UNITS[answer.measure]}: {amount(answer.over.value)} customers"
            f" ({interval_of(answer.over)})."
        )
    said.append("Intervals are of the noise alone. A small cell is noise, not a secret.")
    return tuple(said)
