"""A vault's ledger: every release is written down, and paid for, before it leaves.

Entries are events, never totals: what they cost together is composed anew at each question. An entry
stands from the moment it is reserved; a crash between reserving and sending counts as spent. Each entry
holds the digest of the one before, so that whoever knows a later head knows whether a ledger is an older one.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.caps import (
    BudgetExhaustedError,
    Cap,
    CapOwner,
    CapStatement,
    Charge,
    exhausted,
    state,
)
from hanse_privacy.earlier_ledger import earlier_charges, is_earlier
from hanse_privacy.errors import HanseError
from hanse_privacy.ledger_entries import (
    NO_ENTRIES,
    SCHEMA,
    LedgerEntry,
    LedgerUnusableError,
    add_missing_columns,
    append,
    read_entries,
    require_unaltered,
)
from hanse_privacy.units import PrivacyBudget
from hanse_privacy.validation import require_not_empty

_THIS_VAULT = CapOwner(
    whose="this vault's", of_whom="", decides="let the partner's owner decide on the cap in its policy"
)


class AttemptAlreadyPaidError(HanseError):
    """This attempt at a round was reserved before: one payment is for one vector."""

    code = "ATTEMPT_ALREADY_PAID"


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """What one run has cost so far.

    Args:
        run: Its name.
        attempts: How many releases were paid.
        epsilon: What they cost together, at the lifetime cap's δ.
    """

    run: str
    attempts: int
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class LedgerEnd:
    """The last entry, as one word for the whole ledger.

    Args:
        position: The entry's; 0 of an empty ledger.
        head: Its digest.
    """

    position: int
    head: str


@dataclass(frozen=True, kw_only=True)
class BudgetStatement:
    """What an owner wants to know about the budget.

    Args:
        caps: How each cap stands; the lifetime cap first.
        runs: What each run, of all or of those asked for, has cost, in the order in which they began.
        end: The last entry of which this is said.
    """

    caps: tuple[CapStatement, ...]
    runs: tuple[RunCost, ...]
    end: LedgerEnd


class PrivacyLedger:
    """The ledger of one vault, in a SQLite file of its own (full synchronisation, one writer).

    Guarantee: what all entries that count against a cap cost together never passes it, whatever runs at
    the same time and wherever the process is killed.

    Args:
        path: The file. It must exist: a ledger that vanished is an error, never an empty ledger.
        caps: What may be spent; the lifetime cap first.
        clock: Says when an entry is made.

    Raises:
        LedgerUnusableError: If the file is missing, altered or not a ledger.
    """

    def __init__(self, path: Path, *, caps: Sequence[Cap], clock: Callable[[], datetime]) -> None:
        require_not_empty(caps=caps)
        self._path = path
        self._caps = tuple(caps)
        self._clock = clock
        if not path.exists():
            raise LedgerUnusableError(
                f"The ledger {path.name} is missing.",
                "Restore the newest one. 'hanse node keygen' makes the ledger of a new node; a ledger that was lost is"
                " not replaced by an empty one.",
            )
        with self._connected() as connection:
            connection.executescript(SCHEMA)
            add_missing_columns(connection, table="charge")
            if is_earlier(connection):
                _take_over(connection)
            require_unaltered(read_entries(connection), path.name)

    @classmethod
    def create(cls, path: Path) -> None:
        """Make the empty ledger of a new node; never over an existing one.

        Raises:
            LedgerUnusableError: If there is one, or it cannot be written.
        """
        try:
            path.touch(mode=0o600, exist_ok=False)
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise LedgerUnusableError(
                f"The ledger {path.name} cannot be made ({error}).", "Keep the one that is there, or mend the folder."
            ) from error

    def entries(self) -> tuple[LedgerEntry, ...]:
        """Return every entry, oldest first."""
        with self._connected() as connection:
            return read_entries(connection)

    def end(self) -> LedgerEnd:
        """How far it goes."""
        with self._connected() as connection:
            row = connection.execute("SELECT position, head FROM charge ORDER BY position DESC LIMIT 1").fetchone()
        return LedgerEnd(position=row[0], head=row[1]) if row is not None else LedgerEnd(position=0, head=NO_ENTRIES)

    def runs(self) -> tuple[str, ...]:
        """The runs that were ever charged for, in the order in which they began."""
        with self._connected() as connection:
            rows = connection.execute("SELECT run FROM charge GROUP BY run ORDER BY min(position)").fetchall()
        return tuple(row[0] for row in rows)

    def statement(self, *, of_runs: Collection[str] | None = None) -> BudgetStatement:
        """Compose all entries.

        Args:
            of_runs: Whose own costs are composed; those of all runs if none are named. The caps count all.
        """
        entries, now = self.entries(), self._clock()
        delta = self._caps[0].budget.delta
        by_run: dict[str, list[ReleaseEvent]] = {}
        for entry in entries:
            if of_runs is None or entry.charge.run in of_runs:
                by_run.setdefault(entry.charge.run, []).append(entry.charge.event)
        return BudgetStatement(
            caps=tuple(state(cap, _counted(cap, entries, now)) for cap in self._caps),
            runs=tuple(
                RunCost(run=run, attempts=len(events), epsilon=epsilon_of(events, delta=delta))
                for run, events in by_run.items()
            ),
            end=LedgerEnd(position=len(entries), head=entries[-1].head if entries else NO_ENTRIES),
        )

    def head_at(self, position: int) -> str | None:
        """The digest of the entry at a position (of an empty ledger at 0); none beyond the last."""
        if position == 0:
            return NO_ENTRIES
        with self._connected() as connection:
            row = connection.execute("SELECT head FROM charge WHERE position = ?", (position,)).fetchone()
        return str(row[0]) if row is not None else None

    def require_room_for(self, charges: Sequence[Charge]) -> None:
        """Refuse a whole run that would not fit, before its first message.

        Raises:
            BudgetExhaustedError: With what is asked, spent and left.
        """
        with self._connected() as connection:
            self._require_room(read_entries(connection), charges)

    def reserve(self, charge: Charge, *, approved: PrivacyBudget) -> None:
        """Pay for one release, durably, before it is made. One attempt at a round of a run can be paid once only.

        Args:
            charge: The release.
            approved: The most that all attempts of its run may cost together.

        Raises:
            BudgetExhaustedError: If it would pass a cap, or what the run may cost.
            AttemptAlreadyPaidError: If it was reserved before.
            LedgerUnusableError: If it cannot be written (disk full, say).
        """
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            entries = read_entries(connection)
            own = [entry.charge for entry in entries if entry.charge.run == charge.run]
            if any((one.round, one.attempt) == (charge.round, charge.attempt) for one in own):
                raise AttemptAlreadyPaidError(
                    f"Attempt {charge.attempt} at round {charge.round} of run {charge.run} was paid for before.",
                    "One payment is for one vector: ask for the next attempt.",
                )
            _require_within_run([one.event for one in own], charge, approved=approved)
            self._require_room(entries, [charge])
            append(connection, charge, self._clock(), after=entries[-1] if entries else None)
            # Closing without COMMIT rolls back.
            connection.execute("COMMIT")

    def _require_room(self, entries: Sequence[LedgerEntry], charges: Sequence[Charge]) -> None:
        now = self._clock()
        for cap in self._caps:
            asked = [charge.event for charge in charges if cap.counts(charge, at=now, now=now)]
            spent = _counted(cap, entries, now)
            if asked and epsilon_of([*spent, *asked], delta=cap.budget.delta) > cap.budget.epsilon:
                raise exhausted(cap, spent=spent, asked=asked, run=charges[0].run, now=now, owner=_THIS_VAULT)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            # Never made here: whoever deletes the file while the vault serves does not get an empty one.
            address = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=10)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                yield connection
        except sqlite3.Error as error:
            raise LedgerUnusableError(
                f"The ledger {self._path.name} cannot be used ({error}).",
                "Free disk space or mend the file; until then this vault releases nothing.",
            ) from error


def _counted(cap: Cap, entries: Sequence[LedgerEntry], now: datetime) -> list[ReleaseEvent]:
    return [entry.charge.event for entry in entries if cap.counts(entry.charge, at=entry.reserved_at, now=now)]


def _require_within_run(spent: Sequence[ReleaseEvent], charge: Charge, *, approved: PrivacyBudget) -> None:
    after = epsilon_of([*spent, charge.event], delta=approved.delta)
    if after > approved.epsilon * (1 + 1e-9):
        before = epsilon_of(spent, delta=approved.delta)
        raise BudgetExhaustedError(
            f"Run {charge.run} was approved with ε = {approved.epsilon:.3f} (δ = {approved.delta:g}); ε = {before:.3f}"
            f" is spent in it, and another attempt would bring it to ε = {after:.3f}.",
            "Start a new run.",
        )


def _take_over(connection: sqlite3.Connection) -> None:
    """Make an earlier ledger's entries charges, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    for charge, reserved_at in earlier_charges(connection):
        entries = read_entries(connection)
        append(connection, charge, reserved_at, after=entries[-1] if entries else None)
    connection.execute("DROP TABLE release")
    connection.execute("COMMIT")
