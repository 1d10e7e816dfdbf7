"""The few shapes that pictures are made of; colours come from a style sheet, the page's or the picture's own."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hanse_server.pictures.decimals import decimal
from hanse_server.pictures.markup import Markup, element

_SLACK = 1e-9
"""Relative room for the last digit of floating-point arithmetic."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where values lie along one axis of a picture."""

    low: float
    high: float
    step: float
    """Distance between two ticks."""
    start: float
    """Coordinate of ``low``, in units of the picture."""
    end: float

    def at(self, value: float) -> float:
        """Return the coordinate of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> tuple[float, ...]:
        """Return the round values that get a line."""
        first, last = math.ceil(self.low / self.step - _SLACK), math.floor(self.high / self.step + _SLACK)
        return tuple(index * self.step for index in range(first, last + 1))

    def label(self, value: float) -> str:
        """Return a tick's text, with no more places than the step needs."""
        return decimal(value, max(0, -math.floor(math.log10(self.step) + _SLACK)))


def scale_over(values: Iterable[float], *, start: float, end: float, intervals: int) -> Scale:
    """Return a scale from the least to the greatest value with round ticks, at most ``intervals`` steps apart."""
    known = list(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    if high == low:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    step = _round_step((high - low) / intervals)
    return Scale(low=low, high=high, step=step, start=start, end=end)


def _round_step(raw: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - _SLACK))


class Marker(StrEnum):
    """Shapes differ, so that nobody needs to tell colours apart."""

    RING = "ring"
    DOT = "dot"
    BAR = "bar"
    SQUARE = "square"


def picture(identifier: str, title: str, description: str, size: tuple[float, float], *shapes: str) -> Markup:
    """Return one SVG picture with its name and its content in words; ``identifier`` is unique in the page."""
    width, height = size
    return element(
        "svg",
        {
            "viewBox": f"0 0 {width:g} {height:g}",
            "role": "img",
            "aria-labelledby": f"{identifier}-title {identifier}-desc",
        },
        element("title", {"id": f"{identifier}-title"}, title),
        element("desc", {"id": f"{identifier}-desc"}, description),
        *shapes,
    )


def swatch(marker: Marker, colour: str) -> Markup:
    """Return a small picture for a legend; the text beside it says what it stands for."""
    return element(
        "svg",
        {"class": "swatch", "viewBox": "0 0 28 14", "aria-hidden": "true"},
        line(2, 7, 26, 7, f"whisker {colour}"),
        mark(14, 7, marker, colour),
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return element("line", {"x1": _at(x1), "y1": _at(y1), "x2": _at(x2), "y2": _at(y2), "class": kind})


def polyline(points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """Return a line through points."""
    return element("polyline", {"points": " ".join(f"{_at(x)},{_at(y)}" for x, y in points), "class": kind})


def label(x: float, y: float, text: str, kind: str) -> Markup:
    """Return text; ``kind`` is its class, which also says how it is aligned."""
    return element("text", {"x": _at(x), "y": _at(y), "class": kind}, text)


def mark(x: float, y: float, marker: Marker, colour: str) -> Markup:
    """Return the point that stands for a value."""
    kind = f"mark {marker} {colour}"
    match marker:
        case Marker.RING | Marker.DOT:
            return element("circle", {"cx": _at(x), "cy": _at(y), "r": "4.5", "class": kind})
        case Marker.BAR:
            return line(x, y - 5, x, y + 5, kind)
        case Marker.SQUARE:
            return element("rect", {"x": _at(x - 4), "y": _at(y - 4), "width": "8", "height": "8", "class": kind})


def whisker(scale: Scale, low: float, high: float, y: float, colour: str) -> Markup:
    """Return a horizontal interval."""
    return line(scale.at(low), y, scale.at(high), y, f"whisker {colour}")


def vertical_grid(scale: Scale, top: float, bottom: float) -> tuple[Markup, ...]:
    """Return one thin line and one number per tick of a horizontal axis."""
    lines = (line(scale.at(tick), top, scale.at(tick), bottom, "gridline") for tick in scale.ticks())
    numbers = (label(scale.at(tick), bottom + 15, scale.label(tick), "tick middle") for tick in scale.ticks())
    return (*lines, *numbers)


def _at(value: float) -> str:
    return f"{value:.1f}"
