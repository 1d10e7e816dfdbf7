"""Quantiles: against exact data, against other programs' pieces, and intervals by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.statistics.bins import bins_of, indicators
from hanse_privacy.statistics.quantiles import (
    TooFewToTellError,
    isotonic,
    quantiles,
    rank_standard_deviation,
)
from hanse_privacy.statistics.trees import Tree

EIGHT = Tree(branching=2, height=3)
probabilities = st.floats(0.001, 0.999)


@given(st.lists(st.integers(-3, 3) | st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_isotonic_is_that_of_scipy(values: list[float]) -> None:
    pooled = isotonic(np.array(values, dtype=float))
    assert pooled == pytest.approx(isotonic_regression(np.array(values, dtype=float)).x, rel=1e-9, abs=1e-6)
    assert (np.diff(pooled) >= 0).all()
    assert isotonic(np.zeros(0)).shape == (0,)


@given(
    st.lists(st.floats(0.01, 50), min_size=8, max_size=8),
    st.lists(st.floats(0.5, 9), min_size=8, max_size=8),
    probabilities,
)
def test_exact_counts_are_inverted_as_by_interpolation(
    counts: list[float], widths: list[float], probability: float
) -> None:
    counts[0] += 1
    edges = np.cumsum([-3.0, *widths])
    (estimate,) = quantiles(
        EIGHT, np.array(counts), edges=edges, probabilities=[probability], node_standard_deviation=0.0
    )
    prefixes = np.cumsum([0.0, *counts])
    expected = float(np.interp(probability * prefixes[-1], prefixes, edges))
    if expected >= edges[-2] + 1e-9:
        assert estimate.is_beyond
        assert (estimate.value, estimate.high) == (edges[-2], math.inf)
    elif expected <= edges[-2] - 1e-9:
        assert not estimate.is_beyond
        assert estimate.value == pytest.approx(expected, abs=1e-9)
    assert estimate.low <= estimate.value <= estimate.high


@settings(max_examples=200)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=40), probabilities)
def test_without_noise_the_interval_holds_the_customers_own_quantile(values: list[int], probability: float) -> None:
    edges = np.array([0, 1, 2, 5, 10, 20, 50, 100, 150])
    bins = bins_of(np.array(values), edges=edges).bins
    (estimate,) = quantiles(
        EIGHT,
        np.bincount(bins, minlength=8),
        edges=edges,
        probabilities=[probability],
        node_standard_deviation=0.0,
    )
    true = sorted(values)[math.ceil(probability * len(values) - 1e-9) - 1]
    assert estimate.low <= true <= estimate.high
    if estimate.is_beyond:
        assert estimate.high == math.inf


def simulated(
    truth: np.ndarray, *, tree: Tree, edges: np.ndarray, deviation: float, probability: float, seed: int
) -> tuple[float, float, float]:
    """Return how often the interval missed below and above, and the ranks' deviation, over 1500 releases."""
    exact = indicators(tree.paths(bins_of(truth, edges=edges).bins), size=tree.size).sum(axis=0)
    true = float(np.quantile(truth, probability, method="inverted_cdf"))
    generator = np.random.default_rng(seed)
    leaves = tree.consistent(exact + deviation * generator.normal(size=(1500, tree.size)))
    below, above, ranks = 0, 0, []
    for row in leaves:
        (estimate,) = quantiles(tree, row, edges=edges, probabilities=[probability], node_standard_deviation=deviation)
        below += true < estimate.low
        above += true > estimate.high
        ranks.append(float((truth < estimate.value).mean() - probability) * truth.size)
    return below / 1500, above / 1500, float(np.std(ranks))


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("branching", "height"), [(2, 6), (8, 2), (4, 4)])
def test_intervals_hold_the_true_quantile_as_often_as_stated(branching: int, height: int, probability: float) -> None:
    tree, generator = Tree(branching=branching, height=height), np.random.default_rng(3)
    truth = generator.lognormal(3.0, 0.8, size=5000)
    edges = np.linspace(0, 120, tree.leaves + 1)
    below, above, error = simulated(truth, tree=tree, edges=edges, deviation=25.0, probability=probability, seed=8)
    # 2.5 % at each end, and five standard errors of 1500 draws.
    assert below <= 0.025 + 0.02
    assert above <= 0.025 + 0.02
    assert error <= rank_standard_deviation(tree, probability, 25.0) * 1.35 + 5000 / tree.leaves


def test_a_gap_beside_the_quantile_makes_the_interval_miss_no_more_often() -> None:
    # Where the counts stand still, pooling moves them: an interval made from the pooled ones misses six times as often.
    tree, edges = Tree(branching=4, height=4), np.arange(257.0)
    truth = np.repeat([63.0, 164.0], 1000)
    below, _, _ = simulated(truth, tree=tree, edges=edges, deviation=25.0, probability=0.499999, seed=1)
    assert 0.015 <= below <= 0.025 + 0.02
    _, above, _ = simulated(truth + 0.5, tree=tree, edges=edges, deviation=25.0, probability=0.500001, seed=1)
    assert 0.015 <= above <= 0.025 + 0.02


def test_rank_standard_deviation_is_the_root_mean_square_of_all_inner_edges() -> None:
    for tree in (EIGHT, Tree(branching=5, height=2)):
        for probability in (0.05, 0.5, 0.8):
            each = [tree.variance_of((np.arange(tree.leaves) < edge) - probability) for edge in range(1, tree.leaves)]
            expected = 7.0 * math.sqrt(sum(each) / len(each))
            assert rank_standard_deviation(tree, probability, 7.0) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1), st.lists(probabilities, min_size=2, max_size=5))
