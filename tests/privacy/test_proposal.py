"""Proposals: what they state is what they cost, and nothing in them can bend the mechanism."""

import copy
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.manifest import CohortManifest
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import MAXIMUM_ROUNDS
from hanse_privacy.release import LARGEST_CLIP, SMALLEST_CLIP, SMALLEST_SHARE, BlockLayout, ReleaseLayout, sum_customers

CENTRE = SigningKey.generate()
NORTH = SigningKey.generate()
SOUTH = SigningKey.generate()
GRADIENT: dict[str, Any] = {
    "operation": "churn-gradient",
    "purpose": "churn-training",
    "tier": "standard",
    "noise_multiplier": 20.0,
    "rounds": 3,
    "last_week": 37,
    "horizon_weeks": 8,
    "weights": 15,
    "gradient": {"clip": 1.0, "share": 1.0},
}
POPULARITY: dict[str, Any] = {
    "operation": "popularity-statistics",
    "purpose": "recommendation-statistics",
    "tier": "standard",
    "noise_multiplier": 4.0,
    "last_week": 49,
    "half_life_weeks": 8.0,
    "items": 30,
    "rate": {"clip": 1.0, "share": 0.25},
    "breadth": {"clip": 8.0, "share": 0.74},
    "customers": {"clip": 1.0, "share": 0.01, "is_metric": True},
}
EVALUATION: dict[str, Any] = {
    "operation": "churn-evaluation",
    "purpose": "model-evaluation",
    "tier": "basic",
    "noise_multiplier": 20.0,
    "last_week": 45,
    "horizon_weeks": 8,
    "weights": 15,
    "bins": 10,
    "histogram": {"clip": 1.0, "share": 1.0, "is_metric": True},
}


def payload(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "run": "churn-1",
        "title": "A model",
        "data_categories": ["pd:PurchasesAndSpendingHabit"],
        "recipients": [{"name": "centre", "country": "DE"}],
        "roster": [
            {"partner": "north", "public_key": NORTH.public.text},
            {"partner": "south", "public_key": SOUTH.public.text},
        ],
        "catalogue": "ab" * 32,
        "week_one": "2024-12-30",
        "minimum_cohort": 40,
        "honest_minimum": 1,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 2.0,
        "delta": 1e-5,
        "steps": [copy.deepcopy(POPULARITY), copy.deepcopy(GRADIENT), copy.deepcopy(EVALUATION)],
        "created_at": "2026-05-04T12:00:00Z",
        "expires_at": "2026-05-05T12:00:00Z",
    }
    return base | changes


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    whole = payload()
    place: Any = whole
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return whole


def test_rounds_are_numbered_through_all_steps() -> None:
    proposal = RunProposal.parse(payload())
    assert proposal.rounds == len(proposal.events()) == 5
    found = [proposal.step_of(number) for number in range(7)]
    assert [step.operation if step else None for step in found] == [
        None,
        "popularity-statistics",
        *["churn-gradient"] * 3,
        "churn-evaluation",
        None,
    ]
    assert proposal.step_of(-1) is None
    assert proposal.partners() == ("north", "south")
    assert proposal.key_of("south") == SOUTH.public
    assert RunProposal.verify(proposal.sign(CENTRE), key=CENTRE.public) == proposal


def test_the_cost_is_that_of_the_steps() -> None:
    proposal = RunProposal.parse(payload())
    # zCDP by hand: one release at 4, three at 20, one at 20.
    rho = 1 / (2 * 4.0**2) + 4 / (2 * 20.0**2)
    assert float(sum(event.rho for event in proposal.events())) == pytest.approx(rho, rel=1e-6)
    # Bun and Steinke's own conversion is an upper bound, and the sharp one is not far below it.
    simple = rho + 2 * math.sqrt(rho * math.log(1e5))
    assert 0.8 * simple < proposal.cost_epsilon() < simple
    assert 0 < proposal.metrics_share() < 1


