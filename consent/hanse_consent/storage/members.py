"""Pseudonyms and keys of customers, for their controller's own manifests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlmodel import Session

from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.fetching import fetch
from hanse_consent.storage.tables import Customer

_CUSTOMER = table_of(Customer)
_COLUMNS = np.dtype([("number", "<u4"), ("pseudonym", "S16"), ("key", "S32")])
_FEW = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Customers with what only their controller's manifest may hold.

    Args:
        numbers: Sorted; those erased meanwhile are left out.
        pseudonyms: One row of 16 bytes each.
        keys: One row of 32 bytes each: random, and destroyed by an erasure.
    """

    numbers: NDArray[np.uint32]
    pseudonyms: NDArray[np.uint8]
    keys: NDArray[np.uint8]


def members(session: Session, *, controller_no: int, numbers: NDArray[np.uint32]) -> Members:
    """Look customers up by number."""
    wanted = np.unique(numbers).astype(np.uint32)
    number = _CUSTOMER.c.customer_no
    query = select(number, _CUSTOMER.c.pseudonym, _CUSTOMER.c.key).where(
        _CUSTOMER.c.controller_no == controller_no, _CUSTOMER.c.erased.is_(None)
    )
    if len(wanted) <= _FEW:
        query = query.where(number.in_(wanted.tolist()))
    else:
        # Reading all between the first and the last, and choosing here, is faster than naming each.
        query = query.where(number.between(int(wanted[0]), int(wanted[-1])))
    rows = fetch(session, query, _COLUMNS, order=("number",))
    rows = rows[np.isin(rows["number"], wanted, assume_unique=True)]
    return Members(
        numbers=rows["number"].copy(),
        pseudonyms=_as_bytes(rows["pseudonym"]),
        keys=_as_bytes(rows["key"]),
    )


def _as_bytes(column: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), column.dtype.itemsize)
