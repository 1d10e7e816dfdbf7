"""Ranking: the order of a sort by hand, and how often equal entries are told apart."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.statistics.ranking import top


@given(st.lists(st.integers(-5, 5) | st.floats(-100, 100), min_size=1, max_size=30), st.data())
def test_the_order_is_that_of_a_sort_by_hand(values: list[float], data: st.DataObject) -> None:
    k, deviation = data.draw(st.integers(1, len(values))), data.draw(st.floats(0, 50))
    ranked = top(np.array(values, dtype=float), k=k, standard_deviation=deviation)
    expected = sorted(range(len(values)), key=lambda place: (-values[place], place))
    assert [entry.place for entry in ranked] == expected[:k]
    assert [entry.value for entry in ranked] == [values[place] for place in expected[:k]]
    for entry in ranked:
        left_out = max((values[place] for place in expected[k:]), default=-math.inf)
        assert entry.is_told_apart == (entry.value - left_out > 1.96 * math.sqrt(2) * deviation)


def test_ties_and_whole_numbers() -> None:
    ranked = top(np.array([3, 7, 7, 1]), k=2, standard_deviation=0.0)
    assert [(entry.place, entry.is_told_apart) for entry in ranked] == [(1, True), (2, True)]
    tied = top(np.array([3, 7, 7, 1]), k=1, standard_deviation=0.0)
    assert [(entry.place, entry.is_told_apart) for entry in tied] == [(1, False)]
    zeros = top(np.array([0.0, -0.0, 0.0]), k=2, standard_deviation=1.0)
    assert [(entry.place, entry.is_told_apart) for entry in zeros] == [(0, False), (1, False)]


def test_where_nothing_is_left_out_all_are_told_apart() -> None:
    assert all(entry.is_told_apart for entry in top(np.zeros(3), k=3, standard_deviation=1.0))


def test_two_equal_entries_are_told_apart_one_time_in_twenty() -> None:
    pairs = np.random.default_rng(7).normal(scale=3.0, size=(20_000, 2))
    # The larger of two leads, whichever it is: the two tails of their difference.
    wrong = [top(pair, k=1, standard_deviation=3.0)[0].is_told_apart for pair in pairs]
    assert np.mean(wrong) == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_a_value_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(InvalidValueError, match="values"):
        top(np.array([1.0, bad]), k=1, standard_deviation=1.0)


def test_what_is_out_of_bounds_is_refused() -> None:
    for k in (0, -1, 3):
        with pytest.raises(InvalidValueError, match="k is"):
            top(np.array([1.0, 2.0]), k=k, standard_deviation=1.0)
    for deviation in (-1.0, math.nan, math.inf):
        with pytest.raises(InvalidValueError, match="standard_deviation"):
            top(np.array([1.0, 2.0]), k=1, standard_deviation=deviation)
    for bad in (np.zeros((2, 2)), np.array([1j, 2]), np.array([True, False]), np.array([1, 2**60])):
        with pytest.raises(InvalidValueError, match="values"):
            top(bad, k=1, standard_deviation=1.0)
    with pytest.raises(InvalidValueError, match="k is"):
        top(np.zeros(0), k=1, standard_deviation=1.0)
