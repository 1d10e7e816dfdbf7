"""The store against a slow model: a list of what was said, read from the start for every answer."""

import secrets
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hanse_consent.decisions.facts import (
    AGE,
    AUTOMATED,
    ERASURE,
    OBJECTION_TO_ALL,
    RESIDENCE,
    RESTRICTION,
    Fact,
    facts_of,
    prevailing,
)
from hanse_consent.domain.acts import ActEffect, ActKind, Age, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.errors import KeyReusedError
from hanse_consent.storage.errors import CustomerErasedError
from hanse_privacy.protocol.vocabulary import Tier

PURPOSES = ("statistics", "churn", "churn-detail")
CONTROLLERS = ("alster", "elbe")
CUSTOMERS = tuple(f"{number:032x}" for number in range(4))
HEALTH = SeparateConsent(matter=SeparateMatter.RECIPIENT, subject="elbe")
TOPICS = (
    *(f"{about}/{purpose}" for about in ("consent", "objection", "guardian") for purpose in PURPOSES),
    HEALTH.topic,
    OBJECTION_TO_ALL,
    RESIDENCE,
    AGE,
    RESTRICTION,
    ERASURE,
    AUTOMATED,
)
_REFUSALS = (KeyReusedError, CustomerErasedError)


class Person:
    """Somebody between two erasures: every act in its order, with its position and time of recording."""

    def __init__(self):
        self.acts = []

    def facts(self, registry, *, position):
        found: dict[str, Fact] = {}
        for act, at, recorded_us in self.acts:
            if at <= position:
                for topic, fact in facts_of(act, registry=registry, recorded_us=recorded_us).items():
                    found[topic] = prevailing(found.get(topic), fact)
        return found


class Model:
    """One controller's record, in plain lists."""

    def __init__(self, registry):
        self.registry = registry
        self.position = 0
        self.keys = {}
        self.people = {}
        self.erased = {}
        self.numbers = 0

    def record(self, acts, recorded_us):
        """Effects and position; works on a copy that the caller takes over when nothing was refused."""
        effects, position = [], 0
        for act in acts:
            if act.key in self.keys:
                earlier, at = self.keys[act.key]
                if earlier != act:
                    raise KeyReusedError("", "")
                effects.append(ActEffect.REPEATED)
                position = max(position, at)
                continue
            said_us = to_microseconds(act.said_at)
            if said_us <= self.erased.get(act.customer, -1):
                raise CustomerErasedError("", "")
            if act.customer not in self.people:
                self.people[act.customer] = Person()
                self.numbers += 1
            self.position = position = self.position + 1
            self.keys[act.key] = (act, position)
            person = self.people[act.customer]
            before = person.facts(self.registry, position=position)
            person.acts.append((act, position, recorded_us))
            after = person.facts(self.registry, position=position)
            if act.kind is ActKind.ERASURE:
                del self.people[act.customer]
                self.erased[act.customer] = max(self.erased.get(act.customer, -1), said_us)
                effects.append(ActEffect.EFFECTIVE)
            elif not facts_of(act, registry=self.registry, recorded_us=recorded_us):
                effects.append(ActEffect.EVIDENCE)
            else:
                effects.append(ActEffect.EFFECTIVE if before != after else ActEffect.SUPERSEDED)
        return tuple(effects), position

    def copy(self):
        other = Model(self.registry)
        other.__dict__.update({k: (dict(v) if isinstance(v, dict) else v) for k, v in self.__dict__.items()})
        other.people = {customer: Person() for customer in self.people}
        for customer, person in other.people.items():
            person.acts = list(self.people[customer].acts)
        return other


@st.composite
def sayings(draw):
    kind = draw(
        st.sampled_from([*ActKind, ActKind.GRANT, ActKind.GRANT, ActKind.WITHDRAWAL, ActKind.RENEWAL, ActKind.PROFILE])
    )
    fields = {"kind": kind, "customer": draw(st.sampled_from(CUSTOMERS))}
    purpose = draw(st.sampled_from(PURPOSES))
    match kind:
        case ActKind.GRANT | ActKind.RENEWAL:
            fields |= {"purpose": purpose, "tier": draw(st.sampled_from(Tier)), "explicit": draw(st.booleans())}
            fields |= {"notice": draw(st.sampled_from(["all@1", "all@2"]))}
        case ActKind.REFUSAL | ActKind.DEFERRAL | ActKind.GUARDIAN_WITHDRAWAL:
            fields |= {"purpose": purpose}
        case ActKind.GUARDIAN_GRANT:
            fields |= {"purpose": purpose, "notice": "all@1"}
        case ActKind.WITHDRAWAL | ActKind.OBJECTION | ActKind.OBJECTION_LIFTED:
            fields |= {"purpose": draw(st.sampled_from([None, *PURPOSES]))}
        case ActKind.NOTICE_SERVED:
            fields |= {"notice": "all@2"}
        case ActKind.SEPARATE_GRANT:
            fields |= {"separate": HEALTH, "notice": "all@1"}
        case ActKind.SEPARATE_WITHDRAWAL:
            fields |= {"separate": HEALTH}
        case ActKind.PROFILE:
            age = draw(st.sampled_from([None, Age(adult=True), Age(adult=False, born_on=date(2015, 1, 2))]))
            fields |= {"country": draw(st.sampled_from(["DE", "CN"])), "age": age}
    return fields, draw(st.integers(-6, 4))


