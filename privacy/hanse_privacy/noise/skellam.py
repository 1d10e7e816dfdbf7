"""Skellam noise: the difference of two independent Poisson variables of one mean.

Sums of Skellam variables are Skellam variables, which no other noise over the integers in this package can say of
itself: what several vaults add up has exactly the distribution that one vault with all of it would have drawn from.
The guarantee is that of Agarwal, Kairouz and Liu, "The Skellam Mechanism for Differentially Private Federated
Learning" (NeurIPS 2021, arXiv:2110.04995).
"""

import functools
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.noise.poisson import PoissonShape
from hanse_privacy.noise.stepped_envelope import SteppedEnvelope
from hanse_privacy.randomness import RandomSource
from hanse_privacy.validation import require, require_at_least

BOUND_ON_MEAN = 2**79


@functools.lru_cache(maxsize=64)
def _sampler(mean: int) -> SteppedEnvelope:
    return SteppedEnvelope(PoissonShape(mean=mean))


def largest_skellam_draw(*, mean: int) -> int:
    """What no draw of :func:`sample_skellam` is beyond, in magnitude: about 19 standard deviations for a large mean."""
    return 2 * _sampler(mean).largest_draw


def sample_skellam(*, mean: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """Draw independent integers, each the difference of two Poisson variables: variance 2·mean, symmetric about 0.

    Guarantee: added to an integer vector whose sensitivity is D1 in L1 norm and D2 in L2 norm, the sum satisfies for
    every whole α above 1 Rényi differential privacy of order α with the loss :func:`skellam_renyi_loss`, but for a
    total variation of twice :data:`~hanse_privacy.noise.cells.TOTAL_VARIATION` per draw.

    Args:
        mean: Of either Poisson variable, from 1 to below 2^79.
        size: How many draws.
        source: Uniform bits; the guarantee needs a secure one.

    Returns:
        An int64 vector of ``size``; no draw is beyond :func:`largest_skellam_draw`.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require_at_least(1, mean=mean)
    require(mean < BOUND_ON_MEAN, name="mean", value=mean, bound="below 2^79")
    require_at_least(0, size=size)
    sampler = _sampler(mean)
    draws = sampler.sample(size, source=source)
    draws -= sampler.sample(size, source=source)
    return draws


def skellam_renyi_loss(*, order: int, mean: int, squared_sensitivity: int, l1_sensitivity: int) -> Fraction:
    """Bound the Rényi divergence between Skellam noise about two integer vectors.

    With μ = 2·mean: α D2² / 2μ + min(((2α - 1) D2² + 6 D1) / 4μ², 3 D1 / 2μ). The first summand is that of a Gaussian
    of the same variance.

    Args:
        order: α, a whole number above 1.
        mean: Of the Poisson variables whose difference the noise is; of several vaults' noise, the sum of their means.
        squared_sensitivity: D2², of the L2 norm, in squared integer units.
        l1_sensitivity: D1, of the L1 norm, in integer units; never more than D2² for integer vectors.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require_at_least(2, order=order)
    require_at_least(1, mean=mean)
    require_at_least(0, squared_sensitivity=squared_sensitivity, l1_sensitivity=l1_sensitivity)
    variance = 2 * mean
    second_order = Fraction((2 * order - 1) * squared_sensitivity + 6 * l1_sensitivity, 4 * variance**2)
    return Fraction(order * squared_sensitivity, 2 * variance) + min(
        second_order, Fraction(3 * l1_sensitivity, 2 * variance)
    )
