"""SQL tells the same customers as the test of one customer, for any facts, any set and any position."""

import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse_consent.decisions.facts import ERASURE, CustomerFacts, Fact, FactState
from hanse_consent.decisions.plan import Exclusion, Plan, Reason
from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import (
    EVERYONE,
    NOBODY,
    Complement,
    CustomerSet,
    Having,
    Intersection,
    Union,
    contains,
)
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bulk import insert_rows
from hanse_consent.storage.database import Database
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.store import ConsentStore
from hanse_consent.storage.tables import ControllerStand, Customer, FactRow, NumberedName
from hanse_privacy.protocol.vocabulary import Tier

TOPICS = ("consent/a", "consent/b", "residence", "age", "objection/a")
UNUSED = "objection/b"
NOTICES = ("all@1", "all@2", "other@1")
COUNTRIES = ("DE", "CN", "FR")
CUSTOMERS = 120
LAST = 60
ENDS = (5, 10, 20)


@dataclass(repr=False)
class World:
    """Random facts with their history, once in a store and once in memory."""

    store: ConsentStore
    known: dict[int, int]
    """Since which position, by customer number; erased ones are not in it."""
    history: dict[tuple[str, int], list[tuple[int, int, Fact]]]

    def at(self, position: int) -> dict[int, CustomerFacts]:
        facts: dict[int, dict[str, Fact]] = {number: {} for number, since in self.known.items() if since <= position}
        for (topic, number), intervals in self.history.items():
            for since, until, fact in intervals:
                if since <= position < until and number in facts:
                    facts[number][topic] = fact
        return {number: CustomerFacts(by_topic=by_topic) for number, by_topic in facts.items()}


def random_fact(source: random.Random) -> Fact:
    return Fact(
        state=source.choice(list(FactState)),
        effective_us=0,
        until_us=source.choice([*ENDS, NO_END]),
        tier_rank=source.choice([None, 0, 1, 2]),
        notice=source.choice([None, *NOTICES[:2]]),
        explicit=source.random() < 0.5,
        country=source.choice([None, *COUNTRIES]),
        born_on=source.choice([None, -400, 0, 15_000]),
    )


def build(database: Database, store: ConsentStore, seed: int) -> World:
    source = random.Random(seed)
    numbers = {name: index + 1 for index, name in enumerate((*TOPICS, UNUSED, ERASURE, *NOTICES))}
    # Numbers are given out in the order of first acts.
    firsts = sorted(source.randrange(1, LAST // 2) for _ in range(CUSTOMERS))
    known = dict(enumerate(firsts, start=1))
    erased = {number: LAST for number in known if source.random() < 0.1}
    history: dict[tuple[str, int], list[tuple[int, int, Fact]]] = {}
    for number, since in known.items():
        for topic in TOPICS:
            if number in erased or source.random() < 0.3:
                continue
            cuts = sorted(source.sample(range(since, LAST + 1), source.randrange(1, 5)))
            ends = [*cuts[1:], NO_END]
            history[topic, number] = [(a, b, random_fact(source)) for a, b in zip(cuts, ends, strict=True)]
    rows = [
        (
            1,
            numbers[topic],
            number,
            until,
            since,
            int(fact.state),
            fact.explicit,
            fact.tier_rank,
            numbers[fact.notice] if fact.notice else None,
            0,
            fact.until_us,
            fact.country,
            fact.born_on,
        )
        for (topic, number), intervals in history.items()
        for since, until, fact in intervals
    ]
    rows += [
        (
            1,
            numbers[ERASURE],
            number,
            NO_END,
            position,
            int(FactState.IN_FORCE),
            False,
            None,
            None,
            0,
            NO_END,
            None,
            None,
        )
        for number, position in erased.items()
    ]
    with database.writing_across_controllers() as session:
        session.add(
            ControllerStand(
                controller_no=1, controller="alster", position=LAST, customers=CUSTOMERS, erased=len(erased)
            )
        )
        session.add_all(NumberedName(number=number, name=name) for name, number in numbers.items())
        session.flush()
        insert_rows(
            session,
            Customer,
            [
                (1, number, None if number in erased else number.to_bytes(16, "big"), None, since, erased.get(number))
                for number, since in known.items()
            ],
        )
        insert_rows(session, FactRow, sorted(rows))
    return World(store=store, known={n: since for n, since in known.items() if n not in erased}, history=history)


@pytest.fixture(params=[1, 2])
def world(request, location: DatabaseLocation, database: Database, open_store) -> World:
    return build(database, open_store(database), request.param)


def some(values) -> st.SearchStrategy:
    return st.none() | st.frozensets(st.sampled_from(values))


havings = st.builds(
    Having,
    topic=st.sampled_from((*TOPICS, UNUSED, "never/heard")),
    states=some(list(FactState)),
    below_tier=st.none() | st.integers(0, 3),
    notices=some((*NOTICES, "unknown@9")),
    explicit=st.none() | st.booleans(),
    ended=st.none() | st.booleans(),
    countries=some(COUNTRIES),
    born_after=st.none() | st.sampled_from([-500, -1, 14_999]),
)
sparing = st.builds(Having, topic=st.sampled_from(TOPICS), states=some(list(FactState)))
sets: st.SearchStrategy[CustomerSet] = st.recursive(
    havings | sparing | st.sampled_from([EVERYONE, NOBODY]),
    lambda inner: (
        st.builds(Complement, inner)
        | st.builds(Union, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(Intersection, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=7,
)


def plan_of(excluded: list[CustomerSet]) -> Plan:
    codes = ("FIRST", "SECOND", "FIRST", "THIRD")
    return Plan(
        question=Question(controller="alster", purpose="a", tier=Tier.BASIC, categories=("pd:Age",)),
        registry_version=1,
        pack_versions={},
        exclusions=tuple(
            Exclusion(reason=Reason(rule=f"H-{index}", article="", code=codes[index % 4]), excluded=of)
            for index, of in enumerate(excluded)
        ),
        obligations=(),
        from_us=0,
        until_us=NO_END,
    )


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    excluded=st.lists(sets, max_size=4),
    position=st.none() | st.integers(0, LAST),
    at_us=st.sampled_from([0, 5, 9, 10, 25]),
)
def test_sql_equals_the_test_of_one_customer(world, excluded, position, at_us):
    plan = plan_of(excluded)
    found = world.store.eligible(plan, at_us=at_us, position=position)
    facts = world.at(LAST if position is None else position)
    eligible = contains(plan.eligible)
    assert found.customers.dtype == np.uint32
    assert found.customers.tolist() == sorted(n for n, known in facts.items() if eligible(known, at_us))
    assert found.position == (LAST if position is None else position)
    expected: dict[str, set[int]] = {}
    for exclusion in plan.exclusions:
        test = contains(exclusion.excluded)
        expected.setdefault(exclusion.reason.code, set()).update(n for n, known in facts.items() if test(known, at_us))
    assert dict(found.excluded_by_reason) == {code: len(numbers) for code, numbers in expected.items()}


def test_an_unknown_controller_has_nobody(world):
    plan = plan_of([Complement(Having(topic="consent/a"))])
    other = replace(plan, question=plan.question.model_copy(update={"controller": "elbe"}))
    found = world.store.eligible(other, at_us=0)
    assert (found.position, found.customers.tolist(), dict(found.excluded_by_reason)) == (0, [], {"FIRST": 0})