class StoreAgainstModel(RuleBasedStateMachine):
    open = None
    """Opens an empty store: made by the test, as the folder and the clock are."""

    @initialize()
    def begin(self):
        self.store, self.clock, registry = self.open()
        self.models = {controller: Model(registry) for controller in CONTROLLERS}
        self.pasts = []
        self.said = []

    @rule(
        controller=st.sampled_from(CONTROLLERS),
        batch=st.lists(sayings(), min_size=1, max_size=6),
        again=st.integers(0, 2),
        mangled=st.sampled_from([False] * 9 + [True]),
    )
    def record(self, controller, batch, again, mangled):
        now = self.clock()
        acts = [
            ConsentAct.model_validate(fields | {"said_at": now + timedelta(minutes=at), "key": secrets.token_hex(8)})
            for fields, at in batch
        ]
        earlier = [act for who, act in self.said if who == controller][-again:] if again else []
        if mangled and earlier:
            earlier[0] = earlier[0].model_copy(update={"channel": "elsewhere"})
        acts = [*acts, *earlier, *acts[:1]]
        self.attempt(controller, acts, now)

    def attempt(self, controller, acts, now):
        trial = self.models[controller].copy()
        try:
            expected = trial.record(acts, to_microseconds(now))
        except _REFUSALS:
            # Of a batch that deserves both, either may be named.
            with pytest.raises(_REFUSALS):
                self.store.record(controller, acts)
            return
        receipt = self.store.record(controller, acts)
        assert (receipt.effects, receipt.position) == expected
        self.models[controller] = trial
        self.said += [(controller, act) for act in acts]

    @rule(minutes=st.integers(0, 4))
    def wait(self, minutes):
        self.clock.advance(minutes=minutes)

    @invariant()
    def every_past_is_as_it_was(self):
        for controller, model in getattr(self, "models", {}).items():
            store = self.store
            assert store.position(controller) == model.position
            assert store.customer_count(controller) == len(model.people)
            numbers = store.customer_numbers(controller)
            assert (numbers.position, numbers.last) == (model.position, model.numbers)
            assert len(numbers.erased) == model.numbers - len(model.people)
            everybody = np.arange(1, numbers.last + 1, dtype=np.uint32)
            members = store.members(controller, everybody)
            assert {row.tobytes().hex() for row in members.pseudonyms} == set(model.people)
            assert len({row.tobytes() for row in members.keys}) == len(model.people)
            for position in {model.position // 2, model.position}:
                for customer in CUSTOMERS:
                    person = model.people.get(customer, Person())
                    known = store.facts(controller, customer, position=position)
                    assert dict(known.facts.by_topic) == person.facts(model.registry, position=position)
                    assert known.position == position
            for customer, person in model.people.items():
                history = store.history(controller, customer)
                assert [(one.position, one.key, one.kind, one.country, one.age) for one in history] == [
                    (at, act.key, act.kind, act.country, act.age) for act, at, _ in person.acts
                ]

    @invariant()
    def the_feed_follows(self):
        """A copy that only ever reads what has changed holds what the store holds."""
        for controller in getattr(self, "models", {}):
            feeds = self.__dict__.setdefault("feeds", {})
            position, held = feeds.get(controller, (0, {}))
            changes = self.store.changes_since(controller, position, TOPICS)
            gone = set(changes.erased.tolist())
            held = {place: state for place, state in held.items() if place[1] not in gone}
            for rows in changes.facts:
                for number, state in zip(rows.customers.tolist(), rows.states.tolist(), strict=True):
                    held[rows.topic, number] = state
            feeds[controller] = (changes.position, held)
            fresh = {}
            for topic in TOPICS:
                rows = self.store.fact_rows(controller, topic)
                assert rows.customers.tolist() == sorted(set(rows.customers.tolist()))
                fresh |= {
                    (topic, number): state
                    for number, state in zip(rows.customers.tolist(), rows.states.tolist(), strict=True)
                }
            assert held == fresh


@pytest.mark.parametrize("count", [8])
def test_store_equals_the_model(location, registry, clock, open_store, emptied, count):
    def begin(_machine):
        store = open_store(emptied())
        store.register(registry)
        return store, clock, store.registry()

    machine = type("Machine", (StoreAgainstModel,), {"open": begin})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=count if location.is_file else count // 3,
            stateful_step_count=6,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
