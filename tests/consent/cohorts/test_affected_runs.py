"""Acts that came too late for a manifest, on both engines."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from random import Random
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import event
from tests.consent.cohorts.conftest import NOON, Clock

from hanse_consent.cohorts import affected_runs as affected_runs_module
from hanse_consent.cohorts.affected_runs import AffectedRuns
from hanse_consent.cohorts.leaves import keep_leaves, pack_numbers
from hanse_consent.cohorts.reach import PROTECTIVE, UsedFor, speaks_against
from hanse_consent.cohorts.tables import IssuedManifest
from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_consent.domain.affected_runs import AffectedAct, AffectedRunPage
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.notices import Notice
from hanse_consent.domain.parties import Controller
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.storage.database import Database
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import migrate
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest, LeafAlgorithm
from hanse_privacy.protocol.vocabulary import Tier

SERVER = "postgresql://postgres@127.0.0.1:5432"
KEY = SigningKey.generate()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CONTROLLERS = tuple(f"shop-{number}" for number in range(60))
PARENTS = {"churn": None, "churn-training": "churn", "statistics": None}


def registry() -> Registry:
    return Registry(
        version=0,
        controllers=tuple(
            Controller(name=name, legal_name=name, contact="dpo", country="DE", public_key=KEY.public.text)
            for name in CONTROLLERS
        ),
        purposes=tuple(
            Purpose(
                name=name,
                title=name,
                description=name,
                kind=PurposeKind.TRAINING,
                parent=parent,
                data_categories={Tier.BASIC: ("pd:Purchase",)},
                retention_days=30,
                consent_lasts_days=365,
            )
            for name, parent in PARENTS.items()
        ),
        notices=(
            Notice(
                name="all",
                version="1",
                language="en",
                purposes=tuple(PARENTS),
                published_at=NOON - 900 * DAY,
                text="All.",
            ),
        ),
    )


@pytest.fixture(scope="module")
def postgresql_location(postgresql: None) -> Iterator[DatabaseLocation]:
    name = f"hanse_test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    location = DatabaseLocation.parse(f"postgresql://{name}@127.0.0.1:5432/{name}")
    migrate(location)
    yield location
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.execute(f"DROP ROLE {name}")


@dataclass
class League:
    """A store with many controllers, and a clock."""

    database: Database
    store: ConsentStore
    clock: Clock
    affected: AffectedRuns
    taken: int = 0

    def shop(self) -> "Shop":
        """A controller that nobody used before."""
        self.taken += 1
        return Shop(league=self, name=CONTROLLERS[self.taken - 1])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def league(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[League]:
    if request.param == "sqlite":
        database = Database(tmp_path_factory.mktemp("affected") / "consent.sqlite")
    else:
        database = Database(request.getfixturevalue("postgresql_location"))
    clock = Clock()
    store = ConsentStore(
        database,
        packs=load_shipped_packs(),
        now=clock,
        check_registry=lambda *_, **__: None,
        before_forgetting=keep_leaves,
    )
    store.register(registry())
    affected = AffectedRuns(
        database=database,
        registry_at=lambda version: store.registry(version=version),
        terms_of=lambda *, controller, run: None,
    )
    yield League(database=database, store=store, clock=clock, affected=affected)
    database.close()


@dataclass
class Shop:
    """One controller: says acts, issues manifests, asks which runs were affected."""

    league: League
    name: str
    issued: int = 0

    def at(self, moment: datetime) -> "Shop":
        self.league.clock.at = moment
        return self

    def record(self, kind: ActKind, customer: int = 1, *, said: datetime, **fields: Any) -> int:
        """Record an act now; return its position."""
        values: dict[str, Any] = {
            "kind": kind,
            "customer": f"{customer:032x}",
            "said_at": said,
            "key": secrets.token_hex(8),
        }
        if kind in (ActKind.GRANT, ActKind.RENEWAL):
            values |= {"purpose": "statistics", "tier": "basic", "notice": "all@1"}
        if kind is ActKind.SEPARATE_WITHDRAWAL:
            values |= {"separate": {"matter": "recipient", "subject": "centre"}}
        return self.league.store.record(self.name, [ConsentAct.model_validate(values | fields)]).position

    def grant(self, *customers: int) -> None:
        for customer in customers:
            self.record(ActKind.GRANT, customer, said=self.league.clock() - DAY)

    def issue(self, *members: int, run: str = "run-1", purpose: str = "statistics", position: int | None = None) -> str:
        """Issue a manifest now, of customers by number; return its digest."""
        self.issued += 1
        now = self.league.clock()
        seen = self.league.store.position(self.name) if position is None else position
        manifest = CohortManifest(
            partner=self.name,
            run=run,
            round=self.issued,
            proposal="ab" * 32,
            purpose=purpose,
            tier=Tier.BASIC,
            known=NO_PREVIOUS,
            nonce="0f" * 16,
            position=seen,
            registry_version=1,
            pack_versions={},
            notice_versions=(),
            issued_at=now,
            expires_at=now + MINUTE,
            leaf_algorithm=LeafAlgorithm.BLAKE2B_SHA256,
            count=len(members),
            root="00" * 32,
            excluded_by_reason={},
            previous=NO_PREVIOUS,
        )
        with self.league.database.writing(controller=self.name) as session:
            session.add(
                IssuedManifest(
                    controller=self.name,
                    run=run,
                    serial=self.issued,
                    round=self.issued,
                    digest=manifest.digest,
                    root=manifest.root,
                    member_count=len(members),
                    position=seen,
                    issued_us=to_microseconds(now),
                    expires_us=to_microseconds(manifest.expires_at),
                    signed=manifest.sign(KEY).decode(),
                    members=pack_numbers(np.array(sorted(members), dtype=np.uint32)),
                )
            )
        return manifest.digest

    def page(self, **place: int) -> AffectedRunPage:
        return self.league.affected.page(self.name, **place)

    def affected(self) -> dict[int, list[str]]:
        """Digests of the uses of every affected act, by position."""
        page = self.page()
        assert page.next_after is None
        return {act.position: [use.manifest for use in act.uses] for act in page.affected}


@pytest.fixture
def shop(league: League) -> Shop:
    return league.shop().at(NOON)


def test_an_act_said_before_a_manifest_and_recorded_after_it_is_told(shop: Shop) -> None:
    shop.grant(1, 2)
    before = shop.issue(1, 2)
    used = [shop.at(NOON + 2 * HOUR).issue(1, 2), shop.at(NOON + 3 * HOUR).issue(1, 2, run="run-2")]
    without = shop.at(NOON + 4 * HOUR).issue(2)
    withdrawn = shop.at(NOON + 5 * HOUR).record(ActKind.WITHDRAWAL, 1, said=NOON + HOUR)
    after = shop.at(NOON + 6 * HOUR).issue(1, 2)
    (act,) = shop.page().affected
    assert act == AffectedAct(
        position=withdrawn,
        kind=ActKind.WITHDRAWAL,
        purpose=None,
        said_at=NOON + HOUR,
        recorded_at=NOON + 5 * HOUR,
        uses=act.uses,
    )
    assert [use.manifest for use in act.uses] == used
    assert {before, without, after}.isdisjoint(used)
    first, second = act.uses
    assert (first.run, first.round, first.issued_at, first.purpose) == ("run-1", 2, NOON + 2 * HOUR, "statistics")
    assert (second.run, second.round, second.issued_at) == ("run-2", 3, NOON + 3 * HOUR)


def test_the_interval_begins_when_it_was_said(shop: Shop) -> None:
    shop.grant(1)
    digest = shop.issue(1)
    early = shop.at(NOON + HOUR).record(ActKind.WITHDRAWAL, said=NOON)
    shop.record(ActKind.RESTRICTION, said=NOON + timedelta(microseconds=1))
    assert shop.affected() == {early: [digest]}


def test_an_act_that_the_manifest_had_seen_is_not_told(shop: Shop) -> None:
    shop.grant(1)
    shop.at(NOON + HOUR).record(ActKind.WITHDRAWAL, said=NOON)
    shop.at(NOON + HOUR).issue(1)
    assert shop.affected() == {}


def test_an_act_that_was_being_recorded_while_the_manifest_was_made_is_told(shop: Shop) -> None:
    shop.grant(1)
    # Recorded a moment before, but not to be seen yet when the members were enumerated.
    withdrawn = shop.at(NOON + HOUR).record(ActKind.WITHDRAWAL, said=NOON)
    digest = shop.at(NOON + HOUR + timedelta(milliseconds=1)).issue(1, position=withdrawn - 1)
    assert shop.affected() == {withdrawn: [digest]}


def test_of_two_manifests_the_one_that_looked_first_may_be_issued_last(shop: Shop) -> None:
    shop.grant(1, 2)
    shop.issue(1)
    slow = shop.at(NOON + 2 * HOUR).issue(1, position=1)
    withdrawn = shop.at(NOON + 3 * HOUR).record(ActKind.WITHDRAWAL, said=NOON + HOUR)
    assert shop.affected() == {withdrawn: [slow]}


def test_what_was_not_said_before_it_was_recorded_is_not_told(shop: Shop) -> None:
    shop.grant(1)
    shop.issue(1)
    shop.at(NOON + HOUR).record(ActKind.WITHDRAWAL, said=NOON + HOUR)
    shop.record(ActKind.OBJECTION, said=NOON + HOUR + MINUTE)
    assert shop.affected() == {}


@pytest.mark.parametrize("kind", [kind for kind in ActKind if kind.value not in ("erasure", "profile")])
def test_only_what_protects_is_told(league: League, kind: ActKind) -> None:
    shop = league.shop().at(NOON)
    shop.grant(1)
    digest = shop.issue(1)
    fields: dict[str, Any] = {}
    if kind in (ActKind.REFUSAL, ActKind.DEFERRAL, ActKind.GUARDIAN_WITHDRAWAL, ActKind.GUARDIAN_GRANT):
        fields["purpose"] = "statistics"
    if kind is ActKind.SEPARATE_GRANT:
        fields["separate"] = {"matter": "recipient", "subject": "shop-1"}
    if kind in (ActKind.NOTICE_SERVED, ActKind.SEPARATE_GRANT, ActKind.GUARDIAN_GRANT):
        fields["notice"] = "all@1"
    if kind is ActKind.SEPARATE_GRANT:
        return  # its notice names no recipient
    position = shop.at(NOON + HOUR).record(kind, said=NOON, **fields)
    # No purpose here decides without a person.
    told = kind in PROTECTIVE and kind is not ActKind.AUTOMATED_OPT_OUT
    assert shop.affected() == ({position: [digest]} if told else {})


def test_an_erased_customer_is_told_by_the_acts_position_alone(shop: Shop) -> None:
    shop.grant(1, 2)
    digest = shop.issue(1, 2)
    withdrawn = shop.at(NOON + HOUR).record(ActKind.WITHDRAWAL, 1, said=NOON)
    erased = shop.record(ActKind.ERASURE, 2, said=NOON)
    shop.record(ActKind.ERASURE, 1, said=NOON + HOUR)
    assert shop.affected() == {withdrawn: [digest], erased: [digest]}
    text = shop.page().model_dump_json()
    assert "customer" not in text
    assert not any(f"{customer:032x}" in text for customer in (1, 2))


def test_only_runs_that_the_act_speaks_against(shop: Shop) -> None:
    shop.grant(1)
    digests = {purpose: shop.issue(1, purpose=purpose) for purpose in PARENTS}
    shop.at(NOON + HOUR)
    said = {
        shop.record(ActKind.WITHDRAWAL, said=NOON, purpose="churn"): ["churn", "churn-training"],
        shop.record(ActKind.OBJECTION, said=NOON, purpose="churn-training"): ["churn-training"],
        shop.record(ActKind.REFUSAL, said=NOON, purpose="churn"): ["churn"],
        shop.record(ActKind.WITHDRAWAL, said=NOON): list(PARENTS),
    }
    assert {position: sorted(uses) for position, uses in shop.affected().items()} == {
        position: sorted(digests[purpose] for purpose in purposes) for position, purposes in said.items()
    }


def test_controllers_are_apart(league: League) -> None:
    one, other = league.shop().at(NOON), league.shop()
    for shop in (one, other):
        shop.grant(1)
    mine = one.issue(1)
    position = one.at(NOON + HOUR).record(ActKind.WITHDRAWAL, said=NOON)
    other.record(ActKind.WITHDRAWAL, said=NOON)
    assert one.affected() == {position: [mine]}
    assert other.affected() == {}
    assert league.affected.page("nobody") == AffectedRunPage(affected=(), next_after=None)


def test_pages_follow_each_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.grant(*range(1, 12))
    shop.issue(*range(1, 9))
    shop.at(NOON + HOUR)
    positions = [shop.record(ActKind.WITHDRAWAL, customer, said=NOON) for customer in range(1, 12)]
    # The last three were not in the manifest.
    expected = positions[:8]

    def pages(limit: int) -> list[list[int]]:
        found, after = [], 0
        while True:
            page = shop.page(after=after, limit=limit)
            found.append([act.position for act in page.affected])
            if page.next_after is None:
                return found
            assert page.next_after > after
            after = page.next_after

    for limit in (1, 3, 8, 200):
        assert list(chain.from_iterable(pages(limit))) == expected
        assert all(len(page) <= limit for page in pages(limit))
    assert pages(8) == [expected]
    # However few acts a page looks at, none is left out, and none comes twice.
    for examined in (1, 2, 5):
        monkeypatch.setattr(affected_runs_module, "_EXAMINED", examined)
        for limit in (1, 3, 200):
            assert list(chain.from_iterable(pages(limit))) == expected, (examined, limit)
    assert [act.position for act in shop.page(after=positions[4]).affected] == expected[5:]


@pytest.mark.parametrize("place", [{"limit": 0}, {"limit": 201}, {"after": -1}])
def test_bounds_are_named(shop: Shop, place: dict[str, int]) -> None:
    with pytest.raises(InvalidValueError, match=next(iter(place))):
        shop.page(**place)


def test_members_are_read_of_manifests_that_can_be_affected_only(shop: Shop) -> None:
    shop.grant(1)
    for hour in range(20):
        shop.at(NOON + hour * HOUR).issue(1)
    shop.at(NOON + 20 * HOUR).record(ActKind.WITHDRAWAL, said=NOON + 18 * HOUR)
    read: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "cohort_manifest.members" in statement:
            read.append(statement)

    engine = shop.league.database._reader
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert [len(uses) for uses in shop.affected().values()] == [2]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(read) == 2


KINDS = (ActKind.GRANT, ActKind.WITHDRAWAL, ActKind.OBJECTION, ActKind.RESTRICTION, ActKind.REFUSAL, ActKind.ERASURE)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_looking_at_every_act_and_every_manifest_finds(league: League, seed: int) -> None:
    shop, dice = league.shop().at(NOON), Random(seed)
    shop.grant(*range(1, 7))
    manifests: list[tuple[str, int, datetime, str, set[int]]] = []
    acts: dict[int, tuple[ActKind, int, str | None, datetime, datetime]] = {}
    erased: set[int] = set()
    for _ in range(60):
        shop.at(league.clock() + dice.randint(0, 3) * MINUTE)
        now = league.clock()
        if dice.random() < 0.3:
            members = set(dice.sample(range(1, 7), dice.randint(0, 6)))
            purpose = dice.choice(tuple(PARENTS))
            seen = league.store.position(shop.name) - dice.choice((0, 0, 0, 1))
            manifests.append((shop.issue(*members, purpose=purpose, position=seen), seen, now, purpose, members))
            continue
        kind, customer = dice.choice(KINDS), dice.randint(1, 6)
        if customer in erased:
            continue
        said = now - dice.choice((0, 0, 1, 5, 30)) * MINUTE
        purpose = dice.choice((*PARENTS, None)) if kind in (ActKind.WITHDRAWAL, ActKind.OBJECTION) else None
        fields = {"purpose": purpose} if purpose is not None else {}
        if kind is ActKind.REFUSAL:
            purpose = fields["purpose"] = dice.choice(tuple(PARENTS))
        position = shop.record(kind, customer, said=said, **fields)
        acts[position] = (kind, customer, purpose, said, now)
        if kind is ActKind.ERASURE:
            erased.add(customer)
    expected: dict[int, set[str]] = {}
    for position, (kind, customer, purpose, said, recorded) in acts.items():
        for digest, seen, issued, used_for, members in manifests:
            use = UsedFor.of(used_for, registry=registry(), proposal=None)
            if (
                kind in PROTECTIVE
                and said < recorded
                and said <= issued
                and seen < position
                and customer in members
                and speaks_against(use, kind=kind, purpose=purpose, separate=None)
            ):
                expected.setdefault(position, set()).add(digest)
    assert {position: set(uses) for position, uses in shop.affected().items()} == expected
    assert expected
