"""Skellam noise against its exact distribution, and what it costs against Rényi divergences computed in full."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import gammaln, ive, logsumexp
from test_discrete_gaussian import chi_squared_excess, distance, distance_bound

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.noise.skellam import largest_skellam_draw, sample_skellam, skellam_renyi_loss
from hanse_privacy.randomness import SystemRandomness, UnsafeSeededRandomness


def ours(mean: int, size: int, *, seed: int) -> np.ndarray:
    return sample_skellam(mean=mean, size=size, source=UnsafeSeededRandomness(seed))


@pytest.mark.parametrize("mean", [1, 2, 8, 100, 1_500, 40_000])
def test_it_has_the_exact_probabilities(mean: int) -> None:
    # e^-2m I_x(2m), the modified Bessel function of the first kind.
    draws = 500_000
    reach = 20 * math.isqrt(mean) + 60
    expected = ive(np.abs(np.arange(-reach, reach + 1)), 2 * mean) * draws
    counted = np.bincount(ours(mean, draws, seed=mean) + reach, minlength=2 * reach + 1)
    assert chi_squared_excess(counted, expected) < 6


@pytest.mark.parametrize("mean", [2**19, 2**31, 2**39, 2**79 - 1])
def test_large_means_have_the_moments_of_twice_the_variance(mean: int) -> None:
    sample = ours(mean, 500_000, seed=mean % 1009).astype(float) / math.sqrt(2 * mean)
    assert abs(sample.mean()) < 5 / math.sqrt(len(sample))
    assert abs(sample.var() - 1) < 5 * math.sqrt(2 / len(sample))
    assert abs((sample**3).mean()) < 5 * math.sqrt(15 / len(sample))
    assert abs((sample**4).mean() - 3) < 5 * math.sqrt(96 / len(sample))


def test_the_lowest_bits_of_a_wide_draw_are_uniform() -> None:
    counted = np.bincount(ours(2**40, 400_000, seed=8) & 255, minlength=256)
    assert chi_squared_excess(counted, np.full(256, 400_000 / 256)) < 6


@pytest.mark.parametrize(("mean", "vaults"), [(3, 4), (50, 12), (100_000, 3)])
def test_sums_are_skellam_noise_of_the_sum_of_means(mean: int, vaults: int) -> None:
    draws = 100_000
    total = sum(ours(mean, draws, seed=vault) for vault in range(vaults))
    assert distance(total, ours(mean * vaults, draws, seed=99)) < distance_bound(draws)
    if mean < 100:
        reach = 20 * math.isqrt(mean * vaults)
        expected = ive(np.abs(np.arange(-reach, reach + 1)), 2 * mean * vaults) * draws
        assert chi_squared_excess(np.bincount(total + reach, minlength=2 * reach + 1), expected) < 6


def test_no_draw_is_beyond_the_largest() -> None:
    for mean in (1, 77, 10**12):
        assert np.abs(ours(mean, 100_000, seed=2)).max() < largest_skellam_draw(mean=mean)
        assert largest_skellam_draw(mean=mean) < 21 * math.sqrt(2 * mean) + 50


def test_no_draw_repeats_another() -> None:
    first, second = (sample_skellam(mean=2**79 - 1, size=500, source=SystemRandomness()) for _ in range(2))
    assert len(np.unique(np.abs(np.concatenate([first, second])))) == 1_000


@pytest.mark.parametrize("mean", [0, -4, 2**79])
def test_bad_means_are_refused(mean: int) -> None:
    with pytest.raises(InvalidValueError, match="mean"):
        sample_skellam(mean=mean, size=1, source=SystemRandomness())


def test_no_draws() -> None:
    assert sample_skellam(mean=4, size=0, source=SystemRandomness()).shape == (0,)
    with pytest.raises(InvalidValueError, match="size"):
        sample_skellam(mean=4, size=-1, source=SystemRandomness())


def log_probabilities(mean: int, reach: int) -> np.ndarray:
    """ln P(x) for x from -reach to reach: the series of the Bessel function, all summands positive."""
    distance_from_0, number = np.arange(reach + 1)[:, None], np.arange(4 * mean + 200)[None, :]
    powers = (distance_from_0 + 2 * number) * math.log(mean)
    one_side = logsumexp(powers - gammaln(number + 1) - gammaln(number + distance_from_0 + 1), axis=1) - 2 * mean
    return np.concatenate([one_side[:0:-1], one_side])


def test_losses_written_out_by_hand() -> None:
    # Variance 100: 2 · 9 / 200 and the lesser of (3 · 9 + 6 · 3) / 40000 and 3 · 3 / 200.
    wide = skellam_renyi_loss(order=2, mean=50, squared_sensitivity=9, l1_sensitivity=3)
    assert wide == Fraction(18, 200) + Fraction(45, 40_000)
    # Variance 2: 10 · 9 / 4 and the lesser of (19 · 9 + 6 · 3) / 16 and 3 · 3 / 4.
    narrow = skellam_renyi_loss(order=10, mean=1, squared_sensitivity=9, l1_sensitivity=3)
    assert narrow == Fraction(90, 4) + Fraction(9, 4)


@pytest.mark.parametrize("mean", [1, 2, 5, 30, 200])
def test_the_loss_bounds_the_divergence_and_is_near_it_where_noise_is_wide(mean: int) -> None:
    logarithms = log_probabilities(mean, 40 * math.isqrt(mean) + 600)
    for shift in (1, 2, 5, 10):
        here, there = logarithms[shift:], logarithms[:-shift]
        for order in (2, 3, 8, 32, 64):
            divergence = logsumexp(order * here + (1 - order) * there) / (order - 1)
            loss = float(skellam_renyi_loss(order=order, mean=mean, squared_sensitivity=shift**2, l1_sensitivity=shift))
            assert divergence < loss
            if mean == 200 and order * shift <= 16:
                assert loss < 1.02 * divergence


def test_the_loss_of_a_vector_bounds_the_sum_of_its_coordinates_losses() -> None:
    logarithms = log_probabilities(30, 700)
    vector = (3, 1, 1, 0, 2)
    for order in (2, 5, 10):
        divergence = sum(
            logsumexp(order * logarithms[shift:] + (1 - order) * logarithms[: len(logarithms) - shift]) / (order - 1)
            for shift in vector
        )
        loss = skellam_renyi_loss(order=order, mean=30, squared_sensitivity=15, l1_sensitivity=7)
        assert 0.9 * float(loss) < divergence < float(loss)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"order": 1}, "order"),
        ({"mean": 0}, "mean"),
        ({"squared_sensitivity": -1}, "squared_sensitivity"),
        ({"l1_sensitivity": -1}, "l1_sensitivity"),
    ],
)
def test_losses_of_nothing_are_refused(changes: dict[str, int], named: str) -> None:
    with pytest.raises(InvalidValueError, match=named):
        skellam_renyi_loss(**({"order": 2, "mean": 5, "squared_sensitivity": 1, "l1_sensitivity": 1} | changes))
