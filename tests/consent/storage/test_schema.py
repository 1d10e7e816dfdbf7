"""The tables: migrated up and down, equal to the code, closed to other controllers and to newer schemas."""

import re
import secrets
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sayings import SERVER, say
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

import hanse_consent.access.tables
import hanse_consent.budgets.tables
import hanse_consent.cohorts.tables
import hanse_consent.runs.tables  # noqa: F401 - their import is what declares the tables
from hanse_consent.errors import StoreUnavailableError
from hanse_consent.storage import migration
from hanse_consent.storage.database import Database
from hanse_consent.storage.errors import SchemaVersionError
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import NEWEST, migrate
from hanse_privacy.errors import InvalidValueError


def test_tables_are_those_of_the_code(location, database):
    engine = create_engine(location.url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    engine.dispose()


def test_every_row_of_a_controller_is_behind_row_level_security(server_database):
    names = {"controller", "controller_no"}
    of_a_controller = {table.name for table in SQLModel.metadata.sorted_tables if names & set(table.c.keys())}
    engine = create_engine(server_database.url)
    with engine.connect() as connection:
        secured = connection.execute(text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"))
        assert {name for (name,) in secured} == of_a_controller
    engine.dispose()


def test_a_forgotten_condition_shows_nobody_else(open_store, registry, emptied, location):
    if location.is_file:
        pytest.skip("SQLite has no row-level security")
    database = emptied()
    store = open_store(database)
    store.register(registry)
    store.record("alster", [say(), say(customer=2)])
    store.record("elbe", [say()])
    tables = ("consent_act", "customer", "fact", "controller_stand")
    with database.reading(controller="alster") as session:
        seen = [session.connection().execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in tables]
    assert seen == [2, 2, 2, 1]
    with database.reading() as session:
        assert session.connection().execute(text("SELECT count(*) FROM consent_act")).scalar() == 0
    with database.reading_across_controllers() as session:
        assert session.connection().execute(text("SELECT count(*) FROM consent_act")).scalar() == 3
    foreign = "INSERT INTO tombstone (controller_no, digest, erased_us) VALUES (0, 'x', 1)"
    with (
        pytest.raises(StoreUnavailableError, match="row-level security"),
        database.writing(controller="elbe") as session,
    ):
        session.connection().execute(text(foreign))


def test_migrated_down_and_up_with_data(location, open_store, registry, emptied):
    if not location.is_file:
        name = f"hanse_test_{secrets.token_hex(6)}"
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS")
            admin.execute(f"CREATE DATABASE {name} OWNER {name}")
        location = DatabaseLocation.parse(f"postgresql://{name}@127.0.0.1:5432/{name}")
        migrate(location)
        database = Database(location)
    else:
        database = emptied()
        location = database.location
    try:
        for _ in range(2):
            store = open_store(database)
            store.register(registry)
            assert store.record("alster", [say()]).position == 1
            database.close()
            migrate(location, to="base")
            engine = create_engine(location.url)
            with engine.connect() as connection:
                left = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
                assert {entry[1].name for entry in left if entry[0] == "add_table"} == set(SQLModel.metadata.tables)
            engine.dispose()
            migrate(location)
            database = Database(location)
    finally:
        database.close()
        if not location.is_file:
            with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {location.url.database} WITH (FORCE)")
                admin.execute(f"DROP ROLE {location.url.database}")


def test_a_store_from_before_budgets_goes_on_with_all_that_is_in_it(location, open_store, registry, emptied):
    database = emptied()
    place = database.location
    owner = place if place.is_file else DatabaseLocation.parse(place.url.render_as_string(hide_password=False))
    store = open_store(database)
    store.register(registry)
    assert store.record("alster", [say(), say(customer=2)]).position == 2
    database.close()
    migrate(owner, to="0001")
    engine = create_engine(place.url)
    with engine.connect() as connection:
        left = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
        assert [(kind, table.name) for kind, table in left] == [("add_table", "budget_report")]
    engine.dispose()
    if not place.is_file:
        with pytest.raises(SchemaVersionError, match="hanse consent migrate"):
            Database(place)
        migrate(owner)
    # A file is brought up to date by opening it.
    again = Database(place)
    assert open_store(again).record("alster", [say(customer=3)]).position == 3
    with again.reading(controller="alster") as session:
        assert session.connection().execute(text("SELECT count(*) FROM consent_act")).scalar() == 3
        assert session.connection().execute(text("SELECT count(*) FROM budget_report")).scalar() == 0
    again.close()


def test_a_newer_store_is_refused(location, emptied):
    database = emptied()
    place = database.location
    with database.writing_across_controllers() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(SchemaVersionError, match="newer"):
            Database(place)
        with pytest.raises(SchemaVersionError, match="newer"):
            migrate(place)
    finally:
        with database.writing_across_controllers() as session:
            session.connection().execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": NEWEST})


def test_the_newest_version_is_the_scripts_newest():
    scripts = ScriptDirectory(str(Path(migration.__file__).parent / "migrations"))
    assert scripts.get_heads() == [NEWEST]
    assert {script.revision for script in scripts.walk_revisions()} == migration._KNOWN


def test_the_documented_set_up(open_store, registry, postgresql):
    """Every SQL block of the manual, run as it stands under names of this test's own."""
    manual = (Path(__file__).parents[3] / "docs" / "postgresql.md").read_text()
    as_admin, as_owner = re.findall(r"```sql\n(.*?)```", manual, re.DOTALL)
    tail = secrets.token_hex(4)
    names = {name: f"{name}_{tail}" for name in ("hanse_owner", "hanse_service", "hanse_consent")}

    def own(sql: str) -> list[str]:
        for name, renamed in names.items():
            sql = sql.replace(name, renamed)
        return [statement for statement in sql.split(";") if statement.strip()]

    database, owner, service = names["hanse_consent"], names["hanse_owner"], names["hanse_service"]
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        for statement in own(as_admin):
            admin.execute(statement)
        try:
            with psycopg.connect(f"postgresql://{owner}@127.0.0.1:5432/{database}", autocommit=True) as connection:
                for statement in own(as_owner):
                    connection.execute(statement)
            served = DatabaseLocation.parse(f"postgresql://{service}@127.0.0.1:5432/{database}")
            with pytest.raises(SchemaVersionError):
                Database(served)
            migrate(DatabaseLocation.parse(f"postgresql://{owner}@127.0.0.1:5432/{database}"))
            opened = Database(served)
            store = open_store(opened)
            store.register(registry)
            assert store.record("alster", [say()]).position == 1
            with opened.reading() as session:
                assert session.connection().execute(text("SELECT count(*) FROM fact")).scalar() == 0
            with pytest.raises(StoreUnavailableError, match="owner"), opened.writing() as session:
                session.connection().execute(text("ALTER TABLE fact DISABLE ROW LEVEL SECURITY"))
            opened.close()
        finally:
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
            admin.execute(f"DROP ROLE {owner}, {service}")


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"nonsense" * 1000)
    with pytest.raises(StoreUnavailableError, match=r"x\.sqlite"):
        Database(tmp_path / "x.sqlite")
    with pytest.raises(StoreUnavailableError):
        Database(tmp_path / "no-folder" / "x.sqlite")


def test_an_sqlite_store_is_durable_and_private(tmp_path):
    database = Database(tmp_path / "consent.sqlite")
    with database.writing() as session:
        connection = session.connection()
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    database.close()
    assert pragmas == ["wal", 2]
    assert (tmp_path / "consent.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("address", ["mysql://x/y", "postgresql://host", "postgresql://host:port/x"])
def test_addresses_of_another_kind(address):
    with pytest.raises(InvalidValueError):
        DatabaseLocation.parse(address)


def test_an_address_shows_no_password():
    location = DatabaseLocation.parse("postgresql://service:secret@db/hanse")
    assert "secret" not in f"{location!r} {location.name} {location}"
