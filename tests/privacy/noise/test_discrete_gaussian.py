"""The sampler against the exact distribution, two other exact samplers, and itself with every decision made exactly."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import opendp.prelude as dp
import pytest
from rational_gaussian import rational_gaussian

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.noise.discrete_gaussian import DiscreteGaussianShape, sample_discrete_gaussian
from hanse_privacy.noise.stepped_envelope import SteppedEnvelope
from hanse_privacy.randomness import SystemRandomness, UnsafeSeededRandomness

FALSE_ALARM = 1e-6


def ours(variance_parameter: int, size: int, *, seed: int) -> np.ndarray:
    return sample_discrete_gaussian(
        variance_parameter=variance_parameter, size=size, source=UnsafeSeededRandomness(seed)
    )


def exact_probabilities(variance_parameter: float, reach: int) -> np.ndarray:
    points = np.arange(-reach, reach + 1)
    weights = np.exp(-(points.astype(float) ** 2) / (2 * variance_parameter))
    return weights / weights.sum()


def chi_squared_excess(counted: np.ndarray, expected: np.ndarray) -> float:
    """Standard deviations by which the statistic passes its mean; cells that expect too little are taken together."""
    usable = expected >= 20
    rest = np.array([counted[~usable].sum()]), np.array([expected[~usable].sum()])
    counted, expected = np.append(counted[usable], rest[0]), np.append(expected[usable], rest[1])
    usable = expected >= 5
    statistic = float(((counted - expected)[usable] ** 2 / expected[usable]).sum())
    degrees = int(usable.sum()) - 1
    return (statistic - degrees) / math.sqrt(2 * degrees)


def distance_bound(draws: int) -> float:
    """Of the empirical distributions of two equal samples (Dvoretzky, Kiefer, Wolfowitz and Massart, twice)."""
    return 2 * math.sqrt(math.log(4 / FALSE_ALARM) / (2 * draws))


def distance(first: Sequence[int] | np.ndarray, second: Sequence[int] | np.ndarray) -> float:
    points = np.union1d(first, second)
    ranks = [np.searchsorted(np.sort(sample), points, "right") / len(sample) for sample in (first, second)]
    return float(np.abs(ranks[0] - ranks[1]).max())


@pytest.mark.parametrize("variance_parameter", [1, 2, 5, 16, 100, 2_000, 40_000])
def test_it_has_the_exact_probabilities(variance_parameter: int) -> None:
    # From one cell per integer (up to a deviation of 15) to cells of 16.
    draws = 1_000_000
    reach = 14 * math.isqrt(variance_parameter) + 14
    expected = exact_probabilities(variance_parameter, reach) * draws
    counted = np.bincount(ours(variance_parameter, draws, seed=variance_parameter) + reach, minlength=2 * reach + 1)
    assert chi_squared_excess(counted, expected) < 6


@pytest.mark.parametrize("deviation", [6_000, 2**16, 2**20, 2**39])
def test_large_variances_have_the_moments_of_their_parameter(deviation: int) -> None:
    sample = ours(deviation**2, 1_000_000, seed=deviation % 1009).astype(float) / deviation
    assert abs(sample.mean()) < 5 / math.sqrt(len(sample))
    assert abs(sample.var() - 1) < 5 * math.sqrt(2 / len(sample))
    assert abs((sample**3).mean()) < 5 * math.sqrt(15 / len(sample))
    assert abs((sample**4).mean() - 3) < 5 * math.sqrt(96 / len(sample))


def test_the_lowest_bits_of_a_wide_draw_are_uniform() -> None:
    sample = ours(2**40, 400_000, seed=8)
    counted = np.bincount(sample & 255, minlength=256)
    assert chi_squared_excess(counted, np.full(256, 400_000 / 256)) < 6


@pytest.mark.parametrize("variance_parameter", [3, 49, 5_000])
def test_same_distribution_as_rational_arithmetic(variance_parameter: int) -> None:
    draws = 20_000
    theirs = rational_gaussian(
        variance_parameter=variance_parameter, size=draws, source=UnsafeSeededRandomness(variance_parameter)
    )
    assert distance(ours(variance_parameter, draws, seed=1), theirs) < distance_bound(draws)


def test_same_distribution_as_opendp() -> None:
    dp.enable_features("contrib")
    draws, scale = 20_000, 7.0
    theirs = dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64"), scale)([0] * draws)
    assert distance(ours(49, draws, seed=11), theirs) < distance_bound(draws)


@pytest.mark.parametrize("variance_parameter", [1, 7, 1_000, 2**32, 3**50])
def test_floats_decide_as_exact_numbers_do(variance_parameter: int) -> None:
    # With a margin of 2 every float is too near to count: each decision is made in exact arithmetic.
    shape = DiscreteGaussianShape(variance_parameter=variance_parameter)
    quick, exact = SteppedEnvelope(shape), SteppedEnvelope(shape, margin=2.0)
    drawn = [one.sample(2_000, source=UnsafeSeededRandomness(4)) for one in (quick, exact)]
    assert np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("variance_parameter", [1, 250, 2**40 + 1, 2**79])
def test_floats_keep_their_promise(variance_parameter: int) -> None:
    shape = DiscreteGaussianShape(variance_parameter=variance_parameter)
    chance = np.random.default_rng(5)
    reach = 15 * math.isqrt(variance_parameter)
    for point in chance.integers(-reach, reach, size=2_000, endpoint=True).tolist():
        low, high = shape.exponent(point, digits=40)
        assert low <= high
        assert high - low <= high * Decimal("1e-30")
        if high < 128:
            assert abs(float(shape.exponents(np.array([float(point)]))[0]) - float(low)) < shape.exponent_error


def test_system_randomness_never_repeats() -> None:
    first, second = (
        sample_discrete_gaussian(variance_parameter=10**12, size=50, source=SystemRandomness()) for _ in range(2)
    )
    assert not np.array_equal(first, second)
    assert first.std() > 0


@pytest.mark.parametrize("variance_parameter", [0, -4, 2**80])
def test_bad_variances_are_refused(variance_parameter: int) -> None:
    with pytest.raises(InvalidValueError, match="variance_parameter"):
        sample_discrete_gaussian(variance_parameter=variance_parameter, size=1, source=SystemRandomness())


def test_no_draws() -> None:
    assert sample_discrete_gaussian(variance_parameter=4, size=0, source=SystemRandomness()).shape == (0,)
    with pytest.raises(InvalidValueError, match="size"):
        sample_discrete_gaussian(variance_parameter=4, size=-1, source=SystemRandomness())
