"""A ledger that cannot be overspent, whoever opens it, and caps below the one over everything."""

import hashlib
import json
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release_events import EVENT, event_of

from hanse_privacy.accounting import (
    ReleaseEvent,
    epsilon_of,
    rho_for,
)
from hanse_privacy.caps import LIFETIME, BudgetExhaustedError, Cap, Charge
from hanse_privacy.earlier_ledger import UNKNOWN_PURPOSE
from hanse_privacy.errors import HanseError, InvalidValueError
from hanse_privacy.ledger import AttemptAlreadyPaidError, PrivacyLedger
from hanse_privacy.ledger_entries import NO_ENTRIES, LedgerUnusableError
from hanse_privacy.units import PrivacyBudget

APPROVED = PrivacyBudget(epsilon=99.0, delta=1e-5)
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def charge_of(
    event: ReleaseEvent = EVENT,
    *,
    run: str = "a",
    round_number: int = 1,
    attempt: int = 1,
    operation: str = "count",
    purpose: str = "statistics",
    data_categories: tuple[str, ...] = ("pd:PurchasesAndSpendingHabit",),
) -> Charge:
    return Charge(
        run=run,
        round=round_number,
        attempt=attempt,
        operation=operation,
        purpose=purpose,
        data_categories=data_categories,
        event=event,
    )


def pay(book: PrivacyLedger, *arguments: ReleaseEvent, **changes: Any) -> None:
    book.reserve(charge_of(*arguments, **changes), approved=APPROVED)


def total(epsilon: float) -> Cap:
    return Cap(name=LIFETIME, budget=PrivacyBudget(epsilon=epsilon, delta=1e-5))


def ledger(
    folder: Path, epsilon: float = 1.0, *sub_caps: Cap, clock: Callable[[], datetime] = lambda: NOON
) -> PrivacyLedger:
    if not (folder / "ledger.db").exists():
        PrivacyLedger.create(folder / "ledger.db")
    return PrivacyLedger(folder / "ledger.db", caps=(total(epsilon), *sub_caps), clock=clock)


def spent(book: PrivacyLedger) -> float:
    return book.statement().caps[0].spent_epsilon


def test_spending_survives_a_restart(tmp_path: Path) -> None:
    pay(ledger(tmp_path, 3.0), attempt=2)
    again = ledger(tmp_path, 3.0)
    assert [one.charge for one in again.entries()] == [charge_of(attempt=2)]
    assert spent(again) == epsilon_of([EVENT], delta=1e-5)


def small_events() -> st.SearchStrategy[ReleaseEvent]:
    """Releases of which six fit under a cap of 100."""
    return st.builds(
        lambda sensitivity, factor, shares: event_of(
            sensitivity**2, factor * sensitivity**2, shares=shares, size=1_000
        ),
        st.integers(4, 10**6),
        st.integers(2, 10**5),
        st.integers(1, 5),
    )


