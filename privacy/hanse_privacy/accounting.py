"""What releases cost: events are recorded, and composed anew whenever somebody asks.

The mathematics is Google's dp-accounting. Each release is a sum of discrete Gaussian shares over integers and is
accounted as zero-concentrated differential privacy (Bun and Steinke 2016, arXiv:1605.02065) by Theorem 1 of Kairouz,
Liu and Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation" (ICML
2021, arXiv:2102.06387).
"""

import contextlib
import functools
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.noise.cells import TOTAL_VARIATION
from hanse_privacy.units import PrivacyBudget
from hanse_privacy.validation import require_at_least, require_positive, require_probability

_ORDERS = tuple(1 + np.geomspace(1e-2, 1e5, 2000))
"""Rényi orders that the conversion to (ε, δ) searches: fine and wide enough for ρ from 1e-8 to 1e3."""
_LARGEST_EPSILON = 500.0
"""Beyond it e^ε leaves floating point, and no bound means anything."""
_STEPS_OF_RHO = 2**128
_SMALLEST_TERM = 2.0**-1000
"""In place of an exponential that floating point would take for nothing."""


@dataclass(frozen=True, kw_only=True)
class ReleaseEvent:
    """One noisy integer vector that was released, as the sum of what several vaults sent.

    Guarantee: ρ-zCDP with ρ = :attr:`rho`, for the unit whose addition or removal changes the exact sum by at most the
    sensitivity in L2 norm, against everybody who knows all of the sum's noise but the shares counted here.

    Args:
        squared_sensitivity: In squared integer units.
        variance_parameter: σ² of each share's discrete Gaussian, in squared integer units.
        shares: Independent shares that nobody else knows: those of the vaults presumed honest.
        size: Coordinates of the vector.
    """

    squared_sensitivity: int
    variance_parameter: int
    shares: int
    size: int

    def __post_init__(self) -> None:
        require_at_least(1, squared_sensitivity=self.squared_sensitivity, variance_parameter=self.variance_parameter)
        require_at_least(1, shares=self.shares, size=self.size)

    @property
    def rho(self) -> Fraction:
        """The zCDP loss, never too small.

        With D the sensitivity, h the shares and d the size: ½ (D / (√h σ) + τ √d)², rounded up by 2^-128 at most. For
        one share τ is 0 and this is the discrete Gaussian's own D² / 2σ². docs/sum-of-shares.md proves it.
        """
        return _rho(self)

    def weighing(self, part: Fraction) -> "ReleaseEvent":
        """The same release for somebody whose vectors are ``part`` times as long as the unit's, together.

        Its ρ is at most ``part``² times this one's where ``part`` is 1 or more; where it is less, only nearly, because
        τ does not shrink. So it is composed anew.
        """
        return replace(self, squared_sensitivity=math.ceil(part**2 * self.squared_sensitivity))

    @property
    def total_variation(self) -> float:
        """How far all draws together may be from the distribution that :attr:`rho` speaks of."""
        return self.shares * self.size * TOTAL_VARIATION


def tau(*, variance_parameter: int, shares: int) -> float:
    """Bound how far a sum of discrete Gaussians is from a discrete Gaussian, never too small; 0 for one share.

    10 · Σ exp(-2π² σ² k / (k + 1)) for k from 1 to shares - 1 (Theorem 1 of the source). The proof, with each step's
    test, is in docs/sum-of-shares.md.
    """
    terms = (
        max(math.exp(-2 * math.pi**2 * variance_parameter * k / (k + 1)), _SMALLEST_TERM) for k in range(1, shares)
    )
    return 10 * math.fsum(terms) * (1 + 1e-9)


@functools.lru_cache(maxsize=1024)
def _rho(event: ReleaseEvent) -> Fraction:
    squared_ratio = Fraction(event.squared_sensitivity, event.shares * event.variance_parameter)
    if event.shares == 1:
        return squared_ratio / 2
    ratio = Fraction(math.sqrt(squared_ratio) * (1 + 1e-9))
    excess = Fraction(tau(variance_parameter=event.variance_parameter, shares=event.shares)) * Fraction(
        math.sqrt(event.size) * (1 + 1e-9)
    )
    rho = (squared_ratio + 2 * ratio * excess + excess**2) / 2
    # Up to the next multiple of 2^-128: with exact fractions, thousands of different releases take seconds to add up.
    return Fraction(math.floor(rho * _STEPS_OF_RHO) + 1, _STEPS_OF_RHO)


def total_rho(events: Iterable[ReleaseEvent]) -> Fraction:
    """Compose: zCDP adds up (Lemma 2.3 of Bun and Steinke)."""
    return sum((count * event.rho for event, count in Counter(events).items()), Fraction(0))


def epsilon_of(events: Iterable[ReleaseEvent], *, delta: float) -> float:
    """Return the ε that all the events together have cost at ``delta``; 0 for no event.

    What the samplers' total variation may add, (1 + e^ε) times it, is taken from δ first.

    Raises:
        InvalidValueError: If δ is too small for that.
    """
    counted = Counter(events)
    rho = total_rho(counted.elements())
    if rho == 0:
        require_probability(delta=delta)
        return 0.0
    total_variation = math.fsum(event.total_variation * count for event, count in counted.items())
    # At half of δ the bound is larger than at what is left of it.
    upper = epsilon_from_rho(rho, delta=delta / 2)
    if upper > _LARGEST_EPSILON:
        return math.inf
    charge = (1 + math.exp(upper)) * total_variation
    if charge > delta / 2:
        raise InvalidValueError(
            f"delta is {delta!r}.", f"It must be above {2 * charge:g}: so much may be the samplers' own error."
        )
    return epsilon_from_rho(rho, delta=math.nextafter(delta - charge, 0))


def epsilon_as_shown(events: Iterable[ReleaseEvent], *, delta: float) -> float:
    """ε of all the events together, for people: :func:`epsilon_of` while that can be said, then that of ρ alone.

    The latter is finite whatever was spent, and leaves out what the samplers' total variation adds to δ. Above ε = 50
    or so that may be more than δ itself; a loss of that size promises nothing, and is to be seen as what it is.
    """
    counted = Counter(events)
    with contextlib.suppress(InvalidValueError):
        epsilon = epsilon_of(counted.elements(), delta=delta)
        if math.isfinite(epsilon):
            return epsilon
    return epsilon_from_rho(total_rho(counted.elements()), delta=delta)


@functools.lru_cache(maxsize=8192)
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


@functools.lru_cache(maxsize=256)
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
