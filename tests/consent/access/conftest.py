"""A database of each kind, clocks that tests set, quick hashes, and the routes as a real process."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlmodel import Session, SQLModel, create_engine

from hanse_consent.access import tables  # noqa: F401 - declares the tables
from hanse_consent.access.accounts import Accounts
from hanse_consent.access.look_ups import LookUpKey, LookUpLog
from hanse_consent.access.passwords import Passwords
from hanse_consent.access.rate_limits import AccessLimits
from hanse_consent.access.sessions import SessionLifetime, Sessions
from hanse_consent.access.sign_in import SignIns
from hanse_consent.storage.statements import Statements

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
QUICK_HASHER = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))


@dataclass
class Clock:
    """Wall clock and monotonic clock that stand until they are set."""

    at: datetime = NOON
    elapsed_s: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.elapsed_s

    def advance(self, *, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.elapsed_s += seconds


class PlainTransactions:
    """Transactions without any rule about who sees what."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def _any(self) -> Iterator[Session]:
        with Session(self._engine) as session:
            yield session
            session.commit()

    def writing(self, *, controller: str) -> AbstractContextManager[Session]:
        return self._any()

    def reading(self, *, controller: str) -> AbstractContextManager[Session]:
        return self._any()

    @contextmanager
    def plain_writing(self, *, controller: str) -> Iterator[Statements]:
        with self._any() as session:
            yield Statements.of(session)

    def writing_across_controllers(self) -> AbstractContextManager[Session]:
        return self._any()

    def reading_across_controllers(self) -> AbstractContextManager[Session]:
        return self._any()


@dataclass
class Room:
    """The room's parts over one database."""

    transactions: PlainTransactions
    clock: Clock
    url: URL
    limits: AccessLimits = field(default_factory=AccessLimits)
    lifetime: SessionLifetime = field(default_factory=SessionLifetime)

    def __post_init__(self) -> None:
        self.passwords = Passwords(hasher=QUICK_HASHER)
        self.accounts = Accounts(self.transactions, now=self.clock.now)
        self.sessions = Sessions(self.transactions, now=self.clock.now, lifetime=self.lifetime)
        self.sign_ins = SignIns(
            accounts=self.accounts,
            sessions=self.sessions,
            passwords=self.passwords,
            limits=self.limits,
            clock=self.clock.monotonic,
        )
        self.look_ups = LookUpLog(self.transactions, key=LookUpKey(raw=b"k" * 32), now=self.clock.now)


@contextmanager
def _postgresql_database() -> Iterator[URL]:
    name = f"access_{secrets.token_hex(6)}"
    with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield URL.create("postgresql+psycopg", username="postgres", host="127.0.0.1", port=5432, database=name)
    finally:
        with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def open_database(url: URL) -> Iterator[PlainTransactions]:
    engine = create_engine(url, hide_parameters=True, connect_args={} if url.host else {"timeout": 10})
    own = [table for name, table in SQLModel.metadata.tables.items() if name.startswith("access_")]
    SQLModel.metadata.create_all(engine, tables=own)
    try:
        yield PlainTransactions(engine)
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    if request.param == "sqlite":
        yield URL.create("sqlite", database=str(tmp_path / "consent.sqlite"))
        return
    request.getfixturevalue("postgresql")
    with _postgresql_database() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(url: URL, clock: Clock) -> Iterator[Room]:
    with open_database(url) as transactions:
        room = Room(transactions=transactions, clock=clock, url=url)
        yield room
        room.passwords.close()


@pytest.fixture
def sqlite_room(tmp_path: Path, clock: Clock) -> Iterator[Room]:
    url = URL.create("sqlite", database=str(tmp_path / "consent.sqlite"))
    with open_database(url) as transactions:
        room = Room(transactions=transactions, clock=clock, url=url)
        yield room
        room.passwords.close()


@dataclass
class Served:
    """The routes served by a process of their own."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Served]]:
    started: list[subprocess.Popen[str]] = []

    def start() -> Served:
        with (tmp_path / "log.txt").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("served_routes.py")), str(tmp_path)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), (tmp_path / "log.txt").read_text()
        return Served(url=line.removeprefix("ready ").strip(), folder=tmp_path, process=process)

    yield start
    for process in started:
        process.kill()
        process.wait(timeout=10)


@pytest.fixture
def quick_hasher() -> PasswordHash:
    return QUICK_HASHER


@pytest.fixture
def open_sqlite() -> Callable[[URL], AbstractContextManager[PlainTransactions]]:
    return open_database
