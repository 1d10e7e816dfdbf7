"""The Poisson shape: rigorous bounds by two ways, floats that keep their promise, a sampler of one-sided support."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from power_sums import poisson_exponent
from test_discrete_gaussian import chi_squared_excess

from hanse_privacy.noise.cells import Cells
from hanse_privacy.noise.poisson import PoissonShape
from hanse_privacy.noise.poisson_floats import SMALLEST_SERIES_MEAN
from hanse_privacy.noise.stepped_envelope import SteppedEnvelope
from hanse_privacy.noise.stirling import correction
from hanse_privacy.randomness import UnsafeSeededRandomness

MEANS = [1, 2, 9, 60, 150, 1_023, SMALLEST_SERIES_MEAN - 1, SMALLEST_SERIES_MEAN, 3 * 10**9, 2**79 - 1]
OF_THE_ORACLE = Fraction(1, 10**109)


def points_of(mean: int, count: int) -> list[int]:
    reach = 15 * math.isqrt(mean) + 15
    drawn = np.random.default_rng(mean % 1009).integers(-min(reach, mean), reach, size=count, endpoint=True)
    return [1, 2, -min(2, mean), *drawn.tolist()]


def by_products(mean: int, point: int) -> Fraction:
    """One correctly rounded logarithm of a ratio of whole numbers, with 120 digits."""
    ratio = Fraction(math.factorial(mean + point), math.factorial(mean)) / Fraction(mean) ** point
    with localcontext(prec=120):
        return Fraction((Decimal(ratio.numerator) / ratio.denominator).ln())


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("digits", [6, 40, 70])
def test_bounds_hold_the_truth_and_are_close(mean: int, digits: int) -> None:
    shape = PoissonShape(mean=mean)
    for point in points_of(mean, 20):
        low, high = shape.exponent(point, digits=digits)
        truth = by_products(mean, point) if mean < 2_000 else poisson_exponent(mean=mean, point=point, digits=110)
        assert Fraction(low) - OF_THE_ORACLE <= truth <= Fraction(high) + OF_THE_ORACLE
        assert Fraction(high) - Fraction(low) <= Fraction(high) / 10**digits


def test_bounds_do_not_depend_on_the_digits_that_the_thread_works_with() -> None:
    for mean, point in ((7, 5), (10**12, 10**6 + 1), (10**12, -(10**6))):
        expected = PoissonShape(mean=mean).exponent(point, digits=50)
        with localcontext(prec=4):
            assert PoissonShape(mean=mean).exponent(point, digits=50) == expected


@pytest.mark.parametrize("mean", [100, 10_000])
def test_both_ways_to_an_exponent_agree(mean: int) -> None:
    # The more digits, the later Stirling's series is good enough.
    shape, point = PoissonShape(mean=mean), -mean // 10
    previous = shape.exponent(point, digits=10)
    for digits in (40, 70, 400):
        bounds = shape.exponent(point, digits=digits)
        assert previous.low <= bounds.low <= bounds.high <= previous.high
        previous = bounds


def test_where_nothing_can_be_drawn_the_exponent_is_infinite() -> None:
    for mean in (1, 8, 300):
        shape = PoissonShape(mean=mean)
        assert shape.exponent(-mean - 1, digits=30) == (Decimal("Infinity"), Decimal("Infinity"))
        assert shape.exponent(-mean, digits=30).high.is_finite()
        assert shape.exponents(np.array([-mean - 1.0, -mean - 20.0])).tolist() == [math.inf, math.inf]
        assert shape.exponent(0, digits=30) == shape.exponent(-1, digits=30) == (0, 0)


@pytest.mark.parametrize("mean", MEANS)
def test_floats_keep_their_promise(mean: int) -> None:
    shape = PoissonShape(mean=mean)
    points = [0, -1, *points_of(mean, 300)]
    checked = 0
    for point, found in zip(points, shape.exponents(np.array(points, dtype=float)).tolist(), strict=True):
        low, high = shape.exponent(point, digits=25)
        if high < 128:
            assert abs(Fraction(found) - Fraction(low)) < Fraction(shape.exponent_error) / 2
            checked += 1
        else:
            assert found > 127
    assert checked > 0.7 * len(points)


@pytest.mark.parametrize("mean", [1, 9, 700, 70_000, 2**61])
def test_the_shape_is_log_concave_with_its_peak_at_zero(mean: int) -> None:
    shape, step = PoissonShape(mean=mean), max(1, math.isqrt(mean) // 2)
    ends = range(-min(mean, 14 * step), 14 * step + 3, step)
    values = [shape.exponent(point, digits=60).low for point in ends]
    with localcontext(prec=60):
        rises = [later - earlier for earlier, later in pairwise(values)]
        assert all(later > earlier for earlier, later in pairwise(rises))
    assert min(values) >= 0


@pytest.mark.parametrize("mean", [1, 3, 20, 250, 2_000, 70_000])
def test_it_has_the_exact_probabilities(mean: int) -> None:
    # One cell per integer below 256; the last one's cells are of 16, and its floats a power series.
    draws = 400_000
    sample = SteppedEnvelope(PoissonShape(mean=mean)).sample(draws, source=UnsafeSeededRandomness(mean)) + mean
    assert sample.min() >= 0
    values = range(mean + 14 * math.isqrt(mean) + 14)
    logarithms = np.array([value * math.log(mean) - mean - math.lgamma(value + 1) for value in values])
    counted = np.bincount(sample, minlength=len(values))
    assert chi_squared_excess(counted, np.exp(logarithms) * draws) < 6


@pytest.mark.parametrize("mean", [1, 300, 3**40])
def test_floats_decide_as_exact_numbers_do(mean: int) -> None:
    # With a margin of 2 every float is too near to count: each decision is made in exact arithmetic.
    shape = PoissonShape(mean=mean)
    quick, exact = SteppedEnvelope(shape), SteppedEnvelope(shape, margin=2.0)
    drawn = [one.sample(400, source=UnsafeSeededRandomness(4)) for one in (quick, exact)]
    assert np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("mean", [1, 8, 300, 10**9])
def test_the_table_ends_where_there_is_nothing_left(mean: int) -> None:
    shape = PoissonShape(mean=mean)
    cells = Cells(shape).all
    width = 1 << shape.cell_bits
    for step in (1, -1):
        starts = [cell.start for cell in cells if cell.step == step]
        # Cells of a side follow one another; beyond the last there is less than 2^-128, or no number at all.
        assert starts == [(0 if step > 0 else -1) + step * width * number for number in range(len(starts))]
        following = shape.exponent(starts[-1] + step * width, digits=20).low
        assert following > 128 * math.log(2)
        assert shape.exponent(starts[-1], digits=20).high < 128


def test_a_cell_that_reaches_below_what_can_be_drawn_gives_no_such_number() -> None:
    # No such shape comes up in use, where cells are of one integer while the mean is near: so one is made.
    class WideCells(PoissonShape):
        @property
        def cell_bits(self) -> int:
            return 2

    draws = 40_000
    for margin in (None, 2.0):
        some = draws if margin is None else 200
        sample = SteppedEnvelope(WideCells(mean=5), margin=margin).sample(some, source=UnsafeSeededRandomness(9)) + 5
        assert sample.min() >= 0
        if margin is None:
            expected = [draws * math.exp(-5) * 5**value / math.factorial(value) for value in range(30)]
            assert chi_squared_excess(np.bincount(sample, minlength=30), np.array(expected)) < 6


def test_corrections_of_stirlings_formula() -> None:
    # S(n) is ln n! - (n + ½) ln n + n but for a constant, and it is 1 / 12n but for less than 1 / 360n³.
    bounds = {number: correction(number, digits=60) for number in (60, 90, 1_000)}
    with localcontext(prec=80):
        exact = {
            number: Fraction(
                Decimal(math.factorial(number)).ln() - (2 * number + 1) * Decimal(number).ln() / 2 + number
            )
            for number in bounds
        }
    for first, second in pairwise(bounds):
        difference, slack = exact[first] - exact[second], Fraction(1, 10**70)
        assert bounds[first].low - bounds[second].high - slack <= difference
        assert difference <= bounds[first].high - bounds[second].low + slack
    for number, (low, high) in bounds.items():
        assert 0 <= high - low < Fraction(1, 10**60)
        assert Fraction(1, 12 * number) - Fraction(1, 360 * number**3) < low < high < Fraction(1, 12 * number)
