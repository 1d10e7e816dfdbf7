"""What a cache reads: whole topics at one position, and what has changed since."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Integer, Select, case, cast, func, select
from sqlmodel import Session

from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bulk import look_up, table_of
from hanse_consent.storage.fetching import fetch
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import FactRow

NO_TIER = -1
"""Stands for no tier."""
NO_NOTICE = 0
"""Stands for no notice."""
NO_BIRTHDAY = -(2**31)
"""Stands for no birthday."""

_NO_COUNTRY = b"--"
_FACT = table_of(FactRow)
_NUMBER = np.dtype([("number", "<u4")])
_CHANGED = [
    _FACT.c.customer_no,
    _FACT.c.state,
    _FACT.c.tier_rank,
    _FACT.c.notice_no,
    _FACT.c.explicit,
    _FACT.c.until_us,
    _FACT.c.country,
    _FACT.c.born_on,
]
_COLUMNS = np.dtype(
    [
        ("customer", "<u4"),
        ("state", "<i2"),
        ("tier_rank", "<i2"),
        ("notice", "<i4"),
        ("explicit", "?"),
        ("until_us", "<i8"),
        ("country", "S2"),
        ("born_on", "<i4"),
    ]
)
# A topic may have millions of rows: what is small in them travels as one number, the customer in front.
_PACKED = np.dtype([("packed", "<i8"), ("until_us", "<i8"), ("country", "S2"), ("born_on", "<i4")])
_NOTICE_BITS, _EXPLICIT_BITS, _TIER_BITS, _STATE_BITS = 28, 1, 2, 3
_NEVER = 0
"""Stands for ``NO_END`` on the way: shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRows:
    """Facts of one topic as columns of equal length.

    Args:
        topic: The topic.
        position: The controller's position at which they prevail.
        customers: Numbers, sorted, each once.
        states: See :class:`hanse_consent.decisions.facts.FactState`.
        tier_ranks: ``NO_TIER`` where there is none.
        notices: Numbers of notices, ``NO_NOTICE`` where there is none.
        explicit: Whether it was an express statement.
        until_us: When the fact ends by itself; ``NO_END`` where it does not.
        countries: Two letters, empty where there is none.
        born_on: Days since 1970; ``NO_BIRTHDAY`` where there is none.
    """

    topic: str
    position: int
    customers: NDArray[np.uint32]
    states: NDArray[np.uint8]
    tier_ranks: NDArray[np.int8]
    notices: NDArray[np.int32]
    explicit: NDArray[np.bool_]
    until_us: NDArray[np.int64]
    countries: NDArray[np.bytes_]
    born_on: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerNumbers:
    """Which customer numbers are in use.

    Args:
        position: The controller's position.
        last: They go from 1 to this one…
        erased: …without these; sorted.
    """

    position: int
    last: int
    erased: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has changed since a position.

    Args:
        position: Up to this one.
        last: Last customer number now.
        erased: Customers erased since: drop them everywhere.
        facts: By topic, the facts that prevail now for the customers of the acts since. Each replaces what was known
            of its topic and customer. A fact never vanishes without a successor, except by an erasure.
    """

    position: int
    last: int
    erased: NDArray[np.uint32]
    facts: tuple[FactRows, ...]


def topic_rows(session: Session, *, controller_no: int, topic: str, topic_no: int, position: int) -> FactRows:
    """All facts of a topic in force at a position."""
    query = _packed_columns().where(
        _FACT.c.controller_no == controller_no,
        _FACT.c.topic_no == topic_no,
        _FACT.c.until > position,
        _FACT.c.since <= position,
    )
    return _unpacked(topic, position, fetch(session, query, _PACKED, order=("packed",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchedCustomers:
    """Whose acts follow a position.

    Args:
        numbers: Sorted, each once.
        erased: Those among them who were erased; sorted.
    """

    numbers: tuple[int, ...]
    erased: tuple[int, ...]


def touched_after(statements: Statements, *, controller_no: int, after: int) -> TouchedCustomers:
    """Find the customers of the acts that follow a position."""
    # By the acts' own order; SQLite would rather walk along another index over all of them.
    hint = "NOT INDEXED" if statements.is_sqlite else ""
    rows = statements.rows(
        f"SELECT customer_no, kind FROM consent_act {hint} "  # noqa: S608 - holds no value
        "WHERE controller_no = %s AND position > %s ORDER BY position",
        (controller_no, after),
    )
    return TouchedCustomers(
        numbers=tuple(sorted({number for number, _ in rows})),
        erased=tuple(sorted({number for number, kind in rows if kind == ActKind.ERASURE.value})),
    )


def changed_rows(
    session: Session, *, controller_no: int, topic: str, topic_no: int, customers: Sequence[int], position: int
) -> FactRows:
    """The facts of one topic that prevail for some customers."""
    found = look_up(
        session,
        _CHANGED,
        fixed={_FACT.c.controller_no: controller_no, _FACT.c.topic_no: topic_no, _FACT.c.until: NO_END},
        by=_FACT.c.customer_no,
        values=customers,
    )
    rows = np.array(
        [
            (
                customer,
                state,
                NO_TIER if tier is None else tier,
                NO_NOTICE if notice is None else notice,
                explicit,
                until_us,
                country or "",
                NO_BIRTHDAY if born_on is None else born_on,
            )
            for customer, state, tier, notice, explicit, until_us, country, born_on in found
        ],
        dtype=_COLUMNS,
    )
    rows.sort(order="customer")
    return FactRows(
        topic=topic,
        position=position,
        customers=rows["customer"].copy(),
        states=rows["state"].astype(np.uint8),
        tier_ranks=rows["tier_rank"].astype(np.int8),
        notices=rows["notice"].copy(),
        explicit=rows["explicit"].copy(),
        until_us=rows["until_us"].copy(),
        countries=rows["country"].copy(),
        born_on=rows["born_on"].copy(),
    )


def all_erased(session: Session, *, controller_no: int, topic_no: int) -> NDArray[np.uint32]:
    """Numbers of all erased customers, sorted; ``topic_no`` is that of erasures."""
    query = select(_FACT.c.customer_no).where(
        _FACT.c.controller_no == controller_no, _FACT.c.topic_no == topic_no, _FACT.c.until == NO_END
    )
    return fetch(session, query, _NUMBER, order=("number",))["number"]


def _packed_columns() -> Select[Any]:
    packed = cast(_FACT.c.customer_no, BigInteger)
    for digit, bits in (
        (_FACT.c.state, _STATE_BITS),
        (func.coalesce(_FACT.c.tier_rank, NO_TIER) + 1, _TIER_BITS),
        (cast(_FACT.c.explicit, Integer), _EXPLICIT_BITS),
        (func.coalesce(_FACT.c.notice_no, NO_NOTICE), _NOTICE_BITS),
    ):
        packed = packed * 2**bits + digit
    return select(
        packed,
        case((_FACT.c.until_us == NO_END, _NEVER), else_=_FACT.c.until_us),
        func.coalesce(_FACT.c.country, _NO_COUNTRY.decode()),
        func.coalesce(_FACT.c.born_on, NO_BIRTHDAY),
    )


def _unpacked(topic: str, position: int, rows: NDArray[np.void]) -> FactRows:
    rest = rows["packed"]
    digits = []
    for bits in (_NOTICE_BITS, _EXPLICIT_BITS, _TIER_BITS, _STATE_BITS):
        digits.append(rest & (2**bits - 1))
        rest = rest >> bits
    notices, explicit, tiers, states = digits
    until_us = rows["until_us"]
    return FactRows(
        topic=topic,
        position=position,
        customers=rest.astype(np.uint32),
        states=states.astype(np.uint8),
        tier_ranks=(tiers + NO_TIER).astype(np.int8),
        notices=notices.astype(np.int32),
        explicit=explicit.astype(np.bool_),
        until_us=np.where(until_us == _NEVER, NO_END, until_us),
        countries=np.where(rows["country"] == _NO_COUNTRY, b"", rows["country"]).astype("S2"),
        born_on=rows["born_on"].copy(),
    )
