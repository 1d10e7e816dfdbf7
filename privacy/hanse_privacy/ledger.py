"""A vault's ledger: every release is written down, and paid for, before it leaves.

Entries are events, never totals: what they cost together is composed anew at each question. An entry
stands from the moment it is reserved; a crash between reserving and sending counts as spent.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.errors import HanseError
from hanse_privacy.units import PrivacyBudget

_SCHEMA = """
CREATE TABLE IF NOT EXISTS release (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    round INTEGER NOT NULL,
    operation TEXT NOT NULL,
    squared_sensitivity TEXT NOT NULL,
    variance_parameter TEXT NOT NULL,
    reserved_at TEXT NOT NULL,
    UNIQUE (run, round)
) STRICT
"""


class BudgetExhaustedError(HanseError):
    """A release or a run would pass the cap; it is refused before anything leaves."""

    code = "BUDGET_EXHAUSTED"


class RoundAlreadyPaidError(HanseError):
    """This round of this run was reserved before: it is never answered twice."""

    code = "ROUND_ALREADY_ANSWERED"


class LedgerUnusableError(HanseError):
    """The ledger cannot be read or written; nothing may be released."""

    code = "LEDGER_UNUSABLE"


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One paid release."""

    position: int
    run: str
    round: int
    operation: str
    event: ReleaseEvent
    reserved_at: datetime


@dataclass(frozen=True, kw_only=True)
class BudgetStatement:
    """What an owner wants to know about the budget, at the cap's δ."""

    cap: PrivacyBudget
    spent_epsilon: float
    releases: int


class PrivacyLedger:
    """The ledger of one vault, in a SQLite file of its own (full synchronisation, one writer).

    Guarantee: the composed ε of all entries, at the cap's δ, never passes the cap, whatever runs at
    the same time and wherever the process is killed.
    """

    def __init__(self, path: Path, *, cap: PrivacyBudget) -> None:
        self._path = path
        self._cap = cap
        # Made here only: a ledger that vanishes later is an error, never an empty ledger.
        try:
            with closing(self._connect()) as connection:
                connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise LedgerUnusableError(
                f"The ledger {path.name} cannot be written ({error}).",
                "Free disk space or mend the file; until then this vault releases nothing.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=10)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise LedgerUnusableError(
                f"The ledger {self._path.name} cannot be opened ({error}).",
                "Check the disk and the file's owner; until then this vault releases nothing.",
            ) from error
        return connection

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return every entry, oldest first."""
        with closing(self._connect()) as connection:
            return _read(connection)

    def statement(self) -> BudgetStatement:
        """Compose all entries."""
        entries = self.entries()
        return BudgetStatement(
            cap=self._cap,
            spent_epsilon=epsilon_of([entry.event for entry in entries], delta=self._cap.delta),
            releases=len(entries),
        )

    def require_room_for(self, events: Sequence[ReleaseEvent], *, run: str) -> None:
        """Refuse a whole run that would not fit, before its first message.

        Raises:
            BudgetExhaustedError: With what is asked, spent and allowed.
        """
        with closing(self._connect()) as connection:
            self._require_room(_read(connection), events, run=run)

    def reserve(self, event: ReleaseEvent, *, run: str, round_number: int, operation: str) -> None:
        """Pay for one release, durably, before it is made. One round of a run can be paid once only.

        Raises:
            BudgetExhaustedError: If it would pass the cap.
            RoundAlreadyPaidError: If this round was reserved before.
            LedgerUnusableError: If it cannot be written (disk full, say).
        """
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            entries = _read(connection)
            if any(entry.run == run and entry.round == round_number for entry in entries):
                raise RoundAlreadyPaidError(
                    f"Round {round_number} of run {run} was answered before.",
                    "A round is answered once; start a new run.",
                )
            self._require_room(entries, [event], run=run)
            connection.execute(
                "INSERT INTO release (run, round, operation, squared_sensitivity, variance_parameter, reserved_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    run,
                    round_number,
                    operation,
                    str(event.squared_sensitivity),
                    str(event.variance_parameter),
                    datetime.now(tz=UTC).isoformat(),
                ),
            )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerUnusableError(
                f"The ledger {self._path.name} cannot be written ({error}).",
                "Free disk space or mend the file; until then this vault releases nothing.",
            ) from error
        finally:
            # Closing without COMMIT rolls back.
            connection.close()

    def _require_room(self, entries: Sequence[LedgerEntry], events: Sequence[ReleaseEvent], *, run: str) -> None:
        spent = [entry.event for entry in entries]
        after = epsilon_of([*spent, *events], delta=self._cap.delta)
        if after > self._cap.epsilon:
            before = epsilon_of(spent, delta=self._cap.delta)
            asked = epsilon_of(events, delta=self._cap.delta)
            raise BudgetExhaustedError(
                f"Run {run} asks for ε = {asked:.3f}; ε = {before:.3f} is spent, and both together are"
                f" ε = {after:.3f}, above this vault's cap of {self._cap.epsilon:.3f} (δ = {self._cap.delta:g}).",
                "Ask for less, or let the partner's owner decide on the cap in its policy.",
            )


def _read(connection: sqlite3.Connection) -> tuple[LedgerEntry, ...]:
    try:
        rows = connection.execute(
            "SELECT position, run, round, operation, squared_sensitivity, variance_parameter, reserved_at"
            " FROM release ORDER BY position"
        ).fetchall()
    except sqlite3.Error as error:
        raise LedgerUnusableError(
            f"The ledger cannot be read ({error}).", "Restore it; until then this vault releases nothing."
        ) from error
    return tuple(
        LedgerEntry(
            position=row[0],
            run=row[1],
            round=row[2],
            operation=row[3],
            event=ReleaseEvent(squared_sensitivity=int(row[4]), variance_parameter=int(row[5])),
            reserved_at=datetime.fromisoformat(row[6]),
        )
        for row in rows
    )
