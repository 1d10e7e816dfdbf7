"""What releases cost, alone and together."""

import math
from fractions import Fraction

import numpy as np
import pytest
from release_events import EVENT, event_of

from hanse_privacy.accounting import (
    epsilon_from_rho,
    epsilon_of,
    noise_multiplier_for,
    rho_for,
    tau,
)
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.units import PrivacyBudget


def closed_form_epsilon(rho: float, delta: float) -> float:
    """An independent conversion: minimise over orders (Canonne, Kamath and Steinke 2020, Proposition 12)."""
    best = math.inf
    for step in range(1, 400_000):
        order = 1 + 1.00004**step / 100
        bound = rho * order + math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)
        best = min(best, bound)
    return best


@pytest.mark.parametrize("rho", [1e-6, 0.001, 0.03, 0.2, 1.0])
def test_epsilon_agrees_with_the_formula(rho: float) -> None:

    ours = epsilon_from_rho(Fraction(rho), delta=1e-5)
    theirs = closed_form_epsilon(rho, 1e-5)
    # dp-accounting searches a grid of orders, so that it may only be a little larger.
    assert theirs * (1 - 1e-6) <= ours <= theirs * 1.001


@pytest.mark.parametrize(("epsilon", "releases"), [(1.0, 12), (3.0, 1), (0.1, 100)])
def test_calibration_comes_back_to_the_budget(epsilon: float, releases: int) -> None:
    budget = PrivacyBudget(epsilon=epsilon, delta=1e-5)
    multiplier = noise_multiplier_for(rho=rho_for(budget), releases=releases)
    units = 2**16
    event = event_of(units**2, math.ceil((multiplier * units) ** 2))
    spent = epsilon_of([event] * releases, delta=1e-5)
    assert epsilon * 0.999 < spent <= epsilon * (1 + 1e-6)


def test_half_the_noise_costs_more() -> None:
    halved = event_of(100**2, 200**2)
    assert halved.rho == 4 * EVENT.rho
    assert epsilon_of([halved], delta=1e-5) > 1.9 * epsilon_of([EVENT], delta=1e-5)


def test_shares_of_a_sum_cost_as_one_draw_of_their_variance_and_a_little_more() -> None:
    for shares in (2, 3, 11):
        together = event_of(100**2, 400**2, shares=shares, size=10**6)
        alone = event_of(100**2, shares * 400**2)
        assert alone.rho < together.rho < alone.rho * (1 + Fraction(1, 10**9))


@pytest.mark.parametrize(("variance_parameter", "shares"), [(1, 2), (1, 4), (2, 3), (4, 2)])
def test_tau_is_that_of_the_theorem(variance_parameter: int, shares: int) -> None:
    expected = 10 * sum(math.exp(-2 * math.pi**2 * variance_parameter * k / (k + 1)) for k in range(1, shares))
    assert expected <= tau(variance_parameter=variance_parameter, shares=shares) <= expected * (1 + 1e-8)


def test_tau_is_never_taken_for_nothing() -> None:
    assert tau(variance_parameter=10**6, shares=1) == 0
    assert 0 < tau(variance_parameter=10**6, shares=2) < 1e-250


@pytest.mark.parametrize("variance_parameter", [1, 2])
@pytest.mark.parametrize("shares", [1, 2, 3])
@pytest.mark.parametrize("sensitivity", [1, 2, 5])
def test_the_loss_bounds_the_divergence_of_the_very_sum(variance_parameter: int, shares: int, sensitivity: int) -> None:
    """Rényi divergences of the sum of narrow discrete Gaussians from itself shifted, computed term by term."""
    reach = 60
    points = np.arange(-reach, reach + 1)
    weights = np.exp(-(points.astype(float) ** 2) / (2 * variance_parameter))
    single = total = weights / weights.sum()
    for _ in range(shares - 1):
        total = np.convolve(total, single)
    event = event_of(sensitivity**2, variance_parameter, shares=shares)
    here, there = total[sensitivity:], total[:-sensitivity]
    both = (here > 1e-200) & (there > 1e-200)
    for order in (1.1, 2.0, 4.0, 8.0):
        logs = order * np.log(here[both]) - (order - 1) * np.log(there[both])
        divergence = math.log(math.fsum(np.exp(logs))) / (order - 1)
        assert divergence <= order * float(event.rho) * (1 + 1e-9)
        if shares == 1:
            assert divergence > 0.9 * order * float(event.rho)


def test_the_samplers_own_error_is_charged() -> None:
    # So small a delta that the samplers' 2^-128 a draw counts: it is never spent twice.
    event = event_of(100**2, 400**2, shares=3, size=10**6)
    with pytest.raises(InvalidValueError, match="delta"):
        epsilon_of([event], delta=1e-35)
    assert epsilon_of([event], delta=1e-30) > epsilon_from_rho(event.rho, delta=1e-30)
    assert epsilon_of([event], delta=1e-6) == pytest.approx(epsilon_from_rho(event.rho, delta=1e-6), rel=1e-9)


def test_no_bound_is_given_where_none_means_anything() -> None:
    assert epsilon_of([event_of(10**6, 1)] * 10, delta=1e-6) == math.inf


def test_nothing_costs_nothing() -> None:
    assert epsilon_of([], delta=1e-5) == 0
