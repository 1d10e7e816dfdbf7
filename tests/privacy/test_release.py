"""The release: integer norm, sensitivity, odd values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hanse_privacy.clipping import clip_rows
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.randomness import UnsafeSeededRandomness
from hanse_privacy.release import (
    BlockLayout,
    ReleaseLayout,
    UnusableVectorError,
    _checked,
    add_noise,
    sum_customers,
)


def layout(*, units: int = 1000, noise_multiplier: float = 2.0, honest_shares: int = 1) -> ReleaseLayout:
    return ReleaseLayout(
        blocks=(
            BlockLayout(name="vector", size=5, clip=2.0, share=0.9),
            BlockLayout(name="customers", size=1, clip=1.0, share=0.1),
        ),
        units=units,
        noise_multiplier=noise_multiplier,
        honest_shares=honest_shares,
    )


def one(values: object) -> dict[str, np.ndarray]:
    vector = np.asarray(values, dtype=float).reshape(1, 5)
    return {"vector": vector, "customers": np.ones((1, 1))}


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=300, deadline=None)
@given(arrays(np.float64, (1, 5), elements=finite), st.integers(16, 2**20))
def test_no_customer_passes_the_integer_norm(vector: np.ndarray, units: int) -> None:
    plan = layout(units=units)
    exact = sum_customers(plan, [{"vector": vector, "customers": np.ones((1, 1))}])
    # In Python integers, so that the check itself cannot overflow.
    assert sum(int(value) ** 2 for value in exact.vector) <= units**2


@settings(max_examples=50, deadline=None)
@given(arrays(np.float64, (6, 5), elements=st.floats(-10, 10)), st.integers(0, 5))
def test_removing_one_customer_changes_the_sum_by_at_most_the_sensitivity(rows: np.ndarray, gone: int) -> None:
    plan = layout()
    everyone = sum_customers(plan, [{"vector": rows, "customers": np.ones((6, 1))}]).vector
    rest = np.delete(rows, gone, axis=0)
    without = sum_customers(plan, [{"vector": rest, "customers": np.ones((5, 1))}]).vector
    assert sum(int(value) ** 2 for value in everyone - without) <= plan.event.squared_sensitivity


def test_batches_do_not_matter() -> None:
    rows = np.random.default_rng(1).normal(size=(9, 5)) * 3
    ones = np.ones((9, 1))
    whole = sum_customers(layout(), [{"vector": rows, "customers": ones}])
    parts = sum_customers(
        layout(), [{"vector": rows[a:b], "customers": ones[a:b]} for a, b in [(0, 4), (4, 4), (4, 9)]]
    )
    assert np.array_equal(whole.vector, parts.vector)
    assert (whole.clipped, whole.customers) == (parts.clipped, parts.customers)


def test_decoding_gives_back_the_sum_in_its_own_unit() -> None:
    plan = layout(units=2**20)
    rows = np.array([[0.5, 0, -1, 0.25, 0], [0.1, 0.2, 0.3, 0.4, 0.5]])
    exact = sum_customers(plan, [{"vector": rows, "customers": np.ones((2, 1))}])
    decoded = plan.decode(exact.vector)
    assert decoded["vector"] == pytest.approx(rows.sum(axis=0), abs=1e-4)
    assert decoded["customers"] == pytest.approx([2.0], abs=1e-4)
    assert exact.clipped == {"vector": 0, "customers": 0}


def test_clipping_is_counted_and_keeps_the_direction() -> None:
    plan = layout(units=2**20)
    exact = sum_customers(plan, [one([30, 40, 0, 0, 0])])
    assert exact.clipped == {"vector": 1, "customers": 0}
    assert plan.decode(exact.vector)["vector"][:2] == pytest.approx([1.2, 1.6], abs=1e-4)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_releases_nothing(bad: float) -> None:
    with pytest.raises(UnusableVectorError):
        sum_customers(layout(), [one([0, 0, bad, 0, 0])])


def test_huge_zero_integer_and_empty() -> None:
    plan = layout(units=2**20)
    huge = sum_customers(plan, [one([1e308, 1e308, 0, 0, 0])])
    assert plan.decode(huge.vector)["vector"][:2] == pytest.approx([math.sqrt(2)] * 2, abs=1e-4)
    assert not sum_customers(plan, [one([0] * 5)]).vector[:5].any()
    counted = {"vector": np.array([[1, 0, 0, 0, 0]]), "customers": np.array([[1]])}
    assert plan.decode(sum_customers(plan, [counted]).vector)["vector"][0] == pytest.approx(1, abs=1e-5)
    nobody = sum_customers(plan, [{"vector": np.zeros((0, 5)), "customers": np.zeros((0, 1))}])
    assert nobody.customers == 0
    assert not nobody.vector.any()
    # Nobody in the cohort still sends noise.
    assert add_noise(plan, nobody, source=UnsafeSeededRandomness(1)).any()


def test_noise_has_the_variance_that_the_layout_states() -> None:
    plan = ReleaseLayout(
        blocks=(BlockLayout(name="vector", size=200_000, clip=3.0, share=0.5),),
        units=4096,
        noise_multiplier=1.5,
        honest_shares=3,
    )
    nobody = sum_customers(plan, [{"vector": np.zeros((0, 200_000))}])
    shares = [add_noise(plan, nobody, source=UnsafeSeededRandomness(seed)) for seed in range(4)]
    for vaults in (1, 3, 4):
        noisy = plan.decode(sum(shares[:vaults], start=np.zeros(plan.size, dtype=np.int64)))["vector"]
        assert noisy.std() == pytest.approx(plan.standard_deviation("vector", vaults=vaults), rel=0.01)
    # As many vaults as are presumed honest make up the noise that is promised.
    assert plan.standard_deviation("vector", vaults=3) == pytest.approx(1.5 * 3.0 / math.sqrt(0.5), rel=1e-6)


def test_no_entry_passes_the_largest_that_is_stated() -> None:
    plan = layout(honest_shares=2)
    crowd = {"vector": np.tile([[9.0, 0, 0, 0, 0]], (300, 1)), "customers": np.zeros((300, 1))}
    noisy = add_noise(plan, sum_customers(plan, [crowd]), source=UnsafeSeededRandomness(3))
    largest = plan.largest_entry(customers=300)
    assert np.abs(noisy).max() <= largest < 300 * plan.units + 20 * plan.units


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"units": 8}, "units"),
        ({"noise_multiplier": 0.001}, "noise in integer units"),
        ({"noise_multiplier": 0.007, "honest_shares": 4}, "noise in integer units"),
        ({"honest_shares": 0}, "honest_shares"),
        ({"noise_multiplier": 1e200}, "noise_multiplier"),
        ({"noise_multiplier": math.inf}, "noise_multiplier"),
    ],
)
def test_layouts_that_promise_nothing_are_refused(changes: dict[str, float], named: str) -> None:
    with pytest.raises(InvalidValueError, match=named):
        layout(**changes)  # type: ignore[arg-type]  # the point is a wrong value


def test_shares_beyond_the_whole_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="sum of shares"):
        ReleaseLayout(
            blocks=(
                BlockLayout(name="a", size=1, clip=1, share=0.6),
                BlockLayout(name="b", size=1, clip=1, share=0.6),
            ),
            units=1000,
            noise_multiplier=1,
            honest_shares=1,
        )


def test_missing_and_misshapen_blocks_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="blocks"):
        sum_customers(layout(), [{"vector": np.zeros((1, 5))}])
    with pytest.raises(InvalidValueError, match="vector"):
        sum_customers(layout(), [{"vector": np.zeros((1, 4)), "customers": np.ones((1, 1))}])
    with pytest.raises(InvalidValueError, match="customers per block"):
        sum_customers(layout(), [{"vector": np.zeros((2, 5)), "customers": np.ones((1, 1))}])


def test_a_customers_length_does_not_depend_on_others_whatever_the_order_of_memory() -> None:
    # To the last bit, which integers show only once in a thousand million entries: so the numbers before rounding.
    block = BlockLayout(name="vector", size=200, clip=1.0, share=1.0)
    rows = np.random.default_rng(6).normal(size=(50, 200))

    def scaled(part: np.ndarray) -> np.ndarray:
        return clip_rows(_checked({"vector": part}, block, len(part)), clip=block.clip)[0]

    alone = np.concatenate([scaled(row[None, :]) for row in rows])
    for order in ("C", "F"):
        assert np.array_equal(scaled(np.asarray(rows, order=order)), alone), order
