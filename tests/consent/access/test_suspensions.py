import contextlib
import threading

import pytest
from sqlmodel import select

from hanse_consent.access.errors import NodeSuspendedError
from hanse_consent.access.suspensions import Suspensions
from hanse_consent.access.tables import AccessEventRow
from hanse_consent.errors import StoreUnavailableError


def view_of(room, transactions=None) -> Suspensions:
    return Suspensions(transactions or room.transactions, now=room.clock.now, clock=room.clock.monotonic)


def test_a_suspended_node_is_out_until_it_is_resumed(room) -> None:
    suspensions = view_of(room)
    suspensions.require_in("aurora")
    suspensions.suspend("aurora", actor="account:ada", reason="its laptop was stolen")
    with pytest.raises(NodeSuspendedError) as refused:
        suspensions.require_in("aurora")
    assert (refused.value.code, refused.value.status) == ("NODE_SUSPENDED", 403)
    suspensions.require_in("boreal")
    suspensions.resume("aurora", actor="account:bea", reason="new key registered")
    suspensions.require_in("aurora")
    with room.transactions.reading_across_controllers() as session:
        noted = [(row.actor, row.action, row.reason) for row in session.exec(select(AccessEventRow)).all()]
    assert noted == [
        ("account:ada", "node-suspended", "its laptop was stolen"),
        ("account:bea", "node-resumed", "new key registered"),
    ]


def test_another_process_knows_within_half_a_second(room, clock) -> None:
    here, elsewhere = view_of(room), view_of(room)
    elsewhere.require_in("aurora")
    here.suspend("aurora", actor="account:ada", reason="its laptop was stolen")
    clock.advance(seconds=0.5)
    with pytest.raises(NodeSuspendedError):
        elsewhere.require_in("aurora")
    here.resume("aurora", actor="account:ada", reason="new key registered")
    clock.advance(seconds=0.5)
    elsewhere.require_in("aurora")


def test_suspending_twice_keeps_the_first_reason_and_notes_both(room) -> None:
    suspensions = view_of(room)
    suspensions.suspend("aurora", actor="account:ada", reason="its laptop was stolen")
    again = suspensions.suspend("aurora", actor="account:bea", reason="agreement has ended")
    assert (again.suspended_by, again.reason) == ("account:ada", "its laptop was stolen")
    with room.transactions.reading_across_controllers() as session:
        assert len(session.exec(select(AccessEventRow)).all()) == 2


class Broken:
    @contextlib.contextmanager
    def reading_across_controllers(self):
        raise StoreUnavailableError("The database is gone.", "Bring it back.")
        yield


def test_what_cannot_be_read_lets_nobody_in(room) -> None:
    with pytest.raises(StoreUnavailableError):
        view_of(room, Broken()).require_in("aurora")


def test_a_view_does_not_outlive_its_time_when_the_database_goes(room, clock) -> None:
    suspensions = view_of(room)
    suspensions.require_in("aurora")
    suspensions._transactions = Broken()  # type: ignore[assignment]
    suspensions.require_in("aurora")
    clock.advance(seconds=0.5)
    with pytest.raises(StoreUnavailableError):
        suspensions.require_in("aurora")


def test_a_reading_begun_before_a_suspension_is_not_kept_after_it(room, clock) -> None:
    has_read, go_on = threading.Event(), threading.Event()

    class Slow:
        writing_across_controllers = room.transactions.writing_across_controllers

        @contextlib.contextmanager
        def reading_across_controllers(self):
            with room.transactions.reading_across_controllers() as session:
                yield session
            has_read.set()
            go_on.wait(timeout=10)

    suspensions = view_of(room, Slow())
    reader = threading.Thread(target=lambda: suspensions.require_in("aurora"))
    reader.start()
    assert has_read.wait(timeout=10)
    officer = threading.Thread(
        target=lambda: suspensions.suspend("aurora", actor="account:ada", reason="its laptop was stolen")
    )
    officer.start()
    officer.join(timeout=0.3)
    go_on.set()
    reader.join(timeout=10)
    officer.join(timeout=10)
    with pytest.raises(NodeSuspendedError):
        suspensions.require_in("aurora")
