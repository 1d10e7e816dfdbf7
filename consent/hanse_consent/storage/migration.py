"""Bringing a store's tables to the version that this program knows, with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool
from sqlmodel import create_engine

from hanse_consent.storage.errors import SchemaVersionError
from hanse_consent.storage.location import DatabaseLocation

NEWEST = "0002"
"""The schema that this program reads and writes."""

_KNOWN = frozenset({"0001", "0002"})
_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(location: DatabaseLocation, *, to: str = NEWEST) -> None:
    """Bring the tables of a store to a schema version; on PostgreSQL as the role that shall own them.

    Args:
        location: The store; an SQLite file is made by opening it, too.
        to: A version, or ``base`` for none: that deletes everything.

    Raises:
        SchemaVersionError: If they are newer than this program.
    """
    engine = create_engine(location.url, poolclass=NullPool, hide_parameters=True)
    try:
        with engine.begin() as connection:
            _move(connection, to)
    finally:
        engine.dispose()


def bring_up_to_date(engine: Engine) -> None:
    """Make or upgrade the tables, in one transaction.

    Raises:
        SchemaVersionError: If they are newer than this program.
    """
    with engine.begin() as connection:
        _move(connection, NEWEST)


def require_newest(engine: Engine) -> None:
    """Go on only with the newest tables.

    Raises:
        SchemaVersionError: If they are older or newer.
    """
    with engine.begin() as connection:
        version = _version(connection)
    if version != NEWEST:
        raise SchemaVersionError(
            f"The store's tables are of version {version or 'none'}; this program needs {NEWEST}.",
            "Run hanse consent migrate with the role that owns them.",
        )


def _version(connection: Connection) -> str | None:
    version = MigrationContext.configure(connection).get_current_revision()
    if version is not None and version not in _KNOWN:
        raise SchemaVersionError(
            f"The store's tables are of version {version}, which is newer than this program ({NEWEST}).",
            "Install the release of Hanse that wrote them, or a later one.",
        )
    return version


def _move(connection: Connection, to: str) -> None:
    version = _version(connection)
    if version == to:
        return
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    upwards = to != "base" and (version is None or to not in _ancestors(scripts, version))
    (command.upgrade if upwards else command.downgrade)(config, to)


def _ancestors(scripts: ScriptDirectory, version: str) -> frozenset[str]:
    return frozenset(script.revision for script in scripts.iterate_revisions(version, "base"))
