"""Each step of docs/sum-of-shares.md against sums taken term by term, with 50 digits."""

import functools
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import mpmath
import numpy as np
import pytest
from release_events import event_of

from hanse_privacy.accounting import ReleaseEvent, tau
from hanse_privacy.release import SMALLEST_NOISE_UNITS

EXACT = mpmath.MPContext()
EXACT.dps = 50
Real: TypeAlias = Any
"""A number of that many digits."""
Distribution: TypeAlias = dict[int, Real]

CLOSE = EXACT.mpf(10) ** -40
"""What the terms left out and all roundings may come to."""
FLOOR = Fraction(1, 4)
"""σ² from which the claim holds."""
VARIANCES = [FLOOR, Fraction(36, 100), Fraction(64, 100), Fraction(1)]
ORDERS = [Fraction(101, 100), Fraction(3, 2), Fraction(2), Fraction(4), Fraction(16), Fraction(64)]


def number(value: Fraction | int) -> Real:
    return EXACT.mpf(value.numerator) / value.denominator


def theta(variance: Fraction, centre: Fraction) -> Real:
    """Σ exp(-(y - c)² / 2s²): the terms left out are below 10^-60."""
    nearest, reach = round(centre), 2 + math.ceil(17 * math.sqrt(variance))
    return EXACT.fsum(
        EXACT.exp(-number((y - centre) ** 2 / (2 * variance))) for y in range(nearest - reach, nearest + reach + 1)
    )


def q_of(variance: Fraction) -> Real:
    return EXACT.exp(-2 * EXACT.pi**2 * number(variance))


def exact_tau(variance: Fraction, shares: int) -> Real:
    return 10 * EXACT.fsum(q_of(variance * k / (k + 1)) for k in range(1, shares))


def gaussian(variance: Fraction, reach: int) -> Distribution:
    weights = {x: EXACT.exp(-number(Fraction(x * x) / (2 * variance))) for x in range(-reach, reach + 1)}
    total = EXACT.fsum(weights.values())
    return {x: weight / total for x, weight in weights.items()}


def convolved(first: Distribution, second: Distribution, reach: int) -> Distribution:
    return {x: EXACT.fsum(second[y] * first[x - y] for y in second if x - y in first) for x in range(-reach, reach + 1)}


@functools.cache
def sum_of(shares: int, variance: Fraction, reach: int) -> Distribution:
    one = gaussian(variance, reach)
    return one if shares == 1 else convolved(sum_of(shares - 1, variance, reach), one, reach)


def shifted(distribution: Distribution, shift: int) -> Distribution:
    return {x + shift: chance for x, chance in distribution.items()}


def divergence(first: dict[Any, Real], second: dict[Any, Real], order: Fraction) -> Real:
    """Rényi's, over the points that both have: never more than over all."""
    exponent = number(order)
    terms = (first[x] ** exponent * second[x] ** (1 - exponent) for x in first if x in second)
    return EXACT.log(EXACT.fsum(terms)) / (exponent - 1)


def random_distribution(chance: np.random.Generator, size: int) -> dict[int, Real]:
    weights = [EXACT.exp(EXACT.mpf(float(chance.normal(scale=2)))) for _ in range(size)]
    return {place: weight / EXACT.fsum(weights) for place, weight in enumerate(weights)}


@pytest.mark.parametrize("variance", [Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(9, 4)])
def test_theta_is_its_poisson_series_and_largest_at_integers(variance: Fraction) -> None:
    q = q_of(variance)
    scale = EXACT.sqrt(2 * EXACT.pi * number(variance))
    w = EXACT.fsum(q ** (m * m) for m in range(1, 12))
    for centre in (Fraction(k, 30) for k in range(-30, 61)):
        here = theta(variance, centre)
        cosines = (q ** (m * m) * EXACT.cos(2 * EXACT.pi * m * number(centre)) for m in range(1, 12))
        assert abs(here - scale * (1 + 2 * EXACT.fsum(cosines))) < CLOSE
        assert abs(here - theta(variance, centre + 1)) < CLOSE
        assert abs(here - theta(variance, -centre)) < CLOSE
        assert scale * (1 - 2 * w) <= here <= theta(variance, Fraction(0)) + CLOSE
    assert abs(theta(variance, Fraction(0)) - scale * (1 + 2 * w)) < CLOSE


