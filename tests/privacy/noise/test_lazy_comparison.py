"""Comparing lazily: never wrong, and with more bits only where they are needed."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.noise.cells import Cells
from hanse_privacy.noise.discrete_gaussian import DiscreteGaussianShape
from hanse_privacy.noise.lazy_comparison import UniformNumber
from hanse_privacy.noise.shapes import Bounds, exp_of_minus
from hanse_privacy.noise.stepped_envelope import SteppedEnvelope
from hanse_privacy.randomness import UnsafeSeededRandomness


class Words:
    """A source that gives the words it was made with, and counts them."""

    is_secure = False

    def __init__(self, *words: int) -> None:
        self.left = list(words)

    def below(self, bound: int) -> int:
        raise AssertionError("only words are drawn")

    def words(self, count: int) -> np.ndarray:
        taken, self.left = self.left[:count], self.left[count:]
        return np.array(taken, dtype=np.uint64)


def around(number: Fraction):
    """Bounds of a rational number, as precise as asked."""

    def bounds(digits: int) -> Bounds:
        scaled = number * 10**digits
        with localcontext(prec=digits + 5):
            return Bounds(Decimal(math.floor(scaled)).scaleb(-digits), Decimal(math.floor(scaled) + 1).scaleb(-digits))

    return bounds


@given(
    words=st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4), denominator=st.integers(1, 2**90), data=st.data()
)
def test_it_compares_as_rational_numbers_do(words: list[int], denominator: int, data: st.DataObject) -> None:
    number = Fraction(data.draw(st.integers(0, denominator)), denominator)
    uniform = sum(Fraction(word, 2 ** (64 * place)) for place, word in enumerate(words, start=1))
    # What comes after four words decides nothing here: the numbers are further apart.
    if not 0 <= number - uniform <= Fraction(1, 2**250):
        assert UniformNumber(words[0], Words(*words[1:])).is_below(around(number)) == (uniform < number)


@pytest.mark.parametrize("equal_words", [1, 2, 5])
def test_more_bits_are_drawn_while_all_are_equal(equal_words: int) -> None:
    third = Fraction(1, 3)
    word = (2**64 - 1) // 3
    source = Words(*[word] * (equal_words - 1), word + 1, 99)
    assert not UniformNumber(word, source).is_below(around(third))
    assert source.left == [99]


def test_bounds_of_an_exponential_hold_it() -> None:
    for tenth in range(600):
        exponent = Bounds(Decimal(tenth) / 10, Decimal(tenth) / 10)
        low, high = exp_of_minus(exponent, digits=30)
        with localcontext(prec=60):
            assert low < (-exponent.low).exp() < high
            assert high - low < high * Decimal(10) ** -27


@pytest.mark.parametrize("digits", [10, 28, 50, 200])
def test_bounds_of_an_exponential_hold_it_however_many_digits_the_thread_works_with(digits: int) -> None:
    exponent = Decimal("12." + "3456789" * 40)
    with localcontext(prec=300):
        truth = exponent.copy_negate().exp()
    for ambient in (6, 28, 100):
        with localcontext(prec=ambient):
            low, high = exp_of_minus(Bounds(exponent, exponent), digits=digits)
        assert low < truth < high


@pytest.mark.parametrize("variance_parameter", [1, 300, 10**9])
def test_thresholds_are_those_of_the_exact_shares(variance_parameter: int) -> None:
    cells = Cells(DiscreteGaussianShape(variance_parameter=variance_parameter))
    with localcontext(prec=120):
        weights = [(-(Decimal(cell.start) ** 2) / (2 * variance_parameter)).exp() for cell in cells.all]
        # Two cells of a side end where the next would be; what is left out is nothing beside 2^-128.
        beyond = max(abs(cell.start) for cell in cells.all) + 2 * (cells.all[2].start - cells.all[0].start)
        assert (-(Decimal(beyond) ** 2) / (2 * variance_parameter)).exp() < Decimal(2) ** -126
        total, before = sum(weights), Decimal(0)
        for threshold, weight in zip(cells.thresholds, weights, strict=False):
            before += weight
            assert threshold == int(before / total * 2**64)


def test_a_word_on_a_threshold_is_decided_by_further_bits() -> None:
    envelope = SteppedEnvelope(DiscreteGaussianShape(variance_parameter=9))
    thresholds = Cells(DiscreteGaussianShape(variance_parameter=9)).thresholds
    edge = thresholds[2]
    on_the_edge = np.array([edge], dtype=np.uint64)
    assert envelope._cells_for(on_the_edge, Words(0))[0] == 2
    assert envelope._cells_for(on_the_edge, Words(2**64 - 1))[0] == 3
    around_it = np.array([edge - 1, edge + 1], dtype=np.uint64)
    assert envelope._cells_for(around_it, Words()).tolist() == [2, 3]


def test_every_first_sixteen_bits_lead_to_the_right_cell() -> None:
    envelope = SteppedEnvelope(DiscreteGaussianShape(variance_parameter=10**6))
    thresholds = np.array(Cells(DiscreteGaussianShape(variance_parameter=10**6)).thresholds, dtype=np.uint64)
    words = UnsafeSeededRandomness(3).words(200_000)
    assert np.array_equal(envelope._cells_for(words, Words()), np.searchsorted(thresholds, words, side="right"))
