"""Databases to measure in, on either engine; each is deleted at the end."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psycopg

from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import migrate

SERVER = "postgresql://postgres@127.0.0.1:5432"


class Engine(StrEnum):
    """The two databases that the service runs on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, kw_only=True)
class MeasuredStore:
    """Where a measured store is.

    Args:
        engine: On which engine.
        address: As ``consent.toml`` names it: for the service's own role.
        owner: For the role that owns the tables, who alone may change them.
    """

    engine: Engine
    address: str
    owner: str

    @property
    def location(self) -> DatabaseLocation:
        """For the service's own role."""
        return DatabaseLocation.parse(self.address)

    def gather_statistics(self) -> None:
        """After a large import, what PostgreSQL does by itself within a minute where autovacuum is on."""
        if self.engine is Engine.POSTGRESQL:
            with self.administrator() as admin:
                admin.execute("ANALYZE")

    def administrator(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection to this PostgreSQL database that may see everything, to look on from outside."""
        return psycopg.connect(f"{SERVER}/{self.location.url.database}", autocommit=True)


@contextmanager
def new_store(engine: Engine, folder: Path) -> Iterator[MeasuredStore]:
    """An empty, migrated store; on PostgreSQL owned by one role and used by another."""
    if engine is Engine.SQLITE:
        path = str(folder / f"consent-{secrets.token_hex(4)}.sqlite")
        yield MeasuredStore(engine=engine, address=path, owner=path)
        return
    name = f"hanse_bench_{secrets.token_hex(5)}"
    service = f"{name}_service"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS")
        admin.execute(f"CREATE ROLE {service} LOGIN NOSUPERUSER NOBYPASSRLS")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    host = "127.0.0.1:5432"
    store = MeasuredStore(
        engine=engine,
        address=f"postgresql://{service}@{host}/{name}",
        owner=f"postgresql://{name}@{host}/{name}",
    )
    try:
        migrate(DatabaseLocation.parse(store.owner))
        with psycopg.connect(f"{SERVER}/{name}", autocommit=True) as admin:
            admin.execute(f"GRANT USAGE ON SCHEMA public TO {service}")
            admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service}")
            admin.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {service}")
        yield store
    finally:
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.execute(f"DROP ROLE {service}")
            admin.execute(f"DROP ROLE {name}")
