"""An answer as a picture: a dot and a line for each row, the line being the 95 % interval of the noise."""

import textwrap
from collections.abc import Sequence

from hanse_server.pictures.markup import Markup, element
from hanse_server.pictures.svg import Marker, Scale, label, line, mark, picture, scale_over, vertical_grid, whisker
from hanse_server.questions.answer import Answer, Row
from hanse_server.questions.table import beside, interval_of, told, value_name

MOST_ROWS = 40
"""More than these are too many for a picture: it shows the largest, and says so."""
_WIDTH = 560
_LETTER = 6.4
_LONGEST_NAME = 34
_ROW = 19
_NOTE = 17
_NOTE_LETTERS = 88
_HEADING = 34
_STYLE = Markup(
    """
svg { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  background: #ffffff; --ink: #1b2430; --quiet: #525c6a; --grid: #e6e4dd; --league: #0a5aa8; }
@media (prefers-color-scheme: dark) {
  svg { background: #12161c; --ink: #e8ebef; --quiet: #aab3bf; --grid: #2b333e; --league: #79b8ff; }
}
text { fill: var(--ink); font-variant-numeric: tabular-nums; }
.heading { font-size: 15px; font-weight: 600; }
.tick { fill: var(--quiet); font-size: 11.5px; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.gridline { stroke: var(--grid); }
.axis { stroke: var(--quiet); }
.whisker { stroke: var(--league); stroke-width: 2; }
.mark { fill: var(--league); stroke: none; }
"""
)


def answer_picture(answer: Answer, *, title: str) -> Markup:
    """Draw an answer; the picture needs nothing but itself."""
    height, shapes = _drawn(answer, top=_HEADING)
    heading = label(12, 24, title, "heading")
    return element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height:g}"},
        element("style", {}, _STYLE),
        picture("answer", title, _described(answer), (_WIDTH, height), heading, *shapes),
    )


def answer_chart(identifier: str, title: str, answer: Answer) -> Markup:
    """Draw an answer for a page, whose style sheet it takes; ``identifier`` is unique in the page."""
    height, shapes = _drawn(answer, top=0)
    return picture(identifier, title, _described(answer), (_WIDTH, height), *shapes)


def _drawn(answer: Answer, *, top: float) -> tuple[float, list[Markup]]:
    """The picture's height and shapes."""
    rows = _shown(answer.rows)
    names = 24 + _LETTER * min(_LONGEST_NAME, max(len(_name(row)) for row in rows))
    scale = scale_over([0.0, *_values(rows)], start=names, end=_WIDTH - 20, intervals=5)
    first = top + 34
    bottom = first + _ROW * len(rows)
    notes = [
        wrapped
        for text in (f"{value_name(answer).capitalize()}{_left_out(answer)}.", *beside(answer))
        for wrapped in textwrap.wrap(text, _NOTE_LETTERS)
    ]
    shapes = [
        *vertical_grid(scale, top + 16, bottom),
        line(scale.at(0.0), top + 16, scale.at(0.0), bottom, "axis"),
        *(shape for place, row in enumerate(rows) for shape in _row(scale, row, first + _ROW * place)),
        *(label(12, bottom + 38 + _NOTE * place, text, "tick") for place, text in enumerate(notes)),
    ]
    return bottom + 32 + _NOTE * len(notes), shapes


def _described(answer: Answer) -> str:
    return "; ".join(f"{_name(row)}: {told(row)} ({interval_of(row.released)})" for row in _shown(answer.rows))


def _shown(rows: Sequence[Row]) -> Sequence[Row]:
    """All rows in their order, or the largest ones."""
    if len(rows) <= MOST_ROWS:
        return rows
    return sorted(rows, key=lambda row: -(row.released.value or 0.0))[:MOST_ROWS]


def _left_out(answer: Answer) -> str:
    if len(answer.rows) <= MOST_ROWS:
        return ""
    return f": the {MOST_ROWS} largest of {len(answer.rows)}; the table has all"


def _values(rows: Sequence[Row]) -> list[float]:
    bounds = (bound for row in rows for bound in (row.released.value, row.released.low, row.released.high))
    return [bound for bound in bounds if bound is not None]


def _row(scale: Scale, row: Row, y: float) -> list[Markup]:
    name, released = _name(row), row.released
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    shapes = [label(scale.start - 12, y + 4, short, "end")]
    if released.value is None:
        return [*shapes, label(scale.start + 6, y + 4, told(row), "tick")]
    if released.low is not None:
        shapes.append(whisker(scale, released.low, scale.high if released.high is None else released.high, y, "league"))
    shapes.append(mark(scale.at(released.value), y, Marker.DOT, "league"))
    return shapes


def _name(row: Row) -> str:
    if not row.part:
        return row.group
    return row.part if row.group == "all" else f"{row.group}, {row.part}"
