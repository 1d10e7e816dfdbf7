"""The sampler against the exact distribution, and against OpenDP's own exact sampler."""

import math

import numpy as np
import opendp.prelude as dp
import pytest

from hanse_privacy.discrete_gaussian import sample_discrete_gaussian
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.randomness import SystemRandomness, UnsafeSeededRandomness


def exact_probabilities(variance_parameter: float, reach: int) -> np.ndarray:
    points = np.arange(-reach, reach + 1)
    weights = np.exp(-(points.astype(float) ** 2) / (2 * variance_parameter))
    return weights / weights.sum()


@pytest.mark.parametrize("variance_parameter", [1, 5, 16])
def test_small_variances_match_the_exact_probabilities(variance_parameter: int) -> None:
    draws = 40_000
    sample = sample_discrete_gaussian(
        variance_parameter=variance_parameter, size=draws, source=UnsafeSeededRandomness(variance_parameter)
    )
    reach = 40
    expected = exact_probabilities(variance_parameter, reach) * draws
    counted = np.bincount(sample + reach, minlength=2 * reach + 1)
    usable = expected >= 5
    chi_squared = float(((counted - expected)[usable] ** 2 / expected[usable]).sum())
    degrees = int(usable.sum()) - 1
    # Six standard deviations of a chi-squared variable: false alarms are below one in a million.
    assert chi_squared < degrees + 6 * math.sqrt(2 * degrees)


def test_large_variance_has_the_moments_of_its_parameter() -> None:
    deviation = 6000
    sample = sample_discrete_gaussian(
        variance_parameter=deviation**2, size=30_000, source=UnsafeSeededRandomness(3)
    ).astype(float)
    assert abs(sample.mean()) < 5 * deviation / math.sqrt(len(sample))
    assert abs(sample.var() / deviation**2 - 1) < 5 * math.sqrt(2 / len(sample))
    assert abs((sample**4).mean() / deviation**4 - 3) < 5 * math.sqrt(96 / len(sample))


def test_same_distribution_as_opendp() -> None:
    dp.enable_features("contrib")
    draws, scale = 20_000, 7.0
    theirs = dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64"), scale)([0] * draws)
    ours = sample_discrete_gaussian(variance_parameter=49, size=draws, source=UnsafeSeededRandomness(11))
    # Two-sample Kolmogorov-Smirnov distance against its bound at one in a million.
    points = np.arange(-60, 61)
    distance = np.abs(
        np.searchsorted(np.sort(ours), points, "right") - np.searchsorted(np.sort(theirs), points, "right")
    ).max()
    assert distance / draws < math.sqrt(-math.log(5e-7) / draws)


def test_system_randomness_never_repeats() -> None:
    first = sample_discrete_gaussian(variance_parameter=10**12, size=50, source=SystemRandomness())
    second = sample_discrete_gaussian(variance_parameter=10**12, size=50, source=SystemRandomness())
    assert not np.array_equal(first, second)
    assert first.std() > 0


@pytest.mark.parametrize("variance_parameter", [0, -4, 2**80])
def test_bad_variances_are_refused(variance_parameter: int) -> None:
    with pytest.raises(InvalidValueError, match="variance_parameter"):
        sample_discrete_gaussian(variance_parameter=variance_parameter, size=1, source=SystemRandomness())


def test_no_draws() -> None:
    assert sample_discrete_gaussian(variance_parameter=4, size=0, source=SystemRandomness()).shape == (0,)


def test_below_is_uniform() -> None:
    source = UnsafeSeededRandomness(5)
    counted = np.bincount([source.below(7) for _ in range(70_000)], minlength=7)
    assert np.abs(counted - 10_000).max() < 6 * math.sqrt(10_000)
    assert source.below(1) == 0
