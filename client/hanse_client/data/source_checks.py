"""The doctor's look at one source: values that are not what their term needs, keys that repeat."""

from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from hanse_client.data.findings import EXAMPLES, Finding, FindingCode, Severity
from hanse_client.data.reader import FILE, Export, SourceTable, parsed_column

# An empty customer is a purchase without a card, an empty article an item that the league does not
# know, an empty discount none: reported elsewhere, or no fault.
_MAY_BE_EMPTY = frozenset({"customer", "article", "discount"})


def rows_of(table: ir.Table) -> list[dict[str, Any]]:
    """The rows of a small result."""
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def file_name(path: str, folder: Path) -> str:
    """A file as the contract's reader knows it: relative to the contract."""
    return Path(path).relative_to(folder).as_posix()


def type_findings(export: Export) -> list[Finding]:
    """Columns whose type can never be read as what the contract says."""
    return [
        Finding(
            severity=Severity.ERROR,
            code=FindingCode.WRONG_TYPE,
            what=f"The column {source.columns[term].column!r} of [{name}], mapped to {term}, {fault}.",
            count=1,
            examples=(),
            mend="Export the column in another type, or map another column in the contract.",
        )
        for name, source in export.sources.items()
        for term, fault in source.type_faults.items()
    ]


def unreadable_values(export: Export, folder: Path) -> list[Finding]:
    """Values that are empty, or cannot be read as what the contract says, column by column."""
    return [finding for name, source in export.sources.items() for finding in _unreadable(name, source, folder)]


def _unreadable(name: str, source: SourceTable, folder: Path) -> list[Finding]:
    bad = {}
    for term, column in source.columns.items():
        bad[term] = parsed_column(source.raw, column, source.layout).isnull()
        if term in _MAY_BE_EMPTY:
            bad[term] &= source.raw[column.column].cast("string").strip().nullif("").notnull()
    counts = rows_of(source.raw.agg(**{term: unread.sum().fill_null(0) for term, unread in bad.items()}))[0]
    label = next(term for term in ("product", "receipt", "store") if term in source.columns)
    findings = []
    for term, count in counts.items():
        if count == 0:
            continue
        column = source.columns[term]
        shown = source.raw.filter(bad[term]).select(
            file=source.raw[FILE],
            row=source.raw[source.columns[label].column].cast("string"),
            value=source.raw[column.column].cast("string"),
        )
        findings.append(
            Finding(
                severity=Severity.ERROR,
                code=FindingCode.WRONG_TYPE,
                what=f"{count:,} values of the column {column.column!r} of [{name}] are empty or cannot be read"
                f" as {term}.",
                count=count,
                examples=tuple(
                    f"{file_name(row['file'], folder)}: {label} {row['row']}, {column.column} is {row['value']!r}"
                    for row in rows_of(shown.order_by("file", "row", "value").limit(EXAMPLES))
                ),
                mend=f"Mend the export, or say in {name}.columns.{term} how the column is written.",
            )
        )
    return findings


def repeated_keys(export: Export, folder: Path) -> list[Finding]:
    """Receipts listed twice, product codes that stand for two articles, and stores that are in two groups."""
    findings = []
    if export.receipts is not None:
        repeated = export.receipts.parsed.group_by("receipt").agg(
            n=lambda table: table.count(), file=lambda table: table[FILE].min()
        )
        repeated = repeated.filter(repeated.n > 1, repeated.receipt.notnull())
        findings += _key_finding(
            repeated,
            FindingCode.DUPLICATE_RECEIPT,
            "receipt numbers are listed more than once, so their lines cannot be told apart.",
            "Export each receipt once, with a number that no other store uses.",
            folder,
        )
    twice = export.products.parsed.group_by("product").agg(
        n=lambda table: table.article.nunique(), file=lambda table: table[FILE].min()
    )
    twice = twice.filter(twice.n > 1, twice.product.notnull())
    findings += _key_finding(
        twice,
        FindingCode.DUPLICATE_PRODUCT,
        "product codes stand for more than one article in the item master.",
        "Keep one article code per product code.",
        folder,
    )
    if export.stores is not None:
        groups = export.stores.parsed.rename(store_group="group")
        apart = groups.group_by("store").agg(n=groups.store_group.nunique(), file=groups[FILE].min())
        findings += _key_finding(
            apart.filter(apart.n > 1, apart.store.notnull()),
            FindingCode.DUPLICATE_STORE,
            "stores are listed in more than one group.",
            "Keep one group per store.",
            folder,
        )
    return findings


def _key_finding(repeated: ir.Table, code: FindingCode, what: str, mend: str, folder: Path) -> list[Finding]:
    count = int(repeated.count().to_pyarrow().as_py())
    if count == 0:
        return []
    key = repeated.columns[0]
    examples = rows_of(repeated.order_by(key).limit(EXAMPLES))
    return [
        Finding(
            severity=Severity.ERROR,
            code=code,
            what=f"{count:,} {what}",
            count=count,
            examples=tuple(f"{file_name(row['file'], folder)}: {key} {row[key]}, {row['n']} times" for row in examples),
            mend=mend,
        )
    ]
