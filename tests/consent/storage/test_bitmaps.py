"""The bitmap cache says of every customer what :func:`sets.contains` says, whatever was asked and changed before."""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hanse_consent.decisions.facts import CustomerFacts, Fact, FactState
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
from hanse_consent.domain.moments import NO_END, to_microseconds
from hanse_consent.storage.bitmaps import BitmapCache, CachedAnswer
from hanse_consent.storage.feeds import (
    NO_BIRTHDAY,
    NO_NOTICE,
    NO_TIER,
    Changes,
    CustomerNumbers,
    FactRows,
)
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.vocabulary import Tier

SHOP = "shop"
NOON_US = to_microseconds(datetime(2026, 5, 4, 12, 0, tzinfo=UTC))
# A quarter of a day: several fit into what a leaf looks ahead, and several questions go past it.
STEP_US = timedelta(hours=6) // timedelta(microseconds=1)
MOMENTS = [NOON_US + step * STEP_US for step in range(16)]
TOPICS = ["consent/statistics", "objection/statistics", "residence", "age"]
NOTICES = ["joint@1", "joint@2", "joint@3"]
COUNTRIES = ["CN", "DE", "FR"]
MAX_CUSTOMERS = 6


class FactsInMemory:
    """A store of facts alone. Before any read it may let somebody else write, as other processes do."""

    def __init__(self) -> None:
        self.states: list[tuple[int, frozenset[int], Mapping[tuple[str, int], Fact]]] = [(0, frozenset(), {})]
        self.changed: list[tuple[str, int]] = []
        self.elsewhere: list[tuple[str, int, Fact]] = []
        self.numbers: dict[str, int] = {}
        self.guard = threading.RLock()
        self.before_rows: list[tuple[str, int, Fact]] = []
        self.broken = False

    def say(self, topic: str, customer: int, fact: Fact) -> int:
        with self.guard:
            last, erased, facts = self.states[-1]
            if fact.notice is not None:
                self.numbers.setdefault(fact.notice, len(self.numbers) + 1)
            self.states.append((max(last, customer), erased, {**facts, (topic, customer): fact}))
            self.changed.append((topic, customer))
            return len(self.states) - 1

    def erase(self, customer: int) -> None:
        last, erased, facts = self.states[-1]
        kept = {key: fact for key, fact in facts.items() if key[1] != customer}
        self.states.append((max(last, customer), erased | {customer}, kept))
        self.changed.append(("erasure", customer))

    def put_back(self, position: int) -> None:
        del self.states[position + 1 :]
        del self.changed[position:]

    def _let_others_write(self) -> None:
        if self.elsewhere:
            self.say(*self.elsewhere.pop())

    def position(self, controller: str) -> int:
        self._let_others_write()
        return len(self.states) - 1

    def customer_numbers(self, controller: str) -> CustomerNumbers:
        self._let_others_write()
        with self.guard:
            last, erased, _ = self.states[-1]
            return CustomerNumbers(
                position=len(self.states) - 1, last=last, erased=np.array(sorted(erased), dtype=np.uint32)
            )

    def fact_rows(self, controller: str, topic: str) -> FactRows:
        self._let_others_write()
        while self.before_rows:
            self.say(*self.before_rows.pop())
        with self.guard:
            return self._rows(topic, [customer for at, customer in self.states[-1][2] if at == topic])

    def changes_since(self, controller: str, position: int, topics: Collection[str]) -> Changes:
        self._let_others_write()
        with self.guard:
            last, erased, facts = self.states[-1]
            touched = defaultdict(set)
            for topic, customer in self.changed[position:]:
                if topic in topics and (topic, customer) in facts:
                    touched[topic].add(customer)
            return Changes(
                position=len(self.states) - 1,
                last=last,
                erased=np.array(sorted(erased - self.states[position][1]), dtype=np.uint32),
                facts=tuple(self._rows(topic, customers) for topic, customers in touched.items()),
            )

    def notice_numbers(self, references: Iterable[str]) -> frozenset[int]:
        if self.broken:
            raise OSError("the disk is gone")
        return frozenset(self.numbers[name] for name in references if name in self.numbers)

    def _rows(self, topic: str, customers: Iterable[int]) -> FactRows:
        numbers = sorted(customers)
        facts = [self.states[-1][2][topic, customer] for customer in numbers]
        return FactRows(
            topic=topic,
            position=len(self.states) - 1,
            customers=np.array(numbers, dtype=np.uint32),
            states=np.array([fact.state for fact in facts], dtype=np.uint8),
            tier_ranks=np.array([NO_TIER if f.tier_rank is None else f.tier_rank for f in facts], dtype=np.int8),
            notices=np.array([self.numbers.get(f.notice or "", NO_NOTICE) for f in facts], dtype=np.int32),
            explicit=np.array([fact.explicit for fact in facts], dtype=np.bool_),
            until_us=np.array([fact.until_us for fact in facts], dtype=np.int64),
            countries=np.array([fact.country or "" for fact in facts], dtype="S2"),
            born_on=np.array([NO_BIRTHDAY if f.born_on is None else f.born_on for f in facts], dtype=np.int32),
        )

    def expected(self, position: int, excluded: CustomerSet, at_us: int) -> set[int]:
        """Who is excluded, one customer at a time."""
        last, erased, facts = self.states[position]
        known: dict[int, dict[str, Fact]] = {n: {} for n in range(1, last + 1) if n not in erased}
        for (topic, customer), fact in facts.items():
            if customer in known:
                known[customer][topic] = fact
        test = contains(excluded)
        return {n for n, by_topic in known.items() if test(CustomerFacts(by_topic=by_topic), at_us)}


