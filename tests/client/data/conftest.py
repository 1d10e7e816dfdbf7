import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from hanse_client.data.contract import Contract, load_contract
from hanse_client.data.doctor import examine
from hanse_client.data.findings import DoctorReport
from hanse_models.catalogue import Catalogue, load_catalogue

TODAY = date(2025, 3, 1)
COLUMNS = ["card", "sold_at", "shop", "till_receipt", "plu", "pieces", "paid", "saved"]
CONTRACT = """
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

[limits]
maximum_quantity = 100
maximum_value = 500
earliest = 2025-01-01
late_after_days = 10
minimum_customers = 3
"""


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
            with (export / name).open("w", newline="") as file:
                csv.writer(file).writerows([header, *rows])
        (self.folder / "contract.toml").write_text(self.contract_text)

    def contract(self) -> Contract:
        self.write()
        return load_contract(self.folder / "contract.toml")

    def examine(self, catalogue: Catalogue) -> DoctorReport:
        return examine(self.contract(), catalogue, today=TODAY)


def write_catalogue(folder: Path, items: list[tuple[str, str]], articles: dict[str, int]) -> Catalogue:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["item", "name", "category", "sensitive"],
                *([place, name, "food", sensitive] for place, (name, sensitive) in enumerate(items)),
            ]
        )
    with (folder / "articles.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["article", "item"], *articles.items()])
    return load_catalogue(folder)


@pytest.fixture
def make_catalogue() -> Callable[[Path, list[tuple[str, str]], dict[str, int]], Catalogue]:
    return write_catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return write_catalogue(
        tmp_path / "catalogue",
        [("Milk", "no"), ("Bread", "no"), ("Painkillers", "yes")],
        {"G1": 0, "G2": 0, "G3": 1, "G4": 2},
    )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Four customers, two stores, two lines per receipt, nothing wrong."""
    lines = [
        [
            f"card-{customer}",
            f"2025-02-{day:02d} 10:{customer:02d}:00",
            str(1 + day % 2),
            f"{day}{customer}",
            *(plu, "1", "2.50", "0.10"),
        ]
        for customer in range(4)
        for day in range(20, 25)
        for plu in ("10", "12")
    ]
    items = [["10", "G1"], ["11", "G2"], ["12", "G3"], ["13", "G4"], ["14", "ZZ"]]
    return Shop(folder=tmp_path, lines=lines, items=items)
