"""The database under the store, SQLite or PostgreSQL: durable, and only the rows of the controller in question."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from hanse_consent.errors import StoreUnavailableError
from hanse_consent.storage.engines import READERS, postgresql_engine, sqlite_engine
from hanse_consent.storage.errors import RoleTooPowerfulError
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import bring_up_to_date, require_newest
from hanse_consent.storage.statements import Statements

_SCOPE_KEPT = "SELECT set_config('hanse.controller', %s, false), set_config('hanse.across', '', false)"
_SCOPED_TO = "hanse.scoped_to"
_SCOPE = "SELECT set_config('hanse.controller', %s, true), set_config('hanse.across', %s, true)"


class Database:
    """Opens the store and hands out transactions.

    SQLite is embedded: the file is made if missing (mode 0600) and brought to the newest schema. WAL lets readers go
    on while one writes; ``synchronous=FULL`` makes a commit survive a power cut before it is acknowledged. Several
    processes may open one file: their writers queue on its lock.

    PostgreSQL is served: its schema must have been migrated. Row-level security lets a transaction see the rows of
    the controller it was opened for and no others, also where a query forgets to ask.

    Args:
        location: Where it is; a path is an SQLite file.

    Raises:
        StoreUnavailableError: If it cannot be opened or is no consent store.
        SchemaVersionError: If its schema is newer than this program, or on PostgreSQL older.
        RoleTooPowerfulError: If the PostgreSQL role is above row-level security.
    """

    def __init__(self, location: DatabaseLocation | Path) -> None:
        self.location = DatabaseLocation.of_file(location) if isinstance(location, Path) else location
        self._name, self._is_file = self.location.name, self.location.is_file
        self._side_by_side = threading.BoundedSemaphore(READERS // 4)
        if self._is_file:
            _touch(self.location.path)
            # One writing connection: writers of this process queue here instead of meeting a locked file.
            self._writer = sqlite_engine(self.location, begin="BEGIN IMMEDIATE", connections=1)
            self._reader = sqlite_engine(self.location, begin="BEGIN", connections=READERS)
        else:
            self._writer = postgresql_engine(self.location)
            # Repeatable read: everything read in one transaction is of one moment.
            self._reader = self._writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._plain = postgresql_engine(self.location, alone=True)
        with _reported(self._name):
            if self._is_file:
                bring_up_to_date(self._writer)
            else:
                require_newest(self._writer)
                _require_ordinary_role(self._writer)

    @contextmanager
    def writing(self, *, controller: str | None = None) -> Iterator[Session]:
        """A transaction that may write; committed at the end, rolled back on any error.

        On SQLite it holds the write lock.

        Args:
            controller: Whose rows it may see and write; without one, only what belongs to no controller.

        Raises:
            StoreUnavailableError: If the store cannot be read or written; nothing was changed.
        """
        with self._transaction(self._writer, controller=controller or "", across="") as session:
            yield session
            session.commit()

    @contextmanager
    def reading(self, *, controller: str | None = None) -> Iterator[Session]:
        """A read transaction: everything read inside is of one moment.

        It ends with a commit, because at a rollback PostgreSQL's driver forgets every statement that it has prepared.

        Args:
            controller: Whose rows it may see; without one, only what belongs to no controller.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        with self._transaction(self._reader, controller=controller or "", across="") as session:
            yield session
            session.commit()

    @contextmanager
    def writing_across_controllers(self) -> Iterator[Session]:
        """As :meth:`writing`, for the service's own duties over all controllers."""
        with self._transaction(self._writer, controller="", across="on") as session:
            yield session
            session.commit()

    @contextmanager
    def reading_across_controllers(self) -> Iterator[Session]:
        """As :meth:`reading`, for the service's own duties over all controllers."""
        with self._transaction(self._reader, controller="", across="on") as session:
            yield session
            session.commit()

    @contextmanager
    def reading_side_by_side(self, *, controller: str, count: int) -> Iterator[tuple[Session, ...]]:
        """Several read transactions of one controller, for as many threads.

        On PostgreSQL all of them see one moment. On SQLite each begins with its first statement: those that read the
        same position of the controller see the same of it.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        # Whoever holds one connection and waits for a second must not be joined by as many as there are connections.
        with self._side_by_side, ExitStack() as stack:
            first = stack.enter_context(self.reading(controller=controller))
            snapshot = None
            if not self._is_file:
                snapshot = str(first.connection().exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
            others = [
                stack.enter_context(
                    self._transaction(self._reader, controller=controller, across="", snapshot=snapshot)
                )
                for _ in range(count - 1)
            ]
            yield (first, *others)

    @contextmanager
    def plain_reading(self, *, controller: str | None = None) -> Iterator[Statements]:
        """For queries written as text: each sees a moment of its own, and the rows of one controller.

        Args:
            controller: Whose rows they may see; without one, only what belongs to no controller.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        if not self._is_file:
            with self._served(controller or "") as statements:
                yield statements
            return
        with _reported(self._name), closing(self._reader.raw_connection()) as pooled:
            yield Statements.on(pooled)

    @contextmanager
    def plain_writing(self, *, controller: str) -> Iterator[Statements]:
        """For one insertion written as text, durable once the context ends.

        Args:
            controller: Whose rows it may write.

        Raises:
            StoreUnavailableError: If it is not written.
        """
        if not self._is_file:
            with self._served(controller) as statements:
                yield statements
            return
        with _reported(self._name), closing(self._writer.raw_connection()) as pooled:
            statements = Statements.on(pooled)
            with statements.transaction():
                yield statements

    @contextmanager
    def _served(self, controller: str) -> Iterator[Statements]:
        # No transaction around a statement, and the controller is told only where it is another than the last one's:
        # three exchanges with the server less. Such connections serve nothing else, and none outlives an error.
        with _reported(self._name), closing(self._plain.raw_connection()) as pooled:
            statements = Statements.on(pooled)
            try:
                if pooled.info.get(_SCOPED_TO) != controller:
                    statements.rows(_SCOPE_KEPT, (controller,))
                    pooled.info[_SCOPED_TO] = controller
                yield statements
            except BaseException:
                pooled.invalidate()
                raise

    @contextmanager
    def _transaction(
        self, engine: Engine, *, controller: str, across: str, snapshot: str | None = None
    ) -> Iterator[Session]:
        with _reported(self._name), Session(engine, expire_on_commit=False) as session:
            if snapshot is not None:
                session.connection().exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            if not self._is_file:
                session.connection().exec_driver_sql(_SCOPE, (controller, across))
            yield session

    def forget_history(self) -> None:
        """On SQLite, overwrite the write-ahead log, which holds what was just deleted; no reader is waited for long.

        PostgreSQL keeps deleted rows until it vacuums, and in its own log and backups: see docs/postgresql.md.
        """
        if self._is_file:
            with _reported(self._name), self._writer.connect() as connection:
                raw = connection.connection.driver_connection
                connection.rollback()
                if raw is not None:
                    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file or the server."""
        self._reader.dispose()
        self._writer.dispose()
        if not self._is_file:
            self._plain.dispose()


def _touch(path: Path) -> None:
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"The consent store {path.name} cannot be opened ({error.strerror}).",
            "Make its folder, or give this account the right to write there.",
        ) from error


def _require_ordinary_role(engine: Engine) -> None:
    """Refuse a role that row-level security does not bind."""
    with engine.begin() as connection:
        powerful = connection.exec_driver_sql(
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).scalar()
    if powerful:
        raise RoleTooPowerfulError(
            "The service's PostgreSQL role is a superuser or bypasses row-level security.",
            "Serve with an ordinary role, as docs/postgresql.md says; migrate with the owner's.",
        )


@contextmanager
def _reported(name: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, psycopg.Error) as error:
        # Not chained: the server's details quote the row.
        raise StoreUnavailableError(
            f"The consent store {name} cannot be used ({_cause(error)}); nothing was changed.",
            "Free disk space, check that the database is there and may be written, and start the service again.",
        ) from None


def _cause(error: Exception) -> str:
    original = getattr(error, "orig", None) or error
    if isinstance(original, psycopg.Error):
        return original.diag.message_primary or type(original).__name__
    return str(original) if isinstance(original, sqlite3.Error) else type(original).__name__
