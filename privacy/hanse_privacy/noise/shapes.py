"""Distributions over the integers as their samplers need them: one peak, known to any precision."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

_CELLS_PER_DEVIATION_BITS = 3


class Bounds(NamedTuple):
    """A number known to lie between two others."""

    low: Decimal
    high: Decimal

    def minus(self, other: "Bounds", *, digits: int) -> "Bounds":
        """Bounds of the difference, computed with so many digits."""
        return Bounds(
            rounding_down(digits).subtract(self.low, other.high), rounding_up(digits).subtract(self.high, other.low)
        )


def rounding_down(digits: int) -> Context:
    """Arithmetic of so many digits whose results are never too large."""
    return Context(prec=digits, rounding=ROUND_FLOOR)


def rounding_up(digits: int) -> Context:
    """Arithmetic of so many digits whose results are never too small."""
    return Context(prec=digits, rounding=ROUND_CEILING)


class LogConcaveShape(Protocol):
    """A log-concave distribution over the integers that is largest at 0.

    With P its probabilities, its *exponent* at x is ln(P(0) / P(x)): 0 at 0, and nowhere falling on the way from there.
    """

    @property
    def cell_bits(self) -> int:
        """Integers are taken in cells of 2^cell_bits, which is little beside the distribution's spread."""

    @property
    def exponent_error(self) -> float:
        """How far :meth:`exponents` may be from the truth, wherever the exponent is below 128."""

    def exponents(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The exponent at integers, given as floats."""

    def exponent(self, point: int, *, digits: int) -> Bounds:
        """Bounds of the exponent at one integer, exact to about so many digits; infinite where the probability is 0."""


def cell_bits_for(variance: int) -> int:
    """Cells of an eighth to a sixteenth of a standard deviation: more than nine of ten candidates are kept."""
    return max(0, math.isqrt(variance).bit_length() - 1 - _CELLS_PER_DEVIATION_BITS)


def exp_of_minus(exponent: Bounds, *, digits: int) -> Bounds:
    """Bounds of e^-x for an x between two bounds.

    The exponential of ``decimal`` is correctly rounded: the truth lies between its neighbours.
    """
    context = Context(prec=digits)
    # Not with a minus sign: that would round to as many digits as the calling thread happens to work with.
    least, most = exponent.high.copy_negate(), exponent.low.copy_negate()
    low = Decimal(0) if least.is_infinite() else context.next_minus(context.exp(least))
    high = Decimal(0) if most.is_infinite() else context.next_plus(context.exp(most))
    return Bounds(low, high)
