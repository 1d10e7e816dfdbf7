"""Whom a plan concerns, when it ends, and that no question is an error."""

from datetime import UTC, date, datetime, timedelta

import pytest
from lawful_world import (
    NOW,
    ORDINARY,
    YEAR,
    World,
    agreement,
    assessment,
    birthday,
    born_on,
    fact,
    grant,
    guardian,
    lawful_world,
    lives_in,
    notice,
)
from msgspec.structs import replace

from hanse_consent.decisions import decide as decide_module
from hanse_consent.decisions.decide import Decider
from hanse_consent.decisions.facts import NOBODY_KNOWN, CustomerFacts, Fact, FactState, consent_topic, facts_of
from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.planning import make_plan
from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import EVERYONE
from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_consent.domain.moments import NO_END, to_microseconds
from hanse_consent.domain.parties import AgreementRole, AssessmentKind, PresumedCustomer
from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import load_shipped_packs
from hanse_privacy.protocol.vocabulary import Tier

PACKS = load_shipped_packs()
DAY = timedelta(days=1)


def _plan(world: World) -> Plan:
    return make_plan(world.question, registry=world.registry, packs=PACKS, at=world.at)


def _rules(world: World) -> set[str]:
    return {reason.rule for reason in world.decided(PACKS).reasons}


def _packs_of(rules: set[str]) -> set[str]:
    return {rule[0] for rule in rules}


def test_an_empty_registry_denies_everyone_with_reasons() -> None:
    question = Question(
        controller="shop", purpose="statistics", tier=Tier.BASIC, categories=(ORDINARY,), recipients=("centre",)
    )
    plan = make_plan(question, registry=Registry(version=0), packs=PACKS, at=NOW)
    everyone = {each.reason.code for each in plan.exclusions if each.excluded == EVERYONE}
    assert {"CONTROLLER_UNKNOWN", "PURPOSE_UNKNOWN", "RECIPIENT_UNKNOWN", "AGREEMENT_MISSING"} <= everyone
    assert Decider(plan).reasons(NOBODY_KNOWN, to_microseconds(NOW))


def test_a_customer_of_whom_nothing_is_known_is_denied() -> None:
    world = lawful_world("DE")
    assert not World(registry=world.registry, question=world.question).decided(PACKS).permitted


def test_nobody_is_excluded_by_what_does_not_concern_the_question() -> None:
    rules = {each.reason.rule for each in _plan(lawful_world("DE")).exclusions}
    assert rules.isdisjoint({"G-35", "G-9", "G-22", "H-S3", "P-25", "P-40", "H-D11"})


def test_customers_elsewhere_bring_their_own_law() -> None:
    # At a German shop, a Chinese resident is under both laws: the centre in Germany is abroad for one of them.
    world = lawful_world("DE").knowing(lives_in("CN"))
    assert _packs_of(_rules(world)) == {"P"}
    withdrawn = world.saying(consent_topic("statistics"), state=2)
    assert {"G-7.3", "P-15", "H-D07"} <= _rules(withdrawn)


def test_an_unrecorded_residence_is_under_every_pack() -> None:
    assert "P-39" in _rules(lawful_world("DE").forgetting("residence"))


def test_a_presumption_stands_in_for_what_is_not_recorded_and_for_nothing_else() -> None:
    world = lawful_world("DE").forgetting("residence").forgetting("age")
    stated = tuple(
        shop.model_copy(update={"presumed": PresumedCustomer(country="DE", adult=True)})
        for shop in world.registry.controllers
    )
    presuming = world.registering(controllers=stated)
    presuming.must_permit(PACKS)
    assert "P-39" in _rules(presuming.knowing(lives_in("CN")))
    assert "G-8" in _rules(presuming.knowing(birthday(15)))


def test_whoever_is_presumed_to_live_where_no_pack_reaches_is_denied() -> None:
    world = lawful_world("DE").forgetting("residence")
    stated = tuple(
        shop.model_copy(update={"presumed": PresumedCustomer(country="US", adult=True)})
        for shop in world.registry.controllers
    )
    assert "H-D04" in _rules(world.registering(controllers=stated))


def test_the_age_of_an_unknown_residence_is_the_highest() -> None:
    # No law is as strict as Germany's 16 years; 13 would do in Sweden.
    world = lawful_world("DE").forgetting("residence").knowing(birthday(15))
    assert "G-8" in _rules(world)
    assert "G-8" not in _rules(world.knowing(birthday(16)))


