"""Evidence is not rewritten, not even by the tables' owner: what each table refuses, tried on both engines."""

from typing import Any

import pytest
from sqlalchemy import Boolean, Integer, LargeBinary, Table, text
from sqlmodel import Session, SQLModel

import hanse_consent.access.tables
import hanse_consent.budgets.tables
import hanse_consent.cohorts.tables
import hanse_consent.runs.tables  # noqa: F401 - their import is what declares the tables
from hanse_consent.errors import StoreUnavailableError
from hanse_consent.storage.database import Database
from hanse_consent.storage.migration import migrate

WHOLLY = {
    "access_event",
    "access_look_up",
    "cohort_kept_leaf",
    "cohort_manifest",
    "cohort_report",
    "consent_act",
    "league_run",
    "league_run_controller",
    "league_run_event",
    "registry_document",
}
REFUSED = {table: {"UPDATE", "DELETE"} for table in WHOLLY} | {
    "access_account": {"DELETE"},  # a password changes
    "profile_detail": {"UPDATE"},  # an erasure deletes it
    "tombstone": {"DELETE"},  # a later erasure moves its moment
}
WORKING = {
    "access_account_role",
    "access_node_suspension",
    "access_seen_request",
    "access_session",
    "controller_stand",
    "customer",
    "fact",
    "numbered_name",
    "store_secret",
    "budget_report",
}
"""What a store works with; it changes, or is no evidence."""


def filled(table: Table) -> dict[str, Any]:
    """Values for every column; what refers to another table refers to the row that is made there."""

    def value(column: Any) -> Any:
        if isinstance(column.type, Boolean):
            return True
        if isinstance(column.type, Integer):
            return 1
        return b"x" if isinstance(column.type, LargeBinary) else "x"

    return {column.name: value(column) for column in table.columns}


def columns_of(table: Table) -> tuple[list[str], list[str]]:
    """Names of the columns in the key, and of the others."""
    keys = [column.name for column in table.primary_key]
    return keys, [column.name for column in table.columns if column.name not in keys]


@pytest.fixture
def rows(database: Database) -> Database:
    """A store with one row in each protected table."""
    with database.writing_across_controllers() as session:
        for table in SQLModel.metadata.sorted_tables:
            if table.name in REFUSED:
                session.connection().execute(table.insert().values(filled(table)))
    return database


def attempt(database: Database, statement: str) -> int:
    """Run a statement over all controllers' rows; return how many it changed."""
    with database.writing_across_controllers() as session:
        return session.connection().execute(text(statement)).rowcount


def count(session: Session, table: str) -> int:
    return int(session.connection().execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_every_table_is_evidence_or_is_worked_with() -> None:
    assert {table.name for table in SQLModel.metadata.sorted_tables} == set(REFUSED) | WORKING
    assert not set(REFUSED) & WORKING


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_evidence_is_neither_changed_nor_deleted(rows: Database, name: str) -> None:
    table = SQLModel.metadata.tables[name]
    keys, others = columns_of(table)
    # Every column on its own, with the value that it has: that, too, would be an update.
    statements = {f"UPDATE {name} SET {column} = {column}": "UPDATE" for column in (*keys, *others)}
    statements[f"DELETE FROM {name}"] = "DELETE"
    if not rows.location.is_file:
        statements[f"TRUNCATE {name} CASCADE"] = "DELETE"
    for statement, action in statements.items():
        if action in REFUSED[name]:
            with pytest.raises(StoreUnavailableError, match="never rewritten"):
                attempt(rows, statement)
            with rows.reading_across_controllers() as session:
                assert count(session, name) == 1
        else:
            assert attempt(rows, statement) in (1, -1)


@pytest.mark.parametrize("name", sorted(WHOLLY))
def test_a_row_is_not_replaced_by_another_of_its_key(rows: Database, name: str) -> None:
    table = SQLModel.metadata.tables[name]
    keys, others = columns_of(table)
    if not others:
        pytest.skip("the key is all there is")
    insert = f"INTO {name} SELECT * FROM {name}"
    if rows.location.is_file:
        with pytest.raises(StoreUnavailableError, match="never rewritten"):
            attempt(rows, f"INSERT OR REPLACE {insert}")
        with pytest.raises(StoreUnavailableError, match="never rewritten"):
            attempt(rows, f"REPLACE {insert}")
    changed = f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {others[0]} = excluded.{others[0]}"
    with pytest.raises(StoreUnavailableError, match="never rewritten"):
        attempt(rows, f"INSERT {insert} WHERE true {changed}")


def test_whoever_owns_the_tables_may_still_drop_them_with_all_that_is_in_them(rows: Database) -> None:
    rows.close()
    migrate(rows.location, to="base")
    migrate(rows.location)
    again = Database(rows.location)
    with again.reading_across_controllers() as session:
        assert {count(session, name) for name in REFUSED} == {0}
    again.close()
