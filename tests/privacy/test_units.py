"""Privacy units: what may be written, which rosters they fit, and what whoever signs is told."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from hanse_privacy.papers import EnforcementProof, LinkageAssurance
from hanse_privacy.protocol.written_units import Unit, write_unit
from hanse_privacy.units import (
    AddOrRemoveOne,
    CustomerAcrossTheRoster,
    CustomerAtOnePartner,
    LinkedCustomer,
    PrivacyUnit,
    UnitKind,
)

DIGEST = "ab" * 32
PROOF = EnforcementProof(name="Nobody enters twice", sha256=DIGEST)
ASSURANCE = LinkageAssurance(method="exact card numbers", sha256=DIGEST, partners_at_most=3)
UNITS: dict[str, PrivacyUnit] = {
    "one partner": CustomerAtOnePartner(),
    "roster": CustomerAcrossTheRoster(partners_at_most=4),
    "proof": CustomerAcrossTheRoster(partners_at_most=3, proof=PROOF),
    "linked": LinkedCustomer(assurance=ASSURANCE),
}
WRITTEN: dict[str, Any] = {
    "one partner": "customer-at-one-partner",
    "roster": {"kind": "customer-across-the-roster", "partners_at_most": 4, "proof": None},
    "proof": {
        "kind": "customer-across-the-roster",
        "partners_at_most": 3,
        "proof": {"name": "Nobody enters twice", "sha256": DIGEST},
    },
    "linked": {
        "kind": "linked-customer",
        "assurance": {"method": "exact card numbers", "sha256": DIGEST, "partners_at_most": 3},
    },
}


class Holder(BaseModel):
    unit: Unit


@pytest.mark.parametrize("name", UNITS)
def test_each_unit_is_written_in_one_way_and_read_back(name: str) -> None:
    unit, written = UNITS[name], WRITTEN[name]
    assert write_unit(unit) == written
    held = Holder.model_validate({"unit": written})
    assert held.unit == unit
    assert type(held.unit) is type(unit)
    assert held.model_dump(mode="json") == {"unit": written}
    assert Holder.model_validate_json(held.model_dump_json()) == held
    assert unit.neighbours is AddOrRemoveOne
    assert hash(unit) == hash(held.unit)
    assert Holder.model_json_schema(mode="serialization")


def test_what_has_a_default_may_be_left_out() -> None:
    held = Holder.model_validate({"unit": {"kind": "customer-across-the-roster", "partners_at_most": 4}})
    assert held.unit == UNITS["roster"]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("household", "customer-at-one-partner"),
        ("", "customer-at-one-partner"),
        (None, "customer-at-one-partner"),
        (7, "customer-at-one-partner"),
        ([], "customer-at-one-partner"),
        # A second way to write the same thing.
        ({"kind": "customer-at-one-partner"}, "customer-at-one-partner"),
        ("customer-across-the-roster", "a table"),
        ({"kind": "household"}, "a table"),
        ({"kind": ["linked-customer"]}, "a table"),
        ({"partners_at_most": 4}, "a table"),
        ({"kind": "customer-across-the-roster"}, "partners_at_most"),
        ({"kind": "customer-across-the-roster", "partners_at_most": 1}, "for 1 the unit is customer-at-one-partner"),
        ({"kind": "customer-across-the-roster", "partners_at_most": 0}, "between 2 and 128"),
        ({"kind": "customer-across-the-roster", "partners_at_most": -4}, "between 2 and 128"),
        ({"kind": "customer-across-the-roster", "partners_at_most": 129}, "between 2 and 128"),
        ({"kind": "customer-across-the-roster", "partners_at_most": 2.5}, "partners_at_most"),
        ({"kind": "customer-across-the-roster", "partners_at_most": 4, "trust": "me"}, "trust"),
        ({"kind": "customer-across-the-roster", "partners_at_most": 4, "proof": {"name": "a"}}, "sha256"),
        (
            {"kind": "customer-across-the-roster", "partners_at_most": 4, "proof": {"name": "a", "sha256": "AB" * 32}},
            "sha256",
        ),
        (
            {"kind": "customer-across-the-roster", "partners_at_most": 4, "proof": {"name": "a\nb", "sha256": DIGEST}},
            "name",
        ),
        ({"kind": "linked-customer"}, "assurance"),
        ({"kind": "linked-customer", "assurance": {"method": "m", "sha256": DIGEST}}, "partners_at_most"),
        (
            {"kind": "linked-customer", "assurance": {"method": "m", "sha256": DIGEST, "partners_at_most": 1}},
            "for 1 the unit",
        ),
        (
            {"kind": "linked-customer", "assurance": {"method": "\u202em", "sha256": DIGEST, "partners_at_most": 2}},
            "method",
        ),
        ({"kind": "linked-customer", "assurance": {"method": "", "sha256": DIGEST, "partners_at_most": 2}}, "method"),
    ],
)
def test_what_is_no_unit_is_refused_in_words(written: object, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Holder.model_validate({"unit": written})


def test_a_unit_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        UNITS["roster"].partners_at_most = 2  # type: ignore[attr-defined]  # the point
    with pytest.raises(TypeError):
        PrivacyUnit()  # type: ignore[abstract]  # the point


@pytest.mark.parametrize(
    ("name", "roster", "named"),
    [
        ("one partner", 2, ""),
        ("one partner", 128, ""),
        ("roster", 4, ""),
        ("roster", 3, "the roster has 3 partners"),
        ("roster", 5, "write 5, or add the proof that enforces 4"),
        ("proof", 3, "leave proof out"),
        ("proof", 4, ""),
        ("proof", 2, "the roster has 2 partners"),
        ("linked", 3, ""),
        ("linked", 9, ""),
        ("linked", 2, "the roster has 2 partners"),
    ],
)
def test_which_rosters_a_unit_fits(name: str, roster: int, named: str) -> None:
    objection = UNITS[name].objection(roster=roster)
    assert named in objection
    assert bool(named) == bool(objection)


def test_what_a_promise_rests_on() -> None:
    assert UNITS["one partner"].papers == UNITS["roster"].papers == ()
    for name in ("proof", "linked"):
        (paper,) = UNITS[name].papers
        assert paper.sha256 == DIGEST
        assert DIGEST in str(paper)
    assert {kind.value for kind in UnitKind} == {
        "customer-at-one-partner",
        "customer-across-the-roster",
        "linked-customer",
    }
