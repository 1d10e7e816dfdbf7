"""The Poisson distribution of a whole mean m, about m: integers x with probability proportional to m^(m+x) / (m + x)!.

It is largest at x = 0, and as large at -1. Its exponent, ln((m + x)! / m!) - x ln m, is known here to any number of
digits, and in floating point (:mod:`.poisson_floats`) to within a stated error.
"""

import functools
import math
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.noise.poisson_floats import SMALLEST_SERIES_MEAN, FloatExponents, PowerSeries, Table
from hanse_privacy.noise.shapes import Bounds, cell_bits_for, rounding_down, rounding_up
from hanse_privacy.noise.stirling import correction

_NOTHING = Bounds(Decimal(0), Decimal(0))
_IMPOSSIBLE = Bounds(Decimal("Infinity"), Decimal("Infinity"))
_SPARE_DIGITS = 10


@dataclass(frozen=True, kw_only=True)
class PoissonShape:
    """The shape, for a sampler of x.

    Args:
        mean: m, 1 or more.
    """

    mean: int

    @property
    def cell_bits(self) -> int:
        """Cells of an eighth to a sixteenth of a standard deviation."""
        return cell_bits_for(self.mean)

    @property
    def exponent_error(self) -> float:
        """Twice the worse one's of the two ways in floating point."""
        return 2.0**-42

    def exponents(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln((m + x)! / m!) - x ln m."""
        return self._floats.at(points)

    def exponent(self, point: int, *, digits: int) -> Bounds:
        """Bounds of ln((m + x)! / m!) - x ln m, exact to so many digits; infinite below -m."""
        if point < -self.mean:
            return _IMPOSSIBLE
        if point in (0, -1):
            return _NOTHING
        # With p digits each operation errs by 10^(1-p) of its result. Together the bounds below are less than
        # 20 (m + |x|) 10^(1-p) apart. The exponent is more than 1 / 2m, and more than |x| / 3 where x passes m: at p
        # of digits and twice m's own and ten they are nearer than 10^-(digits + 6) times the exponent.
        precision = digits + 2 * len(str(self.mean)) + _SPARE_DIGITS
        by_stirling = min(self.mean, self.mean + point) >= precision
        low, high = (self._by_stirling if by_stirling else self._by_products)(point, precision)
        return Bounds(rounding_down(digits + 2).plus(low), rounding_up(digits + 2).plus(high))

    @functools.cached_property
    def _floats(self) -> FloatExponents:
        return Table(self.mean) if self.mean < SMALLEST_SERIES_MEAN else PowerSeries(self.mean)

    def _by_products(self, point: int, precision: int) -> Bounds:
        """The logarithm of (m + x)! / m! over m^x, both whole numbers, or of the inverse of both."""
        steps = abs(point)
        power, product = self.mean**steps, math.perm(self.mean + max(point, 0), steps)
        return _logarithm(product, power, precision) if point > 0 else _logarithm(power, product, precision)

    def _by_stirling(self, point: int, precision: int) -> Bounds:
        """With n = m + x: half of (2n + 1) ln(n / m) - 2x + 2 (S(n) - S(m)). All else of the two series is the same."""
        value = self.mean + point
        down, up = rounding_down(precision), rounding_up(precision)
        logarithm, factor = _logarithm(value, self.mean, precision), Decimal(2 * value + 1)
        there, here = correction(value, digits=precision), correction(self.mean, digits=precision)
        low = down.subtract(down.multiply(logarithm.low, factor), Decimal(2 * point))
        high = up.subtract(up.multiply(logarithm.high, factor), Decimal(2 * point))
        low = down.add(low, _divided(2 * (there.low - here.high), down))
        high = up.add(high, _divided(2 * (there.high - here.low), up))
        return Bounds(down.divide(low, Decimal(2)), up.divide(high, Decimal(2)))


def _logarithm(above: int, below: int, precision: int) -> Bounds:
    """Bounds of ln(above / below). The logarithm of ``decimal`` is correctly rounded: the truth is next to it."""
    down, up = rounding_down(precision), rounding_up(precision)
    low, high = (_divided(Fraction(above, below), way) for way in (down, up))
    return Bounds(down.next_minus(down.ln(low)), up.next_plus(up.ln(high)))


def _divided(number: Fraction, way: Context) -> Decimal:
    return way.divide(Decimal(number.numerator), Decimal(number.denominator))