def test_the_range_of_theta_is_within_five_q() -> None:
    largest = EXACT.exp(-(EXACT.pi**2) / 4)
    assert largest < EXACT.mpf("0.085")
    used = []
    for step in range(1, 2_001):
        q = largest * step / 2_000
        w = EXACT.fsum(q ** (m * m) for m in range(1, 9)) + q**81 / (1 - q)
        assert w <= q + q**4 / (1 - q**5) < EXACT.mpf("1.001") * q
        exactly = EXACT.log((1 + 2 * w) / (1 - 2 * w))
        assert exactly <= 4 * w / (1 - 4 * w * w) < EXACT.mpf("4.13") * q
        used.append(exactly / (5 * q))
    assert EXACT.mpf("0.80") < min(used) < max(used) < EXACT.mpf("0.83")


@pytest.mark.parametrize("deviation", [Fraction(7, 20), Fraction(1, 2), Fraction(1), Fraction(2)])
def test_one_discrete_gaussian_shifted_by_a_whole_number(deviation: Fraction) -> None:
    variance, below = deviation**2, False
    noise = gaussian(variance, 60)
    for shift, order in itertools.product((-2, 1, 3), (Fraction(101, 100), Fraction(3, 2), Fraction(2), Fraction(8))):
        found = divergence(shifted(noise, shift), noise, order)
        bound = number(order * shift**2 / (2 * variance))
        part = theta(variance, order * shift) / theta(variance, Fraction(0))
        assert abs(found - (bound + EXACT.log(part) / number(order - 1))) < CLOSE
        assert found <= bound + CLOSE
        if (order * shift).denominator == 1:
            assert abs(found - bound) < CLOSE
        below = below or found < bound * EXACT.mpf("0.99")
    # Where the noise is narrow, the bound is visibly not reached between integers.
    assert below == (deviation < 1)


def test_the_shift_must_be_whole() -> None:
    variance, half = Fraction(1, 8), Fraction(1, 2)
    weights = {x: EXACT.exp(-number((x - half) ** 2 / (2 * variance))) for x in range(-40, 41)}
    between = {x: weight / EXACT.fsum(weights.values()) for x, weight in weights.items()}
    assert divergence(between, gaussian(variance, 40), Fraction(2)) > 1.2 * number(half**2 / variance)


@pytest.mark.parametrize("first", VARIANCES)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_two_are_one_times_theta(first: Fraction, times: int) -> None:
    second = times * first
    both = first + second
    variance = first * second / both
    summed = convolved(gaussian(first, 40), gaussian(second, 40), 12)
    one = gaussian(both, 60)
    norms = theta(first, Fraction(0)) * theta(second, Fraction(0))
    for x, chance in summed.items():
        bare = EXACT.exp(-number(Fraction(x * x) / (2 * both))) / norms
        for centre in (x * first / both, x * second / both):
            assert abs(chance - bare * theta(variance, centre)) < CLOSE * chance
    ratios = [chance / one[x] for x, chance in summed.items()]
    assert min(ratios) < 1 < max(ratios)
    q = q_of(variance)
    spread = EXACT.log(max(ratios) / min(ratios))
    assert max(abs(EXACT.log(ratio)) for ratio in ratios) <= spread < EXACT.mpf("4.13") * q
    # Halves and quarters meet Θ where it is smallest, thirds do not.
    assert spread > (EXACT.mpf("2.9") if times == 2 else EXACT.mpf("3.9")) * q


@pytest.mark.parametrize("variance", VARIANCES)
def test_a_sum_of_shares_is_near_one_discrete_gaussian(variance: Fraction) -> None:
    reach, farthest = 40, 12
    share = gaussian(variance, reach)
    before = EXACT.mpf(0)
    for shares in range(2, 6):
        # What was near stays as near when one more share is added to both.
        nearly = convolved(gaussian((shares - 1) * variance, reach), share, reach)
        summed = sum_of(shares, variance, reach)
        assert max(abs(EXACT.log(summed[x] / nearly[x])) for x in range(-farthest, farthest + 1)) <= before + CLOSE
        one = gaussian(shares * variance, 80)
        logs = [EXACT.log(summed[x] / one[x]) for x in range(-farthest, farthest + 1)]
        before = max(map(abs, logs))
        half = exact_tau(variance, shares) / 2
        assert before <= half
        assert max(logs) - min(logs) <= half
        # One step's share of τ is used up but for a fifth; more shares are nearer than the chain of steps knows.
        assert shares > 2 or max(logs) - min(logs) > EXACT.mpf("0.79") * half
        if variance.denominator == 1:
            assert half <= tau(variance_parameter=int(variance), shares=shares) / 2 <= half * (1 + EXACT.mpf("1e-8"))


