"""Results by the million straight into numpy, in both engines without a Python object per row on the way.

A result of a million rows costs the driver more than the query costs the engine; one row with everything in it costs
next to nothing. So SQLite is asked for each column as one text, PostgreSQL for all rows as one byte string.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    SmallInteger,
    cast,
    func,
    literal,
    select,
)
from sqlmodel import Session

from hanse_consent.storage.engines import BINARY_RESULT

_INTEGERS = {2: SmallInteger, 4: Integer, 8: BigInteger}


def fetch(
    session: Session, statement: Select[*tuple[Any, ...]], dtype: np.dtype[np.void], *, order: tuple[str, ...]
) -> NDArray[np.void]:
    """Run a query and return its rows as one structured array.

    Args:
        session: One that reads.
        statement: Selects as many columns as ``dtype`` has, in its order, none of them NULL; text and bytes exactly
            as long as their field.
        dtype: Little-endian fields; a field of text or bytes is of kind ``S``.
        order: Fields to sort by; none for any order.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        texts = connection.execute(_joined(statement, dtype)).one()
        rows = np.empty(0, dtype=dtype) if texts[0] is None else _of_texts(texts, dtype)
    else:
        asked = _packed(statement, dtype).execution_options(**{BINARY_RESULT: True})
        packed = connection.execute(asked).scalar_one() or b""
        rows = np.frombuffer(packed, dtype=_wire(dtype)).astype(dtype)
    if not order or (len(order) == 1 and _is_sorted(rows[order[0]])):
        return rows
    return rows[np.lexsort([rows[name] for name in reversed(order)])]


def _is_sorted(keys: NDArray[Any]) -> bool:
    return bool((keys[1:] >= keys[:-1]).all())


def _joined(statement: Select[*tuple[Any, ...]], dtype: np.dtype[np.void]) -> Select[*tuple[Any, ...]]:
    """Selects one text per column: integers with commas between them, text and bytes in hexadecimal."""
    rows = statement.subquery()
    return select(
        *(
            func.group_concat(func.hex(column), "") if dtype[name].kind == "S" else func.group_concat(column)
            for name, column in zip(dtype.names or (), rows.c, strict=True)
        )
    )


def _of_texts(texts: Sequence[str], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    columns = [
        np.frombuffer(bytes.fromhex(text), dtype=dtype[name])
        if dtype[name].kind == "S"
        else np.fromstring(text, dtype=np.int64, sep=",")
        for name, text in zip(dtype.names or (), texts, strict=True)
    ]
    rows = np.empty(len(columns[0]), dtype=dtype)
    for name, column in zip(dtype.names or (), columns, strict=True):
        rows[name] = column
    return rows


def _packed(statement: Select[*tuple[Any, ...]], dtype: np.dtype[np.void]) -> Select[*tuple[Any, ...]]:
    rows = statement.subquery()
    packed: ColumnElement[bytes] | None = None
    for name, column in zip(dtype.names or (), rows.c, strict=True):
        field = _bytes_of(column, dtype[name])
        packed = field if packed is None else packed.op("||")(field)
    return select(func.string_agg(packed, cast(literal(b""), LargeBinary)))


def _bytes_of(column: ColumnElement[Any], field: np.dtype[Any]) -> ColumnElement[bytes]:
    match field.kind:
        case "S":
            return column if isinstance(column.type, LargeBinary) else func.convert_to(column, "UTF8")
        case "b":
            return func.boolsend(column)
        case _:
            # In network order; customer numbers stay below 2^31.
            send: ColumnElement[bytes] = getattr(func, f"int{field.itemsize}send")(
                cast(column, _INTEGERS[field.itemsize])
            )
            return send


def _wire(dtype: np.dtype[np.void]) -> np.dtype[np.void]:
    return np.dtype([(name, dtype[name].str.replace("<u", ">i").replace("<", ">")) for name in dtype.names or ()])
