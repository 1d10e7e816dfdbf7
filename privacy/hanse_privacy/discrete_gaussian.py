"""Exact discrete Gaussian noise.

Algorithms 1 to 3 of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy"
(NeurIPS 2020, arXiv:2004.00010): rational arithmetic on Python integers only, so no floating-point
attack (Mironov 2012) applies and there is no truncation error to account for.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.randomness import RandomSource
from hanse_privacy.validation import require, require_at_least


def _bernoulli_exp_up_to_one(numerator: int, denominator: int, source: RandomSource) -> bool:
    """Return true with probability exp(-numerator/denominator), for a ratio in [0, 1]."""
    k = 1
    while source.below(denominator * k) < numerator:
        k += 1
    return k % 2 == 1


def _bernoulli_exp(numerator: int, denominator: int, source: RandomSource) -> bool:
    """Return true with probability exp(-numerator/denominator), for any ratio of at least 0."""
    while numerator > denominator:
        if not _bernoulli_exp_up_to_one(1, 1, source):
            return False
        numerator -= denominator
    return _bernoulli_exp_up_to_one(numerator, denominator, source)


def _discrete_laplace(scale: int, source: RandomSource) -> int:
    """Sample P(x) proportional to exp(-|x|/scale) over the integers."""
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


def sample_discrete_gaussian(*, variance_parameter: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """Draw independent integers with P(x) proportional to exp(-x² / (2·variance_parameter)).

    Guarantee: added to an integer vector whose L2 sensitivity is D, the sum satisfies
    D²/(2·variance_parameter) zero-concentrated differential privacy (Theorem 4 of the source).

    Args:
        variance_parameter: σ² in squared integer units, an integer of 1 or more.
        size: How many draws.
        source: Uniform integers; the guarantee needs a secure one.

    Returns:
        An int64 vector of ``size``. A draw beyond ±2^62 would be refused, not wrapped; for the
        largest accepted σ² its probability is below 10^-1000.
    """
    require_at_least(1, variance_parameter=variance_parameter)
    require(variance_parameter < 2**80, name="variance_parameter", value=variance_parameter, bound="below 2^80")
    require_at_least(0, size=size)
    scale = math.isqrt(variance_parameter) + 1
    denominator = 2 * variance_parameter * scale * scale
    draws = np.empty(size, dtype=np.int64)
    for index in range(size):
        while True:
            candidate = _discrete_laplace(scale, source)
            distance = abs(candidate) * scale - variance_parameter
            if _bernoulli_exp(distance * distance, denominator, source):
                break
        require(abs(candidate) < 2**62, name="noise draw", value="its magnitude", bound="below 2^62")
        draws[index] = candidate
    return draws
