"""What the report's page is put together from: tables, lists of facts, paragraphs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hanse_server.pictures.markup import Markup, element


def listed(parts: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a caption, a header per column and a header per row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """First the row's header, then one cell per further column."""
    words: frozenset[int] = frozenset()
    """Columns that hold words and not numbers."""

    def markup(self) -> Markup:
        """Write it out; it scrolls sideways where the screen is narrower."""
        head = element("tr", {}, *(self._header(index, text) for index, text in enumerate(self.columns)))
        body = (self._row(row) for row in self.rows)
        table = element(
            "table",
            {},
            element("caption", {}, self.caption),
            element("thead", {}, head),
            element("tbody", {}, *body),
        )
        attributes = {"class": "scroll", "role": "region", "tabindex": "0", "aria-label": self.caption}
        return element("div", attributes, table)

    def _header(self, index: int, text: str) -> Markup:
        return element("th", {"scope": "col", "class": self._kind(index)}, text)

    def _row(self, row: tuple[str, ...]) -> Markup:
        cells = (element("td", {"class": self._kind(index)}, cell) for index, cell in enumerate(row[1:], start=1))
        return element("tr", {}, element("th", {"scope": "row"}, row[0]), *cells)

    def _kind(self, index: int) -> str:
        return "words" if index == 0 or index in self.words else "number"


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return a list of names and what they stand for."""
    return element(
        "dl",
        {"class": "facts"},
        *(element("div", {}, element("dt", {}, name), element("dd", {}, value)) for name, value in pairs),
    )


def paragraph(*parts: str) -> Markup:
    """Return one paragraph."""
    return element("p", {}, *parts)


def note(*parts: str) -> Markup:
    """Return one paragraph of explanation, set quieter than what it explains."""
    return element("p", {"class": "note"}, *parts)
