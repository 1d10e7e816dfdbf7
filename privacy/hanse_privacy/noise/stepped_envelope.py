"""Exact vectorised sampling from a log-concave distribution over the integers.

Rejection under a step function: a cell of 2^k integers is drawn in proportion to its largest probability, an integer
of the cell uniformly, and kept with its probability over the cell's largest. Both decisions compare a uniform number
with a real one. 64 random bits and a float decide almost always, since the float's error is bounded; where they do
not, both numbers are computed to more bits until they differ. So no table and no exponential is ever rounded: all that
separates the draws from the distribution is the end of the table, at a tail of less than 2^-128 in all.

The idea of comparing lazily is von Neumann's; Karney 2016 ("Sampling exactly from the normal distribution",
arXiv:1303.6257) uses it digit by digit, this module for whole vectors. How long a draw takes depends on its value:
whoever can time a single draw from outside learns something about it.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.noise.cells import Cell, Cells
from hanse_privacy.noise.lazy_comparison import UniformNumber
from hanse_privacy.noise.shapes import Bounds, LogConcaveShape, exp_of_minus
from hanse_privacy.randomness import RandomSource

_GUIDE_BITS = 16
_UNGUIDED = -1
_CANDIDATES = 1 << 14
"""At a time: what is computed for them stays in the processor's cache."""
_FLOAT_ERROR = 2.0**-50
"""Of exp, of a difference, and of 53 random bits standing for all of them: each below 2^-52."""


class SteppedEnvelope:
    """A sampler of one distribution. Making one computes its table of cells, which depends on nothing secret.

    Guarantee: draws are independent, and each is within :data:`~hanse_privacy.noise.cells.TOTAL_VARIATION` of the
    distribution, given independent uniform bits.

    Args:
        shape: The distribution.
        margin: How near a float's comparison must not be to count; by default what the shape's errors demand. Wider
            is slower and the same.
    """

    def __init__(self, shape: LogConcaveShape, *, margin: float | None = None) -> None:
        self._shape = shape
        self._margin = shape.exponent_error + _FLOAT_ERROR if margin is None else margin
        self._cells = Cells(shape)
        self._starts = np.array([cell.start for cell in self._cells.all], dtype=np.int64)
        self._steps = np.array([cell.step for cell in self._cells.all], dtype=np.int64)
        self._start_exponents = np.array([self._middle(cell) for cell in self._cells.all])
        self._thresholds = np.array(self._cells.thresholds, dtype=np.uint64)
        self._guide = _guide(self._thresholds)

    @property
    def largest_draw(self) -> int:
        """The largest magnitude of a draw: the end of the table."""
        return max(abs(cell.start) for cell in self._cells.all) + (1 << self._shape.cell_bits) - 1

    def sample(self, size: int, *, source: RandomSource) -> NDArray[np.int64]:
        """Draw ``size`` integers."""
        draws = np.empty(size, dtype=np.int64)
        filled = 0
        while filled < size:
            missing = size - filled
            some = self._kept(min(_CANDIDATES, missing + missing // 8 + 8), source)[:missing]
            draws[filled : filled + len(some)] = some
            filled += len(some)
        return draws

    def _kept(self, count: int, source: RandomSource) -> NDArray[np.int64]:
        """Return those of ``count`` candidates that are kept, in their order."""
        words = source.words(3 * count).reshape(3, count)
        cells = self._cells_for(words[0], source)
        within = (words[1] & np.uint64((1 << self._shape.cell_bits) - 1)).view(np.int64)
        points: NDArray[np.int64] = self._starts[cells] + self._steps[cells] * within
        rises = self._shape.exponents(points.astype(np.float64)) - self._start_exponents[cells]
        distances = (words[2] >> np.uint64(11)).astype(np.float64) * 2.0**-53 - np.exp(-rises)
        kept: NDArray[np.bool_] = distances < 0
        for index in np.flatnonzero(np.abs(distances) <= self._margin):
            ratio = functools.partial(self._ratio, int(self._starts[cells[index]]), int(points[index]))
            kept[index] = UniformNumber(int(words[2][index]), source).is_below(ratio)
        drawn: NDArray[np.int64] = points[kept]
        return drawn

    def _cells_for(self, words: NDArray[np.uint64], source: RandomSource) -> NDArray[np.int16]:
        cells: NDArray[np.int16] = self._guide[words >> np.uint64(64 - _GUIDE_BITS)]
        open_ones = np.flatnonzero(cells == _UNGUIDED)
        not_above = np.searchsorted(self._thresholds, words[open_ones], side="right")
        below = np.searchsorted(self._thresholds, words[open_ones], side="left")
        cells[open_ones] = not_above
        for index in open_ones[below < not_above]:
            cells[index] = self._cell_of(UniformNumber(int(words[index]), source))
        return cells

    def _cell_of(self, uniform: UniformNumber) -> int:
        """The first cell with which the share of all before it passes the number."""
        last = len(self._thresholds)
        for number in range(last):
            if uniform.is_below(functools.partial(self._cells.share_up_to, number)):
                return number
        return last

    def _ratio(self, start: int, point: int, digits: int) -> Bounds:
        """Bounds of the probability at a point over that at its cell's start."""
        there, here = (self._shape.exponent(at, digits=digits) for at in (point, start))
        if there.low.is_infinite():
            return exp_of_minus(there, digits=digits)
        return exp_of_minus(there.minus(here, digits=digits), digits=digits)

    def _middle(self, cell: Cell) -> float:
        low, high = self._shape.exponent(cell.start, digits=30)
        return float((low + high) / 2)


def _guide(thresholds: NDArray[np.uint64]) -> NDArray[np.int16]:
    """For each first 16 bits the number of thresholds below, where they decide it."""
    firsts = np.arange(1 << _GUIDE_BITS, dtype=np.uint64) << np.uint64(64 - _GUIDE_BITS)
    lasts = firsts | np.uint64((1 << (64 - _GUIDE_BITS)) - 1)
    before = np.searchsorted(thresholds, firsts, side="left")
    up_to = np.searchsorted(thresholds, lasts, side="right")
    return np.where(before == up_to, before, _UNGUIDED).astype(np.int16)
