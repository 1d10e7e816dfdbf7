"""The registry at any version, read once: a version never changes."""

from sqlmodel import Session

from hanse_consent.storage.database import Database
from hanse_consent.storage.registry_log import RegistryVersion, read_registry

_KEPT = 16


class RegistryVersions:
    """Versions of the registry, the last few asked for in memory. May be used from several threads.

    Args:
        database: Where the registry is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: dict[int, RegistryVersion] = {}

    def latest(self) -> int:
        """The version in force; 0 where nothing was registered."""
        with self._database.plain_reading() as statements:
            return statements.rows("SELECT max(version) FROM registry_document")[0][0] or 0

    def at(self, version: int) -> RegistryVersion:
        """The registry as it was at a version.

        Raises:
            RegistryVersionUnknownError: If there is no such version.
        """
        known = self._kept.get(version)
        if known is None:
            with self._database.reading() as session:
                known = self.within(session, version)
        return known

    def within(self, session: Session, version: int) -> RegistryVersion:
        """As :meth:`at`, inside a transaction.

        What a transaction that is rolled back has read is as good as any.
        """
        known = self._kept.get(version)
        if known is None:
            known = read_registry(session, version)
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[version] = known
        return known
