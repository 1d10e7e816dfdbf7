"""The league's ledger as a file: its tables, its rows, and the chain over what was asked."""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.errors import HanseError
from hanse_privacy.ledger_entries import (
    CHARGE_COLUMNS,
    CHARGE_NAMES,
    NO_ENTRIES,
    add_missing_columns,
    charge_of,
    row_of,
)
from hanse_server.league_spending import Asked

_VAULTS_OF_UNIT = "vaults_of_unit INTEGER NOT NULL DEFAULT 1"
"""Came last: of what was asked before, the unit counts as the weakest, one customer at one partner."""
_TABLES = f"""
CREATE TABLE IF NOT EXISTS asked (
    partner TEXT NOT NULL,
    {", ".join(CHARGE_COLUMNS)},
    asked_at TEXT NOT NULL,
    answered_at TEXT,
    {_VAULTS_OF_UNIT},
    PRIMARY KEY (partner, run, round, attempt)
) STRICT;
CREATE TABLE IF NOT EXISTS statement (
    partner TEXT NOT NULL,
    public_key TEXT NOT NULL,
    position INTEGER NOT NULL,
    head TEXT NOT NULL,
    signed BLOB NOT NULL,
    PRIMARY KEY (partner, public_key)
) STRICT;
CREATE TABLE IF NOT EXISTS reading (
    place INTEGER PRIMARY KEY CHECK (place = 1),
    at TEXT NOT NULL
) STRICT;
"""
_COLUMNS = f"partner, vaults_of_unit, asked_at, answered_at IS NOT NULL, {CHARGE_NAMES}"
_WAIT_S = 60.0
"""For other runs that hold the file; each does so for a second at most."""


class LeagueLedgerError(HanseError):
    """The league's ledger cannot be read or written, or is an older one; nothing is asked."""

    code = "LEAGUE_LEDGER_UNUSABLE"


def prepare(path: Path) -> None:
    """Make the file if it is missing, and whatever it lacks of tables and columns.

    Raises:
        LeagueLedgerError: If it cannot be read or written.
    """
    with connected(path) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        columns = {row[1] for row in connection.execute("PRAGMA table_info(asked)")}
        wanted = {column.split()[0] for column in (*CHARGE_COLUMNS, _VAULTS_OF_UNIT)}
        if tables >= {"asked", "statement", "reading"} and columns >= wanted:
            return  # as nearly always: nobody's lock is asked for
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_TABLES)
        add_missing_columns(connection, table="asked", columns=(*CHARGE_COLUMNS, _VAULTS_OF_UNIT))


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection, closed at the end; what was begun on it and not committed is rolled back.

    Raises:
        LeagueLedgerError: For any error of the database.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            yield connection
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise LeagueLedgerError(
                f"The league's ledger {path.name} was held by other runs for {_WAIT_S:g} seconds.",
                "Start fewer runs at once, and look for a process that hangs.",
            ) from error
        raise LeagueLedgerError(
            f"The league's ledger {path.name} cannot be used ({error}).",
            "Free disk space or mend the file; until then nothing is asked of a vault.",
        ) from error


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """The only writer, until the end; committed unless an error is raised."""
    with connected(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


def insert(connection: sqlite3.Connection, asked: Iterable[Asked]) -> None:
    """Append what is asked."""
    rows = [(one.partner, *row_of(one.charge), one.vaults_of_unit, one.at.isoformat()) for one in asked]
    connection.executemany(
        f"INSERT INTO asked (partner, {CHARGE_NAMES}, vaults_of_unit, asked_at)"  # noqa: S608 - own text
        f" VALUES ({', '.join('?' * (len(CHARGE_COLUMNS) + 3))})",
        rows,
    )


def rows_of(connection: sqlite3.Connection) -> list[Sequence[Any]]:
    """Everything that was asked, in the order in which it was, for :func:`asked_of`."""
    return connection.execute(f"SELECT {_COLUMNS} FROM asked ORDER BY rowid").fetchall()  # noqa: S608 - own text


def asked_of(rows: Sequence[Sequence[Any]], *, name: str) -> tuple[Asked, ...]:
    """What rows say.

    Args:
        rows: From :func:`rows_of`.
        name: The file's.

    Raises:
        LeagueLedgerError: If one is not as it was written.
    """
    try:
        return tuple(
            Asked(
                partner=partner,
                charge=charge_of(charge),
                vaults_of_unit=vaults_of_unit,
                at=datetime.fromisoformat(at),
                was_answered=bool(was_answered),
            )
            for partner, vaults_of_unit, at, was_answered, *charge in rows
        )
    except ValueError as error:
        raise LeagueLedgerError(
            f"The league's ledger {name} was altered: an entry cannot be read.",
            "Restore the newest one; until then nothing is asked of a vault.",
        ) from error


def heads_of(asked: Sequence[Asked]) -> tuple[str, ...]:
    """A digest for each entry that stands for all before it, too; before these the one of an empty ledger.

    Whether an attempt was answered is in none of them: that comes later.
    """
    heads = [NO_ENTRIES]
    for one in asked:
        said = [heads[-1], one.partner, *row_of(one.charge), one.vaults_of_unit, one.at.isoformat()]
        heads.append(hashlib.sha256(canonical_bytes(said)).hexdigest())
    return tuple(heads)
