"""Cells: how a step function over the integers is laid out above a distribution, and how likely each step is."""

import functools
import itertools
import math
from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from hanse_privacy.noise.shapes import Bounds, LogConcaveShape, exp_of_minus, rounding_down, rounding_up

TOTAL_VARIATION = 2.0**-128
"""What the cells beyond the last are worth at most, and so how far a draw's distribution may be from the shape's."""
_TAIL_DIGITS = 50
_NO_TAIL = Decimal(TOTAL_VARIATION / 8)
"""Of either side, beside weights of which that of 0 alone is 1."""


class Cell(NamedTuple):
    """Some neighbouring integers, from the likeliest away from 0."""

    start: int
    step: int
    """+1 or -1."""


class Cells:
    """The cells of a shape and their shares of the area under the steps.

    Args:
        shape: The distribution. Log-concave: weights of neighbouring cells fall ever faster, which bounds the tail.
    """

    def __init__(self, shape: LogConcaveShape) -> None:
        self._shape = shape
        self._width = 1 << shape.cell_bits
        self.all = tuple(self._until_the_rest_is_nothing())

    @functools.cached_property
    def thresholds(self) -> tuple[int, ...]:
        """Floor of 2^64 times the share of each cell together with all before it; without the last cell's."""
        return tuple(self._floor(number) for number in range(len(self.all) - 1))

    def share_up_to(self, number: int, digits: int) -> Bounds:
        """Bounds of the share of a cell together with all before it."""
        return self._shares(digits)[number]

    def _floor(self, number: int) -> int:
        digits = 40
        while True:
            low, high = (math.floor(Fraction(bound) * 2**64) for bound in self.share_up_to(number, digits))
            if low == high:
                return low
            digits += 20

    @functools.lru_cache(maxsize=4)  # noqa: B019 - samplers are few and live as long as the process
    def _shares(self, digits: int) -> tuple[Bounds, ...]:
        down, up = (Context(prec=digits + 10, rounding=way) for way in (ROUND_FLOOR, ROUND_CEILING))
        weights = [self._weight(cell, digits + 10) for cell in self.all]
        sums = [Bounds(Decimal(0), Decimal(0))]
        for weight in weights:
            sums.append(Bounds(down.add(sums[-1].low, weight.low), up.add(sums[-1].high, weight.high)))
        total = sums[-1]
        return tuple(Bounds(down.divide(one.low, total.high), up.divide(one.high, total.low)) for one in sums[1:])

    def _weight(self, cell: Cell, digits: int) -> Bounds:
        return exp_of_minus(self._shape.exponent(cell.start, digits=digits), digits=digits)

    def _until_the_rest_is_nothing(self) -> Iterator[Cell]:
        """From 0 upwards and from -1 downwards in turns; each side ends for itself."""
        before = {1: Decimal(2), -1: Decimal(2)}
        for number in itertools.count():
            for cell in (Cell(number * self._width, 1), Cell(-1 - number * self._width, -1)):
                if cell.step not in before:
                    continue
                weight = self._weight(cell, _TAIL_DIGITS).high
                if weight:
                    yield cell
                if _rest(weight, before.pop(cell.step)) >= _NO_TAIL:
                    before[cell.step] = weight
            if not before:
                return


def _rest(weight: Decimal, before: Decimal) -> Decimal:
    """Bound what follows on a weight that fell from the one before it: each next one falls at least as much."""
    if weight >= before:
        return Decimal("Infinity")
    down, up = rounding_down(_TAIL_DIGITS), rounding_up(_TAIL_DIGITS)
    return up.divide(up.multiply(weight, weight), down.subtract(before, weight))
