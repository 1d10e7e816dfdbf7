import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy.engine import URL
from sqlmodel import Session, create_engine, select

from hanse_consent.access.errors import RequestBeforeStartError
from hanse_consent.access.nonces import RequestMemory
from hanse_consent.access.tables import SeenRequestRow
from hanse_consent.errors import RequestReplayedError, StoreUnavailableError
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE, RequestClaim


def claim(clock, *, party: str = "aurora", nonce: str | None = None, ahead_s: float = 0) -> RequestClaim:
    return RequestClaim(
        party=party,
        sent_at=clock.at + timedelta(seconds=ahead_s),
        nonce=nonce or secrets.token_hex(16),
        signature=b"",
    )


@pytest.fixture
def memory(room):
    memory = RequestMemory(room.url, now=room.clock.now)
    yield memory
    memory.close()


@pytest.mark.parametrize("ahead_s", [0, 60])
def test_a_request_is_accepted_once(memory, clock, ahead_s) -> None:
    first = claim(clock, ahead_s=ahead_s)
    memory.accept(first)
    for _ in range(2):
        with pytest.raises(RequestReplayedError):
            memory.accept(first)
    memory.accept(claim(clock, party="boreal", nonce=first.nonce))  # another party's own nonce


@pytest.mark.parametrize("ahead_s", [0, 0.9, 60, 120])
def test_a_captured_request_is_refused_after_a_restart_too(room, memory, clock, ahead_s) -> None:
    captured = claim(clock, ahead_s=ahead_s)
    memory.accept(captured)
    memory.close()
    clock.advance(seconds=2)
    again = RequestMemory(room.url, now=clock.now)
    with pytest.raises((RequestReplayedError, RequestBeforeStartError)):
        again.accept(captured)
    again.close()


@pytest.mark.parametrize("ahead_s", [0, 0.9])
def test_what_a_crash_may_have_taken_is_refused_by_its_date(room, memory, clock, ahead_s) -> None:
    captured = claim(clock, ahead_s=ahead_s)
    memory.accept(captured)
    engine = create_engine(room.url)
    with Session(engine) as session:  # as if the last quick writes had been lost
        for row in session.exec(select(SeenRequestRow)).all():
            session.delete(row)
        session.commit()
    engine.dispose()
    clock.advance(seconds=1)
    again = RequestMemory(room.url, now=clock.now)
    with pytest.raises(RequestBeforeStartError):
        again.accept(captured)
    again.accept(claim(clock))
    again.close()


def test_what_is_dated_ahead_is_made_durable_first(memory, clock, monkeypatch) -> None:
    used: list[str] = []
    for name in ("_quick", "_durable"):
        engine = getattr(memory, name)
        connect = engine.connect
        monkeypatch.setattr(engine, "connect", lambda connect=connect, name=name: (used.append(name), connect())[1])
    memory.accept(claim(clock))
    memory.accept(claim(clock, ahead_s=1.0))
    memory.accept(claim(clock, ahead_s=1.1))
    assert used == ["_quick", "_quick", "_durable"]


def test_the_two_connections_differ_in_how_long_they_wait(memory, room) -> None:
    def setting(engine) -> str:
        question = "PRAGMA synchronous" if room.url.get_backend_name() == "sqlite" else "SHOW synchronous_commit"
        with engine.connect() as connection:
            return str(connection.exec_driver_sql(question).scalar_one())

    found = (setting(memory._quick), setting(memory._durable))
    assert found in {("1", "2"), ("off", "on")}  # 1 is NORMAL, 2 is FULL


def test_many_deliveries_at_once_are_accepted_once(room, memory, clock) -> None:
    other = RequestMemory(room.url, now=clock.now)
    same = claim(clock)

    def deliver(number: int) -> bool:
        try:
            (memory if number % 2 else other).accept(same)
        except RequestReplayedError:
            return False
        return True

    with ThreadPoolExecutor(max_workers=8) as threads:
        assert sum(threads.map(deliver, range(24))) == 1
    other.close()


def test_requests_are_remembered_as_long_as_they_are_good_and_not_for_ever(room, memory, clock) -> None:
    first = claim(clock, ahead_s=TIME_TOLERANCE.total_seconds())
    memory.accept(first)
    for _ in range(24):
        clock.advance(seconds=10)
        memory.accept(claim(clock))
    assert clock.at - first.sent_at <= TIME_TOLERANCE  # its signature still holds
    with pytest.raises(RequestReplayedError):
        memory.accept(first)
    for _ in range(60):
        clock.advance(seconds=10)
        memory.accept(claim(clock))
    engine = create_engine(room.url)
    with Session(engine) as session:
        assert len(session.exec(select(SeenRequestRow)).all()) < 30
    engine.dispose()


def test_a_broken_connection_begins_a_new_memory(room, memory, clock) -> None:
    if room.url.get_backend_name() != "postgresql":
        pytest.skip("SQLite has no server that could crash alone")
    captured = claim(clock)
    memory.accept(captured)
    clock.advance(seconds=5)
    ahead = claim(clock, ahead_s=0.9)
    memory.accept(ahead)
    with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [room.url.database]
        )
    with pytest.raises(StoreUnavailableError):
        memory.accept(claim(clock))
    for before in (captured, ahead, claim(clock)):
        with pytest.raises(RequestBeforeStartError):
            memory.accept(before)
    clock.advance(seconds=1)
    memory.accept(claim(clock))


def test_a_database_that_cannot_be_used_accepts_nothing(tmp_path, clock) -> None:
    (tmp_path / "requests.sqlite").write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(StoreUnavailableError):
        RequestMemory(URL.create("sqlite", database=str(tmp_path / "requests.sqlite")), now=clock.now)
    with pytest.raises(StoreUnavailableError):
        RequestMemory(URL.create("sqlite", database=str(tmp_path / "no" / "folder.sqlite")), now=clock.now)
    with pytest.raises(InvalidValueError):
        RequestMemory(URL.create("mysql"), now=clock.now)


def test_it_costs_less_than_half_a_millisecond(tmp_path, clock) -> None:
    memory = RequestMemory(URL.create("sqlite", database=str(tmp_path / "requests.sqlite")), now=clock.now)
    claims = [claim(clock) for _ in range(500)]
    started = time.process_time()
    for one in claims:
        memory.accept(one)
    memory.close()
    assert (time.process_time() - started) / len(claims) < 0.0005
    assert (tmp_path / "requests.sqlite").stat().st_mode & 0o777 == 0o600