def plan_of(*excluded: CustomerSet, codes: Iterable[str] = ()) -> Plan:
    names = list(codes) or [f"REASON_{number}" for number in range(len(excluded))]
    return Plan(
        question=Question(controller=SHOP, purpose="statistics", tier=Tier.BASIC, categories=("pd:Name",)),
        registry_version=1,
        pack_versions={},
        exclusions=tuple(
            Exclusion(reason=Reason(rule="H-1", article="none", code=code), excluded=part)
            for code, part in zip(names, excluded, strict=True)
        ),
        obligations=(),
        from_us=MOMENTS[0],
        until_us=MOMENTS[-1] + 1,
    )


def check(answer: CachedAnswer, feed: FactsInMemory, parts: list[CustomerSet], at_us: int) -> None:
    last, erased, _ = feed.states[answer.position]
    excluded = [feed.expected(answer.position, part, at_us) for part in parts]
    known = set(range(1, last + 1)) - erased
    assert set(answer.customers) == known - set().union(*excluded)
    assert answer.numbers.tolist() == sorted(answer.customers)
    assert answer.excluded_by_reason == {f"REASON_{n}": len(part) for n, part in enumerate(excluded)}


facts = st.builds(
    Fact,
    state=st.sampled_from(FactState),
    effective_us=st.just(MOMENTS[0]),
    until_us=st.sampled_from([*MOMENTS, NO_END]),
    tier_rank=st.sampled_from([None, 0, 1, 2]),
    notice=st.sampled_from([None, *NOTICES]),
    explicit=st.booleans(),
    country=st.sampled_from([None, *COUNTRIES]),
    born_on=st.sampled_from([None, 15_000, 15_001, 15_002]),
)
leaves = st.builds(
    Having,
    topic=st.sampled_from(TOPICS),
    states=st.none() | st.frozensets(st.sampled_from(FactState)),
    below_tier=st.none() | st.integers(0, 3),
    notices=st.none() | st.frozensets(st.sampled_from(NOTICES)),
    explicit=st.none() | st.booleans(),
    ended=st.none() | st.booleans(),
    countries=st.none() | st.frozensets(st.sampled_from(COUNTRIES)),
    born_after=st.none() | st.sampled_from([14_999, 15_000, 15_001]),
)
# Few conditions at a time, or hardly anybody would ever meet them.
single = st.sampled_from(["states", "below_tier", "notices", "explicit", "ended", "countries", "born_after"]).flatmap(
    lambda kept: leaves.map(lambda leaf: Having(topic=leaf.topic, **{kept: getattr(leaf, kept)}))
)
expressions: st.SearchStrategy[CustomerSet] = st.recursive(
    st.one_of(single, leaves, st.just(EVERYONE), st.just(NOBODY)),
    lambda inner: st.one_of(
        inner.map(Complement),
        st.lists(inner, max_size=3).map(lambda parts: Union(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Intersection(tuple(parts))),
    ),
    max_leaves=5,
)
said = st.tuples(st.sampled_from(TOPICS), st.integers(1, MAX_CUSTOMERS), facts)
moments = st.sampled_from(MOMENTS)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_every_customer_is_where_its_facts_say(data: st.DataObject) -> None:
    questions = data.draw(st.lists(st.lists(expressions, min_size=1, max_size=3), min_size=1, max_size=3))
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    for saying in data.draw(st.lists(said, max_size=12)):
        feed.say(*saying)
    steps = st.one_of(
        st.tuples(st.sampled_from(questions), moments),
        st.tuples(st.sampled_from(questions), moments),
        said,
        said.map(lambda saying: [saying]),
        st.integers(1, MAX_CUSTOMERS),
    )
    for step in data.draw(st.lists(steps, min_size=1, max_size=14)):
        match step:
            case int(customer):
                feed.erase(customer)
            case [saying]:
                feed.elsewhere.append(saying)
            case (str(topic), int(customer), Fact() as fact):
                if customer not in feed.states[-1][1]:
                    feed.say(topic, customer, fact)
            case (parts, at_us):
                acknowledged = len(feed.states) - 1
                # Nobody writes about a customer who is erased: the store refuses it.
                feed.elsewhere = [s for s in feed.elsewhere if s[1] not in feed.states[-1][1]]
                answer = cache.eligible(plan_of(*parts), at_us=at_us)
                assert answer.position >= acknowledged
                check(answer, feed, parts, at_us)
                event("somebody is excluded" if any(answer.excluded_by_reason.values()) else "nobody is excluded")


@given(sayings=st.lists(said, min_size=1, max_size=10), ended=st.booleans(), order=st.permutations(MOMENTS))
@settings(max_examples=60, deadline=None)
def test_time_may_run_back_and_forth(sayings: list[tuple[str, int, Fact]], ended: bool, order: list[int]) -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    condition = Having(topic=TOPICS[0], ended=ended)
    for number, at_us in enumerate(order):
        if number < len(sayings):
            _, customer, fact = sayings[number]
            feed.say(TOPICS[0], customer, fact)
        for near_us in (at_us, max(at_us - 1, MOMENTS[0])):
            check(cache.eligible(plan_of(condition), at_us=near_us), feed, [condition], near_us)


def given_until(until_us: int, **more: object) -> Fact:
    return replace(Fact(state=FactState.GIVEN, effective_us=NOON_US, until_us=until_us), **more)  # type: ignore[arg-type]


def test_a_fact_ends_at_its_moment_and_not_before() -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    feed.say("consent/statistics", 1, given_until(MOMENTS[1]))
    running = plan_of(Having(topic="consent/statistics", ended=True))
    assert set(cache.eligible(running, at_us=MOMENTS[1] - 1).customers) == {1}
    assert set(cache.eligible(running, at_us=MOMENTS[1]).customers) == set()
    assert set(cache.eligible(running, at_us=MOMENTS[1] - 1).customers) == {1}


def test_codes_named_twice_count_a_customer_once() -> None:
    feed = FactsInMemory()
    for customer in (1, 2):
        feed.say("residence", customer, given_until(NO_END, country="DE"))
    everyone_twice = plan_of(EVERYONE, Having(topic="residence", countries=frozenset({"DE"})), codes=["SAME", "SAME"])
    assert BitmapCache(feed).eligible(everyone_twice, at_us=NOON_US).excluded_by_reason == {"SAME": 2}


def test_a_store_put_back_to_an_earlier_day_is_read_again() -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    gone = plan_of(Having(topic="consent/statistics", states=frozenset({FactState.WITHDRAWN})))
    feed.say("consent/statistics", 1, given_until(NO_END))
    feed.say("consent/statistics", 2, given_until(NO_END, state=FactState.WITHDRAWN))
    assert set(cache.eligible(gone, at_us=NOON_US).customers) == {1}
    feed.put_back(1)
    assert set(cache.eligible(gone, at_us=NOON_US).customers) == {1}
    feed.say("consent/statistics", 2, given_until(NO_END))
    assert set(cache.eligible(gone, at_us=NOON_US).customers) == {1, 2}


def test_a_plan_is_refused_at_a_moment_it_does_not_hold() -> None:
    for at_us in (MOMENTS[0] - 1, MOMENTS[-1] + 1):
        with pytest.raises(InvalidValueError, match=str(at_us)):
            BitmapCache(FactsInMemory()).eligible(plan_of(NOBODY), at_us=at_us)


def test_a_read_that_fails_halfway_leaves_nothing_half_read() -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    plan = plan_of(Having(topic="consent/statistics", notices=frozenset(NOTICES), ended=True))
    feed.say("consent/statistics", 1, given_until(MOMENTS[1], notice="joint@1"))
    assert set(cache.eligible(plan, at_us=MOMENTS[0]).customers) == {1}
    feed.broken = True
    with pytest.raises(OSError, match="gone"):
        cache.eligible(plan, at_us=MOMENTS[1])
    feed.broken = False
    check(cache.eligible(plan, at_us=MOMENTS[1]), feed, [plan.exclusions[0].excluded], MOMENTS[1])


def test_what_others_write_while_a_topic_is_read_is_in_all_topics_or_in_none() -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    known, new = (Having(topic=topic, states=frozenset({FactState.GIVEN})) for topic in TOPICS[:2])
    feed.say(TOPICS[0], 1, given_until(NO_END))
    feed.say(TOPICS[1], 1, given_until(NO_END))
    cache.eligible(plan_of(known), at_us=NOON_US)
    feed.before_rows = [(topic, 1, given_until(NO_END, state=FactState.WITHDRAWN)) for topic in TOPICS[:2]]
    answer = cache.eligible(plan_of(known, new), at_us=NOON_US)
    assert answer.position == 4
    check(answer, feed, [known, new], NOON_US)


def test_an_answer_holds_what_was_said_before_the_question_with_many_threads() -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    parts: list[CustomerSet] = [
        Complement(Having(topic="consent/statistics", states=frozenset({FactState.GIVEN}), ended=False)),
        Having(topic="objection/statistics", states=frozenset({FactState.IN_FORCE})),
    ]
    plan = plan_of(*parts)
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for turn in range(60):
                topic = TOPICS[(worker + turn) % 2]
                state = (FactState.GIVEN, FactState.WITHDRAWN, FactState.IN_FORCE, FactState.LIFTED)[turn % 4]
                fact = given_until(MOMENTS[turn % 16], state=state)
                acknowledged = feed.say(topic, 1 + (worker * 7 + turn) % 5, fact)
                at_us = MOMENTS[(worker * 5 + turn) % 16]
                answer = cache.eligible(plan, at_us=at_us)
                assert answer.position >= acknowledged
                check(answer, feed, parts, at_us)
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_what_is_held_grows_with_the_facts_and_can_be_let_go() -> None:
    feed = FactsInMemory()
    cache = BitmapCache(feed)
    plan = plan_of(Having(topic="consent/statistics", explicit=False))
    feed.say("consent/statistics", 1000, given_until(NO_END))
    cache.eligible(plan, at_us=NOON_US)
    # Only the column of states is there: every other property is the same for all.
    assert 1001 <= cache.nbytes(SHOP) <= 1200
    cache.forget(SHOP)
    assert cache.nbytes(SHOP) == 0