@given(st.data(), st.lists(small_events(), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_restarts_change_the_statement(data: st.DataObject, events: list[ReleaseEvent]) -> None:
    named = list(enumerate(events))
    orders = [named, data.draw(st.permutations(named))]
    statements = []
    for order in orders:
        with tempfile.TemporaryDirectory() as folder:
            book, after = ledger(Path(folder), 100.0), [0.0]
            for number, event in order:
                if data.draw(st.booleans()):
                    book = ledger(Path(folder), 100.0)
                pay(book, event, run=f"run-{number}")
                after.append(spent(book))
            assert all(later > earlier for earlier, later in pairwise(after))
            statements.append(ledger(Path(folder), 100.0).statement())
            assert statements[-1].caps[0].spent_epsilon == after[-1]
            assert [entry.event for entry in book.entries()] == [event for _, event in order]
    assert statements[0].caps == statements[1].caps
    assert {cost.run: cost.epsilon for cost in statements[0].runs} == {
        cost.run: cost.epsilon for cost in statements[1].runs
    }
    assert statements[0].caps[0].charges == statements[0].end.position == len(events)


def test_an_attempt_is_paid_once(tmp_path: Path) -> None:
    book = ledger(tmp_path, 10.0)
    pay(book)
    with pytest.raises(AttemptAlreadyPaidError):
        pay(book)
    pay(book, attempt=2)
    assert [(entry.charge.round, entry.charge.attempt) for entry in book.entries()] == [(1, 1), (1, 2)]


def test_a_run_costs_no_more_than_it_was_approved_with(tmp_path: Path) -> None:
    book = ledger(tmp_path, 10.0)
    approved = PrivacyBudget(epsilon=epsilon_of([EVENT, EVENT], delta=1e-6), delta=1e-6)

    def attempt(number: int) -> None:
        book.reserve(charge_of(attempt=number), approved=approved)

    attempt(1)
    pay(book, run="b")
    attempt(2)
    with pytest.raises(BudgetExhaustedError, match="was approved with"):
        attempt(3)
    assert len(book.entries()) == 3


def test_entries_from_before_sums_are_kept(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE release (position INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL,"
            " round INTEGER NOT NULL,"
            " operation TEXT NOT NULL, squared_sensitivity TEXT NOT NULL, variance_parameter TEXT NOT NULL,"
            " reserved_at TEXT NOT NULL, UNIQUE (run, round)) STRICT"
        )
        connection.execute(
            "INSERT INTO release (run, round, operation, squared_sensitivity, variance_parameter, reserved_at)"
            " VALUES ('a', 3, 'count', '10000', '160000', '2026-05-04T12:00:00+00:00')"
        )
    for _ in range(2):
        (entry,) = ledger(tmp_path).entries()
        assert entry.charge == charge_of(round_number=3, purpose=UNKNOWN_PURPOSE, data_categories=())
        assert entry.reserved_at == NOON


def test_entries_from_before_it_was_written_what_they_read_keep_their_digests(tmp_path: Path) -> None:
    # As it was written then: no column, and a digest over everything else.
    said = {
        "before": NO_ENTRIES,
        "position": 1,
        "run": "a",
        "round": 1,
        "attempt": 1,
        "operation": "count",
        "purpose": "statistics",
        "squared_sensitivity": "10000",
        "variance_parameter": "160000",
        "shares": 1,
        "size": 1,
        "reserved_at": "2026-05-04T12:00:00+00:00",
    }
    head = hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE charge (position INTEGER PRIMARY KEY, run TEXT NOT NULL, round INTEGER NOT NULL,"
            " attempt INTEGER NOT NULL, operation TEXT NOT NULL, purpose TEXT NOT NULL,"
            " squared_sensitivity TEXT NOT NULL, variance_parameter TEXT NOT NULL, shares INTEGER NOT NULL,"
            " size INTEGER NOT NULL, reserved_at TEXT NOT NULL, head TEXT NOT NULL,"
            " UNIQUE (run, round, attempt)) STRICT"
        )
        values = (*(value for name, value in said.items() if name != "before"), head)
        connection.execute(f"INSERT INTO charge VALUES ({', '.join('?' * len(values))})", values)
    wide = replace(PURCHASES, budget=PrivacyBudget(epsilon=9.0, delta=1e-5))
    pay(ledger(tmp_path, 9.0, wide), round_number=2)
    book = ledger(tmp_path, 9.0, wide)
    assert book.head_at(1) == head
    assert [entry.charge for entry in book.entries()] == [
        charge_of(data_categories=()),
        charge_of(round_number=2),
    ]
    # What it read is not known: it counts as everything.
    assert [stands.charges for stands in book.statement().caps] == [2, 2]


def test_several_may_open_a_ledger_from_before_at_once(tmp_path: Path) -> None:
    def opened(number: int) -> int:
        return len(PrivacyLedger(tmp_path / f"{number % 20}.db", caps=(total(9.0),), clock=lambda: NOON).entries())

    for number in range(20):
        PrivacyLedger.create(tmp_path / f"{number}.db")
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as connection, connection:
            connection.execute("ALTER TABLE charge DROP COLUMN data_categories")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(opened, sorted(list(range(20)) * 6))) == {0}


def test_the_cap_holds_and_says_its_numbers(tmp_path: Path) -> None:
    book = ledger(tmp_path, 2.0)
    with pytest.raises(BudgetExhaustedError, match=r"lifetime cap of 2\.000"):
        for round_number in range(1, 100):
            pay(book, round_number=round_number)
    assert 1.0 < spent(book) <= 2.0
    with pytest.raises(BudgetExhaustedError, match="asks for"):
        book.require_room_for([charge_of(run="b")])
    # What is said to be left is what one more run may cost, to the last step of the search.
    (stands,) = book.statement().caps
    left = rho_for(PrivacyBudget(epsilon=stands.remaining_epsilon, delta=1e-5))
    fitting, passing = (event_of(10**12, math.ceil(10**12 / (2 * left * share))) for share in (0.999, 1.01))
    book.require_room_for([charge_of(fitting, run="b")])
    with pytest.raises(BudgetExhaustedError):
        book.require_room_for([charge_of(passing, run="b")])


def test_concurrent_runs_cannot_overspend(tmp_path: Path) -> None:
    book = ledger(tmp_path, 2.0)

    def spend(run: int) -> int:
        paid = 0
        for round_number in range(1, 6):
            try:
                pay(ledger(tmp_path, 2.0), run=f"run-{run}", round_number=round_number)
                paid += 1
            except HanseError:
                pass
        return paid

    with ThreadPoolExecutor(8) as pool:
        paid = sum(pool.map(spend, range(8)))
    assert paid == len(book.entries()) > 0
    assert spent(book) <= 2.0
    assert epsilon_of([EVENT] * (paid + 1), delta=1e-5) > 2.0


def test_a_damaged_ledger_releases_nothing(tmp_path: Path) -> None:
    ledger(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"not a database, but long enough to be looked at" * 50)
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(LedgerUnusableError):
        pay(ledger(tmp_path))


def test_a_missing_ledger_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnusableError, match="missing"):
        PrivacyLedger(tmp_path / "ledger.db", caps=(total(1.0),), clock=lambda: NOON)
    assert not (tmp_path / "ledger.db").exists()
    book = ledger(tmp_path)
    with pytest.raises(LedgerUnusableError, match="cannot be made"):
        PrivacyLedger.create(tmp_path / "ledger.db")
    # Also where it goes while the vault serves.
    for file in tmp_path.iterdir():
        file.unlink()
    for ask in (book.entries, book.statement, lambda: pay(book)):
        with pytest.raises(LedgerUnusableError):
            ask()
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE charge SET variance_parameter = '999999999' WHERE position = 2",
        "UPDATE charge SET purpose = 'other' WHERE position = 1",
        "UPDATE charge SET data_categories = 'pd:Age' WHERE position = 1",
        "UPDATE charge SET data_categories = '' WHERE position = 2",
        "UPDATE charge SET head = replace(head, 'a', 'b') WHERE position = 3",
        "DELETE FROM charge WHERE position = 2",
        "DELETE FROM charge WHERE position = 1",
        "UPDATE charge SET run = 'c' WHERE position = 3",
    ],
)
def test_an_altered_ledger_is_not_used(tmp_path: Path, change: str) -> None:
    for number in range(1, 4):
        pay(ledger(tmp_path, 10.0), round_number=number)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute(change)
    with pytest.raises(LedgerUnusableError, match="altered at entry"):
        ledger(tmp_path, 10.0)


