"""Stirling's series: what ln n! differs by from (n + ½) ln n - n + ½ ln 2π, between bounds as close as asked for.

S(n) = Σ B_2k / (2k (2k - 1) n^(2k-1)) for k from 1, with the Bernoulli numbers B. The series does not converge, but
what is left out after any term is less than the first term left out and has its sign (NIST Digital Library of
Mathematical Functions, section 5.11(ii)): the sums with and without that term are bounds.
"""

import functools
import math
from fractions import Fraction
from typing import NamedTuple


class RationalBounds(NamedTuple):
    """A number known to lie between two rational ones."""

    low: Fraction
    high: Fraction


@functools.lru_cache(maxsize=64)
def correction(number: int, *, digits: int) -> RationalBounds:
    """Bounds of S(number), less than 10^-digits apart.

    Args:
        number: n, at least ``digits``: the terms fall to about e^(-2πn) before they rise again, which is enough.
        digits: How close.
    """
    enough = Fraction(1, 10**digits)
    total, order = Fraction(0), 1
    while True:
        term = _coefficient(order) / number ** (2 * order - 1)
        if abs(term) < enough:
            return RationalBounds(min(total, total + term), max(total, total + term))
        total += term
        order += 1


@functools.cache
def _coefficient(order: int) -> Fraction:
    return _bernoulli(2 * order) / (2 * order * (2 * order - 1))


@functools.cache
def _bernoulli(index: int) -> Fraction:
    """From Σ C(n + 1, k) B_k = 0 for k from 0 to n, where all of odd index but B_1 = -½ are 0."""
    if index == 0:
        return Fraction(1)
    before = Fraction(-(index + 1), 2)
    before += sum((math.comb(index + 1, k) * _bernoulli(k) for k in range(0, index, 2)), Fraction(0))
    return -before / (index + 1)
