"""The doctor: what is missing, duplicated, late or out of range in an export, before anything uses it.

Every check is one set-based query in the engine; only counts and three examples come up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend

from hanse_client.data.contract import Contract
from hanse_client.data.errors import reading
from hanse_client.data.findings import EXAMPLES, DoctorReport, Finding, FindingCode, Severity
from hanse_client.data.reader import FILE, join_lines, list_stores, open_engine, read_export
from hanse_client.data.rules import line_rules
from hanse_client.data.source_checks import (
    file_name,
    repeated_keys,
    rows_of,
    type_findings,
    unreadable_values,
)
from hanse_client.data.structure import structural_findings
from hanse_models.catalogue import Catalogue

_LINE = ["customer", "time", "store", "receipt", "product", "quantity", "value", "discount"]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """The doctor's report, and the lines it is about while the engine lives."""

    report: DoctorReport
    lines: ir.Table | None
    """None where files or columns are missing, or a column has an impossible type."""
    stores: ir.Table | None
    """The stores of the partner's list, with their groups; None where there are no lines."""
    counts: Mapping[str, Any]
    """Totals over the lines: lines, customers, first, last, and one count per rule's code."""


def examine(contract: Contract, catalogue: Catalogue, *, today: date) -> DoctorReport:
    """Examine a partner's export.

    Args:
        contract: The partner's data contract.
        catalogue: The league's public catalogue.
        today: The last day that the export may hold where the contract names none.

    Raises:
        DataUnreadableError: If a file cannot be read at all.
    """
    with open_engine() as engine:
        return examine_with(engine, contract, catalogue, today=today).report


def examine_with(engine: Backend, contract: Contract, catalogue: Catalogue, *, today: date) -> Examination:
    """Examine an export in an engine that goes on to use its lines.

    Raises:
        DataUnreadableError: If a file cannot be read at all.
    """
    findings = structural_findings(contract)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return _without_lines(contract, findings)
    export = read_export(engine, contract)
    with reading("The export"):
        findings += type_findings(export)
        if any(finding.severity is Severity.ERROR for finding in findings):
            return _without_lines(contract, findings)
        findings += unreadable_values(export, contract.folder)
        findings += repeated_keys(export, contract.folder)
        stores = list_stores(engine, export)
        lines = join_lines(engine, export, catalogue, stores=stores)
        counts, found = _line_findings(lines, contract, today)
        findings += found
        findings += _duplicates(lines, contract, int(counts["lines"]))
    findings += _overall(counts, contract, today)
    report = DoctorReport(
        partner=contract.contract.partner,
        lines=int(counts["lines"]),
        customers=int(counts["customers"]),
        findings=tuple(findings),
    )
    return Examination(report=report, lines=lines, stores=stores, counts=counts)


def _without_lines(contract: Contract, findings: list[Finding]) -> Examination:
    report = DoctorReport(partner=contract.contract.partner, lines=0, customers=0, findings=tuple(findings))
    return Examination(report=report, lines=None, stores=None, counts={})


def _line_findings(lines: ir.Table, contract: Contract, today: date) -> tuple[dict[str, Any], list[Finding]]:
    rules = line_rules(lines, contract, today)
    counts = rows_of(
        lines.agg(
            lines=lines.count(),
            customers=lines.customer.nunique(),
            first=lines.time.min(),
            last=lines.time.max(),
            **{rule.code.value: rule.broken.fill_null(False).sum().fill_null(0) for rule in rules},  # noqa: FBT003 - a null breaks no rule
        )
    )[0]
    findings = []
    for rule in rules:
        count = int(counts[rule.code.value])
        if count == 0:
            continue
        tolerated = count <= rule.tolerated_share * counts["lines"]
        findings.append(
            Finding(
                severity=Severity.WARNING if tolerated and rule.tolerated_share else rule.severity,
                code=rule.code,
                what=f"{count:,} lines {rule.what}",
                count=count,
                examples=_line_examples(lines.filter(rule.broken), contract.folder) if rule.shows_examples else (),
                mend=rule.mend,
            )
        )
    return counts, findings


def _line_examples(lines: ir.Table, folder: Path) -> tuple[str, ...]:
    shown = lines.select(FILE, "time", "store", "receipt", "product", "quantity", "value", "discount")
    return tuple(
        f"{file_name(row[FILE], folder)}: receipt {row['receipt']}, store {row['store']}, product {row['product']},"
        f" {row['time']}, quantity {row['quantity']}, value {row['value']}, discount {row['discount']}"
        for row in rows_of(shown.order_by(shown.columns).limit(EXAMPLES))
    )


def _duplicates(lines: ir.Table, contract: Contract, total: int) -> list[Finding]:
    """Lines that repeat another in every column the league reads."""
    repeated = lines.group_by(_LINE).agg(n=lines.count(), **{FILE: lines[FILE].min()})
    repeated = repeated.filter(repeated.n > 1)
    count = int(repeated.agg(extra=(repeated.n - 1).sum().fill_null(0)).to_pyarrow()["extra"][0].as_py())
    if count == 0:
        return []
    tolerated = count <= contract.limits.duplicate_line_share * total
    return [
        Finding(
            severity=Severity.WARNING if tolerated else Severity.ERROR,
            code=FindingCode.DUPLICATE_LINES,
            what=f"{count:,} lines repeat another line in every column"
            f"{'; the contract tolerates that, and they are kept' if tolerated else ''}.",
            count=count,
            examples=_line_examples(repeated, contract.folder),
            mend="Look for a file exported twice. Where the till really writes one line per piece, say so with"
            " limits.duplicate_line_share.",
        )
    ]


def _overall(counts: Mapping[str, Any], contract: Contract, today: date) -> list[Finding]:
    """What only the whole export can show."""
    limits = contract.limits
    if counts["lines"] == 0:
        return [
            Finding(
                severity=Severity.ERROR,
                code=FindingCode.EMPTY_EXPORT,
                what=f"The files that match {contract.sales.files} hold no line.",
                count=0,
                examples=(),
                mend="Run the export again for the days that the league asks for.",
            )
        ]
    findings = []
    if counts["customers"] < limits.minimum_customers:
        findings.append(
            Finding(
                severity=Severity.ERROR,
                code=FindingCode.TOO_FEW_CUSTOMERS,
                what=f"The export holds {counts['customers']:,} customers;"
                f" at least {limits.minimum_customers:,} are needed to take part.",
                count=int(counts["customers"]),
                examples=(),
                mend="Export more stores or a longer time; fewer customers would stand out too clearly.",
            )
        )
    expected = limits.latest or today
    last = counts["last"]
    if last is not None and last.date() < expected - timedelta(days=limits.late_after_days):
        late = (expected - last.date()).days
        findings.append(
            Finding(
                severity=Severity.WARNING,
                code=FindingCode.LATE_DATA,
                what=f"The newest purchase is of {last.date()}, {late} days before {expected}.",
                count=late,
                examples=(),
                mend="Check that the last export ran, and that every store delivered.",
            )
        )
    return findings
