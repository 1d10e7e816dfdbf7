"""Packing of symmetric matrices: the norm stays, all comes back, noise spreads as stated."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.release import UnusableVectorError
from hanse_privacy.statistics.symmetric_matrices import (
    pack_symmetric,
    packed_size,
    unpack_symmetric,
    unpacked_variance,
)

# Below 10^-100 numpy's own norm squares to nothing.
entries = st.floats(-1e6, 1e6).map(lambda entry: 0.0 if abs(entry) < 1e-100 else entry)
squares = st.integers(1, 6).flatmap(lambda d: arrays(np.float64, (d, d), elements=entries))


@given(squares)
def test_the_norm_is_the_frobenius_norm_and_the_matrix_comes_back(square: np.ndarray) -> None:
    matrix = square + square.T
    packed = pack_symmetric(matrix)
    assert packed.shape == (packed_size(len(matrix)),)
    assert np.linalg.norm(packed) == pytest.approx(np.linalg.norm(matrix, "fro"), rel=1e-14)
    back = unpack_symmetric(packed)
    assert back == pytest.approx(matrix, rel=1e-15)
    assert np.array_equal(back, back.T)


@given(squares, squares)
def test_the_inner_product_is_that_of_the_matrices(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape == other.shape:
        one, other = one + one.T, other + other.T
        scale = np.linalg.norm(one) * np.linalg.norm(other)
        expected = np.trace(one @ other)
        assert pack_symmetric(one) @ pack_symmetric(other) == pytest.approx(expected, abs=1e-13 * scale)


@given(arrays(np.float64, st.integers(1, 6), elements=st.floats(-1e3, 1e3).filter(lambda entry: abs(entry) > 1e-50)))
def test_an_outer_product_has_the_square_of_its_vectors_norm(vector: np.ndarray) -> None:
    packed = pack_symmetric(np.outer(vector, vector))
    assert np.linalg.norm(packed) == pytest.approx(np.linalg.norm(vector) ** 2, rel=1e-13)


def test_the_order_is_that_of_the_upper_triangle() -> None:
    matrix = np.array([[1, 2, 3], [2, 4, 5], [3, 5, 6]])  # whole numbers go in
    root = math.sqrt(2)
    assert pack_symmetric(matrix) == pytest.approx([1, 2 * root, 3 * root, 4, 5 * root, 6])
    assert np.array_equal(unpack_symmetric(np.array([7])), [[7.0]])


def test_leading_dimensions_are_separate_matrices() -> None:
    squares = np.random.default_rng(1).normal(size=(2, 3, 4, 4))
    matrices = squares + np.swapaxes(squares, -1, -2)
    packed = pack_symmetric(matrices)
    assert packed.shape == (2, 3, 10)
    assert np.array_equal(packed[1, 2], pack_symmetric(matrices[1, 2]))
    assert unpack_symmetric(packed) == pytest.approx(matrices, rel=1e-15)
    assert pack_symmetric(np.zeros((0, 4, 4))).shape == (0, 10)
    assert unpack_symmetric(np.zeros((0, 10))).shape == (0, 4, 4)
    assert not pack_symmetric(np.zeros((2, 3, 3))).any()


def test_noise_spreads_as_stated() -> None:
    noisy = unpack_symmetric(3.0 * np.random.default_rng(2).normal(size=(100_000, 6)))
    expected = unpacked_variance(3, variance=9.0)
    assert expected.tolist() == [[9.0, 4.5, 4.5], [4.5, 9.0, 4.5], [4.5, 4.5, 9.0]]
    assert noisy.var(axis=0) == pytest.approx(expected, rel=0.03)


def test_what_is_not_symmetric_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidValueError, match="not symmetric") as caught:
        pack_symmetric(np.array([[1.0, 7.25], [math.nextafter(7.25, 8), 1.0]]))
    assert "7.25" not in str(caught.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1.5e308])
def test_entries_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(UnusableVectorError, match="matrices"):
        pack_symmetric(np.array([[1.0, bad], [bad, 1.0]]))
    with pytest.raises(InvalidValueError, match="vectors"):
        unpack_symmetric(np.array([1.0, bad, 1.0]))


def test_huge_finite_entries_pass_to_the_clip() -> None:
    assert pack_symmetric(np.array([[1e308]])).tolist() == [1e308]


def test_other_shapes_types_and_bounds_are_refused() -> None:
    for bad in (np.zeros((2, 3)), np.zeros(4), np.float64(1), np.zeros((2, 2), dtype=complex), np.eye(2, dtype=bool)):
        with pytest.raises(InvalidValueError, match="matrices"):
            pack_symmetric(bad)
    for dimension in (0, -1, 4097):
        with pytest.raises(InvalidValueError, match="dimension"):
            packed_size(dimension)
    with pytest.raises(InvalidValueError, match="dimension"):
        pack_symmetric(np.zeros((0, 0)))
    for bad in (np.zeros(2), np.zeros((3, 5)), np.zeros(0), np.float64(1)):
        with pytest.raises(InvalidValueError, match="vectors"):
            unpack_symmetric(bad)
    for variance in (-1.0, math.nan, math.inf):
        with pytest.raises(InvalidValueError, match="variance"):
            unpacked_variance(2, variance=variance)
