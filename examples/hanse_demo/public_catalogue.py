"""The demo league's public catalogue, built from the product table alone, never from a purchase.

An item is ``product_category | product_type``, its category the former. An article code is ``CJ`` and the
product's number, standing in for a GTIN.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import duckdb

ARTICLE_PREFIX = "CJ"
EXCLUDED_DEPARTMENTS = (
    "FUEL",
    "MISCELLANEOUS",
    "COUPON",
    "MISC SALES TRAN",
    "MISC. TRANS.",
    "CNTRL/STORE SUP",
    "TRAVEL & LEISURE",
    "ELECT &PLUMBING",
    "CHARITABLE CONT",
    "GM MERCH EXP",
    "POSTAL CENTER",
    "PROD-WHS SALES",
    "RX",
    "PHARMACY SUPPLY",
    "TOYS",
    "VIDEO",
    "VIDEO RENTAL",
    "PHOTO & VIDEO",
    "CONTRACT CALLED",
)
"""Departments that are no groceries: neither in the catalogue nor in the exports."""
SENSITIVE_WORDS = (
    # Health: buying a medicine reveals it (Court of Justice of the European Union, C-21/23, Lindenapotheke).
    "ANALGESIC",
    "COLD AND FLU",
    "DIET",
    "FAMILY PLANNING",
    "FEM YEAST",
    "HOME HEALTH CARE",
    "INCONTINENCE",
    "LAXATIVE",
    "MEDICINE",
    "PREGNANCY",
    "RX ",
    # Dependence.
    "CIGAR",
    "SMOKING",
    "TOBACCO",
    # Belief.
    "KOSHER",
)
"""Words that mark an item as sensitive (GDPR article 9, PIPL article 28): out by default."""


@dataclass(frozen=True, kw_only=True)
class CatalogueReport:
    """What the catalogue holds."""

    items: int
    sensitive_items: int
    articles: int


def write_catalogue(products: Path, folder: Path) -> CatalogueReport:
    """Write ``items.csv`` and ``articles.csv`` from the product table.

    Args:
        products: Parquet with product_id, department, product_category and product_type.
        folder: An existing folder for the two files.
    """
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "500MB"})
    try:
        rows = connection.execute(
            """
            SELECT product_id, product_category, product_category || ' | ' || product_type AS item
            FROM read_parquet($products)
            WHERE product_category IS NOT NULL AND product_type IS NOT NULL
              AND NOT list_contains($excluded, department)
            ORDER BY product_id
            """,
            {"products": str(products), "excluded": list(EXCLUDED_DEPARTMENTS)},
        ).fetchall()
    finally:
        connection.close()
    category = {item: category for _, category, item in rows}
    names = sorted(category)
    index = {name: place for place, name in enumerate(names)}
    sensitive = [any(word in name for word in SENSITIVE_WORDS) for name in names]
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "name", "category", "sensitive"])
        writer.writerows(
            [place, name, category[name], "yes" if flag else "no"]
            for place, (name, flag) in enumerate(zip(names, sensitive, strict=True))
        )
    with (folder / "articles.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["article", "item"])
        writer.writerows([f"{ARTICLE_PREFIX}{product}", index[item]] for product, _, item in rows)
    return CatalogueReport(items=len(names), sensitive_items=sum(sensitive), articles=len(rows))
