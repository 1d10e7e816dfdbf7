"""How far a vault has seen its consent service go, so that it notices one that was set back. Survives a restart."""

from pathlib import Path

from hanse_client.vault.register_file import RegisterFile
from hanse_privacy.errors import HanseError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS consent_position (
    service TEXT PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT
"""


class ConsentRolledBackError(HanseError):
    """The consent service answered from before what it had answered earlier: acts, perhaps withdrawals, are lost."""

    code = "CONSENT_ROLLED_BACK"


class ConsentPositions:
    """The highest position seen of each consent service, in an SQLite file of the vault (it may be the register's).

    Args:
        path: The file.

    Raises:
        RegisterUnusableError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = RegisterFile(path, schema=_SCHEMA)

    def advance(self, service: str, position: int) -> None:
        """Accept a position that is not behind what was seen, and remember it.

        Args:
            service: The consent service, by the fingerprint of its key.
            position: Of a verified manifest.

        Raises:
            ConsentRolledBackError: If the service was further already.
            RegisterUnusableError: If the file cannot be read or written.
        """
        with self._file.writing() as connection:
            row = connection.execute("SELECT position FROM consent_position WHERE service = ?", (service,)).fetchone()
            seen = int(row[0]) if row is not None else -1
            if position > seen:
                connection.execute(
                    "INSERT INTO consent_position VALUES (?, ?)"
                    " ON CONFLICT DO UPDATE SET position = max(position, excluded.position)",
                    (service, position),
                )
        if position < seen:
            raise ConsentRolledBackError(
                f"The consent service answers as of position {position}; it was at {seen} before.",
                "It was restored from an older copy: bring the lost acts back; until then nobody may be used.",
            )
