"""The SQLite file under the store: durable, one writer at a time, readers on a snapshot."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, PoolProxiedConnection, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel, create_engine

from hanse_consent import tables  # noqa: F401 - its import is what declares the tables
from hanse_consent.errors import StoreUnavailableError

_BUSY_TIMEOUT_S = 5.0


class Database:
    """Opens the file, makes missing tables, hands out transactions.

    WAL lets readers go on while one writes; ``synchronous=FULL`` makes a commit survive a power cut
    before it is acknowledged.

    Args:
        path: The SQLite file; made with mode 0600 if missing.

    Raises:
        StoreUnavailableError: If the file cannot be opened or is no consent store.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise StoreUnavailableError(
                f"The consent store {path.name} cannot be opened ({error.strerror}).",
                "Make its folder, or give this account the right to write there.",
            ) from error
        # One writing connection: writers queue here instead of meeting a locked file.
        self._writer = _engine(path, begin="BEGIN IMMEDIATE", connections=1)
        self._reader = _engine(path, begin="BEGIN", connections=16)
        with _reported(path.name):
            SQLModel.metadata.create_all(self._writer)
        self._name = path.name

    @contextmanager
    def writing(self, *, controller: str | None = None) -> Iterator[Session]:
        """A transaction that holds the write lock; committed at the end, rolled back on any error.

        Args:
            controller: Whose rows it may see and write; without one, only what belongs to no controller.

        Raises:
            StoreUnavailableError: If the store cannot be read or written.
        """
        with _reported(self._name), Session(self._writer) as session:
            yield session
            session.commit()

    @contextmanager
    def reading(self, *, controller: str | None = None) -> Iterator[Session]:
        """A read transaction: everything read inside is of one moment.

        Args:
            controller: Whose rows it may see; without one, only what belongs to no controller.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        with _reported(self._name), Session(self._reader) as session:
            yield session

    @contextmanager
    def writing_across_controllers(self) -> Iterator[Session]:
        """As :meth:`writing`, for the service's own duties over all controllers."""
        with self.writing() as session:
            yield session

    @contextmanager
    def reading_across_controllers(self) -> Iterator[Session]:
        """As :meth:`reading`, for the service's own duties over all controllers."""
        with self.reading() as session:
            yield session

    def close(self) -> None:
        """Let go of the file."""
        self._reader.dispose()
        self._writer.dispose()


def _engine(path: Path, *, begin: str, connections: int) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        hide_parameters=True,  # a parameter may be a pseudonym, and errors reach the log
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_BUSY_TIMEOUT_S,
        connect_args={"timeout": _BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: PoolProxiedConnection) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; _begin does
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def _reported(name: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if hasattr(error, "orig") else error
        raise StoreUnavailableError(
            f"The consent store {name} cannot be used ({cause}); nothing was changed.",
            "Free disk space, check the file and its folder, and start the service again.",
        ) from error