def test_whoever_knows_a_head_knows_an_older_copy(tmp_path: Path) -> None:
    book = ledger(tmp_path, 10.0)
    assert book.head_at(0) == book.end().head == NO_ENTRIES
    pay(book)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "copy.db")
    pay(book, round_number=2)
    known = book.end()
    assert (known.position, known.head) == (2, book.head_at(2))
    older = PrivacyLedger(tmp_path / "copy.db", caps=(total(10.0),), clock=lambda: NOON)
    assert older.head_at(2) != known.head
    # Nor does it become the newer one by going on otherwise.
    pay(older, round_number=2, attempt=2)
    assert older.head_at(2) != known.head
    assert older.head_at(1) == book.head_at(1)


STATISTICS = Cap(name="statistics", budget=PrivacyBudget(epsilon=1.2, delta=1e-5), purpose="statistics")
PURCHASES = Cap(
    name="purchases", budget=PrivacyBudget(epsilon=1.2, delta=1e-5), data_category="pd:PurchasesAndSpendingHabit"
)
COUNTS = Cap(name="counts", budget=PrivacyBudget(epsilon=1.2, delta=1e-5), operation="count")
MONTHLY = Cap(
    name="each month",
    budget=PrivacyBudget(epsilon=1.2, delta=1e-5),
    period_days=30,
    first_day=NOON.date() - timedelta(days=29),
)