@pytest.mark.parametrize("eta", [Fraction(1, 100), Fraction(1, 2), Fraction(3)])
def test_pure_closeness_is_closeness(eta: Fraction) -> None:
    chance = np.random.default_rng(31)
    width = number(eta)
    used = []
    for order in [*ORDERS, Fraction(1001, 1000)]:
        alpha, limit = number(order), number(order * eta**2) / 2
        hyperbolic = EXACT.log(EXACT.cosh((alpha - EXACT.mpf(1) / 2) * width) / EXACT.cosh(width / 2)) / (alpha - 1)
        assert hyperbolic <= limit
        # Two points reach the bound that the proof finds first.
        high = 1 / (1 + EXACT.exp(width))
        second = {0: high, 1: 1 - high}
        first = {0: high * EXACT.exp(width), 1: (1 - high) * EXACT.exp(-width)}
        assert abs(EXACT.fsum(first.values()) - 1) < CLOSE
        assert abs(divergence(first, second, order) - hyperbolic) < CLOSE
        used.append(hyperbolic / limit)
        for size in (2, 3, 7):
            base = random_distribution(chance, size)
            weights = {x: base[x] * EXACT.exp(width * float(chance.uniform(-0.5, 0.5))) for x in base}
            other = {x: weight / EXACT.fsum(weights.values()) for x, weight in weights.items()}
            assert max(abs(EXACT.log(other[x] / base[x])) for x in base) <= width
            assert divergence(other, base, order) <= hyperbolic
    assert max(used) > (EXACT.mpf("0.9999") if eta < 1 / 10 else EXACT.mpf("0.55"))


def test_divergences_go_through_a_third_by_hoelder() -> None:
    chance = np.random.default_rng(17)
    used = []
    for _ in range(150):
        size = int(chance.integers(2, 6))
        first, middle, last = (random_distribution(chance, size) for _ in range(3))
        alpha = 1 + Fraction(float(np.exp(chance.uniform(-3, 2))))
        u = 1 + Fraction(float(np.exp(chance.uniform(-3, 3))))
        v = u / (u - 1)
        beta = 1 + (alpha - 1) * v
        factor = (alpha * u - 1) / (u * (alpha - 1))
        # The same as in Bun and Steinke, whose k is β / α.
        k = beta / alpha
        assert alpha * u == (k * alpha - 1) / (k - 1)
        assert factor == k * alpha / (k * alpha - 1)
        bound = number(factor) * divergence(first, middle, alpha * u) + divergence(middle, last, beta)
        found = divergence(first, last, alpha)
        assert found <= bound + CLOSE
        used.append(found / bound)
    assert max(used) > EXACT.mpf("0.5")


def bound_through_a_third(alpha: Fraction, a: Fraction, b: Fraction, *, t: Fraction) -> Fraction:
    """Hölder's bound for first and middle a-close, middle and last b-close."""
    u = 1 + t * (alpha - 1) / alpha
    beta = 1 + (alpha - 1) * u / (u - 1)
    return (alpha * u - 1) / (u * (alpha - 1)) * (a**2 * alpha * u / 2) + b**2 * beta / 2


def test_closeness_adds_up() -> None:
    chance = np.random.default_rng(23)
    for _ in range(200):
        a, b = (Fraction(int(chance.integers(1, 1_000)), 100) for _ in range(2))
        alpha = 1 + Fraction(int(chance.integers(1, 10_000)), 100)
        best = bound_through_a_third(alpha, a, b, t=b / a)
        assert best == alpha * (a + b) ** 2 / 2
        for part in (Fraction(1, 2), Fraction(9, 10), Fraction(2)):
            assert bound_through_a_third(alpha, a, b, t=part * b / a) > best
    # Shifts one after the other: nothing smaller than a + b would do.
    variance = Fraction(4)
    noise = gaussian(variance, 120)
    for one, two in ((1, 2), (3, 1)):
        found = divergence(shifted(noise, one + two), noise, Fraction(4))
        assert abs(found - number(Fraction((one + two) ** 2, 2))) < CLOSE


def test_coordinates_add_up() -> None:
    chance = np.random.default_rng(29)
    for size in (1, 2, 7, 400):
        shifts = chance.integers(-9, 10, size)
        scaled, excess = np.abs(shifts) / float(chance.uniform(0.5, 5)), float(chance.uniform(0, 0.5))
        together = (np.linalg.norm(scaled) + excess * math.sqrt(size)) ** 2
        assert ((scaled + excess) ** 2).sum() <= together * (1 + 1e-12)
        # With equal shifts there is nothing to spare.
        assert size * (2 + excess) ** 2 == pytest.approx((2 * math.sqrt(size) + excess * math.sqrt(size)) ** 2)


