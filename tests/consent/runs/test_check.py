"""What forbids a run at one controller, held against the shipped law packs."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.consent.law.changed_law import BEFORE, CHANGE, changed_packs

from hanse_consent.domain.parties import Recipient
from hanse_consent.domain.purposes import PurposeKind
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.runs.check import check, check_proposal, is_high_risk

PACKS = load_shipped_packs()


@pytest.fixture
def findings(world: Any) -> Callable[..., dict[str, str]]:
    """Rule and code of everything that forbids a run."""

    def found(asked: Any, *, registry: Any = None, controller: str = "alster", **more: Any) -> dict[str, str]:
        forbidding = check_proposal(
            asked,
            controller=controller,
            registry=registry or world.registry(),
            packs=more.get("packs", PACKS),
            at=more.get("at", world.START),
        )
        assert all(finding.rule and finding.article and finding.what for finding in forbidding)
        return {finding.rule: finding.code for finding in forbidding}

    return found


@pytest.mark.parametrize("controller", ["alster", "elbe"])
def test_a_run_for_which_everything_is_in_place_is_left_to_officers(world: Any, findings: Any, controller: str) -> None:
    assert findings(world.proposal(), controller=controller) == {}


def centre(**changes: Any) -> Recipient:
    fields = {"name": "centre", "legal_name": "The centre", "contact": "Officer of the centre", "country": "DE"}
    return Recipient.model_validate(fields | changes)


def without(world: Any, *names: str) -> tuple[Any, ...]:
    return tuple(paper for paper in world.registry().agreements if paper.name not in names)


FORBIDDEN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str]] = {
    "an unknown purpose": (
        lambda w: w.proposal(steps=[w.step(purpose="other")]),
        lambda w: w.registry(),
        "PURPOSE_UNKNOWN",
    ),
    "a partner's own business": (
        lambda w: w.proposal(),
        lambda w: w.registry(purposes=(w.purpose(kind=PurposeKind.OPERATIONS),)),
        "PURPOSE_NOT_FOR_LEAGUE",
    ),
    "a tier not offered": (
        lambda w: w.proposal(steps=[w.step(tier="basic")]),
        lambda w: w.registry(),
        "TIER_NOT_OFFERED",
    ),
    "a kind of data that the purpose lacks": (
        lambda w: w.proposal(data_categories=[w.PURCHASES, "pd:Location"]),
        lambda w: w.registry(),
        "CATEGORY_NOT_COVERED",
    ),
    "a kind of data that nobody knows": (
        lambda w: w.proposal(data_categories=[w.PURCHASES, "everything"]),
        lambda w: w.registry(),
        "CATEGORY_UNKNOWN",
    ),
    "no agreement with another partner": (
        lambda w: w.proposal(),
        lambda w: w.registry(agreements=without(w, "alster-elbe", "elbe-alster")),
        "AGREEMENT_MISSING",
    ),
    "an unknown recipient": (
        lambda w: w.proposal(recipients=[{"name": "stranger", "country": "DE"}]),
        lambda w: w.registry(),
        "RECIPIENT_UNKNOWN",
    ),
    "a recipient said to be elsewhere": (
        lambda w: w.proposal(recipients=[{"name": "centre", "country": "FR"}]),
        lambda w: w.registry(),
        "RECIPIENT_COUNTRY_DIFFERS",
    ),
    "another key in the roster": (
        lambda w: w.proposal(),
        lambda w: w.registry(
            controllers=(
                w.controller("alster", public_key=w.KEYS["isar"].public.text),
                w.controller("elbe"),
            )
        ),
        "ROSTER_KEY_DIFFERS",
    ),
    "a high risk without an assessment": (
        lambda w: w.proposal(),
        lambda w: w.registry(purposes=(w.purpose(high_risk=True),)),
        "DPIA_MISSING",
    ),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_what_the_law_forbids_nobody_can_approve(world: Any, findings: Any, case: str) -> None:
    asked, registered, code = FORBIDDEN[case]
    assert code in findings(asked(world), registry=registered(world)).values()


def test_a_rule_that_the_packs_lack_forbids_nothing(world: Any, findings: Any) -> None:
    registered = world.registry(agreements=without(world, "alster-elbe", "elbe-alster"))
    rules = findings(world.proposal(), registry=registered)
    assert rules
    packs = PACKS
    for rule in rules:
        packs = packs.without(rule)
    assert findings(world.proposal(), registry=registered, packs=packs) == {}


def test_agreements_end(world: Any, findings: Any) -> None:
    ends_at = world.START + timedelta(hours=1)
    papers = tuple(paper.model_copy(update={"ends_at": ends_at}) for paper in world.registry().agreements)
    registered = world.registry(agreements=papers)
    assert findings(world.proposal(), registry=registered, at=ends_at - timedelta(seconds=1)) == {}
    assert "AGREEMENT_MISSING" in findings(world.proposal(), registry=registered, at=ends_at).values()


def test_an_expired_proposal_and_a_foreign_controller(world: Any, findings: Any) -> None:
    asked = world.proposal()
    assert findings(asked, at=asked.expires_at) == {"H-run.time": "PROPOSAL_EXPIRED"}
    assert findings(asked, controller="isar")["H-run.party"] == "NOT_IN_ROSTER"


@pytest.fixture
def high_risk(world: Any) -> Callable[..., bool]:
    def risky(asked: Any, *, registry: Any = None) -> bool:
        known = registry or world.registry()
        return is_high_risk(asked, controller="alster", registry=known, packs=PACKS, at=world.START)

    return risky


def test_one_officer_is_enough_for_an_ordinary_run(world: Any, high_risk: Any) -> None:
    assert not high_risk(world.proposal())
    # Inside the territory of one law, another country is not abroad.
    assert not high_risk(
        world.proposal(recipients=[{"name": "centre", "country": "FR"}]),
        registry=world.registry(recipients=(centre(country="FR"),)),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": "advanced"},
        {"recipients": [{"name": "centre", "country": "CN"}]},
        {"data_categories": ["pd:PurchasesAndSpendingHabit", "pd:HealthRecord"]},
    ],
    ids=["advanced", "abroad", "sensitive"],
)
def test_two_officers_are_needed_for_what_is_proposed(world: Any, high_risk: Any, changes: dict[str, Any]) -> None:
    steps = {"steps": [world.step(tier="advanced")]} if "steps" in changes else {}
    assert high_risk(world.proposal(**(changes | steps)))


@pytest.mark.parametrize("changes", [{"high_risk": True}, {"automated_decision": True}])
def test_two_officers_are_needed_for_what_a_purpose_is(world: Any, high_risk: Any, changes: dict[str, bool]) -> None:
    assert high_risk(world.proposal(), registry=world.registry(purposes=(world.purpose(**changes),)))


def test_a_proposal_is_held_against_the_law_of_the_moment(world: Any, tmp_path: Path) -> None:
    packs = changed_packs(tmp_path)
    found = {
        at: check(world.proposal(), controller="alster", registry=world.registry(), packs=packs, at=at)
        for at in (BEFORE, CHANGE)
    }
    forbidden = {at: "NOT_ANY_MORE" in {one.code for one in result.findings} for at, result in found.items()}
    assert forbidden == {BEFORE: False, CHANGE: True}
    for at, result in found.items():
        assert result.pack_versions == packs.versions(at)
    assert found[CHANGE].pack_versions["gdpr"] == "2027.3"


def test_what_is_not_known_is_not_known_to_be_harmless(world: Any, high_risk: Any) -> None:
    assert high_risk(world.proposal(steps=[world.step(purpose="other")]))
