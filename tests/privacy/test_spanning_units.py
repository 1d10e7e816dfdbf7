"""One person at several vaults: together within the integer bound, and back in each block's own unit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_privacy.accounting import epsilon_of
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.noise.discrete_gaussian import largest_draw
from hanse_privacy.papers import LinkageAssurance
from hanse_privacy.randomness import UnsafeSeededRandomness
from hanse_privacy.release import BlockLayout, ReleaseLayout, add_noise, sum_customers
from hanse_privacy.units import CustomerAcrossTheRoster, CustomerAtOnePartner, LinkedCustomer, PrivacyUnit

Person = list[dict[str, np.ndarray]]
"""One vector at each vault."""


def across(vaults: int) -> PrivacyUnit:
    return CustomerAcrossTheRoster(partners_at_most=vaults) if vaults > 1 else CustomerAtOnePartner()


def layout(unit: PrivacyUnit, *, units: int, noise_multiplier: float = 4.0) -> ReleaseLayout:
    return ReleaseLayout(
        blocks=(
            BlockLayout(name="vector", size=4, clip=2.0, share=0.7),
            BlockLayout(name="other", size=2, clip=1e-3, share=0.2),
            BlockLayout(name="customers", size=1, clip=float(unit.vaults), share=0.1),
        ),
        units=units,
        noise_multiplier=noise_multiplier,
        honest_shares=1,
        unit=unit,
    )


def vault_vector(vector: list[float], other: list[float]) -> dict[str, np.ndarray]:
    return {"vector": np.array([vector]), "other": np.array([other]), "customers": np.ones((1, 1))}


entries = st.one_of(
    st.floats(-1.7e308, 1.7e308),
    # Near the parts of the clips, where rounding decides.
    st.floats(-3.0, 3.0),
    st.sampled_from([0.0, 1.0, -1.0, 1e-3, 5e-324, 2.0, 0.5, 1e308]),
)
one_vault = st.builds(
    vault_vector, st.lists(entries, min_size=4, max_size=4), st.lists(entries, min_size=2, max_size=2)
)
people = st.integers(1, 9).flatmap(lambda vaults: st.lists(one_vault, min_size=vaults, max_size=vaults))


def squared_norm(vector: np.ndarray) -> int:
    # In Python integers, so that the check itself cannot overflow.
    return sum(int(entry) ** 2 for entry in vector)


@settings(max_examples=400, deadline=None)
@given(person=people, grid=st.integers(16, 2**16), remainder=st.integers(0, 8))
def test_one_persons_vectors_together_never_pass_the_integer_bound(person: Person, grid: int, remainder: int) -> None:
    vaults = len(person)
    plan = layout(across(vaults), units=grid * vaults + min(remainder, vaults - 1))
    found = [sum_customers(plan, [vector]).vector for vector in person]
    for vector in found:
        assert vaults**2 * squared_norm(vector) <= plan.units**2
    total = np.sum(found, axis=0)
    assert squared_norm(total) <= plan.units**2 == plan.event.squared_sensitivity


@settings(max_examples=200, deadline=None)
@given(vector=one_vault, vaults=st.integers(2, 9), units=st.integers(16 * 9, 2**20))
def test_the_same_vector_at_every_vault_comes_near_the_bound_and_not_over_it(
    vector: dict[str, np.ndarray], vaults: int, units: int
) -> None:
    # The worst that a person can have: all vectors long, and all one way.
    plan = layout(across(vaults), units=units)
    one_way = {name: np.sign(part) * 1e6 + (part == 0) * 1e6 for name, part in vector.items()}
    total = vaults * sum_customers(plan, [one_way]).vector
    assert squared_norm(total) <= units**2
    # Rounding toward zero takes less than one integer unit of each of seven coordinates.
    assert math.sqrt(squared_norm(total)) >= units - vaults * (1 + math.sqrt(7))


def test_the_bound_is_reached_so_no_less_noise_would_do() -> None:
    plan = ReleaseLayout(
        blocks=(BlockLayout(name="customers", size=1, clip=4.0, share=1.0),),
        units=4096,
        noise_multiplier=1.0,
        honest_shares=1,
        unit=across(4),
    )
    one = sum_customers(plan, [{"customers": np.array([[7.0]])}])
    assert one.vector.tolist() == [1024]
    assert one.clipped == {"customers": 1}
    assert 4 * one.vector[0] == plan.units


@pytest.mark.parametrize("units", [65_536, 65_537, 65_539, 1_000])
@pytest.mark.parametrize("vaults", [2, 3, 5, 7])
def test_where_vaults_do_not_divide_the_grid_nothing_is_rounded_up(units: int, vaults: int) -> None:
    plan = layout(across(vaults), units=units)
    assert plan.squared_customer_norm == math.floor(units**2 / vaults**2)
    assert vaults**2 * plan.squared_customer_norm <= units**2 < vaults**2 * (plan.squared_customer_norm + 1)


def test_rows_whose_truncation_touches_the_bound_are_settled_at_once() -> None:
    # Norms just above an integer's, where rounding toward zero might have to be tried again and again.
    chance = np.random.default_rng(5)
    for units in range(16 * 3, 16 * 3 + 40):
        plan = ReleaseLayout(
            blocks=(BlockLayout(name="vector", size=3, clip=1.0, share=1.0),),
            units=units,
            noise_multiplier=4.0,
            honest_shares=1,
            unit=across(3),
        )
        rows = chance.normal(size=(500, 3))
        rows[::2, 2] = 0
        for row in 1e3 * rows:
            assert 9 * squared_norm(sum_customers(plan, [{"vector": row[None, :]}]).vector) <= units**2


within = st.floats(-0.9, 0.9)


@settings(max_examples=200, deadline=None)
@given(
    vaults=st.integers(1, 8),
    rows=st.lists(st.lists(within, min_size=4, max_size=4), min_size=1, max_size=5),
)
def test_what_is_within_its_part_of_the_clip_comes_back_in_its_own_unit(vaults: int, rows: list[list[float]]) -> None:
    plan = layout(across(vaults), units=2**22)
    # A norm of 0.9 · √4 at most, of a clip of 2: within the clip; then within a vault's part.
    vectors = np.array(rows) / vaults
    others = np.full((len(rows), 2), 5e-4 / vaults)
    batch = {"vector": vectors, "other": others, "customers": np.ones((len(rows), 1))}
    exact = sum_customers(plan, [batch])
    assert exact.clipped == {"vector": 0, "other": 0, "customers": 0}
    decoded = plan.decode(exact.vector)
    steps = {block.name: block.clip / math.sqrt(block.share) / plan.units for block in plan.blocks}
    for name, part in batch.items():
        # A customer is rounded by half a step, or toward zero by one.
        assert decoded[name] == pytest.approx(part.sum(axis=0), abs=len(rows) * steps[name])


def test_with_noise_it_comes_back_on_average() -> None:
    plan = layout(across(3), units=2**18, noise_multiplier=0.5)
    batch = {
        "vector": np.array([[0.3, -0.2, 0.0, 0.1]] * 50),
        "other": np.array([[1e-4, -2e-4]] * 50),
        "customers": np.ones((50, 1)),
    }
    exact = sum_customers(plan, [batch])
    releases = 4_000
    wide = np.array(
        [plan.decode(add_noise(plan, exact, source=UnsafeSeededRandomness(seed)))["vector"] for seed in range(releases)]
    )
    deviation = plan.standard_deviation("vector", vaults=1)
    assert wide.mean(axis=0) == pytest.approx(batch["vector"].sum(axis=0), abs=5 * deviation / math.sqrt(releases))
    assert wide.std(axis=0) == pytest.approx(np.full(4, deviation), rel=0.05)
    # The unit takes length from vectors, and changes neither the noise nor its unit.
    alone = layout(across(1), units=2**18, noise_multiplier=0.5)
    assert deviation == alone.standard_deviation("vector", vaults=1)


def test_no_entry_passes_the_largest_that_is_stated() -> None:
    plan = layout(across(3), units=1_000)
    noise = largest_draw(variance_parameter=plan.share_variance_parameter)
    assert plan.largest_entry(customers=300) == 300 * 333 + noise
    for block, size in (("vector", 4), ("other", 2)):
        batch = {"vector": np.zeros((300, 4)), "other": np.zeros((300, 2)), "customers": np.zeros((300, 1))}
        batch[block] = np.full((300, size), 1e9) * ([1.0] + [0.0] * (size - 1))
        exact = sum_customers(plan, [batch])
        assert np.abs(exact.vector).max() <= plan.largest_entry(customers=300) - noise
    # The whole norm in one coordinate, and a grid that three do not divide.
    single = ReleaseLayout(
        blocks=(BlockLayout(name="vector", size=1, clip=1.0, share=1.0),),
        units=1_000,
        noise_multiplier=4.0,
        honest_shares=1,
        unit=across(3),
    )
    full = sum_customers(single, [{"vector": np.full((300, 1), 5.0)}])
    assert full.vector.tolist() == [300 * 333]


def test_a_grid_too_coarse_for_its_vaults_is_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"units is 63. It must be 64 or more: 16 for each of 4 partners"):
        layout(across(4), units=63)
    assert layout(across(4), units=64).squared_customer_norm == 16**2


def test_a_release_costs_the_same_for_every_unit_and_noise_in_units_is_the_same() -> None:
    one, four = layout(across(1), units=65_536), layout(across(4), units=65_536)
    linked = layout(
        LinkedCustomer(assurance=LinkageAssurance(method="cards", sha256="ab" * 32, partners_at_most=4)), units=65_536
    )
    assert one.event == four.event == linked.event
    assert one.share_variance_parameter == four.share_variance_parameter
    assert four.squared_customer_norm == linked.squared_customer_norm == 2**28
    assert epsilon_of([four.event], delta=1e-5) == epsilon_of([one.event], delta=1e-5)
    with pytest.raises(InvalidValueError, match="noise in integer units"):
        layout(across(4), units=64, noise_multiplier=0.05)
