"""Ledgers from a time when each vault released a vector of its own: their entries are charges like any other."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from hanse_privacy.accounting import ReleaseEvent
from hanse_privacy.caps import Charge

UNKNOWN_PURPOSE = "unknown"
"""In place of a purpose that was not written down: only caps over all purposes count it."""


def is_earlier(connection: sqlite3.Connection) -> bool:
    """Whether a file holds such a ledger."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'release'").fetchone() is not None


def earlier_charges(connection: sqlite3.Connection) -> Iterator[tuple[Charge, datetime]]:
    """Yield what an earlier ledger holds, oldest first."""
    rows = connection.execute(
        "SELECT run, round, operation, squared_sensitivity, variance_parameter, reserved_at FROM release"
        " ORDER BY position"
    ).fetchall()
    for run, round_number, operation, squared_sensitivity, variance_parameter, reserved_at in rows:
        event = ReleaseEvent(
            squared_sensitivity=int(squared_sensitivity), variance_parameter=int(variance_parameter), shares=1, size=1
        )
        charge = Charge(
            run=run,
            round=round_number,
            attempt=1,
            operation=operation,
            purpose=UNKNOWN_PURPOSE,
            data_categories=(),
            event=event,
        )
        yield charge, datetime.fromisoformat(reserved_at)