@given(part=st.floats(0.3, 1.7))
def test_a_proposal_that_costs_more_than_it_states_is_refused(part: float) -> None:
    cost = RunProposal.parse(payload()).cost_epsilon()
    stated = payload(epsilon=cost * part)
    if part >= 1:
        assert RunProposal.parse(stated).cost_epsilon() <= cost * part
    else:
        with pytest.raises(InvalidValueError, match="the steps cost epsilon"):
            RunProposal.parse(stated)


@pytest.mark.parametrize(
    "cheat",
    [
        {("steps", 0, "noise_multiplier"): 2.0},
        {("steps", 1, "rounds"): 300},
        {("steps", 2, "noise_multiplier"): 1.0},
        {("delta",): 1e-30},
    ],
)
def test_less_noise_or_more_rounds_need_more_epsilon(cheat: dict[tuple[str | int, ...], Any]) -> None:
    ((path, value),) = cheat.items()
    with pytest.raises(InvalidValueError, match="the steps cost epsilon"):
        RunProposal.parse(changed(path, value))


def test_shares_of_more_than_the_whole_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="shares"):
        RunProposal.parse(changed(("steps", 0, "customers", "share"), 0.02))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("run",), "Churn 1"),
        (("run",), "churn\n"),
        (("run",), "../../keys"),
        (("run",), "a" * 100),
        (("title",), ""),
        (("title",), "a" * 201),
        (("data_categories",), []),
        (("recipients",), []),
        (("recipients", 0, "country"), "de"),
        (("recipients", 0, "name"), "the centre"),
        (("roster",), []),
        (("roster", 0, "public_key"), ""),
        (("roster", 0, "public_key"), "hanse-ed25519:AAAA"),
        (("roster", 0, "weight"), 2),
        (("roster", 0, "vouchers"), "hanse-voucher:north:south:AAAA"),
        (("roster", 0, "vouchers"), [""]),
        (("roster", 0, "vouchers"), ["hanse-voucher:north:south:AAAA\n"]),
        (("roster", 0, "vouchers"), [f"hanse-voucher:north:south:{'A' * 1000}"]),
        (("roster", 0, "vouchers"), ["hanse-voucher:north:south:AAAA"] * 129),
        (("catalogue",), "ab" * 31),
        (("catalogue",), "AB" * 32),
        (("week_one",), "2024-13-01"),
        (("minimum_cohort",), 0),
        (("minimum_cohort",), 1.5),
        (("minimum_cohort",), math.nan),
        (("honest_minimum",), 0),
        (("honest_minimum",), 3),
        (("unit",), "household"),
        (("unit",), ""),
        (("units_per_clip",), 15),
        (("units_per_clip",), 2**24 + 1),
        (("epsilon",), 0),
        (("epsilon",), -1),
        (("epsilon",), 101),
        (("epsilon",), math.inf),
        (("epsilon",), math.nan),
        (("epsilon",), "two"),
        (("delta",), 0),
        (("delta",), 0.5),
        (("delta",), math.nan),
        (("steps",), []),
        (("steps", 0, "operation"), "export-all"),
        (("steps", 0, "version"), 2),
        (("steps", 0, "rounds"), 2),
        (("steps", 0, "rounds"), 0),
        (("steps", 1, "rounds"), MAXIMUM_ROUNDS + 1),
        (("steps", 1, "rounds"), -1),
        (("steps", 0, "tier"), "all"),
        (("steps", 0, "items"), 0),
        (("steps", 0, "items"), 200_001),
        (("steps", 0, "last_week"), 0),
        (("steps", 0, "last_week"), 10**400),
        (("steps", 0, "last_week"), 1_001),
        (("steps", 1, "last_week"), 1_001),
        (("steps", 2, "last_week"), 1_001),
        (("steps", 0, "half_life_weeks"), 0.001),
        (("steps", 0, "half_life_weeks"), math.inf),
        (("steps", 0, "noise_multiplier"), 0),
        (("steps", 0, "noise_multiplier"), -4),
        (("steps", 0, "noise_multiplier"), 1e-300),
        (("steps", 0, "noise_multiplier"), 1e300),
        (("steps", 0, "noise_multiplier"), math.nan),
        (("steps", 0, "rate", "clip"), 0),
        (("steps", 0, "rate", "clip"), 1e-310),
        (("steps", 0, "rate", "clip"), 1e300),
        (("steps", 0, "rate", "clip"), math.inf),
        (("steps", 0, "rate", "share"), 0),
        (("steps", 0, "rate", "share"), 5e-324),
        (("steps", 0, "rate", "share"), 1.1),
        (("steps", 0, "rate", "noise"), False),
        (("steps", 1, "horizon_weeks"), 53),
        (("steps", 1, "weights"), 10_001),
        (("steps", 2, "bins"), 1),
        (("steps", 2, "bins"), 1_001),
        (("steps", 1, "histogram"), {"clip": 1.0, "share": 1.0}),
        (("created_at",), "2026-05-04T12:00:00"),
        (("expires_at",), "2026-05-05"),
        (("approved",), True),
    ],
)
def test_every_field_has_its_bound(path: tuple[str | int, ...], value: Any) -> None:
    with pytest.raises(InvalidValueError):
        RunProposal.parse(changed(path, value))


