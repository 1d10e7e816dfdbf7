"""The league's public catalogue: what a shared article code is, as an item that the league speaks of.

Two CSV files in one folder, the same for every partner and built without any purchase:
``items.csv`` (item, name, category, sensitive) and ``articles.csv`` (article, item). Sensitive items
betray facts such as health or belief (GDPR article 9): they are out by default.
"""

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hanse_privacy.errors import HanseError

ITEMS_FILE = "items.csv"
ARTICLES_FILE = "articles.csv"
_SENSITIVE = {"yes": True, "no": False}


class CatalogueError(HanseError):
    """The league's public catalogue is missing or contradicts itself."""

    code = "CATALOGUE_INVALID"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of the league, at the level of a product type."""

    name: str
    category: str
    """The wider kind of product that it belongs to."""
    sensitive: bool


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Items by their index, and the article codes that stand for them."""

    items: tuple[Item, ...]
    articles: Mapping[str, int]
    """Shared article code to index of ``items``; every code once."""
    digest: str
    """SHA-256 of both files, hexadecimal: partners compare it before a run."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories with an item that is not sensitive, sorted."""
        return tuple(sorted({item.category for item in self.items if not item.sensitive}))


def load_catalogue(folder: Path) -> Catalogue:
    """Read the two files.

    Raises:
        CatalogueError: If a file is missing, a line is faulty, or an article stands for two items.
    """
    items: list[Item] = []
    for line, row in enumerate(_rows(folder / ITEMS_FILE, ["item", "name", "category", "sensitive"]), start=2):
        if row[0] != str(len(items)) or not _is_name(row[2]) or row[3] not in _SENSITIVE:
            raise CatalogueError(
                f"Line {line} of {ITEMS_FILE} is not valid.",
                "Items are numbered 0, 1, 2, … in order; each has a category of at most 100 characters, with no blank"
                " at either end; sensitive is yes or no.",
            )
        items.append(Item(name=row[1], category=row[2], sensitive=_SENSITIVE[row[3]]))
    codes: dict[str, int] = {}
    known = {str(index): index for index in range(len(items))}
    for line, row in enumerate(_rows(folder / ARTICLES_FILE, ["article", "item"]), start=2):
        if row[0] in codes or row[0] == "" or row[1] not in known:
            raise CatalogueError(
                f"Line {line} of {ARTICLES_FILE} is not valid.",
                f"Each article stands once, with an item from {ITEMS_FILE}.",
            )
        codes[row[0]] = known[row[1]]
    if not items or not codes:
        raise CatalogueError("The league's catalogue is empty.", "Fetch it again from the league.")
    return Catalogue(items=tuple(items), articles=MappingProxyType(codes), digest=_digest(folder))


def _is_name(category: str) -> bool:
    """Whether a question can name it."""
    return category == category.strip() and 1 <= len(category) <= 100


def _rows(path: Path, header: list[str]) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(
            f"The league's catalogue file {path.name} cannot be read ({type(error).__name__}).",
            "Put the league's catalogue folder where the node's settings say.",
        ) from error
    if not rows or rows[0] != header or any(len(row) != len(header) for row in rows):
        raise CatalogueError(
            f"The league's catalogue file {path.name} has other columns than expected.",
            f"It has the columns {', '.join(header)}, on every line.",
        )
    return rows[1:]


def _digest(folder: Path) -> str:
    hasher = hashlib.sha256(b"hanse/v1/catalogue\x00")
    for name in (ITEMS_FILE, ARTICLES_FILE):
        hasher.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return hasher.hexdigest()
