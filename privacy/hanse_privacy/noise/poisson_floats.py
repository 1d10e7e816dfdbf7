"""The exponent of the Poisson distribution in floating point: a table for small means, a series for large ones."""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

SMALLEST_SERIES_MEAN = 2**16
"""From here on the ends of the table are a sixteenth of the mean away, and some 15 terms of the series are enough."""

_LARGEST_EXPONENT = 128
_DIGITS = 40
_LEFT_OUT = 2.0**-48


class FloatExponents(ABC):
    """ln((m + x)! / m!) - x ln m in floating point."""

    @abstractmethod
    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The exponent at integers. Where it is 128 or more, any number that is no less will do."""


class Table(FloatExponents):
    """Every exponent below 128, to the nearest float: less than 2^-46 from the truth.

    Args:
        mean: m; there are about 32 √m entries.
    """

    def __init__(self, mean: int) -> None:
        below, above = list(_walk(mean, -1)), list(_walk(mean, +1))
        self._before_first = len(below) + 1
        self._exponents = np.array([math.inf, *reversed(below), 0.0, *above, math.inf])

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Looked up; infinite beyond the ends."""
        places = (points + self._before_first).astype(np.intp)
        found: NDArray[np.float64] = self._exponents.take(places, mode="clip")
        return found


def _walk(mean: int, step: int) -> Iterator[float]:
    """The exponents on one side, from 0 outwards: sums of logarithms whose errors stay below 10^-30."""
    context = Context(prec=_DIGITS)
    exponent, logarithm = Decimal(0), context.ln(mean)
    # On the way up m + x is multiplied by, on the way down by m + x + 1 is divided.
    for value in itertools.count(mean + 1) if step > 0 else range(mean, 0, -1):
        difference = context.subtract(context.ln(value), logarithm)
        exponent = context.add(exponent, difference if step > 0 else difference.copy_negate())
        if exponent >= _LARGEST_EXPONENT:
            return
        yield float(exponent)


class PowerSeries(FloatExponents):
    """A polynomial in x, less than 2^-43 from the truth.

    By Stirling's series, with z = x / m and S(n) = 1 / 12n, the exponent is
    m ((1 + z) ln(1 + z) - z) + ½ ln(1 + z) + S(m + x) - S(m), which is Σ (-1)^k (m / k(k - 1) - 1 / 2k + 1 / 12m) z^k
    for k from 1, where the first summand is absent for k = 1. The next term of S is below 2^-55 and what the sum leaves
    out below 2^-48. By Horner's rule some six roundings act on numbers that are hardly more than the exponent, and all
    others on numbers of a fiftieth of that.

    Args:
        mean: m, at least :data:`SMALLEST_SERIES_MEAN`.
    """

    def __init__(self, mean: int) -> None:
        self._coefficients = [float(coefficient) for coefficient in _coefficients(mean)]

    def at(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """By Horner's rule."""
        exponents = np.full_like(points, self._coefficients[-1])
        for coefficient in reversed(self._coefficients[:-1]):
            exponents *= points
            exponents += coefficient
        exponents *= points
        return exponents


def _coefficients(mean: int) -> Iterator[Fraction]:
    """Those of x, x², ... until what follows is nothing wherever the exponent is below 128."""
    farthest = 17 / math.sqrt(mean)  # the exponent is at least m z² (1 - z / 3) / 2
    for power in itertools.count(1):
        leading = Fraction(mean, power * (power - 1)) if power > 1 else Fraction(0)
        yield (-1) ** power * (leading - Fraction(1, 2 * power) + Fraction(1, 12 * mean)) / mean**power
        following = mean / (power * (power + 1)) + 1
        if following * farthest ** (power + 1) / (1 - farthest) < _LEFT_OUT:
            return
