"""The doctor's first look: files and columns, before any line is read."""

from pathlib import Path

from hanse_client.data.contract import Column, Contract, Source, columns_of
from hanse_client.data.files import matching
from hanse_client.data.findings import Finding, FindingCode, Severity, shown
from hanse_client.data.reader import terms


def structural_findings(contract: Contract) -> list[Finding]:
    """Which files or columns are missing, and which columns nobody maps.

    Raises:
        DataUnreadableError: If a file cannot be read at all.
    """
    sources: list[tuple[str, Source, dict[str, Column]]] = [
        ("sales", contract.sales, terms(contract.sales.columns)),
        ("products", contract.products, terms(contract.products.columns)),
    ]
    if contract.receipts is not None:
        sources.insert(1, ("receipts", contract.receipts, terms(contract.receipts.columns)))
    if contract.stores is not None:
        sources.append(("stores", contract.stores, terms(contract.stores.columns)))
    findings = []
    for name, source, columns in sources:
        findings += _source_findings(name, source, columns, contract.folder)
    return findings


def _source_findings(name: str, source: Source, columns: dict[str, Column], folder: Path) -> list[Finding]:
    paths = matching(folder, source.files)
    if not paths:
        return [
            Finding(
                severity=Severity.ERROR,
                code=FindingCode.NO_FILES,
                what=f"No file matches {source.files}, which the contract names for [{name}].",
                count=0,
                examples=(),
                mend=f"Put the export there, or correct 'files' under [{name}] in the contract.",
            )
        ]
    present = {path: columns_of(source, path) for path in paths}
    findings = []
    for term, column in columns.items():
        lacking = [path for path in paths if column.column not in present[path]]
        if lacking:
            findings.append(
                Finding(
                    severity=Severity.ERROR,
                    code=FindingCode.MISSING_COLUMN,
                    what=f"The column {column.column!r}, mapped to {term}, is missing in {len(lacking)} of"
                    f" {len(paths)} files for [{name}].",
                    count=len(lacking),
                    examples=shown(
                        f"{path.relative_to(folder)} has the columns {', '.join(present[path])}" for path in lacking
                    ),
                    mend=f"Export the column, or correct {name}.columns.{term} in the contract.",
                )
            )
    mapped = {column.column for column in columns.values()}
    unmapped = sorted({column for row in present.values() for column in row} - mapped)
    if unmapped:
        findings.append(
            Finding(
                severity=Severity.INFORMATION,
                code=FindingCode.UNMAPPED_COLUMN,
                what=f"{len(unmapped)} columns of [{name}] are not mapped and never read.",
                count=len(unmapped),
                examples=shown(unmapped),
                mend="Nothing to do, unless the league needs one of them: then map it in the contract.",
            )
        )
    return findings
