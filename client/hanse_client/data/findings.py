"""What the doctor found in an export, in the words of a shop's data team."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

EXAMPLES = 3
"""How many examples a finding shows at most."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Nothing is taken from the export until it is mended."""
    WARNING = "warning"
    """The export is used; somebody should look."""
    INFORMATION = "information"
    """As the contract says; shown so that nothing is left out in silence."""


class FindingCode(StrEnum):
    """What kind of finding it is; stable, for programs and for search."""

    NO_FILES = "NO_FILES"
    EMPTY_EXPORT = "EMPTY_EXPORT"
    MISSING_COLUMN = "MISSING_COLUMN"
    UNMAPPED_COLUMN = "UNMAPPED_COLUMN"
    WRONG_TYPE = "WRONG_TYPE"
    DUPLICATE_LINES = "DUPLICATE_LINES"
    DUPLICATE_RECEIPT = "DUPLICATE_RECEIPT"
    DUPLICATE_PRODUCT = "DUPLICATE_PRODUCT"
    DUPLICATE_STORE = "DUPLICATE_STORE"
    LINE_WITHOUT_RECEIPT = "LINE_WITHOUT_RECEIPT"
    NEGATIVE_QUANTITY = "NEGATIVE_QUANTITY"
    NEGATIVE_VALUE = "NEGATIVE_VALUE"
    NEGATIVE_DISCOUNT = "NEGATIVE_DISCOUNT"
    ABSURD_QUANTITY = "ABSURD_QUANTITY"
    ABSURD_VALUE = "ABSURD_VALUE"
    DATE_IN_FUTURE = "DATE_IN_FUTURE"
    DATE_TOO_EARLY = "DATE_TOO_EARLY"
    LATE_DATA = "LATE_DATA"
    UNKNOWN_PRODUCT = "UNKNOWN_PRODUCT"
    STORE_WITHOUT_GROUP = "STORE_WITHOUT_GROUP"
    MISSING_CUSTOMER = "MISSING_CUSTOMER"
    TOO_FEW_CUSTOMERS = "TOO_FEW_CUSTOMERS"
    OUTSIDE_CATALOGUE = "OUTSIDE_CATALOGUE"
    SENSITIVE_LEFT_OUT = "SENSITIVE_LEFT_OUT"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One kind of thing found."""

    severity: Severity
    code: FindingCode
    what: str
    """What was found, in one sentence."""
    count: int
    """How many lines (columns, files, customers) it concerns."""
    examples: tuple[str, ...]
    """Up to three, naming file, receipt, product and values; never a customer."""
    mend: str
    """What to do about it."""


@dataclass(frozen=True, kw_only=True)
class DoctorReport:
    """Everything found in one partner's export."""

    partner: str
    lines: int
    customers: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the export out."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def exit_code(self) -> int:
        """0, or 2 where the export has errors."""
        return 2 if self.errors else 0


_COLOUR = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFORMATION: "cyan"}


def render(report: DoctorReport) -> RenderableType:
    """The report for a terminal: one row per finding, worst first, and a closing sentence."""
    table = Table(show_header=True, header_style="bold", expand=True)
    table.add_column("finding", no_wrap=True)
    table.add_column("count", justify="right", no_wrap=True)
    table.add_column("what was found, and what to do", ratio=1)
    for finding in sorted(report.findings, key=lambda found: list(Severity).index(found.severity)):
        text = Text(finding.what)
        for example in finding.examples:
            text.append(f"\n  e.g. {example}", style="dim")
        text.append(f"\n{finding.mend}", style="italic")
        label = Text(f"{finding.severity}\n{finding.code}", style=_COLOUR[finding.severity])
        table.add_row(label, f"{finding.count:,}", text)
    closing = (
        f"{report.partner}: {report.lines:,} lines, {report.customers:,} customers; {_counted(len(report.errors))}."
    )
    closing = f"[bold]{escape(closing)}[/bold]"
    return Group(table, closing) if report.findings else Group(closing)


def _counted(errors: int) -> str:
    if errors == 0:
        return "the export can be used"
    return "1 error keeps the export out" if errors == 1 else f"{errors} errors keep the export out"


def shown(examples: Iterable[str]) -> tuple[str, ...]:
    """The first three of the examples."""
    return tuple(example for example, _ in zip(examples, range(EXAMPLES), strict=False))