def test_estimates_rise_with_the_probability_and_lie_in_their_intervals(seed: int, chosen: list[float]) -> None:
    leaves = 5 + 10 * np.random.default_rng(seed).normal(size=8)
    edges = np.arange(9.0)
    if leaves.sum() < 1:
        with pytest.raises(TooFewToTellError):
            quantiles(EIGHT, leaves, edges=edges, probabilities=chosen, node_standard_deviation=10.0)
        return
    estimates = quantiles(EIGHT, leaves, edges=edges, probabilities=sorted(chosen), node_standard_deviation=10.0)
    values = [estimate.value for estimate in estimates]
    assert values == sorted(values)
    for estimate in estimates:
        assert edges[0] <= estimate.low <= estimate.value <= estimate.high
        assert estimate.high == math.inf or estimate.high <= edges[-2]
        if estimate.is_beyond:
            assert (estimate.value, estimate.high) == (edges[-2], math.inf)


def test_more_noise_makes_wider_intervals_until_nothing_is_told() -> None:
    def interval(deviation: float) -> tuple[float, float]:
        (estimate,) = quantiles(
            EIGHT, np.full(8, 100.0), edges=np.arange(9), probabilities=[0.45], node_standard_deviation=deviation
        )
        return estimate.low, estimate.high

    assert interval(0.0) == (3, 4)
    assert interval(20.0) == (3, 4)
    assert interval(100.0) == (2, 6)
    assert interval(1e6) == (0, math.inf)


def test_an_empty_stretch_gives_the_smallest_value() -> None:
    leaves = np.array([10, 0, 0, 10, 0, 0, 0, 0])
    low, high = quantiles(EIGHT, leaves, edges=np.arange(9), probabilities=[0.5, 0.51], node_standard_deviation=0.0)
    assert low.value == 1
    assert high.value == pytest.approx(3.02)


def test_noise_below_nobody_and_above_everybody_is_cut_off() -> None:
    leaves = np.array([-5, 15, 0, 0, 0, 0, 0, -2])
    (estimate,) = quantiles(EIGHT, leaves, edges=np.arange(9), probabilities=[0.5], node_standard_deviation=0.0)
    assert estimate.value == pytest.approx(1.5)


def test_rounding_alone_tells_no_edge_apart() -> None:
    assert 0.07 * 100 > 7
    leaves = np.array([7, 93, 0, 0, 0, 0, 0, 0])
    (estimate,) = quantiles(EIGHT, leaves, edges=np.arange(9), probabilities=[0.07], node_standard_deviation=0.0)
    assert (estimate.low, estimate.high) == (0, 2)


def test_who_lies_beyond_the_last_edge_is_a_lower_bound() -> None:
    binned = bins_of(np.array([1.0, 9.0, 100.0, 1e6]), edges=np.arange(9))
    leaves = np.bincount(binned.bins, minlength=8)
    (estimate,) = quantiles(EIGHT, leaves, edges=np.arange(9), probabilities=[0.5], node_standard_deviation=0.0)
    assert estimate.is_beyond
    assert (estimate.value, estimate.low, estimate.high) == (7, 7, math.inf)


@pytest.mark.parametrize("total", [0.99, 0.0, -50.0])
def test_too_few_customers_are_refused(total: float) -> None:
    leaves = np.zeros(8)
    leaves[0] = total
    with pytest.raises(TooFewToTellError, match="TOO_FEW_TO_TELL"):
        quantiles(EIGHT, leaves, edges=np.arange(9), probabilities=[0.5], node_standard_deviation=1.0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"leaves": [math.nan] * 8}, "leaves"),
        ({"leaves": [math.inf] * 8}, "leaves"),
        ({"leaves": [1e300] * 8}, "leaves"),
        ({"leaves": [1.0] * 7}, "leaves"),
        ({"leaves": []}, "leaves"),
        ({"edges": np.arange(8)}, "edges"),
        ({"edges": [0, 1, 2, 3, 4, 4, 6, 7, 8]}, "edges"),
        ({"probabilities": []}, "probabilities"),
        ({"probabilities": [0.5, 0.0]}, "probability"),
        ({"probabilities": [1.0]}, "probability"),
        ({"probabilities": [math.nan]}, "probability"),
        ({"node_standard_deviation": -1.0}, "node_standard_deviation"),
        ({"node_standard_deviation": math.nan}, "node_standard_deviation"),
        ({"node_standard_deviation": math.inf}, "node_standard_deviation"),
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, object], named: str) -> None:
    given_values = {
        "leaves": [1.0] * 8,
        "edges": np.arange(9),
        "probabilities": [0.5],
        "node_standard_deviation": 1.0,
    } | changes
    leaves = np.array(given_values.pop("leaves"), dtype=float)
    edges = np.array(given_values.pop("edges"))
    with pytest.raises(InvalidValueError, match=named):
        quantiles(EIGHT, leaves, edges=edges, **given_values)  # type: ignore[arg-type]  # the point is a wrong value


def test_predictions_out_of_bounds_are_refused() -> None:
    for probability, deviation in ((0.0, 1.0), (1.0, 1.0), (math.nan, 1.0), (0.5, -1.0), (0.5, math.inf)):
        with pytest.raises(InvalidValueError):
            rank_standard_deviation(EIGHT, probability, deviation)
    assert rank_standard_deviation(EIGHT, 0.5, 0.0) == 0
