"""Where a store is: an SQLite file, or a database on a PostgreSQL server."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from hanse_privacy.errors import InvalidValueError

_POSTGRESQL = "postgresql+psycopg"


@dataclass(frozen=True, slots=True)
class DatabaseLocation:
    """A store's address; shown without its password.

    Args:
        url: As SQLAlchemy reads it; made by :meth:`of_file` or :meth:`parse`.
    """

    url: URL = field(repr=False)

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """An SQLite file, embedded in this process."""
        return cls(URL.create("sqlite", database=str(path)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``postgresql://user@host/database`` or a file's path.

        Raises:
            InvalidValueError: If it is an address of another kind, or none.
        """
        if "://" not in text:
            return cls.of_file(Path(text))
        try:
            url = make_url(text)
        except (ArgumentError, ValueError) as error:
            raise InvalidValueError(
                "The database's address cannot be read.", "Write postgresql://user@host/database or a file's path."
            ) from error
        if url.drivername not in ("postgresql", _POSTGRESQL) or not url.database:
            raise InvalidValueError(
                f"The database's address begins with {url.drivername}:// or names no database.",
                "Write postgresql://user@host/database or a file's path.",
            )
        return cls(url.set(drivername=_POSTGRESQL))

    @property
    def is_file(self) -> bool:
        """Whether it is an SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file, of an SQLite store."""
        return Path(self.url.database or "")

    @property
    def name(self) -> str:
        """For messages: the file's name or the database's, without folder, account or password."""
        return self.path.name if self.is_file else f"{self.url.database}"
