"""Connections to the database: what each of them is told before it is used."""

import sqlite3
import time
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, PoolProxiedConnection, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import create_engine

from hanse_consent.storage.location import DatabaseLocation

_WAIT_S = 30.0
READERS = 16
"""So many connections may read at a time."""
BINARY_RESULT = "hanse_binary_result"
"""Execution option: PostgreSQL sends byte strings as they are, not in hexadecimal."""
_TRUSTED_FOR_S = 1.0
"""After so long without use, a connection to a server is tried before it is used."""
_USED_AT_S = "hanse.used_at_s"
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",  # else INSERT OR REPLACE passes by the triggers that forbid rewriting
    "PRAGMA secure_delete=ON",  # what an erasure deletes is overwritten
    "PRAGMA cache_size=-65536",  # 64 MiB: pseudonyms are random, their index wants to stay in memory
    "PRAGMA wal_autocheckpoint=8000",  # of 4 KiB pages: a big batch is not copied twice in its own commit
)
# Durable whatever the server's default; compiling a plan to machine code costs more than it saves here.
_POSTGRESQL_OPTIONS = "-c synchronous_commit=on -c jit=off -c work_mem=64MB -c timezone=UTC"


def sqlite_engine(location: DatabaseLocation, *, begin: str, connections: int) -> Engine:
    """Connections to a file.

    Args:
        location: Where it is.
        begin: The statement that begins a transaction.
        connections: So many at a time.
    """
    engine = create_engine(
        location.url,
        hide_parameters=True,  # a parameter may be a pseudonym, and errors reach the log
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_WAIT_S,
        connect_args={"timeout": _WAIT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: PoolProxiedConnection) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; _begin does
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def postgresql_engine(location: DatabaseLocation, *, alone: bool = False) -> Engine:
    """Connections to a server.

    Args:
        location: Where it is.
        alone: Whether each statement is a transaction of its own.
    """
    engine = create_engine(
        location.url,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT" if alone else "READ COMMITTED",
        pool_reset_on_return=None if alone else "rollback",
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=_WAIT_S,
        connect_args={"options": _POSTGRESQL_OPTIONS, "connect_timeout": int(_WAIT_S)},
    )

    @event.listens_for(engine, "before_cursor_execute")
    def _choose_format(
        _connection: Connection, cursor: Any, _statement: str, _values: Any, context: Any, _many: Any
    ) -> None:
        if context is not None and context.execution_options.get(BINARY_RESULT):
            cursor.format = psycopg.pq.Format.BINARY

    @event.listens_for(engine, "checkin")
    def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT_S] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _look_after_rest(connection: Any, record: ConnectionPoolEntry, _pooled: PoolProxiedConnection) -> None:
        # A server that was started anew has forgotten us. To ask each time would cost as much as a query.
        if time.monotonic() - record.info.get(_USED_AT_S, 0.0) > _TRUSTED_FOR_S and not _answers(engine, connection):
            raise DisconnectionError

    return engine


def _answers(engine: Engine, connection: Any) -> bool:
    try:
        return engine.dialect.do_ping(connection)
    except psycopg.Error:
        return False
