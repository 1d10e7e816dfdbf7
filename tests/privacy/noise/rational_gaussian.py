"""An independent oracle: the discrete Gaussian by rational arithmetic on Python integers, one draw at a time.

Algorithms 1 to 3 of Canonne, Kamath and Steinke (NeurIPS 2020, arXiv:2004.00010).
"""

import math

from hanse_privacy.randomness import RandomSource


def rational_gaussian(*, variance_parameter: int, size: int, source: RandomSource) -> list[int]:
    """Draw ``size`` integers with P(x) proportional to exp(-x² / (2·variance_parameter))."""
    scale = math.isqrt(variance_parameter) + 1
    denominator = 2 * variance_parameter * scale * scale
    draws: list[int] = []
    while len(draws) < size:
        candidate = _discrete_laplace(scale, source)
        distance = abs(candidate) * scale - variance_parameter
        if _bernoulli_exp(distance * distance, denominator, source):
            draws.append(candidate)
    return draws


def _bernoulli_exp_up_to_one(numerator: int, denominator: int, source: RandomSource) -> bool:
    k = 1
    while source.below(denominator * k) < numerator:
        k += 1
    return k % 2 == 1


def _bernoulli_exp(numerator: int, denominator: int, source: RandomSource) -> bool:
    while numerator > denominator:
        if not _bernoulli_exp_up_to_one(1, 1, source):
            return False
        numerator -= denominator
    return _bernoulli_exp_up_to_one(numerator, denominator, source)


def _discrete_laplace(scale: int, source: RandomSource) -> int:
    while True:
        remainder = source.below(scale)
        if not _bernoulli_exp_up_to_one(remainder, scale, source):
            continue
        quotient = 0
        while _bernoulli_exp_up_to_one(1, 1, source):
            quotient += 1
        magnitude = remainder + scale * quotient
        if source.below(2) == 0:
            return magnitude
        if magnitude != 0:
            return -magnitude