@pytest.mark.parametrize("field", sorted(payload()))
def test_no_field_may_be_missing(field: str) -> None:
    with pytest.raises(InvalidValueError, match=field):
        RunProposal.parse({name: value for name, value in payload().items() if name != field})


ROSTER_UNIT: dict[str, Any] = {"kind": "customer-across-the-roster", "partners_at_most": 2}


def across(unit: Any = None, *, clip: float = 2.0, **changes: Any) -> dict[str, Any]:
    """A proposal for a unit that spans both partners, with clips of counts that are wide enough."""
    whole = payload(unit=unit or ROSTER_UNIT, **changes)
    whole["steps"][0]["customers"]["clip"] = whole["steps"][2]["histogram"]["clip"] = clip
    return whole


def test_a_signed_proposal_names_its_unit_and_the_unit_is_everywhere() -> None:
    assert RunProposal.parse(payload()).payload()["unit"] == "customer-at-one-partner"
    proposal = RunProposal.parse(across())
    assert proposal.payload()["unit"] == ROSTER_UNIT | {"proof": None}
    assert RunProposal.verify(proposal.sign(CENTRE), key=CENTRE.public) == proposal
    assert proposal.guarantee.unit == proposal.unit
    for step in proposal.steps:
        assert proposal.layout(step).unit == proposal.unit
        assert proposal.layout(step).squared_customer_norm == 32_768**2
    # The same charge for the stated unit, whichever it is.
    one = RunProposal.parse(payload())
    assert [charge.event for charge in proposal.charges()] == [charge.event for charge in one.charges()]
    assert proposal.cost_epsilon() == one.cost_epsilon()
    assert proposal.digest != one.digest


PROOF = {"name": "Nobody enters twice", "sha256": "ab" * 32}


@pytest.mark.parametrize(
    ("unit", "named"),
    [
        (ROSTER_UNIT | {"partners_at_most": 1}, "for 1 the unit is customer-at-one-partner"),
        (ROSTER_UNIT | {"partners_at_most": 3}, "partners_at_most is 3, and the roster has 2 partners"),
        (ROSTER_UNIT | {"proof": PROOF}, "leave proof out"),
        (
            {"kind": "linked-customer", "assurance": {"method": "m", "sha256": "ab" * 32, "partners_at_most": 3}},
            "the roster has 2 partners",
        ),
    ],
)
def test_a_unit_that_does_not_fit_the_roster_is_refused(unit: Any, named: str) -> None:
    with pytest.raises(InvalidValueError, match=named):
        RunProposal.parse(across(unit, clip=8.0))


