"""A file of the vault's memory: every write is durable before it counts, every failure is one clear error."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hanse_privacy.errors import HanseError


class RegisterUnusableError(HanseError):
    """The register of runs cannot be read or written; nothing is answered."""

    code = "REGISTER_UNUSABLE"


class RegisterFile:
    """A SQLite file that several registers and the owner's commands may share.

    Args:
        path: The file; made if it is missing.
        schema: Statements that make the caller's tables where they are missing.

    Raises:
        RegisterUnusableError: If it cannot be written.
    """

    def __init__(self, path: Path, *, schema: str) -> None:
        self._path = path
        with self.writing() as connection:
            connection.executescript(schema)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction.

        Raises:
            RegisterUnusableError: If it is not written; nothing was changed.
        """
        try:
            with closing(self._connect()) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise RegisterUnusableError(
                f"The register {self._path.name} cannot be written ({error}).", "Free disk space or mend the file."
            ) from error

    def read(self, question: str, *values: str | int) -> list[Any]:
        """Rows.

        Raises:
            RegisterUnusableError: If they cannot be read.
        """
        try:
            with closing(self._connect()) as connection:
                return connection.execute(question, values).fetchall()
        except sqlite3.Error as error:
            raise RegisterUnusableError(
                f"The register {self._path.name} cannot be read ({error}).", "Restore the file, or free disk space."
            ) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA secure_delete=ON")  # a deleted session key is overwritten
        return connection
