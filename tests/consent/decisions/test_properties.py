"""Laws that hold whatever is registered, known and asked."""

from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import SEPARATE_TOPICS, Case, cases, random_case

from hanse_consent.decisions.decide import Decider, decide
from hanse_consent.decisions.facts import (
    AUTOMATED,
    ERASURE,
    RESIDENCE,
    RESTRICTION,
    CustomerFacts,
    Fact,
    FactState,
    consent_topic,
    guardian_topic,
    objection_topic,
)
from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.planning import make_plan
from hanse_consent.decisions.sets import contains
from hanse_consent.domain.moments import from_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import load_shipped_packs
from hanse_privacy.protocol.vocabulary import Tier

PACKS = load_shipped_packs()
YEARS_10_US = 10 * 365 * 86_400 * 1_000_000
DENYING = [
    *((consent_topic("statistics"), state) for state in (FactState.WITHDRAWN, FactState.REFUSED)),
    (guardian_topic("statistics"), FactState.WITHDRAWN),
    *((topic, FactState.WITHDRAWN) for topic in SEPARATE_TOPICS),
    *((topic, FactState.IN_FORCE) for topic in (RESTRICTION, ERASURE, AUTOMATED, objection_topic("statistics"))),
]
few = settings(max_examples=60, deadline=None)


def _plan(case: Case) -> Plan:
    return make_plan(case.question, registry=case.registry, packs=PACKS, at=case.at)


def _permitted(case: Case) -> list[bool]:
    decider = Decider(_plan(case))
    return [not decider.reasons(facts, case.at_us) for facts in case.customers]


def _asking(case: Case, **changes) -> Case:
    return replace(case, question=case.question.model_copy(update=changes))


def _must_contain(wider: Case, narrower: Case) -> None:
    for outer, inner in zip(_permitted(wider), _permitted(narrower), strict=True):
        assert outer or not inner


def _with_fact(facts: CustomerFacts, topic: str, fact: Fact) -> CustomerFacts:
    return CustomerFacts(by_topic={**facts.by_topic, topic: fact})


@few
@given(case=cases(customers=6), denying=st.sampled_from(DENYING))
def test_a_fact_that_denies_never_permits(case: Case, denying: tuple[str, FactState]) -> None:
    topic, state = denying
    said = Fact(state=state, effective_us=case.at_us - 1)
    after = replace(case, customers=tuple(_with_fact(facts, topic, said) for facts in case.customers))
    _must_contain(case, after)


@few
@given(case=cases(customers=6))
def test_a_lower_tier_never_denies(case: Case) -> None:
    purpose = case.registry.purpose(case.question.purpose)
    for tier in Tier if purpose is not None else ():
        held = set(purpose.data_categories.get(tier, ()))
        categories = tuple(sorted(held & set(case.question.categories)))
        if tier.rank < case.question.tier.rank and categories:
            _must_contain(_asking(case, tier=tier, categories=categories), case)


@few
@given(case=cases(customers=6), seed=st.integers(0, 2**16))
def test_asking_for_less_never_denies(case: Case, seed: int) -> None:
    random, question = Random(seed), case.question
    fewer = {
        "categories": tuple(random.sample(question.categories, random.randint(1, len(question.categories)))),
        "recipients": tuple(random.sample(question.recipients, random.randint(0, len(question.recipients)))),
        "joint_controllers": question.joint_controllers[: random.randint(0, len(question.joint_controllers))],
    }
    _must_contain(_asking(case, **fewer), case)
    for part, value in fewer.items():
        _must_contain(_asking(case, **{part: value}), case)


@few
@given(case=cases(customers=6))
def test_a_tier_up_is_a_subset(case: Case) -> None:
    purpose = case.registry.purpose(case.question.purpose)
    if purpose is None:
        return
    tiers = purpose.tiers
    for lower, upper in pairwise(tiers):
        shared = _asking(case, categories=purpose.data_categories[lower])
        _must_contain(_asking(shared, tier=lower), _asking(shared, tier=upper))


def _presuming_nothing(case: Case, **changes) -> Case:
    controllers = tuple(
        each.model_copy(update={"presumed": None} | (changes if each.name == "shop" else {}))
        for each in case.registry.controllers
    )
    parts = {name: getattr(case.registry, name) for name in Registry.model_fields}
    return replace(case, registry=Registry(**(parts | {"controllers": controllers})))


@few
@given(case=cases(customers=6), country=st.sampled_from(["DE", "CN", "SE", "CZ"]))
def test_an_unknown_residence_is_under_every_pack(case: Case, country: str) -> None:
    # Once long ago no pack covered some of these countries: then the residence itself is what denies.
    packs_in_force = all(pack.in_force_from <= case.at for pack in PACKS.packs)
    if not packs_in_force:
        return
    case = _presuming_nothing(case)
    without = [{key: fact for key, fact in facts.by_topic.items() if key != RESIDENCE} for facts in case.customers]
    unknown = replace(case, customers=tuple(CustomerFacts(by_topic=facts) for facts in without))
    lives = Fact(state=FactState.GIVEN, effective_us=case.at_us - 1, country=country)
    known = replace(case, customers=tuple(_with_fact(facts, RESIDENCE, lives) for facts in unknown.customers))
    _must_contain(known, unknown)


@few
@given(case=cases(customers=6), country=st.sampled_from(["DE", "CN"]))
def test_a_controller_under_one_more_pack_permits_no_more(case: Case, country: str) -> None:
    _must_contain(_presuming_nothing(case, country="US"), _presuming_nothing(case, country=country))


@settings(max_examples=120, deadline=None)
@given(case=cases(), share=st.floats(0, 1))
def test_a_plan_holds_for_the_whole_of_its_interval(case: Case, share: float) -> None:
    plan = _plan(case)
    assert plan.from_us <= case.at_us < plan.until_us
    last = min(plan.until_us - 1, case.at_us + YEARS_10_US)
    first = max(plan.from_us, case.at_us - YEARS_10_US)
    for moment in (first, last, first + int(share * (last - first))):
        fresh = make_plan(case.question, registry=case.registry, packs=PACKS, at=from_microseconds(moment))
        assert fresh == plan


@few
@given(case=cases(customers=12))
def test_three_ways_to_decide_agree(case: Case) -> None:
    plan = _plan(case)
    decider, eligible = Decider(plan), contains(plan.eligible)
    for facts in (*case.customers, *case.customers):
        reasons = decider.reasons(facts, case.at_us)
        one_by_one = [each.reason for each in plan.exclusions if contains(each.excluded)(facts, case.at_us)]
        assert list(reasons) == one_by_one
        assert eligible(facts, case.at_us) == (not reasons)
        assert [reason.rule for reason in reasons] == sorted(reason.rule for reason in reasons)
    first = case.customers[0]
    decision = decide(case.question, facts=first, registry=case.registry, packs=PACKS, at=case.at, position=1)
    assert decision.reasons == decider.reasons(first, case.at_us)
    assert decision.permitted == (not decision.reasons)


def test_one_seed_is_one_case() -> None:
    assert random_case(11, customers=3) == random_case(11, customers=3)