def rho_at_the_floor(shift: int, shares: int) -> Real:
    """The claim's ρ for a σ that is narrower than a :class:`ReleaseEvent` can say."""
    return (shift / EXACT.sqrt(shares * number(FLOOR)) + exact_tau(FLOOR, shares)) ** 2 / 2


def rho_of_hanse(shift: int, shares: int) -> Real:
    return number(event_of(shift**2, 1, shares=shares).rho)


@pytest.mark.parametrize(
    ("variance", "rho"), [(FLOOR, rho_at_the_floor), (Fraction(1), rho_of_hanse)], ids=["σ = 1/2", "σ = 1, Hanse's ρ"]
)
def test_the_loss_bounds_the_divergence_and_needs_tau(variance: Fraction, rho: Callable[[int, int], Real]) -> None:
    # The last order's terms are largest at 64 times the shift, and as wide as the sum.
    reach = 230
    for shares in (2, 3, 4):
        summed = sum_of(shares, variance, reach)
        passed = []
        for shift, order in itertools.product((1, 2, 3), ORDERS):
            found = divergence(shifted(summed, shift), summed, order)
            assert found <= number(order) * rho(shift, shares)
            without_tau = order * shift**2 / (2 * shares * variance)
            passed.append(found > number(without_tau) + CLOSE)
        # Without τ it would be no bound.
        assert any(passed)


@pytest.mark.parametrize("shares", [2, 3])
@pytest.mark.parametrize("shift", [(1, 1), (2, 1), (0, 1)])
def test_the_loss_bounds_the_divergence_of_two_coordinates(shares: int, shift: tuple[int, int]) -> None:
    reach = 34
    one = sum_of(shares, Fraction(1), reach)
    places = list(itertools.product(one, one))
    both = {place: one[place[0]] * one[place[1]] for place in places}
    moved = {(x + shift[0], y + shift[1]): both[x, y] for x, y in places}
    event = event_of(shift[0] ** 2 + shift[1] ** 2, 1, shares=shares, size=2)
    for order in (Fraction(101, 100), Fraction(2), Fraction(4)):
        found = divergence(moved, both, order)
        alone = EXACT.fsum(divergence(shifted(one, step), one, order) for step in shift)
        assert abs(found - alone) < CLOSE
        assert found <= number(order * event.rho)
        if order < 2:
            assert found > number(order * Fraction(event.squared_sensitivity, 2 * shares))


def test_noise_that_is_not_counted_takes_nothing_away() -> None:
    reach = 80
    counted = sum_of(2, Fraction(1), reach)
    fours = sum_of(4, Fraction(1), reach)
    known = {-3: EXACT.mpf("0.5"), 0: EXACT.mpf("0.1"), 8: EXACT.mpf("0.4")}
    for other in (fours, convolved(counted, known, reach - 8)):
        for shift, order in itertools.product((1, 2), ORDERS[:-2]):
            bound = number(order * event_of(shift**2, 1, shares=2).rho)
            assert divergence(shifted(other, shift), other, order) <= bound


@pytest.mark.parametrize(
    "event",
    [
        event_of(1, 1, shares=2),
        event_of(7, 1, shares=11, size=3),
        event_of(3, 5, shares=4, size=1_000),
        event_of(65_536**2, 16, shares=3, size=10**6),
        event_of(100**2, 400**2, shares=3, size=10**6),
        event_of(1, 2**79, shares=2),
    ],
)
def test_the_loss_is_the_claims_rounded_up(event: ReleaseEvent) -> None:
    variance = Fraction(event.variance_parameter)
    ratio = EXACT.sqrt(number(Fraction(event.squared_sensitivity) / (event.shares * variance)))
    claim = (ratio + exact_tau(variance, event.shares) * EXACT.sqrt(event.size)) ** 2 / 2
    assert claim <= number(event.rho) <= claim * (1 + EXACT.mpf("1e-8")) + EXACT.mpf(2) ** -128


def test_one_share_has_no_tau() -> None:
    assert exact_tau(Fraction(1), 1) == tau(variance_parameter=1, shares=1) == 0
    assert event_of(9, 2, size=50).rho == Fraction(9, 4)


def test_shares_that_are_not_refused_have_next_to_no_tau() -> None:
    for shares in (2, 11, 1_000):
        assert tau(variance_parameter=SMALLEST_NOISE_UNITS**2, shares=shares) < 1e-67
