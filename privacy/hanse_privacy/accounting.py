"""What releases cost: events are recorded, and composed anew whenever somebody asks.

The mathematics is Google's dp-accounting. Each release is a Gaussian mechanism over integers and is
accounted as zero-concentrated differential privacy (Bun and Steinke 2016, arXiv:1605.02065).
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hanse_privacy.units import PrivacyBudget
from hanse_privacy.validation import require_at_least, require_positive, require_probability

_ORDERS = tuple(1 + np.geomspace(1e-2, 1e5, 2000))
"""Rényi orders that the conversion to (ε, δ) searches: fine and wide enough for ρ from 1e-8 to 1e3."""


@dataclass(frozen=True, kw_only=True)
class ReleaseEvent:
    """One noisy integer vector that left a vault.

    It satisfies ρ-zCDP with ρ = squared_sensitivity / (2 · variance_parameter) for the unit whose
    addition or removal changes the exact vector by at most the sensitivity in L2 norm.
    """

    squared_sensitivity: int
    """In squared integer units."""
    variance_parameter: int
    """σ² of the discrete Gaussian, in squared integer units."""

    def __post_init__(self) -> None:
        require_at_least(1, squared_sensitivity=self.squared_sensitivity)
        require_at_least(1, variance_parameter=self.variance_parameter)

    @property
    def rho(self) -> Fraction:
        """The zCDP loss, exactly."""
        return Fraction(self.squared_sensitivity, 2 * self.variance_parameter)


def total_rho(events: Iterable[ReleaseEvent]) -> Fraction:
    """Compose: zCDP adds up (Lemma 2.3 of the source)."""
    return sum((event.rho for event in events), Fraction(0))


def epsilon_of(events: Iterable[ReleaseEvent], *, delta: float) -> float:
    """Return the ε that all the events together have cost at ``delta``; 0 for no event."""
    return epsilon_from_rho(total_rho(events), delta=delta)


@functools.lru_cache(maxsize=1024)
def epsilon_from_rho(rho: Fraction, *, delta: float) -> float:
    """Convert zCDP to (ε, δ) with dp-accounting's RDP accountant; 0 for ρ = 0."""
    require_probability(delta=delta)
    require_at_least(0, rho=float(rho))
    if rho == 0:
        return 0.0
    # Imported here: it costs a second, and a program that only reads a proposal does not need it.
    import dp_accounting  # noqa: PLC0415
    from dp_accounting import rdp  # noqa: PLC0415

    accountant = rdp.RdpAccountant(_ORDERS, dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    # Rounded up: a float below the exact ρ would understate the loss.
    accountant.compose(dp_accounting.ZCDpEvent(rho=math.nextafter(float(rho), math.inf)))
    return float(accountant.get_epsilon(delta))


def rho_for(budget: PrivacyBudget) -> float:
    """Return the largest ρ whose (ε, δ) conversion stays within the budget (to one part in 10^9)."""
    low, high = 0.0, budget.epsilon
    while epsilon_from_rho(Fraction(high), delta=budget.delta) <= budget.epsilon:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if epsilon_from_rho(Fraction(middle), delta=budget.delta) <= budget.epsilon:
            low = middle
        else:
            high = middle
        if high - low <= 1e-9 * high:
            break
    return low


def noise_multiplier_for(*, rho: float, releases: int) -> float:
    """Return σ over sensitivity such that ``releases`` equal releases cost ρ together."""
    require_positive(rho=rho)
    require_at_least(1, releases=releases)
    return math.sqrt(releases / (2 * rho))