def test_fewer_partners_than_the_roster_need_a_proof() -> None:
    third = SigningKey.generate()
    roster = [*payload()["roster"], {"partner": "east", "public_key": third.public.text}]
    with pytest.raises(InvalidValueError, match="write 3, or add the proof that enforces 2"):
        RunProposal.parse(across(roster=roster))
    assert RunProposal.parse(across(ROSTER_UNIT | {"proof": PROOF}, roster=roster)).unit.papers


@pytest.mark.parametrize(("step", "block"), [(0, "customers"), (2, "histogram")])
@pytest.mark.parametrize(("unit", "least"), [("customer-at-one-partner", 1), (ROSTER_UNIT, 2)])
def test_a_clip_that_would_count_customers_for_less_than_one_is_refused(
    step: int, block: str, unit: Any, least: int
) -> None:
    whole = across(unit)
    whole["steps"][step][block]["clip"] = least
    RunProposal.parse(whole)
    whole["steps"][step][block]["clip"] = math.nextafter(least, 0)
    with pytest.raises(InvalidValueError, match=f"counts customers in {block} .* at least {least}"):
        RunProposal.parse(whole)


def test_a_customer_who_counts_one_is_many_units_of_the_grid() -> None:
    for share in (0.01, 1e-6):
        step = POPULARITY | {"customers": {"clip": 1.0, "share": share}}
        if share == 0.01:
            assert RunProposal.parse(payload(steps=[step], units_per_clip=640, epsilon=10.0))
        with pytest.raises(InvalidValueError, match=r"customers, where one is .* integer units and would be rounded"):
            RunProposal.parse(payload(steps=[step], units_per_clip=639, epsilon=10.0))


def test_a_grid_is_fine_enough_for_each_of_the_vaults() -> None:
    assert RunProposal.parse(across() | {"units_per_clip": 32, "steps": [GRADIENT]})
    with pytest.raises(InvalidValueError, match="16 for each of 2 partners"):
        RunProposal.parse(across() | {"units_per_clip": 31, "steps": [GRADIENT]})


def test_a_roster_names_each_partner_and_each_key_once() -> None:
    twice = payload()["roster"][0]
    for roster in (
        [twice, twice],
        [twice, {"partner": "north", "public_key": SOUTH.public.text}],
        [twice, {"partner": "south", "public_key": NORTH.public.text}],
    ):
        with pytest.raises(InvalidValueError, match="roster"):
            RunProposal.parse(payload(roster=roster))


def test_one_vault_cannot_stand_for_two_under_two_spellings_of_its_key() -> None:
    text = NORTH.public.text
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    place = alphabet.index(text[-2])
    twin = text[:-2] + alphabet[place ^ 1] + "="
    roster = [{"partner": "north", "public_key": text}, {"partner": "south", "public_key": twin}]
    with pytest.raises(InvalidValueError, match="canonical"):
        RunProposal.parse(payload(roster=roster))


def test_the_number_of_rounds_is_bounded_over_all_steps() -> None:
    many = [GRADIENT | {"rounds": MAXIMUM_ROUNDS, "noise_multiplier": 1e6} for _ in range(1000)]
    with pytest.raises(InvalidValueError, match="rounds together"):
        RunProposal.parse(payload(steps=many))


def test_only_the_centre_can_propose() -> None:
    proposal = RunProposal.parse(payload())
    sealed = proposal.sign(CENTRE)
    with pytest.raises(SignatureInvalidError):
        RunProposal.verify(sealed, key=NORTH.public)
    with pytest.raises(SignatureInvalidError):
        RunProposal.verify(sealed.replace(b'"epsilon":2', b'"epsilon":9'), key=CENTRE.public)
    with pytest.raises(SignatureInvalidError):
        CohortManifest.verify(sealed, key=CENTRE.public)


