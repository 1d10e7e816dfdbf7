"""Questions by groups that a vault does not know: refused before anybody is asked, or anything is paid for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from written_terms import (
    NOON,
    POPULARITY,
    Officers,
    taken_reports,
    written_instruction,
    written_policy,
    written_proposal,
)

from hanse_client.vault.admission import Admissions
from hanse_client.vault.question_rule import GroupsUnknownError, require_groups_known
from hanse_client.vault.run_register import RunRegister
from hanse_privacy.caps import Charge
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.protocol.letters import AdmitParameters, NoParameters
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping

CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
KEYS = {partner: SigningKey.generate() for partner in ("north", "south")}
CATEGORIES = frozenset({"dairy", "bread", "fruit"})
STORE_GROUPS = frozenset({"city", "village"})
KNOWN = {Grouping.CATEGORY: CATEGORIES, Grouping.STORE_GROUP: STORE_GROUPS}
COMMON: dict[str, Any] = {
    "purpose": "league-questions",
    "tier": "standard",
    "noise_multiplier": 20.0,
    "first_week": 1,
    "last_week": 4,
}
ONE: dict[str, Any] = {"clip": 1.0, "share": 0.1}
COUNT: dict[str, Any] = COMMON | {
    "operation": "count-question",
    "measure": "spend",
    "answer": {"clip": 50.0, "share": 0.8},
    "customers": ONE,
    "over": ONE,
}
HISTOGRAM: dict[str, Any] = COMMON | {
    "operation": "histogram-question",
    "measure": "spend",
    "edges": [0, 10],
    "answer": {"clip": 5.0, "share": 1.0},
}
QUANTILES: dict[str, Any] = COMMON | {
    "operation": "quantile-question",
    "measure": "spend",
    "probabilities": [0.5],
    "highest": 100.0,
    "height": 2,
    "answer": {"clip": 5.0, "share": 1.0},
}


def by(fields: dict[str, Any], grouping: str | None, *groups: str) -> dict[str, Any]:
    return fields | {"by": grouping, "groups": list(groups)}


def run_of(*steps: dict[str, Any], run: str = "question-1") -> RunProposal:
    return written_proposal(run, partners=KEYS, steps=steps)


@dataclass
class Vocabulary:
    """What a vault knows, and how often it was looked up."""

    names: dict[Grouping, frozenset[str]] = field(default_factory=lambda: dict(KNOWN))
    asked: list[Grouping] = field(default_factory=list)

    def __call__(self, grouping: Grouping) -> frozenset[str]:
        self.asked.append(grouping)
        return self.names[grouping]


def refusal(*steps: dict[str, Any], known: Vocabulary | None = None) -> str | None:
    try:
        require_groups_known(run_of(*steps), partner="north", known=known or Vocabulary())
    except GroupsUnknownError as error:
        assert error.code == "GROUPS_UNKNOWN"
        return str(error)
    return None


@pytest.mark.parametrize("fields", [COUNT, HISTOGRAM, QUANTILES], ids=lambda fields: fields["operation"])
@pytest.mark.parametrize(
    ("grouping", "groups", "refused"),
    [
        (None, (), False),
        ("week", (), False),
        ("category", ("dairy",), False),
        ("category", ("fruit", "bread", "dairy"), False),
        ("category", ("dairy", "toys"), True),
        ("category", ("toys",), True),
        ("category", ("Dairy",), True),
        ("category", ("dairy ",), True),
        # A store group is no category, and the other way round.
        ("category", ("city",), True),
        ("store-group", ("dairy",), True),
        ("store-group", ("city",), False),
        ("store-group", ("city", "village"), False),
        # Not every partner has stores of every kind: one of the groups is enough.
        ("store-group", ("airport", "village", "station"), False),
        ("store-group", ("airport",), True),
        ("store-group", ("airport", "station", "City"), True),
    ],
)
def test_every_category_must_be_known_and_of_store_groups_one(
    fields: dict[str, Any], grouping: str | None, groups: Sequence[str], refused: bool
) -> None:
    assert (refusal(by(fields, grouping, *groups)) is not None) is refused


def test_a_refusal_says_what_to_do_and_no_more_than_it_must() -> None:
    categories = refusal(by(COUNT, "category", "dairy", "toys", "tools"))
    assert categories is not None
    assert categories.startswith("2 of the question's categories are not in the league's catalogue")
    assert "spelt as there" in categories
    stores = refusal(by(COUNT, "store-group", "airport", "station"))
    assert stores is not None
    assert "north's contract puts no store into any of the question's groups" in stores
    assert "[stores]" in stores
    # What else the vault knows is not told.
    for words in (categories, stores):
        assert not any(name in words for name in (*CATEGORIES, *STORE_GROUPS))


def test_a_vault_that_knows_no_group_answers_no_question_by_group() -> None:
    nothing = Vocabulary(names={Grouping.CATEGORY: frozenset(), Grouping.STORE_GROUP: frozenset()})
    assert refusal(by(COUNT, "category", "dairy"), known=nothing) is not None
    assert refusal(by(COUNT, "store-group", "city"), known=nothing) is not None
    assert refusal(COUNT, by(COUNT, "week"), POPULARITY, known=nothing) is None


def test_each_step_of_a_run_is_looked_at() -> None:
    good, bad = by(COUNT, "category", "dairy"), by(HISTOGRAM, "category", "toys")
    assert refusal(good, POPULARITY) is None
    for steps in ((good, bad), (bad, good), (POPULARITY, good, bad), (good, by(COUNT, "store-group", "airport"))):
        assert refusal(*steps) is not None


def test_a_step_costs_one_look_up_however_many_groups_it_names() -> None:
    many = frozenset(str(number) for number in range(2_000))
    known = Vocabulary(names={Grouping.CATEGORY: many, Grouping.STORE_GROUP: many})
    steps = (by(COUNT, "category", *sorted(many)), by(COUNT, "store-group", *sorted(many)))
    assert refusal(*steps, COUNT, by(COUNT, "week"), POPULARITY, known=known) is None
    assert known.asked == [Grouping.CATEGORY, Grouping.STORE_GROUP]


# The rule where a vault applies it: at admission, and again before every round.


class WatchedLedger(PrivacyLedger):
    """Remembers what it was asked for."""

    asked: list[Sequence[Charge]]

    def require_room_for(self, charges: Sequence[Charge]) -> None:
        self.asked.append(charges)
        super().require_room_for(charges)


class Door:
    """North's admissions over a folder of state."""

    def __init__(self, folder: Path) -> None:
        operations = {
            step["operation"]: {"purposes": [step["purpose"]], "lowest_tier": "standard"}
            for step in (COUNT, HISTOGRAM, QUANTILES, POPULARITY)
        }
        rules = written_policy(operations, centre=CENTRE, service=SERVICE, partners=KEYS)
        PrivacyLedger.create(folder / "ledger.db")
        self.known, self.officers = Vocabulary(), Officers(SERVICE)
        self.ledger = WatchedLedger(folder / "ledger.db", caps=rules.caps, clock=lambda: NOON)
        self.ledger.asked = []
        self.register = RunRegister(folder / "runs.db")
        self.catalogue = "ab" * 32
        self.admissions = Admissions(
            policy=rules,
            ledger=self.ledger,
            register=self.register,
            approvals=self.officers,
            catalogue_digest=lambda: self.catalogue,
            known_groups=self.known,
            budget=taken_reports(rules, self.ledger, self.register),
            clock=lambda: NOON,
        )

    def admit(self, run: RunProposal) -> RunProposal:
        parameters = AdmitParameters(signed_proposal=run.sign(CENTRE), ledger_statement=b"")
        return self.admissions.admit(written_instruction(run, 0, parameters), parameters)

    def round(self, run: RunProposal) -> RunProposal:
        return self.admissions.admitted(written_instruction(run, 1, NoParameters()))


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@pytest.mark.parametrize("fields", [COUNT, HISTOGRAM, QUANTILES], ids=lambda fields: fields["operation"])
@pytest.mark.parametrize(("grouping", "unknown"), [("category", "toys"), ("store-group", "airport")])
def test_nobody_is_asked_and_nothing_is_paid_for_a_question_by_unknown_groups(
    door: Door, fields: dict[str, Any], grouping: str, unknown: str
) -> None:
    run = run_of(fields, by(fields, grouping, unknown))
    for _ in range(2):
        with pytest.raises(GroupsUnknownError):
            door.admit(run)
    assert (door.ledger.asked, door.ledger.entries(), door.officers.asked) == ([], (), [])
    assert door.register.find(run.run) is None
    assert door.register.approval(run.run) is None
    # Its name is not used up: the same run, asked rightly, is admitted.
    right = run_of(by(fields, "category", "dairy", "bread"), by(fields, "store-group", "city", unknown))
    assert door.admit(right) == right
    assert door.round(right) == right
    assert door.ledger.asked == [right.charges()]
    assert door.ledger.entries() == ()


def test_another_catalogue_is_told_before_its_categories(door: Door) -> None:
    door.catalogue = "cd" * 32
    with pytest.raises(Exception, match="another version of the league's catalogue"):
        door.admit(run_of(by(COUNT, "category", "toys")))
    assert door.known.asked == []


@pytest.mark.parametrize("grouping", list(KNOWN), ids=lambda grouping: grouping.value)
def test_a_round_is_refused_when_a_new_export_no_longer_knows_the_groups(door: Door, grouping: Grouping) -> None:
    (name, *_) = sorted(KNOWN[grouping])
    run = run_of(by(COUNT, grouping.value, name))
    door.admit(run)
    assert door.round(run) == run
    door.known.names[grouping] = frozenset()
    with pytest.raises(GroupsUnknownError):
        door.round(run)
    with pytest.raises(GroupsUnknownError):
        door.admit(run)
    door.known.names[grouping] = KNOWN[grouping]
    assert door.round(run) == run
