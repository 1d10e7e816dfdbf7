"""Bins: half open, nothing moved silently, no customer's number in an error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hanse_privacy.errors import HanseError, InvalidValueError
from hanse_privacy.release import UnusableVectorError
from hanse_privacy.statistics.bins import bins_of, checked_edges, indicators

EDGES = np.array([0.0, 1.0, 2.5, 10.0])


@given(st.lists(st.floats(0, 1e9), max_size=30), st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_bins_are_those_of_a_search_by_hand(values: list[float], widths: list[int]) -> None:
    edges = np.cumsum([0, *widths])
    binned = bins_of(np.array(values), edges=edges)
    for value, place in zip(values, binned.bins, strict=True):
        assert edges[place] <= value
        assert value < edges[place + 1] or place == len(widths) - 1
    assert binned.beyond == sum(value >= edges[-1] for value in values)
    # numpy's own closes the last bin on the right, and leaves out what is above: with that mended, the same.
    inside = np.minimum(values, edges[-1])
    assert np.array_equal(np.bincount(binned.bins, minlength=len(widths)), np.histogram(inside, bins=edges)[0])


def test_on_an_edge_beyond_the_last_and_huge() -> None:
    binned = bins_of(np.array([0.0, -0.0, 1.0, math.nextafter(2.5, 0), 2.5, 10.0, 1e308]), edges=EDGES)
    assert binned.bins.tolist() == [0, 0, 1, 1, 2, 2, 2]
    assert binned.bins.dtype == np.int64
    assert binned.beyond == 2


def test_whole_numbers_and_nobody() -> None:
    assert bins_of(np.array([0, 1, 3, 2**62]), edges=np.array([0, 1, 2, 4])).bins.tolist() == [0, 1, 2, 2]
    nobody = bins_of(np.zeros(0), edges=EDGES)
    assert (nobody.bins.shape, nobody.beyond) == ((0,), 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(UnusableVectorError, match="values"):
        bins_of(np.array([0.5, bad]), edges=EDGES)


def test_a_number_below_the_first_edge_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidValueError, match="below the first edge") as caught:
        bins_of(np.array([0.5, -7.25]), edges=EDGES)
    assert "7.25" not in str(caught.value)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 2)), np.array(["1"]), np.array([True]), np.array([1 + 0j]), np.float64(1)]
)
def test_values_of_another_shape_or_type_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InvalidValueError, match="values"):
        bins_of(bad, edges=EDGES)


@pytest.mark.parametrize(
    "bad", [[], [1.0], [0, 1, 1], [0, 2, 1], [0, math.nan], [0, math.inf], [-math.inf, 0], [0, 1e300], [[0, 1]]]
)
def test_edges_that_make_no_bins_are_refused(bad: list[float]) -> None:
    with pytest.raises(InvalidValueError, match="edges"):
        checked_edges(np.array(bad))


@given(st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.permutations(range(size)))), st.data())
def test_a_row_of_indicators_has_the_norm_that_is_stated(case: tuple[int, list[int]], data: st.DataObject) -> None:
    size, order = case
    k = data.draw(st.integers(0, size))
    (row,) = indicators(np.array([order[:k]], dtype=np.int64), size=size)
    assert (row @ row, row.sum()) == (k, k)
    assert set(np.flatnonzero(row)) == set(order[:k])


@given(arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 6)))
def test_one_place_per_customer_sums_to_a_histogram(bins: np.ndarray) -> None:
    rows = indicators(bins[:, None], size=7)
    assert np.array_equal(rows.sum(axis=0), np.bincount(bins, minlength=7))


def test_places_that_would_break_the_norm_are_refused() -> None:
    for bad in ([[0, 0]], [[0, 3]], [[-1, 0]], [0, 1], [[0.0, 1.0]]):
        with pytest.raises(HanseError, match="places"):
            indicators(np.array(bad), size=3)
    with pytest.raises(InvalidValueError, match="size"):
        indicators(np.zeros((0, 1), dtype=np.int64), size=0)
