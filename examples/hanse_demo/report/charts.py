"""The report's five pictures, drawn as inline SVG and described in words for those who do not see them."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hanse_demo.report.numbers import (
    LOST_IN_NOISE,
    NONE,
    NOT_EVALUATED,
    count,
    epsilon,
    percent,
    signed,
    whole_percent,
    why_missing,
)
from hanse_demo.report.words import Stretch, Verdict, verdict
from hanse_demo.summary import Estimate, Interval, ReleasedItem
from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_server.pictures.decimals import decimal
from hanse_server.pictures.markup import Markup, together
from hanse_server.pictures.svg import (
    Marker,
    Scale,
    label,
    line,
    mark,
    picture,
    polyline,
    scale_over,
    vertical_grid,
    whisker,
)

_WIDTH = 350
_NARROW = 310
_NAMES = 70
"""Room for the names of measures on the left."""
_RIGHT = _WIDTH - 18
RUN_MARKERS = (Marker.DOT, Marker.SQUARE, Marker.RING, Marker.BAR)


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One measure: the same customers served from three statistics; none where nothing was evaluated."""

    name: str
    own: Estimate | None
    own_all: Estimate | None
    league: Estimate | None


def _bounds(estimate: Estimate | None) -> tuple[float, ...]:
    if estimate is None or estimate.value is None:
        return ()
    reach = NORMAL_95 * (estimate.standard_error or 0.0)
    return (estimate.value - reach, estimate.value + reach)


def _point(scale: Scale, estimate: Estimate | None, y: float, marker: Marker, colour: str) -> Markup:
    if estimate is None or estimate.value is None:
        return together()
    low, high = _bounds(estimate)
    return together(whisker(scale, low, high, y, colour), mark(scale.at(estimate.value), y, marker, colour))


def _said(estimate: Estimate | None) -> str:
    if estimate is None:
        return NOT_EVALUATED
    if estimate.value is None:
        return why_missing(estimate)
    low, high = _bounds(estimate)
    return f"{decimal(estimate.value)} ({decimal(low)} to {decimal(high)})"


def comparison_scale(rows: Iterable[ComparedRow]) -> Scale:
    """Return one scale for several comparison charts, so that partners can be compared."""
    values = [bound for row in rows for shown in (row.own, row.own_all, row.league) for bound in _bounds(shown)]
    return scale_over([0.0, *values], start=_NAMES, end=_RIGHT, intervals=7)


def comparison_chart(identifier: str, title: str, rows: Sequence[ComparedRow], scale: Scale) -> Markup:
    """Draw own data against league, one row per measure, with 95 % intervals."""
    height = 44 * len(rows) + 4
    shapes = list(vertical_grid(scale, 2, height))
    for index, row in enumerate(rows):
        middle = 44 * index + 24
        shapes.append(label(_NAMES - 12, middle + 4, row.name, "name end"))
        if _bounds(row.own) or _bounds(row.own_all) or _bounds(row.league):
            shapes.append(_point(scale, row.own_all, middle - 11, Marker.BAR, "plain"))
            shapes.append(_point(scale, row.own, middle, Marker.RING, "own"))
            shapes.append(_point(scale, row.league, middle + 11, Marker.DOT, "league"))
        else:
            shapes.append(label(_NAMES + 6, middle + 4, f"{NONE} {_said(row.own)}", "tick"))
    description = "; ".join(
        f"{row.name}: own data {_said(row.own)}, own data with all customers {_said(row.own_all)}, "
        f"league {_said(row.league)}"
        for row in rows
    )
    return picture(identifier, title, description, (_WIDTH, height + 20), *shapes)


def gain_scale(estimates: Iterable[Estimate]) -> Scale:
    """Return one scale for several gain charts, so that they can be compared."""
    values = [bound for estimate in estimates for bound in _bounds(estimate)]
    return scale_over([0.0, *values], start=14, end=_NARROW - 14, intervals=6)


_GAIN_LOOK: Mapping[Verdict, tuple[Marker, str]] = {
    Verdict.BETTER: (Marker.DOT, "league"),
    Verdict.WORSE: (Marker.SQUARE, "own"),
    Verdict.NOT_CLEAR: (Marker.RING, "plain"),
}


def gain_chart(identifier: str, title: str, gains: Sequence[tuple[str, Estimate]], scale: Scale) -> Markup:
    """Draw league less own data per partner around the line of no difference, with 95 % intervals."""
    height = 42 * len(gains) + 2
    shapes = [*vertical_grid(scale, 2, height), line(scale.at(0), 2, scale.at(0), height, "zero")]
    said: list[str] = []
    for index, (name, gain) in enumerate(gains):
        top = 42 * index + 16
        found = verdict(gain)
        shown = f"{NONE} {why_missing(gain)}"
        if found in _GAIN_LOOK and gain.value is not None:
            shapes.append(_point(scale, gain, top + 14, *_GAIN_LOOK[found]))
            shown = f"{signed(gain.value)} {found}"
        shapes.append(label(2, top, name, "name over"))
        shapes.append(label(_NARROW - 2, top, shown, "value end over"))
        said.append(f"{name}: {shown}")
    return picture(identifier, title, "; ".join(said), (_NARROW, height + 20), *shapes)


