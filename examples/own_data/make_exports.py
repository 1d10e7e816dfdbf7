"""Writes this folder's two CSV exports and its catalogue: invented shops, the same at every run.

Run ``python examples/own_data/make_exports.py`` from the repository. Nobody in these files is real:
every customer has a taste (a weight per item), a rhythm (days between visits) and, for about one in
seven, a day on which they stay away for good.
"""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FIRST_DAY = date(2025, 1, 1)
LAST_DAY = date(2025, 12, 31)
CUSTOMERS = 150
SEED = 20250101
SENSITIVE = ("Pregnancy test", "Painkillers")
SENSITIVE_CATEGORY = "Health"
ITEMS = {
    "Fruit and vegetables": "Apples, Bananas, Carrots, Cucumbers, Grapes, Lemons, Lettuce, Onions, Oranges, Pears,"
    " Peppers, Potatoes, Tomatoes",
    "Dairy": "Butter, Cheese, Cream, Eggs, Milk, Quark, Yoghurt",
    "Bread": "Bagels, Baguette, Rolls, Rye bread, Toast",
    "Meat and fish": "Bacon, Beef, Chicken, Ham, Pork, Salami, Sausages, Cod, Herring, Salmon",
    "Pantry": "Beans, Flour, Lentils, Noodles, Oats, Oil, Pasta, Rice, Salt, Sugar, Vinegar",
    "Drinks": "Beer, Cocoa, Coffee, Cola, Juice, Lemonade, Tea, Water, Wine",
    "Sweets": "Biscuits, Chocolate, Crisps, Ice cream, Jam, Nuts",
    "Household": "Detergent, Shampoo, Soap, Tissues, Toothpaste",
}
"""Items by category, in the catalogue's order."""
STORE_GROUPS = {1: "city", 2: "suburb", 3: "village"}
"""By the store's number; each shop writes them in its own words."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One purchase line before a shop writes it in its own way."""

    customer: int
    day: date
    store: int
    receipt: int
    article: int
    quantity: int
    cents: int
    discount_cents: int


def catalogue() -> list[tuple[str, str, bool]]:
    """The league's items in order: name, category, and whether it is sensitive."""
    usable = [(name.strip(), category, False) for category, names in ITEMS.items() for name in names.split(",")]
    return usable + [(name, SENSITIVE_CATEGORY, True) for name in SENSITIVE]


def article_code(article: int) -> str:
    """A made-up GTIN-13 in the range that GS1 keeps for use inside a company (prefix 20)."""
    digits = f"20{article:010d}"
    check = -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    return f"{digits}{check}"


def purchases(random: np.random.Generator, stores: int) -> list[Line]:
    """A year of one shop; two articles per item, both sold."""
    items = len(catalogue())
    popularity = 1 / np.arange(1, items + 1) ** 0.6
    random.shuffle(popularity)
    prices = random.integers(79, 699, size=2 * items)
    lines = []
    visits = []
    for customer in range(CUSTOMERS):
        rhythm = random.uniform(15, 45)
        taste = popularity * random.gamma(0.5, size=items)
        leaves = LAST_DAY if random.random() > 1 / 7 else FIRST_DAY + timedelta(days=int(random.integers(150, 330)))
        home = int(random.integers(1, stores + 1))
        day = FIRST_DAY + timedelta(days=int(random.integers(0, 30)))
        while day <= leaves:
            visits.append((day, customer, home if random.random() < 0.85 else 1, taste / taste.sum()))
            day += timedelta(days=1 + int(random.exponential(rhythm)))
    visits.sort(key=lambda visit: visit[:2])
    for receipt, (day, customer, store, taste) in enumerate(visits, start=1):
        for item in random.choice(items, size=1 + random.poisson(1.0), replace=False, p=taste):
            article = 2 * int(item) + int(random.random() < 0.3)
            quantity = 1 + int(random.random() < 0.2)
            full = int(prices[article]) * quantity
            discount = full // 5 if random.random() < 0.15 else 0
            lines.append(
                Line(
                    customer=customer,
                    day=day,
                    store=store,
                    receipt=receipt,
                    article=article,
                    quantity=quantity,
                    cents=full - discount,
                    discount_cents=discount,
                )
            )
    return lines


def write(path: Path, header: list[str], rows: list[list[object]], delimiter: str = ",") -> None:
    """Write one CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def comma(cents: int) -> str:
    """Money as the north writes it: 1,99."""
    return f"{cents // 100},{cents % 100:02d}"


def write_north(folder: Path, lines: list[Line]) -> None:
    """Semicolons, German columns, decimal commas."""
    write(
        folder / "bons.csv",
        ["Kunde", "Datum", "Markt", "Bon", "Artikel", "Stück", "Betrag", "Rabatt"],
        [
            [
                f"N{7 * line.customer + 1001}",
                line.day.strftime("%d.%m.%Y"),
                line.store,
                line.receipt,
                line.article + 300,
                line.quantity,
                comma(line.cents),
                comma(line.discount_cents),
            ]
            for line in lines
        ],
        delimiter=";",
    )
    articles = range(2 * len(catalogue()))
    write(
        folder / "artikel.csv",
        ["Artikel", "EAN"],
        [[article + 300, article_code(article)] for article in articles],
        delimiter=";",
    )
    write(
        folder / "maerkte.csv",
        ["Markt", "Lage"],
        [[store, group] for store, group in STORE_GROUPS.items()],
        delimiter=";",
    )


def write_south(folder: Path, lines: list[Line]) -> None:
    """Commas, English columns, cents."""
    write(
        folder / "sales.csv",
        ["card", "date", "shop", "receipt", "sku", "qty", "cents", "saved"],
        [
            [
                f"{900000 - 11 * line.customer}",
                line.day.isoformat(),
                f"S{line.store}",
                line.receipt,
                f"P{line.article:03d}",
                line.quantity,
                line.cents,
                line.discount_cents,
            ]
            for line in lines
        ],
    )
    articles = range(2 * len(catalogue()))
    write(
        folder / "products.csv",
        ["sku", "gtin"],
        [[f"P{article:03d}", article_code(article)] for article in articles],
    )
    write(folder / "shops.csv", ["shop", "kind"], [[f"S{store}", STORE_GROUPS[store]] for store in (1, 2)])


def make(folder: Path) -> None:
    """Write both exports and the catalogue under ``folder``."""
    items = catalogue()
    write(
        folder / "league/catalogue/items.csv",
        ["item", "name", "category", "sensitive"],
        [
            [place, name, category, "yes" if sensitive else "no"]
            for place, (name, category, sensitive) in enumerate(items)
        ],
    )
    write(
        folder / "league/catalogue/articles.csv",
        ["article", "item"],
        [[article_code(article), article // 2] for article in range(2 * len(items))],
    )
    write_north(folder / "partners/north/export", purchases(np.random.default_rng([SEED, 0]), stores=3))
    write_south(folder / "partners/south/export", purchases(np.random.default_rng([SEED, 1]), stores=2))


if __name__ == "__main__":
    make(Path(__file__).resolve().parent)
