"""Tails and bounds against SciPy's."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from hanse_privacy.auditing.binomial import highest_rate, log_probabilities, lowest_rate, upper_tail
from hanse_privacy.errors import InvalidValueError


@pytest.mark.parametrize("trials", [1, 7, 300, 20_000, 1_000_000])
@pytest.mark.parametrize("probability", [1e-9, 0.003, 0.5, 0.97, 1 - 1e-9])
def test_tails(trials: int, probability: float) -> None:
    likeliest = trials * probability
    spread = math.sqrt(trials * probability * (1 - probability))
    for successes in {0, 1, trials, *(int(likeliest + k * spread) for k in (-8, -1, 0, 0.5, 2, 6, 20))}:
        if 0 <= successes <= trials:
            expected = binom.sf(successes - 1, trials, probability)
            assert upper_tail(successes, trials=trials, probability=probability) == pytest.approx(expected, rel=1e-7)


def test_probabilities() -> None:
    found = log_probabilities(trials=5_000, first=0, last=5_000, probability=0.3)
    assert found == pytest.approx(binom.logpmf(np.arange(5_001), 5_000, 0.3), rel=1e-9, abs=1e-8)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("trials", [1, 20, 1_000, 250_000])
@pytest.mark.parametrize("error", [0.05, 5e-7])
def test_clopper_and_pearson(trials: int, error: float) -> None:
    for successes in sorted({0, 1, trials // 100, trials // 3, trials - 1, trials}):
        low = lowest_rate(successes, trials=trials, error=error)
        high = highest_rate(successes, trials=trials, error=error)
        # The beta distribution's quantiles, with the ends where they are not defined.
        expected_low = 0.0 if successes == 0 else beta.ppf(error, successes, trials - successes + 1)
        expected_high = 1.0 if successes == trials else beta.isf(error, successes + 1, trials - successes)
        assert low == pytest.approx(expected_low, rel=1e-6)
        assert high == pytest.approx(expected_high, rel=1e-6)
        assert low <= successes / trials <= high


@pytest.mark.parametrize(
    "arguments",
    [
        {"successes": -1},
        {"successes": 11},
        {"trials": 0, "successes": 0},
        {"error": 0.0},
        {"error": 1.0},
        {"trials": 10**9},
    ],
)
def test_bounds_of_nothing_are_refused(arguments: dict[str, float]) -> None:
    given = {"successes": 5, "trials": 10, "error": 0.05} | arguments
    with pytest.raises(InvalidValueError):
        lowest_rate(given.pop("successes"), **given)  # type: ignore[arg-type]  # the point is a wrong value


@pytest.mark.parametrize("probability", [0.0, 1.0, math.nan])
def test_certainties_are_refused(probability: float) -> None:
    with pytest.raises(InvalidValueError, match="probability"):
        upper_tail(0, trials=5, probability=probability)
    with pytest.raises(InvalidValueError, match="probability"):
        log_probabilities(trials=5, first=0, last=5, probability=probability)
