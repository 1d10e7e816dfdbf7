"""Stores on both engines, a registry, and short ways to say an act."""

import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from hanse_consent.domain.notices import Notice, NoticeStatements
from hanse_consent.domain.parties import Controller
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks, load_shipped_packs
from hanse_consent.storage.database import Database
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import migrate
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

sys.path.insert(0, str(Path(__file__).parent))

from sayings import NOON, SERVER


@dataclass
class Clock:
    """A clock that stands until it is set."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **delta: float) -> None:
        self.at += timedelta(**delta)


def make_registry(*purposes: tuple[str, str | None], controllers: tuple[str, ...] = ("alster", "elbe")) -> Registry:
    """Purposes by name and parent, all explained by the notices all@1 and all@2."""
    tiers = dict.fromkeys(Tier, ("pd:PurchasesAndSpendingHabit",))
    names = tuple(name for name, _ in purposes)
    return Registry(
        version=0,
        controllers=tuple(
            Controller(name=n, legal_name=n, contact="dpo", country="DE", public_key=SigningKey.generate().public.text)
            for n in controllers
        ),
        purposes=tuple(
            Purpose(
                name=name,
                title=name,
                description=name,
                kind=PurposeKind.STATISTICS,
                parent=parent,
                data_categories=tiers,
                retention_days=30,
                consent_lasts_days=100,
            )
            for name, parent in purposes
        ),
        notices=tuple(
            Notice(
                name="all",
                version=v,
                language="en",
                purposes=names,
                published_at=NOON - timedelta(days=999),
                statements=NoticeStatements(recipients=("elbe",)),
                text=v,
            )
            for v in ("1", "2")
        ),
    )


STANDARD = (("statistics", None), ("churn", None), ("churn-detail", "churn"))


@pytest.fixture
def registry() -> Registry:
    return make_registry(*STANDARD)


@pytest.fixture(scope="session")
def packs() -> LawPacks:
    return load_shipped_packs()


@pytest.fixture(scope="session")
def server_database(postgresql: None) -> Iterator[DatabaseLocation]:
    """A database of this session's own, migrated, owned by a role without special rights."""
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


def empty(location: DatabaseLocation) -> None:
    """Delete all rows, as only the server's administrator can."""
    with psycopg.connect(f"{SERVER}/{location.url.database}", autocommit=True) as admin:
        tables = [
            row[0]
            for row in admin.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
                "AND relname <> 'alembic_version'"
            )
        ]
        admin.execute("SET session_replication_role = replica")  # no triggers
        for table in tables:
            admin.execute(f'DELETE FROM "{table}"')


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseLocation:
    if request.param == "sqlite":
        return DatabaseLocation.of_file(tmp_path / "consent.sqlite")
    found: DatabaseLocation = request.getfixturevalue("server_database")
    empty(found)
    return found


@pytest.fixture
def database(location: DatabaseLocation) -> Iterator[Database]:
    opened = Database(location)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def accept_registry(new: Registry, *, before: Registry, packs: LawPacks, at: datetime) -> None:
    """What is registered is not these tests' matter."""


@pytest.fixture
def open_store(packs: LawPacks, clock: Clock) -> Callable[[Database], ConsentStore]:
    return lambda database: ConsentStore(database, packs=packs, now=clock, check_registry=accept_registry)


@pytest.fixture
def store(database: Database, registry: Registry, open_store: Callable[[Database], ConsentStore]) -> ConsentStore:
    opened = open_store(database)
    opened.register(registry)
    return opened


@pytest.fixture
def emptied(location: DatabaseLocation, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Opens an empty store on the same engine, as often as it is asked."""
    opened: list[Database] = []

    def begin() -> Database:
        while opened:
            opened.pop().close()
        if location.is_file:
            opened.append(Database(tmp_path / f"{secrets.token_hex(6)}.sqlite"))
        else:
            empty(location)
            opened.append(Database(location))
        return opened[0]

    yield begin
    for database in opened:
        database.close()
