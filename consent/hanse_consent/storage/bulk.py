"""Many rows or keys at once, in the fastest way that each engine has and row-level security allows.

PostgreSQL gets whole columns as arrays: COPY is refused under row-level security, and a statement per row is slow.
Look-ups there probe the index once per key, whatever the planner believes of a table that was never analysed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table
from sqlalchemy.types import Integer, SmallInteger, TypeEngine
from sqlmodel import Session, SQLModel

_PER_QUERY = 1000
_PLACES = (1, 30, _PER_QUERY)
_Value = TypeVar("_Value")


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model."""
    return model.metadata.tables[str(model.__tablename__)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """A statement that inserts many rows, and what goes beside it.

    Args:
        statement: For the engine's driver.
        values: For SQLite one tuple per row, for PostgreSQL one array per column.
    """

    statement: str
    values: list[tuple[Any, ...]] | tuple[str, ...]


def insertion(
    model: type[SQLModel], rows: Sequence[Sequence[Any]], *, is_sqlite: bool, left_out: str = ""
) -> Insertion:
    """Write the statement that inserts rows.

    Args:
        model: The table.
        rows: Values in the order of the model's columns; at least one row.
        is_sqlite: Which engine.
        left_out: A column that the database fills in by itself.
    """
    statement = _insert_into(model, is_sqlite, left_out)
    return Insertion(statement=statement, values=list(map(tuple, rows)) if is_sqlite else _arrays(rows))


@cache
def _insert_into(model: type[SQLModel], is_sqlite: bool, left_out: str) -> str:  # noqa: FBT001 - positions are the key
    table = table_of(model)
    columns = [column for column in table.columns if column.name != left_out]
    names = ", ".join(f'"{column.name}"' for column in columns)
    into = f'INSERT INTO "{table.name}" ({names})'
    if is_sqlite:
        return f"{into} VALUES ({', '.join('?' * len(columns))})"
    return f"{into} SELECT * FROM {_unnest(columns)}"  # noqa: S608 - the model's own types


def insert_rows(session: Session, model: type[SQLModel], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows whose values stand in the order of the model's columns."""
    if not rows:
        return
    connection = session.connection()
    into = insertion(model, rows, is_sqlite=connection.dialect.name == "sqlite")
    connection.exec_driver_sql(into.statement, into.values)


def close_facts(session: Session, fact: type[SQLModel], rows: Sequence[tuple[int, int, int, int, int]]) -> None:
    """End facts: each row names the new ``until``, then controller, topic, customer and the old ``until``."""
    if not rows:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "UPDATE fact SET until = ? WHERE controller_no = ? AND topic_no = ? AND customer_no = ? AND until = ?",
            list(rows),
        )
        return
    table = table_of(fact)
    columns = [table.c.until, table.c.controller_no, table.c.topic_no, table.c.customer_no, table.c.until]
    connection.exec_driver_sql(
        f"UPDATE fact SET until = new.until FROM {_unnest(columns)} "  # noqa: S608 - types of the model's columns
        "AS new(until, controller_no, topic_no, customer_no, current) WHERE fact.controller_no = new.controller_no "
        "AND fact.topic_no = new.topic_no AND fact.customer_no = new.customer_no AND fact.until = new.current",
        _arrays(rows),
    )


def look_up(
    session: Session,
    chosen: Sequence[Column[Any]],
    *,
    fixed: Mapping[Column[Any], int],
    by: Column[Any],
    values: Iterable[Any],
) -> Iterator[Sequence[Any]]:
    """Find at most one row for each of many values.

    Args:
        session: Of the transaction.
        chosen: Columns to return, all of one table.
        fixed: Columns that have one value.
        by: Column that has one of the many values; together with the fixed ones it begins a unique index.
        values: The many values.

    Yields:
        The chosen columns of each row that is there.
    """
    connection = session.connection()
    names = ", ".join(f'"{column.name}"' for column in chosen)
    if connection.dialect.name == "sqlite":
        fixed_text = " AND ".join(f'"{column.name}" = ?' for column in fixed)
        head = f'SELECT {names} FROM "{by.table.name}" WHERE {fixed_text} AND "{by.name}"'  # noqa: S608 - the model's
        for some in batched(values):
            # Texts of few lengths: the engine has them prepared. The last value again fills what is left.
            places = next(size for size in _PLACES if size >= len(some))
            filled = (*fixed.values(), *some, *(some[-1:] * (places - len(some))))
            yield from connection.exec_driver_sql(f"{head} IN ({', '.join('?' * places)})", filled).all()
        return
    conditions_text = " AND ".join(f'"{column.name}" = %s' for column in fixed)
    statement = (
        f"SELECT found.* FROM {_unnest([by])} AS wanted(value) CROSS JOIN LATERAL "  # noqa: S608 - the model's names
        f'(SELECT {names} FROM "{by.table.name}" WHERE {conditions_text} AND "{by.name}" = wanted.value LIMIT 1) '
        "AS found"
    )
    for some in batched(values):
        yield from connection.exec_driver_sql(statement, (_array(some), *fixed.values())).all()


def batched(values: Iterable[_Value]) -> Iterator[list[_Value]]:
    """Distinct values, in portions that fit into one query."""
    remaining = iter(dict.fromkeys(values))
    while some := list(islice(remaining, _PER_QUERY)):
        yield some


def _unnest(columns: Iterable[Column[Any]]) -> str:
    return f"unnest({', '.join(f'%s::{_type_name(type(column.type))}[]' for column in columns)})"


def _type_name(of: type[TypeEngine[Any]]) -> str:
    for kind, name in (
        (LargeBinary, "bytea"),
        (BigInteger, "bigint"),
        (SmallInteger, "smallint"),
        (Integer, "integer"),
        (Boolean, "boolean"),
    ):
        if issubclass(of, kind):
            return name
    return "text"


def _arrays(rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    return tuple(map(_array, zip(*rows, strict=True)))


def _array(values: Iterable[Any]) -> str:
    """An array as PostgreSQL writes it; the driver takes five times as long for the same."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f'"\\\\x{value.hex()}"'
        case str():
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{quoted}"'
        case _:
            return str(value)
