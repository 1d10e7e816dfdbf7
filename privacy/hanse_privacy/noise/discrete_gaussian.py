"""The discrete Gaussian: integers x with probability proportional to exp(-x² / 2σ²).

Its guarantee is that of Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020,
arXiv:2004.00010). The sampler is :class:`~hanse_privacy.noise.stepped_envelope.SteppedEnvelope`.
"""

import functools
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.noise.shapes import Bounds, cell_bits_for, rounding_down, rounding_up
from hanse_privacy.noise.stepped_envelope import SteppedEnvelope
from hanse_privacy.randomness import RandomSource
from hanse_privacy.validation import require, require_at_least

LARGEST_VARIANCE_PARAMETER = 2**80


@dataclass(frozen=True, kw_only=True)
class DiscreteGaussianShape:
    """The shape, for a sampler.

    Args:
        variance_parameter: σ² in squared integer units.
    """

    variance_parameter: int

    @property
    def cell_bits(self) -> int:
        """Cells of an eighth to a sixteenth of σ."""
        return cell_bits_for(self.variance_parameter)

    @property
    def exponent_error(self) -> float:
        """Four roundings of a number below 128 are less than 2^-44."""
        return 2.0**-43

    def exponents(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """x² / 2σ²."""
        return points * points * (0.5 / self.variance_parameter)

    def exponent(self, point: int, *, digits: int) -> Bounds:
        """Bounds of x² / 2σ²."""
        square, twice = Decimal(point * point), Decimal(2 * self.variance_parameter)
        return Bounds(rounding_down(digits).divide(square, twice), rounding_up(digits).divide(square, twice))


@functools.lru_cache(maxsize=64)
def _sampler(variance_parameter: int) -> SteppedEnvelope:
    return SteppedEnvelope(DiscreteGaussianShape(variance_parameter=variance_parameter))


def largest_draw(*, variance_parameter: int) -> int:
    """The largest magnitude that :func:`sample_discrete_gaussian` can return, about 14 σ."""
    return _sampler(variance_parameter).largest_draw


def sample_discrete_gaussian(*, variance_parameter: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """Draw independent integers with P(x) proportional to exp(-x² / (2·variance_parameter)).

    Guarantee: added to an integer vector whose L2 sensitivity is D, the sum satisfies
    D²/(2·variance_parameter) zero-concentrated differential privacy (Theorem 4 of the source), but for a total
    variation of :data:`~hanse_privacy.noise.cells.TOTAL_VARIATION` per draw.

    Args:
        variance_parameter: σ² in squared integer units, from 1 to below 2^80.
        size: How many draws.
        source: Uniform bits; the guarantee needs a secure one.

    Returns:
        An int64 vector of ``size``; no draw is beyond :func:`largest_draw`.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require_at_least(1, variance_parameter=variance_parameter)
    require(
        variance_parameter < LARGEST_VARIANCE_PARAMETER,
        name="variance_parameter",
        value=variance_parameter,
        bound="below 2^80",
    )
    require_at_least(0, size=size)
    return _sampler(variance_parameter).sample(size, source=source)
