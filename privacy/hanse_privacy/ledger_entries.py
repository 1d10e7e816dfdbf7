"""What a ledger holds: charges in a chain, each with the digest of all before it."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hanse_privacy.accounting import ReleaseEvent
from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.caps import Charge
from hanse_privacy.errors import HanseError

CHARGE_COLUMNS = (
    "run TEXT NOT NULL",
    "round INTEGER NOT NULL",
    "attempt INTEGER NOT NULL",
    "operation TEXT NOT NULL",
    "purpose TEXT NOT NULL",
    "squared_sensitivity TEXT NOT NULL",
    "variance_parameter TEXT NOT NULL",
    "shares INTEGER NOT NULL",
    "size INTEGER NOT NULL",
    "data_categories TEXT NOT NULL DEFAULT ''",
)
"""How a table of SQLite holds a charge; the two numbers that may pass 64 bits as text. What was read came last: tables
from before it lack that column."""
CHARGE_NAMES = ", ".join(column.split()[0] for column in CHARGE_COLUMNS)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS charge (
    position INTEGER PRIMARY KEY,
    {", ".join(CHARGE_COLUMNS)},
    reserved_at TEXT NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (run, round, attempt)
) STRICT
"""
NO_ENTRIES = "0" * 64
"""The head of an empty ledger."""


class LedgerUnusableError(HanseError):
    """The ledger is missing, altered, an older one, or cannot be read or written; nothing may be released."""

    code = "LEDGER_UNUSABLE"


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One paid release.

    Args:
        position: From 1, without gaps.
        charge: What it is.
        reserved_at: When it was paid.
        head: Digest of this entry and, through the one before, of all earlier ones.
    """

    position: int
    charge: Charge
    reserved_at: datetime
    head: str

    @property
    def run(self) -> str:
        """Whose it is."""
        return self.charge.run

    @property
    def round(self) -> int:
        """Its round, from 1."""
        return self.charge.round

    @property
    def attempt(self) -> int:
        """The attempt at it, from 1."""
        return self.charge.attempt

    @property
    def event(self) -> ReleaseEvent:
        """What it costs."""
        return self.charge.event


def add_missing_columns(connection: sqlite3.Connection, *, table: str, columns: Sequence[str] = CHARGE_COLUMNS) -> None:
    """Give a table of charges from before there was a column that column, with its default in it.

    Args:
        connection: In no transaction.
        table: Its name.
        columns: What it should have; the definition of each.
    """
    # Looked at and mended in one transaction: a vault and its owner's command may open the file at once.
    connection.execute("BEGIN IMMEDIATE")
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    for column in columns:
        if column.split()[0] not in there:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    connection.execute("COMMIT")


def row_of(charge: Charge) -> tuple[str | int, ...]:
    """A charge's values in the order of :data:`CHARGE_COLUMNS`."""
    event = charge.event
    return (
        charge.run,
        charge.round,
        charge.attempt,
        charge.operation,
        charge.purpose,
        str(event.squared_sensitivity),
        str(event.variance_parameter),
        event.shares,
        event.size,
        " ".join(charge.data_categories),
    )


def charge_of(row: Sequence[Any]) -> Charge:
    """The charge that :func:`row_of` made a row of."""
    run, round_number, attempt, operation, purpose, squared_sensitivity, variance_parameter, shares, size, read = row
    return Charge(
        run=run,
        round=round_number,
        attempt=attempt,
        operation=operation,
        purpose=purpose,
        data_categories=tuple(read.split()),
        event=ReleaseEvent(
            squared_sensitivity=int(squared_sensitivity),
            variance_parameter=int(variance_parameter),
            shares=shares,
            size=size,
        ),
    )


def append(connection: sqlite3.Connection, charge: Charge, at: datetime, *, after: LedgerEntry | None) -> None:
    """Write a charge after the last entry."""
    position, before = (after.position + 1, after.head) if after is not None else (1, NO_ENTRIES)
    reserved_at = at.astimezone(UTC)
    values = (position, *row_of(charge), reserved_at.isoformat(), _head(before, position, charge, reserved_at))
    connection.execute(
        f"INSERT INTO charge (position, {CHARGE_NAMES}, reserved_at, head)"  # noqa: S608 - own text
        f" VALUES ({', '.join('?' * len(values))})",
        values,
    )


def require_unaltered(entries: Sequence[LedgerEntry], name: str) -> None:
    """Compute the chain anew.

    Raises:
        LedgerUnusableError: If an entry is not what was written, or one is missing in between.
    """
    before = NO_ENTRIES
    for number, entry in enumerate(entries, 1):
        if entry.position != number or entry.head != _head(before, number, entry.charge, entry.reserved_at):
            raise LedgerUnusableError(
                f"The ledger {name} was altered at entry {number}.",
                "Restore the newest one; until then this vault releases nothing.",
            )
        before = entry.head


def _head(before: str, position: int, charge: Charge, reserved_at: datetime) -> str:
    said: dict[str, str | int | list[str]] = {
        "before": before,
        "position": position,
        "run": charge.run,
        "round": charge.round,
        "attempt": charge.attempt,
        "operation": charge.operation,
        "purpose": charge.purpose,
        "squared_sensitivity": str(charge.event.squared_sensitivity),
        "variance_parameter": str(charge.event.variance_parameter),
        "shares": charge.event.shares,
        "size": charge.event.size,
        "reserved_at": reserved_at.isoformat(),
    }
    if charge.data_categories:
        # Left out where it was never written down, so that entries from before it keep their digests.
        said["data_categories"] = list(charge.data_categories)
    return hashlib.sha256(canonical_bytes(said)).hexdigest()


def read_entries(connection: sqlite3.Connection) -> tuple[LedgerEntry, ...]:
    """Return every entry, oldest first."""
    rows = connection.execute(f"SELECT position, {CHARGE_NAMES}, reserved_at, head FROM charge ORDER BY position")  # noqa: S608 - own text
    return tuple(
        LedgerEntry(
            position=position,
            charge=charge_of(charge),
            reserved_at=datetime.fromisoformat(reserved_at),
            head=head,
        )
        for position, *charge, reserved_at, head in rows
    )
