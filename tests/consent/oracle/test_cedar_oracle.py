"""Ten thousand random cases through the decisions and through Cedar: same answer, same rules."""

import re
import sys
from collections import Counter
from datetime import date

import pytest
from cedar_oracle import POLICIES, authorize_all, completed_years, verdicts
from oracle_worlds import Case, cases

from hanse_consent.decisions.decide import Decider
from hanse_consent.decisions.facts import CustomerFacts, Fact, facts_of, prevailing
from hanse_consent.decisions.planning import make_plan
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.law.packs import load_shipped_packs

WORLDS = 500
CUSTOMERS = 20
LEAST_HITS = 20

NAMED = frozenset(re.findall(r'@id\("([GHP]-[^"]+)"\)', POLICIES.read_text()))


def decided(of: list[Case]) -> list[frozenset[str]]:
    """Per case the ids of the rules that exclude the customer, as the decisions say."""
    packs = load_shipped_packs()
    deciders: dict[int, Decider] = {}
    found = []
    for case in of:
        world = case.world
        if id(world) not in deciders:
            plan = make_plan(world.question, registry=world.registry, packs=packs, at=world.at)
            deciders[id(world)] = Decider(plan)
        by_topic: dict[str, Fact] = {}
        at_us = to_microseconds(world.at)
        for act in case.acts:
            for topic, fact in facts_of(act, registry=world.registry, recorded_us=at_us).items():
                by_topic[topic] = prevailing(by_topic.get(topic), fact)
        reasons = deciders[id(world)].reasons(CustomerFacts(by_topic=by_topic), at_us)
        found.append(frozenset(reason.rule for reason in reasons))
    return found


def test_cedar_agrees_on_ten_thousand_cases(capsys: pytest.CaptureFixture[str]) -> None:
    asked = list(cases(seed=20260504, worlds=WORLDS, customers=CUSTOMERS))
    assert len(asked) == 10_000
    hits: Counter[str] = Counter()
    permitted = 0
    for number, (case, ours, theirs) in enumerate(zip(asked, decided(asked), verdicts(asked), strict=True)):
        hits.update(ours)
        what = f"case {number}: {case.world.question}\n{case.acts}"
        if case.world.registry.purpose(case.world.question.purpose) is None:
            # Nothing else is worth saying of a purpose that nobody registered.
            assert ours and not theirs.permitted, what
            continue
        permitted += not ours
        assert ours == theirs.forbidden_by, what
        assert theirs.permitted == (not ours), what
    with capsys.disabled():
        sys.stdout.write(f"\n{len(asked)} cases, {permitted} permitted; per rule: {dict(sorted(hits.items()))}\n")
    assert permitted > len(asked) / 10
    assert {rule: hits[rule] for rule in NAMED if hits[rule] < LEAST_HITS} == {}
    assert hits.keys() <= NAMED, "a rule of the packs that no policy was written for"


def test_every_case_of_a_seed_is_the_same_again() -> None:
    twice = [[case.acts for case in cases(seed=1, worlds=3, customers=3)] for _ in range(2)]
    assert twice[0] == twice[1]


def test_a_benchmark_can_ask_for_answers_alone() -> None:
    asked = list(cases(seed=2, worlds=10, customers=10))
    assert authorize_all(asked) == [verdict.permitted for verdict in verdicts(asked)]


@pytest.mark.parametrize(
    ("today", "years"),
    [
        (date(2026, 2, 28), 13),
        (date(2026, 3, 1), 14),
        (date(2028, 2, 28), 15),
        (date(2028, 2, 29), 16),
    ],
)
def test_who_is_born_on_a_leap_day_grows_older_on_the_first_of_march(today: date, years: int) -> None:
    assert completed_years(date(2012, 2, 29), today) == years
