"""Statements as text: they see one controller, whatever the connection served before, and none outlives a fault."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sayings import SERVER, say
from sqlmodel import select

from hanse_consent.access.tables import LookUpRow
from hanse_consent.errors import StoreUnavailableError
from hanse_consent.storage.stands import read_stand

CONTROLLERS = ("alster", "elbe")


def look_up(controller: str, number: int) -> tuple[object, ...]:
    return (controller, "node", "vault", "check", 1, number.to_bytes(16, "big"), "asked by letter", number)


@pytest.fixture
def numbers(store, database) -> dict[str, int]:
    """A controller's number in the tables; one has one customer, the other two."""
    store.record("alster", [say(customer=1)])
    store.record("elbe", [say(customer=1), say(customer=2)])
    found = {}
    for controller in CONTROLLERS:
        with database.reading(controller=controller) as session:
            found[controller] = read_stand(session, controller).controller_no
    return found


def seen(database, controller: str | None) -> list[int]:
    with database.plain_reading(controller=controller) as statements:
        return [number for (number,) in statements.rows("SELECT controller_no FROM customer ORDER BY 1")]


def test_each_controller_sees_its_own_rows_only(database, numbers):
    if database.location.is_file:
        pytest.skip("SQLite has no row-level security")
    own = {"alster": [numbers["alster"]], "elbe": [numbers["elbe"]] * 2, None: [], "": [], "weser": []}
    for _ in range(3):
        for controller, rows in own.items():
            assert seen(database, controller) == rows

    gate = threading.Barrier(6)

    def often(controller: str | None) -> bool:
        gate.wait()
        return all(seen(database, controller) == own[controller] for _ in range(50))

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(often, ["alster", "elbe", None] * 2))


def test_a_connection_that_met_an_error_is_not_used_again(database, numbers):
    if database.location.is_file:
        pytest.skip("SQLite connects to no server")

    def process(*, fails: bool) -> int:
        with database.plain_reading(controller="elbe") as statements:
            ((found,),) = statements.rows("SELECT pg_backend_pid()")
            used.append(found)
            if fails:
                statements.rows("SELECT nothing FROM nowhere")
            return found

    used: list[int] = []
    assert process(fails=False) == process(fails=False)
    with pytest.raises(StoreUnavailableError):
        process(fails=True)
    assert process(fails=False) != used[0] == used[2]
    assert seen(database, "alster") == [numbers["alster"]]


def test_what_is_inserted_is_there_or_not_at_all(database, numbers):
    with database.plain_writing(controller="alster") as statements:
        statements.insert(LookUpRow, [look_up("alster", 1), look_up("alster", 2)], left_out="number")
    with pytest.raises(StoreUnavailableError), database.plain_writing(controller="alster") as statements:
        statements.insert(LookUpRow, [look_up("alster", 3), (None, *look_up("alster", 4)[1:])], left_out="number")
    with database.reading(controller="alster") as session:
        assert sorted(session.exec(select(LookUpRow.at_us))) == [1, 2]


def test_nothing_is_inserted_for_another_controller(database, numbers):
    if database.location.is_file:
        pytest.skip("SQLite has no row-level security")
    with (
        pytest.raises(StoreUnavailableError, match="row-level security"),
        database.plain_writing(controller="alster") as statements,
    ):
        statements.insert(LookUpRow, [look_up("elbe", 1)], left_out="number")


def test_a_server_that_ended_its_connections_is_asked_again(database, numbers, monkeypatch):
    if database.location.is_file:
        pytest.skip("SQLite has no server")
    monkeypatch.setattr("hanse_consent.storage.engines._TRUSTED_FOR_S", 0.0)
    seen(database, "alster")
    with database.reading(controller="alster"):
        pass
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s",
            (database.location.url.username,),
        )
    assert seen(database, "alster") == [numbers["alster"]]
    with database.reading(controller="alster") as session:
        assert read_stand(session, "alster").position == 1
