"""One customer at a time, the database and the bitmaps give one answer, for every rule of the law packs."""

import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from strategies import Case, random_case

from hanse_consent.decisions.decide import Decider
from hanse_consent.decisions.facts import ERASURE, CustomerFacts, Fact, FactState
from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.planning import make_plan
from hanse_consent.domain.moments import NO_END
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.bulk import insert_rows
from hanse_consent.storage.database import Database
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import migrate
from hanse_consent.storage.store import ConsentStore
from hanse_consent.storage.tables import ControllerStand, Customer, FactRow, NumberedName

PACKS = load_shipped_packs()
WORLDS = 500
CUSTOMERS_EACH = 12
OFTEN = 100
ASKED_OF_DATABASE = 1 if os.environ.get("HANSE_THOROUGH") == "1" else 25
"""Every world goes through bitmaps; every so manieth through the database, which takes 200 ms to read a plan."""
SERVER = "postgresql://postgres@127.0.0.1:5432"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A case, and its plan as asked of the controller that stands for it in the store."""

    case: Case
    plan: Plan

    def reasons(self) -> list[frozenset[tuple[str, str]]]:
        """Per customer, rule and code of every reason: the first reading."""
        decider = Decider(self.plan)
        found = [decider.reasons(facts, self.case.at_us) for facts in self.case.customers]
        return [frozenset((reason.rule, reason.code) for reason in reasons) for reasons in found]


def as_recorded(facts: CustomerFacts) -> CustomerFacts:
    """An erasure leaves nothing beside it and is never lifted."""
    by_topic = dict(facts.by_topic)
    erasure = by_topic.pop(ERASURE, None)
    if erasure is None or erasure.state is not FactState.IN_FORCE:
        return CustomerFacts(by_topic=by_topic)
    return CustomerFacts(by_topic={ERASURE: erasure})


def is_erased(facts: CustomerFacts) -> bool:
    return ERASURE in facts.by_topic


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    found = []
    for seed in range(WORLDS):
        drawn = random_case(seed, customers=CUSTOMERS_EACH)
        case = replace(drawn, customers=tuple(map(as_recorded, drawn.customers)))
        plan = make_plan(case.question, registry=case.registry, packs=PACKS, at=case.at)
        own = case.question.model_copy(update={"controller": f"shop-{seed}"})
        found.append(Asked(case=case, plan=replace(plan, question=own)))
    return found


def _postgresql() -> Iterator[DatabaseLocation]:
    name = f"hanse_test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    location = DatabaseLocation.parse(f"postgresql://{name}@127.0.0.1:5432/{name}")
    migrate(location)
    yield location
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as last:
        last.execute(f"DROP DATABASE {name} WITH (FORCE)")
        last.execute(f"DROP ROLE {name}")


def _filled(location: DatabaseLocation, asked: Sequence[Asked]) -> Iterator[ConsentStore]:
    database = Database(location)
    fill(database, asked)
    yield ConsentStore(database, packs=PACKS, now=lambda: datetime.now(UTC))
    database.close()


@pytest.fixture
def in_sqlite(tmp_path: Path, asked: list[Asked]) -> Iterator[ConsentStore]:
    yield from _filled(DatabaseLocation.of_file(tmp_path / "consent.sqlite"), asked)


@pytest.fixture
def in_postgresql(postgresql: None, asked: list[Asked]) -> Iterator[ConsentStore]:
    for location in _postgresql():
        yield from _filled(location, asked[::ASKED_OF_DATABASE])


def fill(database: Database, asked: Sequence[Asked]) -> None:
    """Put the facts of every case down as if all acts had been recorded at position 1."""
    everybody = [facts.by_topic for one in asked for facts in one.case.customers]
    topics = {topic for by_topic in everybody for topic in by_topic}
    notices = {fact.notice for by_topic in everybody for fact in by_topic.values() if fact.notice is not None}
    names = {name: number for number, name in enumerate(sorted(topics | notices), start=1)}
    with database.writing_across_controllers() as session:
        session.add_all(NumberedName(number=number, name=name) for name, number in names.items())
        for number, one in enumerate(asked, start=1):
            session.add(
                ControllerStand(
                    controller_no=number,
                    controller=one.plan.question.controller,
                    position=1,
                    customers=len(one.case.customers),
                    erased=sum(map(is_erased, one.case.customers)),
                )
            )
        session.flush()
        people = []
        for controller_no, one in enumerate(asked, start=1):
            for number, facts in customers(one):
                name = controller_no.to_bytes(8, "big") + number.to_bytes(8, "big")
                link = (None, None, 1, 1) if is_erased(facts) else (name, bytes(32), 1, None)
                people.append((controller_no, number, *link))
        insert_rows(session, Customer, people)
        insert_rows(
            session,
            FactRow,
            sorted(
                row(controller_no, names[topic], number, fact, names)
                for controller_no, one in enumerate(asked, start=1)
                for number, facts in customers(one)
                for topic, fact in facts.by_topic.items()
            ),
        )


def customers(one: Asked) -> Iterator[tuple[int, CustomerFacts]]:
    return enumerate(one.case.customers, start=1)


def row(controller_no: int, topic_no: int, number: int, fact: Fact, names: Mapping[str, int]) -> tuple[object, ...]:
    return (
        controller_no, topic_no, number, NO_END, 1, int(fact.state), fact.explicit, fact.tier_rank,
        names[fact.notice] if fact.notice is not None else None,
        fact.effective_us, fact.until_us, fact.country, fact.born_on,
    )  # fmt: skip


def agreed(
    store: ConsentStore, cache: BitmapCache, one: Asked, *, in_database: bool
) -> list[frozenset[tuple[str, str]]]:
    """Hold the readings of one case against each other; gives the first reading."""
    reasons = one.reasons()
    seed = one.case.seed
    eligible = [number for number, against in enumerate(reasons, start=1) if not against]
    by_code = Counter({exclusion.reason.code: 0 for exclusion in one.plan.exclusions})
    for facts, against in zip(one.case.customers, reasons, strict=True):
        # Whoever was erased is no customer any more: excluded by rule, and counted nowhere.
        by_code.update(() if is_erased(facts) else {code for _, code in against})
        assert against or not is_erased(facts)
    held = cache.eligible(one.plan, at_us=one.case.at_us)
    assert list(held.customers) == eligible, f"the bitmaps differ for seed {seed}"
    assert dict(held.excluded_by_reason) == by_code, f"the bitmaps count otherwise for seed {seed}"
    assert held.position == 1
    if in_database:
        told = store.eligible(one.plan, at_us=one.case.at_us)
        assert told.customers.tolist() == eligible, f"the database differs for seed {seed}"
        assert dict(told.excluded_by_reason) == by_code, f"the database counts otherwise for seed {seed}"
        assert told.position == 1
    return reasons


def test_all_three_readings_agree(in_sqlite: ConsentStore, asked: list[Asked]) -> None:
    cache = BitmapCache(in_sqlite)
    rules: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    permitted = 0
    for one in asked:
        in_database = one.case.seed % ASKED_OF_DATABASE == 0
        for against in agreed(in_sqlite, cache, one, in_database=in_database):
            permitted += not against
            rules.update(rule for rule, _ in against)
            codes.update({code for _, code in against})
    _show(rules, codes, permitted)
    denying = {rule.id: rule.code for pack in PACKS.packs for rule in pack.decisions if rule.code is not None}
    assert {rule: rules[rule] for rule in denying if rules[rule] < OFTEN} == {}
    assert {code: codes[code] for code in denying.values() if codes[code] < OFTEN} == {}
    assert permitted >= OFTEN


def test_postgresql_tells_the_same(in_postgresql: ConsentStore, asked: list[Asked]) -> None:
    cache = BitmapCache(in_postgresql)
    for one in asked[::ASKED_OF_DATABASE]:
        agreed(in_postgresql, cache, one, in_database=True)


def _show(rules: Counter[str], codes: Counter[str], permitted: int) -> None:
    sys.stdout.write(
        f"\n{WORLDS * CUSTOMERS_EACH} decisions, {permitted} permitted\n"
        f"by rule: {dict(sorted(rules.items()))}\nby reason: {dict(sorted(codes.items()))}\n"
    )
