"""Results by the million straight into numpy, in both engines without a Python object per row on the way.

PostgreSQL packs all rows into one byte string by itself: a result of a million rows costs the driver more than the
query costs the server, one of a single value costs nothing.
"""

from itertools import chain
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
        order: Fields to sort by.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        cursor: Any = connection.execute(statement).cursor
        single = len(dtype.names or ()) == 1
        rows = np.fromiter(chain.from_iterable(cursor) if single else cursor, dtype=_plain(dtype)).view(dtype)
    else:
        packed = connection.execute(_packed(statement, dtype)).scalar_one() or b""
        rows = np.frombuffer(packed, dtype=_wire(dtype)).astype(dtype)
    return rows[np.lexsort([rows[name] for name in reversed(order)])]


def _plain(dtype: np.dtype[np.void]) -> np.dtype[Any]:
    names = dtype.names or ()
    return dtype[0] if len(names) == 1 else dtype


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
