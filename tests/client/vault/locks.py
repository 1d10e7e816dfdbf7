"""Holding a vault's databases, to stop it where a test wants it."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a database's write lock: whoever wants to write waits."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def wait_until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < limit, "it did not come to that"
        time.sleep(0.02)