@pytest.mark.parametrize(
    ("cap", "uncounted"),
    [
        (STATISTICS, {"purpose": "training"}),
        (COUNTS, {"operation": "gradient"}),
        (PURCHASES, {"data_categories": ("pd:Age", "pd:Gender")}),
    ],
    ids=["purpose", "operation", "kind of data"],
)
def test_a_sub_cap_holds_for_what_it_counts(tmp_path: Path, cap: Cap, uncounted: dict[str, Any]) -> None:
    book = ledger(tmp_path, 5.0, cap)
    pay(book)
    with pytest.raises(BudgetExhaustedError, match=f"{cap.name} cap of 1.200"):
        pay(book, round_number=2)
    for number in range(3):
        pay(book, run=f"other-{number}", **uncounted)
    everything, narrow = book.statement().caps
    assert (everything.charges, narrow.charges) == (4, 1)
    assert everything.spent_epsilon > 1.5 * narrow.spent_epsilon


@pytest.mark.parametrize("read", [("pd:Age", "pd:PurchasesAndSpendingHabit"), ()], ids=["among others", "unknown"])
def test_a_cap_on_a_kind_of_data_counts_whatever_may_have_read_it(tmp_path: Path, read: tuple[str, ...]) -> None:
    book = ledger(tmp_path, 5.0, PURCHASES)
    pay(book, data_categories=read)
    with pytest.raises(BudgetExhaustedError, match=r"purchases cap of 1\.200"):
        pay(book, round_number=2)


def test_the_lifetime_cap_counts_every_kind_of_data() -> None:
    with pytest.raises(InvalidValueError, match="does not count everything"):
        Cap(name=LIFETIME, budget=PrivacyBudget(epsilon=1.0, delta=1e-5), data_category="pd:Age")


def test_a_period_renews_its_own_cap_and_never_the_lifetime(tmp_path: Path) -> None:
    now = [NOON]
    book = ledger(tmp_path, 2.0, MONTHLY, clock=lambda: now[0])
    pay(book)
    with pytest.raises(BudgetExhaustedError, match="renewed on 2026-05-05"):
        pay(book, round_number=2)
    now[0] = NOON + timedelta(days=1)
    pay(book, round_number=2)
    everything, monthly = book.statement().caps
    assert (everything.charges, monthly.charges) == (2, 1)
    now[0] += timedelta(days=30)
    pay(book, round_number=3)
    now[0] += timedelta(days=30)
    with pytest.raises(BudgetExhaustedError, match="lifetime cap"):
        pay(book, round_number=4)


def month(at: datetime) -> int:
    return (at.date() - date(1970, 1, 1)).days // 30


@given(
    st.lists(
        st.tuples(small_events(), st.sampled_from("pq"), st.sampled_from("cg"), st.integers(0, 80), st.booleans()),
        max_size=8,
    )
)
@settings(max_examples=25, deadline=None)
def test_no_cap_is_ever_passed(steps: list[tuple[ReleaseEvent, str, str, int, bool]]) -> None:
    caps = (
        total(4.0),
        Cap(name="p", budget=PrivacyBudget(epsilon=2.0, delta=1e-5), purpose="p"),
        Cap(name="c each month", budget=PrivacyBudget(epsilon=1.0, delta=1e-5), operation="c", period_days=30),
    )
    now = [NOON]
    with tempfile.TemporaryDirectory() as folder:
        PrivacyLedger.create(Path(folder) / "ledger.db")
        book = PrivacyLedger(Path(folder) / "ledger.db", caps=caps, clock=lambda: now[0])
        paid: list[tuple[datetime, Charge]] = []
        for number, (event, purpose, operation, days, reopens) in enumerate(steps):
            now[0] += timedelta(days=days)
            if reopens:
                book = PrivacyLedger(Path(folder) / "ledger.db", caps=caps, clock=lambda: now[0])
            charge = charge_of(event, run=f"run-{number}", purpose=purpose, operation=operation)
            # An oracle of its own: what would count, by hand.
            counted = (
                [one.event for _, one in paid],
                [one.event for _, one in paid if one.purpose == "p"],
                [one.event for at, one in paid if one.operation == "c" and month(at) == month(now[0])],
            )
            fits = all(
                epsilon_of([*events, event], delta=1e-5) <= cap.budget.epsilon
                for cap, events, counts in zip(caps, counted, (True, purpose == "p", operation == "c"), strict=True)
                if counts
            )
            try:
                book.reserve(charge, approved=APPROVED)
            except BudgetExhaustedError:
                assert not fits
                continue
            assert fits
            paid.append((now[0], charge))
        assert [entry.charge for entry in book.entries()] == [charge for _, charge in paid]
        for stands in book.statement().caps:
            assert stands.spent_epsilon <= stands.cap.budget.epsilon
