"""Which signed requests were accepted before: written per request, without waiting for the disk each time.

A write that may be lost in a crash is enough because of two further rules:

- A request dated before this memory began is refused. After a crash it begins anew, later than every
  request whose trace the crash may have taken.
- A request dated ahead of the service's clock would pass that rule: its trace is made durable first.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, PoolProxiedConnection, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel, col, delete

from hanse_consent.access.errors import RequestBeforeStartError
from hanse_consent.access.tables import SeenRequestRow
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.errors import RequestReplayedError, StoreUnavailableError
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE, RequestClaim
from hanse_privacy.validation import require

_MAX_AHEAD = timedelta(seconds=1)
"""A machine takes longer than this to start again after a crash."""
_FORGET_EVERY = timedelta(seconds=10)
_BUSY_TIMEOUT_S = 5.0
_MICROSECOND = timedelta(microseconds=1)


class RequestMemory:
    """Accepts each signed request once. May be used from several threads, and several processes on one database.

    On SQLite it has a file of its own, so that its quick writes never wait behind the store's durable ones.

    Args:
        url: ``sqlite:///…`` of a file of its own, made if missing, or the service's own PostgreSQL database.
        now: The service's clock.

    Raises:
        InvalidValueError: If the URL is of another kind of database.
        StoreUnavailableError: If the database cannot be used; from :meth:`accept` too.
    """

    def __init__(self, url: URL, *, now: Callable[[], datetime]) -> None:
        backend = url.get_backend_name()
        require(backend in ("sqlite", "postgresql"), name="url", value=backend, bound="of SQLite or PostgreSQL")
        self._now = now
        self._began_at = now()
        self._forgot_at = now()
        self._lock = threading.Lock()
        connect = _sqlite_engine if backend == "sqlite" else _postgresql_engine
        # As text, and each statement a transaction of its own: compiling and beginning cost more than the insertion.
        placeholder = "?" if backend == "sqlite" else "%s"
        self._insert = (
            "INSERT INTO access_seen_request (digest, good_until_us) "  # noqa: S608 - holds no value
            f"VALUES ({placeholder}, {placeholder}) ON CONFLICT DO NOTHING"
        )
        try:
            self._quick = connect(url, durable=False)
            self._durable = connect(url, durable=True)
            if backend == "sqlite":
                SQLModel.metadata.create_all(self._durable, tables=[SQLModel.metadata.tables["access_seen_request"]])
        except (SQLAlchemyError, OSError) as error:
            raise _unusable(error) from error
        event.listen(self._quick, "handle_error", self._begin_anew)

    def accept(self, claim: RequestClaim) -> None:
        """Accept a verified request, once.

        Raises:
            RequestBeforeStartError: If it is dated before this memory began.
            RequestReplayedError: If it was accepted before.
        """
        now = self._now()
        if claim.sent_at < self._began_at:
            raise RequestBeforeStartError(
                "The request was signed before the service was ready.", "Sign it again and send it."
            )
        ahead = claim.sent_at - now > _MAX_AHEAD
        digest = hashlib.sha256(f"{claim.party}\n{claim.nonce}".encode()).digest()
        good_until_us = to_microseconds(claim.sent_at + TIME_TOLERANCE)
        try:
            with (self._durable if ahead else self._quick).connect() as connection:
                is_new = connection.exec_driver_sql(self._insert, (digest, good_until_us)).rowcount == 1
                if self._forget_is_due(now):
                    # One tolerance more, for the clocks of other processes.
                    too_old_us = to_microseconds(now - TIME_TOLERANCE)
                    connection.execute(delete(SeenRequestRow).where(col(SeenRequestRow.good_until_us) < too_old_us))
        except SQLAlchemyError as error:
            raise _unusable(error) from error
        if not is_new:
            raise RequestReplayedError(
                "This signed request was received before.", "Sign every request anew, also a repeated one."
            )

    def close(self) -> None:
        """Let go of the database."""
        self._quick.dispose()
        self._durable.dispose()

    def _forget_is_due(self, now: datetime) -> bool:
        with self._lock:
            if now - self._forgot_at < _FORGET_EVERY:
                return False
            self._forgot_at = now
            return True

    def _begin_anew(self, context: ExceptionContext) -> None:
        # The one quick connection broke: the database may have crashed and lost its last quick writes.
        if context.is_disconnect:
            self._began_at = self._now() + _MAX_AHEAD


def _unusable(error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"The memory of signed requests cannot be used ({type(error).__name__}); nothing was accepted.",
        "Free disk space, check the database and its folder, and start the service again.",
    )


def _sqlite_engine(url: URL, *, durable: bool) -> Engine:
    Path(str(url.database)).touch(mode=0o600, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_BUSY_TIMEOUT_S,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: PoolProxiedConnection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        # NORMAL in WAL: a crash of the machine may take the last commits, and never damages the file.
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")

    return engine


def _postgresql_engine(url: URL, *, durable: bool) -> Engine:
    # One connection, kept: a crash of the database cannot pass unseen between two.
    return create_engine(
        url,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_BUSY_TIMEOUT_S,
        connect_args={"options": f"-c synchronous_commit={'on' if durable else 'off'}"},
    )