def item_chart(identifier: str, title: str, items: Sequence[ReleasedItem]) -> Markup:
    """Draw released shares of customers, in the order of their release, with 95 % intervals."""
    scale = scale_over([0.0, *_shares(items)], start=16, end=_RIGHT, intervals=6)
    shapes: list[Markup] = []
    top = 0.0
    for item in items:
        lines = textwrap.wrap(item.name, 26) or [NONE]
        for number, text in enumerate(lines):
            shapes.append(label(6, top + 14 + 15 * number, text, "name over"))
        shapes.append(label(_RIGHT + 6, top + 14, _share_said(item.share), "value end over"))
        middle = top + 15 * len(lines) + 9
        share = item.share
        if share.value is not None:
            if share.low is not None and share.high is not None:
                shapes.append(whisker(scale, share.low, share.high, middle, "league"))
            shapes.append(mark(scale.at(share.value), middle, Marker.DOT, "league"))
        top = middle + 14
    grid = [line(scale.at(tick), 2, scale.at(tick), top, "gridline") for tick in scale.ticks()]
    numbers = [label(scale.at(tick), top + 14, whole_percent(tick), "tick middle") for tick in scale.ticks()]
    description = "; ".join(f"{item.name}: {_share_said(item.share)}" for item in items)
    return picture(identifier, title, description, (_WIDTH, top + 20), *grid, *numbers, *shapes)


def _shares(items: Sequence[ReleasedItem]) -> list[float]:
    bounds = (bound for item in items for bound in (item.share.value, item.share.low, item.share.high))
    return [bound for bound in bounds if bound is not None]


def _share_said(share: Interval) -> str:
    if share.value is None:
        return f"{NONE} {LOST_IN_NOISE}"
    if share.low is None or share.high is None:
        return percent(share.value)
    return f"{percent(share.value)} ({decimal(100 * share.low, 1)} to {decimal(100 * share.high, 1)})"


def cohort_chart(identifier: str, title: str, stretches: Sequence[Stretch]) -> Markup:
    """Draw the customers used in each round as a step line; the axis does not start at zero.

    A number is written only where there is room for it; the table that goes with the picture has them all.
    """
    width, left, right, bottom = 220, 8.0, 212.0, 88.0
    sizes = [float(stretch.customers) for stretch in stretches]
    room = (max(sizes) - min(sizes)) or 1.0
    vertical = Scale(low=min(sizes) - 0.6 * room, high=max(sizes), step=room, start=bottom, end=22.0)
    last = stretches[-1].last
    across = Scale(low=0.0, high=float(last), step=1.0, start=left, end=right)
    points: list[tuple[float, float]] = []
    shapes: list[Markup] = []
    labelled_to = -math.inf
    for index, stretch in enumerate(stretches):
        start, end, y = across.at(stretch.first - 1), across.at(stretch.last), vertical.at(stretch.customers)
        points += [(start, y), (end, y)]
        is_lower = index > 0 and stretch.customers < stretches[index - 1].customers
        text, middle = count(stretch.customers), (start + end) / 2
        half = 3.7 * len(text)
        if middle - half > labelled_to:
            middle = min(middle, width - half)
            shapes.append(label(middle, y + 17 if is_lower else y - 7, text, "value middle"))
            labelled_to = middle + half
    shapes.append(line(left, bottom, right, bottom, "axis"))
    shapes.append(polyline(points, "step"))
    shapes += [line(across.at(tick), bottom, across.at(tick), bottom + 4, "axis") for tick in range(last + 1)]
    shapes.append(label(left, bottom + 19, "round 1", "tick"))
    shapes.append(label(right, bottom + 19, f"round {last}", "tick end"))
    description = "; ".join(f"{stretch.rounds}: {count(stretch.customers)} customers" for stretch in stretches)
    return picture(identifier, title, description, (width, bottom + 24), *shapes)


def epsilon_chart(identifier: str, title: str, lines: Sequence[tuple[str, Sequence[tuple[int, float]]]]) -> Markup:
    """Draw ε against the number of partners a household shops at, one line per run."""
    bottom = 196.0
    points = [point for _, drawn in lines for point in drawn]
    vertical = scale_over([0.0, *(value for _, value in points)], start=bottom, end=22, intervals=4)
    most = max((partners for partners, _ in points), default=1)
    across = Scale(low=0.6, high=most + 0.6, step=1.0, start=44.0, end=float(_WIDTH - 10))
    shapes: list[Markup] = []
    for tick in vertical.ticks():
        shapes.append(line(44, vertical.at(tick), _WIDTH - 10, vertical.at(tick), "gridline"))
        shapes.append(label(38, vertical.at(tick) + 4, vertical.label(tick), "tick end"))
    for partners in range(1, most + 1):
        shapes.append(label(across.at(partners), bottom + 16, str(partners), "tick middle"))
    shapes.append(label(0.5 * (44 + _WIDTH - 10), bottom + 34, "partners that the household shops at", "tick middle"))
    shapes.append(label(6, 11, "ε", "name"))
    for index, (_, drawn) in enumerate(lines):
        look = f"run-{index % len(RUN_MARKERS)}"
        shapes.append(polyline([(across.at(k), vertical.at(value)) for k, value in drawn], f"curve {look}"))
        for k, value in drawn:
            x, y = across.at(k), vertical.at(value)
            shapes.append(mark(x, y, RUN_MARKERS[index % len(RUN_MARKERS)], look))
            shapes.append(label(x, y - 9, decimal(value, 2), "value middle"))
    said = (", ".join(f"{epsilon(value)} at {partners}" for partners, value in drawn) for _, drawn in lines)
    description = "; ".join(f"{name}: ε {text}" for (name, _), text in zip(lines, said, strict=True))
    return picture(identifier, title, description, (_WIDTH, bottom + 42), *shapes)
