"""Trees: one customer's norm, and least squares against an explicit matrix and simulated noise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.randomness import UnsafeSeededRandomness
from hanse_privacy.release import BlockLayout, ReleaseLayout, add_noise, sum_customers
from hanse_privacy.statistics.bins import indicators
from hanse_privacy.statistics.trees import Tree

SHAPES = [(2, 1), (2, 2), (2, 6), (3, 3), (4, 3), (7, 2), (50, 1)]
shapes = st.sampled_from(SHAPES)


def matrix_of(tree: Tree) -> np.ndarray:
    """Nodes by leaves, from the intervals that the nodes of each level cut the leaves into."""
    rows = []
    for level in range(tree.height + 1):
        for leaves in np.split(np.arange(tree.leaves), tree.branching**level):
            rows.append(np.isin(np.arange(tree.leaves), leaves).astype(float))
    return np.array(rows)


@pytest.mark.parametrize(("branching", "height"), SHAPES)
def test_a_customers_path_is_a_column_of_the_matrix_and_has_the_stated_norm(branching: int, height: int) -> None:
    tree = Tree(branching=branching, height=height)
    matrix = matrix_of(tree)
    assert matrix.shape == (tree.size, tree.leaves)
    paths = tree.paths(np.arange(tree.leaves))
    assert paths.dtype == np.int64
    assert np.array_equal(indicators(paths, size=tree.size), matrix.T)
    assert np.linalg.norm(matrix, axis=0) == pytest.approx(tree.norm, rel=1e-15)


@settings(max_examples=60)
@given(shapes, st.integers(0, 2**32 - 1))
def test_leaves_are_those_of_least_squares_on_the_matrix(shape: tuple[int, int], seed: int) -> None:
    tree = Tree(branching=shape[0], height=shape[1])
    noisy = np.random.default_rng(seed).normal(size=tree.size) * 100
    expected, *_ = np.linalg.lstsq(matrix_of(tree), noisy, rcond=None)
    assert tree.consistent(noisy) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40)
@given(shapes, st.integers(0, 2**32 - 1))
def test_variances_are_those_of_the_inverse_normal_matrix(shape: tuple[int, int], seed: int) -> None:
    tree = Tree(branching=shape[0], height=shape[1])
    matrix = matrix_of(tree)
    inverse = np.linalg.inv(matrix.T @ matrix)
    weights = np.random.default_rng(seed).normal(size=tree.leaves)
    assert tree.variance_of(weights) == pytest.approx(weights @ inverse @ weights, rel=1e-9)
    prefixes = np.tril(np.ones((tree.leaves + 1, tree.leaves)), k=-1)
    expected = np.einsum("ki,ij,kj->k", prefixes, inverse, prefixes)
    assert tree.prefix_variances() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_simulated_noise_has_no_bias_and_the_stated_variance() -> None:
    tree, generator = Tree(branching=3, height=3), np.random.default_rng(11)
    truth = generator.poisson(20, size=tree.leaves)
    noisy = matrix_of(tree) @ truth + 5 * generator.normal(size=(40_000, tree.size))
    leaves = tree.consistent(noisy)
    deviation = 5 * math.sqrt(tree.variance_of(np.eye(tree.leaves)[4]))
    assert leaves.mean(axis=0) == pytest.approx(truth, abs=5 * deviation / math.sqrt(40_000))
    assert leaves[:, 4].std() == pytest.approx(deviation, rel=0.02)
    prefix = leaves[:, :13].sum(axis=1)
    assert prefix.std() == pytest.approx(5 * math.sqrt(tree.prefix_variances()[13]), rel=0.02)
    # And less than each leaf by itself, which is what the tree is for.
    assert prefix.std() < 0.5 * 5 * math.sqrt(13)


def test_exact_counts_stay_and_batches_are_separate_trees() -> None:
    tree = Tree(branching=4, height=2)
    truth = np.random.default_rng(3).integers(0, 50, size=(2, 3, tree.leaves))
    exact = truth @ matrix_of(tree).T.astype(np.int64)
    assert tree.consistent(exact) == pytest.approx(truth, abs=1e-10)  # whole numbers go in
    noisy = exact + np.random.default_rng(4).normal(size=exact.shape)
    assert np.array_equal(tree.consistent(noisy)[1, 2], tree.consistent(noisy[1, 2]))
    assert tree.consistent(np.zeros((0, tree.size))).shape == (0, tree.leaves)
    assert not tree.consistent(np.zeros(tree.size)).any()
    assert tree.variance_of(np.zeros(tree.leaves)) == 0


def test_a_release_of_a_tree_clips_nobody_and_is_read_in_customers() -> None:
    tree = Tree(branching=4, height=3)
    layout = ReleaseLayout(
        blocks=(BlockLayout(name="tree", size=tree.size, clip=tree.norm, share=0.5),),
        units=2**16,
        noise_multiplier=1.0,
        honest_shares=1,
    )
    bins = np.random.default_rng(5).integers(0, tree.leaves, size=2000)
    exact = sum_customers(layout, [{"tree": indicators(tree.paths(bins), size=tree.size)}])
    assert exact.clipped == {"tree": 0}
    leaves = tree.consistent(layout.decode(add_noise(layout, exact, source=UnsafeSeededRandomness(1)))["tree"])
    truth = np.bincount(bins, minlength=tree.leaves)
    deviation = layout.standard_deviation("tree", vaults=1) * math.sqrt(tree.variance_of(np.eye(tree.leaves)[0]))
    assert np.abs(leaves - truth).max() < 5 * deviation
    assert (leaves - truth).std() == pytest.approx(deviation, rel=0.4)


def test_a_large_tree_takes_two_passes() -> None:
    tree = Tree(branching=16, height=5)
    assert tree.leaves == 2**20
    ones = np.ones(tree.leaves)
    # The total of a tree by itself: each level says it once, with the variance of its nodes together.
    expected = 1 / sum(1 / 16**level for level in range(6))
    assert tree.variance_of(ones) == pytest.approx(expected, rel=1e-9)
    assert tree.prefix_variances()[-1] == pytest.approx(expected, rel=1e-9)


def test_nobody_has_no_path() -> None:
    assert Tree(branching=2, height=3).paths(np.zeros(0, dtype=np.int64)).shape == (0, 4)


@pytest.mark.parametrize(
    ("branching", "height", "named"),
    [(1, 3, "branching"), (2, 0, "height"), (2, 10**9, "height"), (10**30, 24, "branching"), (5000, 2, "nodes")],
)
def test_trees_that_are_none_or_too_large_are_refused(branching: int, height: int, named: str) -> None:
    with pytest.raises(InvalidValueError, match=named):
        Tree(branching=branching, height=height)


@pytest.mark.parametrize("bad", [-1, 8, 2**62])
def test_a_bin_out_of_bounds_is_refused_and_not_shown(bad: int) -> None:
    with pytest.raises(InvalidValueError, match="below 8") as caught:
        Tree(branching=2, height=3).paths(np.array([0, bad, 7]))
    assert str(bad) not in str(caught.value).replace("below 8", "")


@pytest.mark.parametrize("bad", [np.array([0.5]), np.array([True]), np.array([[1]]), np.array(["1"])])
def test_bins_of_another_type_or_shape_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InvalidValueError, match="bins"):
        Tree(branching=2, height=3).paths(bad)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_numbers_that_are_no_counts_are_refused(bad: float) -> None:
    tree = Tree(branching=2, height=1)
    with pytest.raises(InvalidValueError, match="noisy"):
        tree.consistent(np.array([1.0, bad, 0.0]))
    with pytest.raises(InvalidValueError, match="weights"):
        tree.variance_of(np.array([bad, 0.0]))


def test_wrong_shapes_and_types_are_refused() -> None:
    tree = Tree(branching=2, height=1)
    for bad in (np.zeros(4), np.zeros((3, 2)), np.float64(1), np.zeros(3, dtype=complex), np.zeros(3, dtype=bool)):
        with pytest.raises(InvalidValueError, match="noisy"):
            tree.consistent(bad)
    for bad in (np.zeros(3), np.zeros((1, 2)), np.zeros(2, dtype=complex)):
        with pytest.raises(InvalidValueError, match="weights"):
            tree.variance_of(bad)