@pytest.mark.parametrize(("country", "age"), [("DE", 16), ("FR", 15), ("AT", 14), ("SE", 13), ("CN", 16)], ids=str)
def test_each_country_has_its_age(country: str, age: int) -> None:
    # A Chinese child at a German shop is a child up to 16 under the law of the shop.
    world = lawful_world("DE").knowing(lives_in(country))
    assert "G-8" not in _rules(world.knowing(birthday(age)))
    assert "G-8" in _rules(world.knowing(birthday(age, days_short=1)))


@pytest.mark.parametrize(
    ("today", "born", "child"),
    [
        (datetime(2026, 2, 28, 23, tzinfo=UTC), (2010, 2, 28), False),
        (datetime(2026, 2, 28, 23, tzinfo=UTC), (2010, 3, 1), True),
        # A leap year's child has its birthday on 1 March, and others are not older than they are.
        (datetime(2028, 2, 29, 1, tzinfo=UTC), (2012, 2, 29), True),
        (datetime(2028, 3, 1, 0, tzinfo=UTC), (2012, 2, 29), False),
        (datetime(2026, 2, 28, 1, tzinfo=UTC), (2010, 3, 1), True),
        (datetime(2030, 2, 28, 1, tzinfo=UTC), (2014, 2, 28), False),
    ],
)
def test_birthdays(today: datetime, born: tuple[int, int, int], child: bool) -> None:
    world = lawful_world("DE").knowing(born_on(date(*born))).when(today)
    assert ("G-8" in _rules(world)) == child


def test_from_the_birthday_on_a_guardian_cannot_consent_in_the_customers_place() -> None:
    # PIPL 31: at 14 the guardian's word no longer matters, and the customer's own is needed.
    grown = lawful_world("CN").knowing(birthday(14)).knowing(guardian())
    grown.must_permit(PACKS)
    assert _rules(grown.forgetting(consent_topic("statistics"))) == {"H-D05"}


def test_a_plan_ends_when_the_day_does_only_where_ages_matter() -> None:
    plan = _plan(lawful_world("DE"))
    assert plan.until_us == to_microseconds(NOW.replace(hour=0) + DAY)
    assert plan.from_us == to_microseconds(NOW.replace(hour=0))
    # Under a contract, between adults and children alike, no age is read.
    ageless = lawful_world("DE").with_purpose(legal_basis={"gdpr": "legal-obligation", "pipl": "legal-obligation"})
    until = _plan(ageless.asking(recipients=())).until_us
    assert until == to_microseconds(NOW + YEAR)


def test_a_plan_ends_with_the_next_date() -> None:
    soon = NOW + timedelta(hours=2)
    ends = agreement("other", AgreementRole.JOINT_CONTROLLER, ends_at=soon)
    assert _plan(lawful_world("DE").registering(agreements=(agreement(), ends))).until_us == to_microseconds(soon)
    appears = notice("2", published_at=soon)
    assert _plan(lawful_world("DE").adding(notices=(appears,))).until_us == to_microseconds(soon)
    of_another = agreement("third", controller="other", name="theirs", ends_at=soon)
    assert _plan(lawful_world("DE").adding(agreements=(of_another,))).until_us > to_microseconds(soon)


def test_a_plan_of_a_timeless_world_never_ends() -> None:
    question = Question(controller="shop", purpose="statistics", tier=Tier.BASIC, categories=(ORDINARY,))
    world = lawful_world("DE").with_purpose(
        high_risk=True, legal_basis=dict.fromkeys(("gdpr", "pipl"), "legal-obligation")
    )
    timeless = world.registering(agreements=(), notices=(), assessments=())
    plan = make_plan(question, registry=timeless.registry, packs=PACKS, at=NOW)
    assert plan.until_us == NO_END


def test_packs_not_yet_in_force_are_left_out() -> None:
    before = _plan(lawful_world("CN").when(datetime(2021, 10, 31, 15, 59, tzinfo=UTC)))
    assert dict(before.pack_versions).keys() == {"gdpr", "house"}
    assert before.until_us <= to_microseconds(datetime(2021, 10, 31, 16, tzinfo=UTC))
    assert "pipl" in _plan(lawful_world("CN")).pack_versions


def test_a_decision_says_what_it_was_made_from() -> None:
    decision = lawful_world("DE").decided(PACKS)
    assert decision.position == 7
    assert decision.registry_version == 3
    assert set(decision.pack_versions) == {"gdpr", "house", "pipl"}


def test_the_controller_itself_is_no_recipient() -> None:
    lawful_world("DE").asking(recipients=("shop",), joint_controllers=("shop",)).must_permit(PACKS)


