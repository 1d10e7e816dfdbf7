"""Statements written as text: what is asked hundreds of times a second is neither mapped nor compiled.

A mapped session costs more than the statements in it. Whoever writes text names no value in it: values go beside it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from sqlalchemy import PoolProxiedConnection
from sqlmodel import Session, SQLModel

from hanse_consent.storage.bulk import insertion


class Statements:
    """Runs text on a driver's connection.

    Args:
        connection: The driver's.
    """

    def __init__(self, connection: "sqlite3.Connection | psycopg.Connection[Any]") -> None:
        self._connection = connection
        self.is_sqlite = isinstance(connection, sqlite3.Connection)
        """Whether the engine is SQLite; PostgreSQL otherwise."""

    @classmethod
    def on(cls, pooled: PoolProxiedConnection) -> Self:
        """On a connection of a pool."""
        driver: Any = pooled.driver_connection
        return cls(driver)

    @classmethod
    def of(cls, session: Session) -> Self:
        """Inside a session's transaction."""
        return cls.on(session.connection().connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """On SQLite: hold the write lock, and commit at the end or roll back on any error."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.commit()
        finally:
            self._connection.rollback()

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a query and fetch all its rows.

        Args:
            statement: With ``%s`` in the place of each value, on either engine.
            values: As many.
        """
        cursor = self._connection.cursor()
        cursor.execute(statement.replace("%s", "?") if self.is_sqlite else statement, tuple(values))
        return cursor.fetchall()

    def insert(self, model: type[SQLModel], rows: Sequence[Sequence[Any]], *, left_out: str = "") -> None:
        """Insert rows; see :func:`hanse_consent.storage.bulk.insertion`."""
        if not rows:
            return
        into = insertion(model, rows, is_sqlite=self.is_sqlite, left_out=left_out)
        cursor: Any = self._connection.cursor()
        if self.is_sqlite:
            cursor.executemany(into.statement, into.values)
        else:
            cursor.execute(into.statement, into.values)
