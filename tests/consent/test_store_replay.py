"""The store against a brute-force replay: whatever the order of arrival, the same people may be used."""

import secrets
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlmodel import Session, create_engine, select

from hanse_consent.acts import ActKind, ConsentAct
from hanse_consent.catalogue import Catalogue
from hanse_consent.decision import may_be_used
from hanse_consent.recording import standing_from
from hanse_consent.store import ConsentStore
from hanse_consent.tables import ConsentState
from hanse_privacy.protocol.vocabulary import Tier

CUSTOMERS = [f"{number:032x}" for number in range(3)]
PURPOSES = ["reading", "writing"]
PARTNERS = ["alster", "elbe"]
CATALOGUE = Catalogue.model_validate(
    {
        "purposes": [
            {"name": name, "title": name, "description": name, "data_categories": dict.fromkeys(Tier, ("baskets",))}
            for name in PURPOSES
        ],
        "notices": [
            {"name": "all", "version": v, "language": "en", "file": f"all{v}.md", "purposes": PURPOSES, "text": v}
            for v in ("1", "2")
        ],
    }
)
ORDER_OF_TIERS = {Tier.BASIC: 1, Tier.STANDARD: 2, Tier.ADVANCED: 3}

minutes = st.integers(-6, 4)


@st.composite
def acts(draw):
    kind = draw(st.sampled_from(ActKind))
    grant = kind is ActKind.GRANT
    return (
        kind,
        draw(st.sampled_from(CUSTOMERS)),
        draw(st.sampled_from(PURPOSES)),
        draw(st.sampled_from(Tier)) if grant else None,
        draw(st.sampled_from(["all@1", "all@2"])) if grant else None,
        draw(minutes),
    )


def oracle(said, *, partner, purpose, asked):
    """Who may be used, told from all acts at once in plain words, never from a running state."""
    usable = set()
    for customer in CUSTOMERS:
        mine = [
            # A grant from a fast clock counts from its recording.
            (min(said_at, recorded_at) if act.kind is ActKind.GRANT else said_at, act)
            for who, act, said_at, recorded_at in said
            if (who, act.customer, act.purpose) == (partner, customer, purpose)
        ]
        if not mine:
            continue
        latest = max(at for at, _ in mine)
        last = [act for at, act in mine if at == latest]
        if any(act.kind is ActKind.WITHDRAWAL for act in last):
            continue
        if min(ORDER_OF_TIERS[act.tier] for act in last) >= ORDER_OF_TIERS[asked]:
            usable.add(customer)
    return usable


class StoreAgainstReplay(RuleBasedStateMachine):
    folder = None
    clock_type = None

    @initialize()
    def open(self):
        self.clock = self.clock_type()
        self.path = self.folder / f"{secrets.token_hex(8)}.sqlite"
        self.store = ConsentStore(database=self.path, now=self.clock)
        self.store.register(CATALOGUE)
        self.said = []
        self.events = 0

    @rule(partner=st.sampled_from(PARTNERS), batch=st.lists(acts(), min_size=1, max_size=6))
    def record(self, partner, batch):
        now = self.clock()
        whole = [
            ConsentAct(
                kind=kind,
                customer=customer,
                purpose=purpose,
                tier=tier,
                notice=notice,
                said_at=now + timedelta(minutes=offset),
                key=secrets.token_hex(8),
            )
            for kind, customer, purpose, tier, notice, offset in batch
        ]
        self.events += len(whole)
        assert self.store.record(partner=partner, acts=whole) == self.events
        assert self.store.record(partner=partner, acts=whole) == self.events
        self.said += [(partner, act, act.said_at, now) for act in whole]

    @rule(minutes=st.integers(0, 4))
    def wait(self, minutes):
        self.clock.advance(minutes=minutes)

    @invariant()
    def the_same_people(self):
        if not hasattr(self, "store"):
            return
        for partner in PARTNERS:
            for purpose in PURPOSES:
                for asked in Tier:
                    cohort = self.store.cohort(partner=partner, purpose=purpose, tier=asked)
                    assert set(cohort.customers) == oracle(self.said, partner=partner, purpose=purpose, asked=asked)
                    assert list(cohort.customers) == sorted(cohort.customers)
                    assert cohort.position == self.events

    @invariant()
    def sql_equals_the_pure_rule(self):
        if not hasattr(self, "store"):
            return
        engine = create_engine(f"sqlite:///{self.path}")
        with Session(engine) as session:
            states = sorted(session.exec(select(ConsentState)).all(), key=lambda s: (s.partner, s.purpose))
            for (partner, purpose), rows in groupby(states, key=lambda s: (s.partner, s.purpose)):
                standings = {row.customer: standing_from(row) for row in rows}
                for asked in Tier:
                    cohort = self.store.cohort(partner=partner, purpose=purpose, tier=asked)
                    used = {c for c in CUSTOMERS if may_be_used(standings.get(c), asked=asked)}
                    assert set(cohort.customers) == used
                    assert set(cohort.notices) == {standings[c].notice for c in used}
        engine.dispose()

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()


@pytest.fixture
def machine(tmp_path, clock):
    # The folder and the clock reach the state machine through its class.
    return type("Machine", (StoreAgainstReplay,), {"folder": tmp_path, "clock_type": type(clock)})


def test_store_equals_replay(machine):
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.lists(acts(), min_size=2, max_size=8), data=st.data())
def test_order_of_arrival_does_not_matter(tmp_path_factory, said, data):
    """Recorded by one clock reading, every permutation in every batching ends the same."""
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    outcomes = []
    for order in (said, data.draw(st.permutations(said))):
        store = ConsentStore(database=tmp_path_factory.mktemp("s") / "c.sqlite", now=lambda: noon)
        store.register(CATALOGUE)
        cut = data.draw(st.integers(1, len(order) - 1))
        for batch in (order[:cut], order[cut:]):
            store.record(
                partner="alster",
                acts=[
                    ConsentAct(
                        kind=k, customer=c, purpose=p, tier=t, notice=n,
                        said_at=noon + timedelta(minutes=m), key=secrets.token_hex(8),
                    )
                    for k, c, p, t, n, m in batch
                ],
            )  # fmt: skip
        cohorts = [store.cohort(partner="alster", purpose=p, tier=t) for p in PURPOSES for t in Tier]
        outcomes.append([(c.customers, c.notices, c.position) for c in cohorts])
        store.close()
    assert outcomes[0] == outcomes[1]