def test_equal_terms_have_one_digest_and_other_terms_another() -> None:
    one = RunProposal.parse(payload())
    same = RunProposal.parse(payload(created_at="2026-05-04T12:00:00+00:00", epsilon=2))
    assert one.digest == same.digest
    digests = {RunProposal.parse(payload(minimum_cohort=number)).digest for number in range(1, 50)}
    assert len(digests) == 49
    assert isinstance(one, Document)


def test_vouchers_are_terms_and_without_them_a_proposal_is_what_it_was() -> None:
    plain = payload()
    vouched = changed(("roster", 0, "vouchers"), ["hanse-voucher:south:north:AAAA"])
    none = changed(("roster", 0, "vouchers"), [])
    assert "vouchers" not in RunProposal.parse(plain).payload()["roster"][0]
    assert RunProposal.parse(none).digest == RunProposal.parse(plain).digest
    proposal = RunProposal.parse(vouched)
    assert proposal.digest != RunProposal.parse(plain).digest
    sealed = proposal.sign(CENTRE)
    assert RunProposal.verify(sealed, key=CENTRE.public) == proposal
    with pytest.raises(SignatureInvalidError):
        RunProposal.verify(sealed.replace(b":AAAA", b":AAAB"), key=CENTRE.public)


numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(),
    st.sampled_from([0, -1, 5e-324, 1e-310, 1e308, 2**63, 10**400, True, None, "", "1", [], {}]),
)
paths = st.sampled_from(
    [
        ("epsilon",),
        ("delta",),
        ("units_per_clip",),
        ("minimum_cohort",),
        ("honest_minimum",),
        *(("steps", 0, name) for name in ("noise_multiplier", "last_week", "half_life_weeks", "items", "rounds")),
        *(("steps", 0, "rate", name) for name in ("clip", "share")),
        *(("steps", 1, name) for name in ("noise_multiplier", "last_week", "horizon_weeks", "weights", "rounds")),
        *(("steps", 2, name) for name in ("bins", "version", "histogram")),
    ]
)


@given(path=paths, value=numbers)
def test_whatever_number_is_written_a_proposal_is_sound_or_refused(path: tuple[str | int, ...], value: Any) -> None:
    try:
        proposal = RunProposal.parse(changed(path, value))
    except InvalidValueError:
        return
    assert proposal.cost_epsilon() <= proposal.epsilon * (1 + 1e-9)
    for step in proposal.steps:
        layout = proposal.layout(step)
        assert layout.share_variance_parameter >= 16
        assert layout.event.squared_sensitivity == proposal.units_per_clip**2


@given(
    clip=st.floats(SMALLEST_CLIP, LARGEST_CLIP),
    share=st.floats(SMALLEST_SHARE, 1),
    units=st.integers(16, 2**24),
    rows=st.lists(
        st.lists(st.floats(-1.7e308, 1.7e308), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    ),
)
def test_one_customer_never_weighs_more_than_the_bound(
    clip: float, share: float, units: int, rows: list[list[float]]
) -> None:
    layout = ReleaseLayout(
        blocks=(BlockLayout(name="block", size=3, clip=clip, share=share),),
        units=units,
        noise_multiplier=4.0,
        honest_shares=1,
    )
    for row in rows:
        vector = sum_customers(layout, [{"block": np.array([row])}]).vector
        assert sum(int(entry) ** 2 for entry in vector) <= units**2


@pytest.mark.parametrize("clip", [5e-324, 1e-310, 1e-300, SMALLEST_CLIP / 2])
def test_a_clip_that_would_break_the_integer_bound_is_no_layout(clip: float) -> None:
    # 65536 / 1e-310 is infinite: cast to an integer it would be -2**63 for each customer, which no noise hides.
    with pytest.raises(InvalidValueError, match="clip"):
        BlockLayout(name="block", size=1, clip=clip, share=1.0)
