"""The export of a small shop and the league's catalogue, as tests write them."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from hanse_client.data.contract import Contract, load_contract
from hanse_client.data.doctor import examine
from hanse_client.data.findings import DoctorReport, Finding, FindingCode
from hanse_models.catalogue import Catalogue, load_catalogue

TODAY = date(2025, 3, 1)
COLUMNS = ["card", "sold_at", "shop", "till_receipt", "plu", "pieces", "paid", "saved"]
EXPORT = """
[contract]
version = 1
partner = "corner-shop"

[sales]
files = "export/sales*.csv"
format = "csv"

[sales.columns]
customer = { column = "card" }
time = { column = "sold_at" }
store = { column = "shop" }
receipt = { column = "till_receipt" }
product = { column = "plu" }
quantity = { column = "pieces" }
value = { column = "paid" }
discount = { column = "saved" }

[products]
files = "export/items.csv"
format = "csv"

[products.columns]
product = { column = "plu" }
article = { column = "gtin" }
"""
CONTRACT = (
    EXPORT
    + """
[limits]
maximum_quantity = 100
maximum_value = 500
earliest = 2025-01-01
late_after_days = 10
minimum_customers = 3
"""
)
STORES = """
[stores]
files = "export/stores*.csv"
format = "csv"
[stores.columns]
store = { column = "branch" }
group = { column = "kind" }
"""
RECEIPTS = """
[receipts]
files = "export/receipts.csv"
format = "csv"
[receipts.columns]
receipt = { column = "number" }
customer = { column = "member" }
time = { column = "at" }
store = { column = "branch" }
"""


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@dataclass
class Shop:
    """A small shop whose export a test can spoil."""

    folder: Path
    contract_text: str = CONTRACT
    columns: list[str] = field(default_factory=lambda: list(COLUMNS))
    lines: list[list[str]] = field(default_factory=list)
    items: list[list[str]] = field(default_factory=list)

    def write(self) -> None:
        export = self.folder / "export"
        export.mkdir(exist_ok=True)
        for name, header, rows in (
            ("sales.csv", self.columns, self.lines),
            ("items.csv", ["plu", "gtin"], self.items),
        ):
            write_csv(export / name, [header, *rows])
        (self.folder / "contract.toml").write_text(self.contract_text)

    def receipts(self) -> list[tuple[str, str, str, str]]:
        """Number, customer, time and store of each."""
        return sorted({(line[3], line[0], line[1], line[2]) for line in self.lines})

    def contract(self) -> Contract:
        self.write()
        return load_contract(self.folder / "contract.toml")

    def examine(self, catalogue: Catalogue) -> DoctorReport:
        return examine(self.contract(), catalogue, today=TODAY)


def write_stores(
    shop: Shop, rows: Iterable[Sequence[str]], *, header: Sequence[str] = ("branch", "kind"), name: str = "stores.csv"
) -> None:
    (shop.folder / "export").mkdir(exist_ok=True)
    write_csv(shop.folder / "export" / name, [header, *rows])


def with_receipts(shop: Shop, receipts: Sequence[Sequence[str]]) -> None:
    """Move customer, time and store into a receipts table of the given rows."""
    shop.write()
    write_csv(shop.folder / "export" / "receipts.csv", [["number", "member", "at", "branch"], *receipts])
    moved = ("customer =", "time =", 'store = { column = "shop" }')
    kept = [line for line in shop.contract_text.splitlines() if not line.startswith(moved)]
    shop.contract_text = "\n".join(kept) + RECEIPTS


def write_catalogue(folder: Path, items: Sequence[tuple[str, str, str]], articles: dict[str, int]) -> Catalogue:
    """Items by name, category and whether they are sensitive, and the article numbers of each."""
    folder.mkdir(parents=True, exist_ok=True)
    header = ["item", "name", "category", "sensitive"]
    write_csv(folder / "items.csv", [header, *([place, *item] for place, item in enumerate(items))])
    write_csv(folder / "articles.csv", [["article", "item"], *articles.items()])
    return load_catalogue(folder)


def found(report: DoctorReport, code: FindingCode) -> Finding:
    matching = [finding for finding in report.findings if finding.code is code]
    assert len(matching) == 1, f"{code} not found once in {[finding.code for finding in report.findings]}"
    return matching[0]
