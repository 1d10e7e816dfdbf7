"""The shipped service in a process that dies by SIGKILL at a named point, or when it is killed from outside.

The points are those at which SQLAlchemy tells what it does to the database; nothing of the service is changed for it.
"""

import os
import signal
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from hanse_consent.commands.service import serve


class FaultPoint(StrEnum):
    """Where in a transaction that records acts the service dies."""

    BEGUN = "begun"
    """The controller's row is locked; nothing is written."""
    ACTS_WRITTEN = "acts-written"
    """The acts are there, their facts are not."""
    FACTS_WRITTEN = "facts-written"
    """Acts and facts are there; the controller's position is not moved on."""
    BEFORE_COMMIT = "before-commit"
    """All is written; the commit is not asked for."""
    AFTER_COMMIT = "after-commit"
    """Committed, and nobody was told."""


_AFTER_STATEMENT = {
    FaultPoint.BEGUN: "SELECT controller_stand",
    FaultPoint.ACTS_WRITTEN: 'INSERT INTO "consent_act"',
    FaultPoint.FACTS_WRITTEN: 'INSERT INTO "fact"',
}


def serve_until_killed(configuration: Path, ready: Connection, point: FaultPoint | None, nth: int) -> None:
    """Run the service; entry of a process of its own.

    Args:
        configuration: ``consent.toml``.
        ready: The service's standard output: it says there where it listens.
        point: Where to die; none to wait for whoever kills it.
        nth: At which recording of acts.
    """
    os.dup2(ready.fileno(), 1)
    with configuration.with_name("service.log").open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
    if point is not None:
        _arm(point, nth)
    serve(configuration)


def _arm(point: FaultPoint, nth: int) -> None:
    recording: set[int] = set()
    seen = 0

    def die_in_time() -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def executed(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(_AFTER_STATEMENT[FaultPoint.ACTS_WRITTEN]):
            recording.add(id(connection.connection.dbapi_connection))
        text = _AFTER_STATEMENT.get(point)
        if text is not None and statement.startswith(text):
            die_in_time()

    def committing(connection: Any) -> None:
        if id(connection.connection.dbapi_connection) in recording:
            recording.discard(id(connection.connection.dbapi_connection))
            if point is FaultPoint.BEFORE_COMMIT:
                die_in_time()
            if point is FaultPoint.AFTER_COMMIT:
                # SQLAlchemy tells before it commits, and not after: commit here, and die; its own finds nothing to do.
                connection.connection.dbapi_connection.commit()
                die_in_time()

    event.listen(Engine, "after_cursor_execute", executed)
    event.listen(Engine, "commit", committing)