def test_another_controller_may_receive() -> None:
    world = lawful_world("DE").asking(recipients=("other",))
    assert _rules(world) == {"H-D10"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({consent_topic("statistics"): grant(ends=NOW)}, "G-5c"),
        ({consent_topic("statistics"): grant(tier=Tier.BASIC)}, "H-D09"),
        ({consent_topic("statistics"): grant(notice="leaflet@9")}, "H-D14"),
        ({consent_topic("statistics"): replace(grant(), state=FactState.WITHDRAWN)}, "G-7.3"),
        ({consent_topic("statistics"): grant(explicit=False)}, "G-22.2"),
        (lives_in("US"), "H-D04"),
        (birthday(15), "G-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_decider_keeps_apart_customers_who_differ_in_one_thing(change: dict[str, Fact], rule: str) -> None:
    careful = (assessment(AssessmentKind.FAIRNESS), assessment(AssessmentKind.ALGORITHM_IMPACT))
    world = lawful_world("DE").with_purpose(automated_decision=True).adding(assessments=careful).granting(explicit=True)
    if rule != "G-22.2":
        change = {topic: replace(known, explicit="consent" in topic) for topic, known in change.items()}
    lawful, other = CustomerFacts(by_topic=world.facts), CustomerFacts(by_topic=world.facts | change)
    for order in ((lawful, other), (other, lawful)):
        decider = Decider(_plan(world))
        found = {id(facts): decider.reasons(facts, to_microseconds(NOW)) for facts in order}
        assert not found[id(lawful)]
        assert {reason.rule for reason in found[id(other)]} >= {rule}


def test_a_decider_sees_a_grant_end() -> None:
    world = lawful_world("DE").granting(ends=NOW)
    decider, facts = Decider(_plan(world)), CustomerFacts(by_topic=world.facts)
    assert not decider.reasons(facts, to_microseconds(NOW) - 1)
    assert decider.reasons(facts, to_microseconds(NOW))
    assert not decider.reasons(facts, to_microseconds(NOW) - 1)


def test_a_decider_remembers_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide_module, "_MAX_LIKENESSES", 3)
    world = lawful_world("DE")
    decider = Decider(_plan(world))
    at_us = to_microseconds(NOW)
    for repetition in range(2):
        for number in range(9):
            known = world.facts | {consent_topic("statistics"): fact(tier_rank=2, notice=f"leaflet@{number}")}
            reasons = decider.reasons(CustomerFacts(by_topic=known), at_us)
            assert (not reasons) == (number == 1), repetition


def test_two_laws_with_two_grounds_are_both_to_be_satisfied() -> None:
    grounds = {"gdpr": "contract", "pipl": "consent"}
    world = lawful_world("DE").with_purpose(legal_basis=grounds).asking(league_run=False, recipients=())
    without = world.forgetting(consent_topic("statistics"))
    without.must_permit(PACKS)
    assert _rules(without.knowing(lives_in("CN"))) == {"H-D05"}
    world.knowing(lives_in("CN")).must_permit(PACKS)
    # No law may be forgotten: an unrecorded residence may be in China.
    assert _rules(without.forgetting("residence")) == {"H-D05"}


def test_before_the_first_rules_nobody_may_be_used() -> None:
    world = lawful_world("DE")
    plan = make_plan(
        world.question, registry=world.registry, packs=load_shipped_packs(), at=datetime(1969, 12, 31, tzinfo=UTC)
    )
    assert [exclusion.reason.code for exclusion in plan.exclusions] == ["NO_RULES_IN_FORCE"]
    assert Decider(plan).reasons(CustomerFacts(by_topic=world.facts), plan.from_us)


def test_an_objection_reaches_purposes_that_are_registered_later() -> None:
    world = lawful_world("DE")
    offered = world.registry.purposes[0].model_copy(
        update={"direct_marketing": True, "legal_basis": {"gdpr": LegalBasis.LEGITIMATE_INTERESTS}}
    )
    later = offered.model_copy(update={"name": "new-offers", "parent": offered.name})
    for said in (offered.name, None):
        act = ConsentAct(kind=ActKind.OBJECTION, customer="ab" * 16, said_at=NOW, key="o", purpose=said)
        facts = facts_of(act, registry=world.registry, recorded_us=to_microseconds(NOW))
        registry = world.registry.model_copy(update={"purposes": (offered, later)})
        question = world.question.model_copy(update={"purpose": later.name, "league_run": False})
        plan = make_plan(question, registry=registry, packs=load_shipped_packs(), at=NOW)
        reasons = Decider(plan).reasons(CustomerFacts(by_topic=facts), to_microseconds(NOW))
        assert "G-21" in {reason.rule for reason in reasons}
