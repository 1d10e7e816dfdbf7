"""Every look-up of a person is written down before it is answered: who, whom, why, when.

Whom: as a keyed hash of the pseudonym. The log exposes nobody, and the service can still say who looked at one person.
"""

import hashlib
import hmac
import logging
import re
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import CompoundSelect, LargeBinary, func, literal, text
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from hanse_consent.access.errors import LookUpNotRecordedError
from hanse_consent.access.tables import LookUpRow
from hanse_consent.access.transactions import Transactions
from hanse_consent.domain.moments import Moment, from_microseconds, to_microseconds
from hanse_consent.storage.bulk import table_of
from hanse_privacy.protocol.vocabulary import PartyName, Pseudonym
from hanse_privacy.validation import require

MAX_LOOK_UPS_PER_PAGE = 500
DIGEST_BYTES = 16
"""Of a person; so many that no two of them are ever the same."""

_FAULTS = logging.getLogger("hanse_consent.faults")
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_BETWEEN_DIGITS = re.compile(r"[\s:._-]")


def _without_pseudonym(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    if not plain.isprintable():
        raise ValueError("the reason must be one line of text")
    if _PSEUDONYM.search(_BETWEEN_DIGITS.sub("", plain).lower()):
        raise ValueError("the reason must not hold a pseudonym")
    return plain


Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=5, max_length=200), AfterValidator(_without_pseudonym)
]
"""Why, in a person's words: 5 to 200 characters, one line, no pseudonym."""


class ActorKind(StrEnum):
    """What looked."""

    ACCOUNT = "account"
    NODE = "node"


class LookUpKind(StrEnum):
    """What was asked about the person."""

    CHECK = "check"
    """May this customer be used?"""
    EXPLANATION = "explanation"
    """Why may it, or may it not?"""
    TIMELINE = "timeline"
    """What did the customer ever say?"""
    RECEIPT = "receipt"
    EXPORT = "export"
    """Everything about the customer, as a file."""
    LOOK_UPS = "look-ups"
    """Who looked at the customer?"""


class LookUp(BaseModel):
    """One look, at one person or at many together."""

    # An error about a look-up must not show whose it was.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    controller: PartyName
    actor_kind: ActorKind
    actor: str = Field(min_length=1, max_length=40)
    kind: LookUpKind
    customers: tuple[Pseudonym, ...] = Field(repr=False, min_length=1)
    reason: Reason


class LookUpRecord(BaseModel):
    """A look-up as an auditor sees it: not whom it was about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    at: Moment
    actor_kind: ActorKind
    actor: str
    kind: LookUpKind
    people: int
    """How many were looked at together."""
    person: str | None
    """The same for look-ups of the same person at this controller; 16 characters, meaning nothing elsewhere. None of
    many."""
    reason: str


class LookUpPage(BaseModel):
    """Look-ups, newest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    look_ups: tuple[LookUpRecord, ...]
    next_before: int | None
    """Ask again with this as ``before`` for older ones; none if these were the oldest."""


@dataclass(frozen=True, kw_only=True)
class LookUpKey:
    """The secret under which people are hashed in the log. Its representation does not show it."""

    raw: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require(len(self.raw) == 32, name="the length of raw", value=len(self.raw), bound="32 bytes")

    def digest(self, *, controller: str, customer: str) -> bytes:
        """The keyed hash of one controller's customer: the first 16 bytes of HMAC-SHA256 (RFC 2104, 5)."""
        return hmac.digest(self.raw, f"look-up/1\n{controller}\n{customer}".encode(), hashlib.sha256)[:DIGEST_BYTES]


@dataclass
class _Waiting:
    look_up: LookUp
    tried: bool = False
    recorded: bool = False


class LookUpLog:
    """Writes and lists look-ups. May be used from several threads.

    Args:
        transactions: The database.
        key: Under which people are hashed.
        now: The service's clock.
    """

    def __init__(self, transactions: Transactions, *, key: LookUpKey, now: Callable[[], datetime]) -> None:
        self._transactions = transactions
        self._key = key
        self._now = now
        self._writing = threading.Lock()
        self._queueing = threading.Lock()
        self._queue: list[_Waiting] = []

    def record(self, look_up: LookUp) -> None:
        """Record a look-up durably; answer it only after this has returned.

        Those of several threads are written together: one wait for the disk serves all who came meanwhile.

        Raises:
            LookUpNotRecordedError: If it is not recorded; nothing may be answered.
        """
        waiting = _Waiting(look_up)
        with self._queueing:
            self._queue.append(waiting)
        with self._writing:
            # Whoever held the lock before may have written ours with its own.
            if not waiting.tried:
                self._write_queue()
        if not waiting.recorded:
            raise LookUpNotRecordedError(
                "The look-up could not be recorded, so it is not answered.",
                "Ask whoever runs the service to look after its database.",
            )

    def page(
        self,
        controller: str,
        *,
        before: int | None = None,
        limit: int = 100,
        actor: str | None = None,
        customer: str | None = None,
    ) -> LookUpPage:
        """List a controller's look-ups, newest first.

        Args:
            controller: Whose customers were looked at.
            before: Only those with a smaller number.
            limit: How many at most.
            actor: Only this account's or node's.
            customer: Only those of this person; to see them is a look-up, too.

        Raises:
            InvalidValueError: If ``limit`` is not from 1 to 500.
            StoreUnavailableError: If the database cannot be read.
        """
        require(1 <= limit <= MAX_LOOK_UPS_PER_PAGE, name="limit", value=limit, bound=f"1 to {MAX_LOOK_UPS_PER_PAGE}")
        query = select(LookUpRow).where(col(LookUpRow.controller) == controller)
        if before is not None:
            query = query.where(col(LookUpRow.number) < before)
        if actor is not None:
            query = query.where(col(LookUpRow.actor) == actor)
        with self._transactions.reading(controller=controller) as session:
            if customer is not None:
                digest = self._key.digest(controller=controller, customer=customer)
                query = query.where(col(LookUpRow.number).in_(_about(session, controller=controller, digest=digest)))
            rows = session.exec(query.order_by(col(LookUpRow.number).desc()).limit(limit + 1)).all()
            records = tuple(_record(row) for row in rows[:limit])
        return LookUpPage(look_ups=records, next_before=records[-1].number if len(rows) > limit else None)

    def _write_queue(self) -> None:
        with self._queueing:
            queue, self._queue = self._queue, []
        by_controller: dict[str, list[_Waiting]] = {}
        for waiting in queue:
            waiting.tried = True
            by_controller.setdefault(waiting.look_up.controller, []).append(waiting)
        at_us = to_microseconds(self._now())
        for controller, group in by_controller.items():
            rows = [self._row(waiting.look_up, at_us=at_us) for waiting in group]
            try:
                with self._transactions.plain_writing(controller=controller) as statements:
                    statements.insert(LookUpRow, rows, left_out="number")
            except Exception as error:  # noqa: BLE001 - whatever it was: what is not recorded is not answered
                _FAULTS.error("look-ups not recorded: %s", type(error).__name__)
            else:
                for waiting in group:
                    waiting.recorded = True

    def _row(self, look_up: LookUp, *, at_us: int) -> tuple[object, ...]:
        """In the order of the table's columns, without the number, which the database gives."""
        controller, digest = look_up.controller, self._key.digest
        return (
            controller,
            look_up.actor_kind.value,
            look_up.actor,
            look_up.kind.value,
            len(look_up.customers),
            b"".join([digest(controller=controller, customer=customer) for customer in look_up.customers]),
            look_up.reason,
            at_us,
        )


def _about(session: Session, *, controller: str, digest: bytes) -> CompoundSelect[tuple[int]]:
    """Numbers of the look-ups of one person: of that person alone by an index, of many by looking into each."""
    table = table_of(LookUpRow)
    one = sql_select(table.c.number).where(
        table.c.controller == controller, table.c.people == text("1"), table.c.persons == digest
    )
    if session.get_bind().dialect.name == "sqlite":
        place = func.instr(table.c.persons, digest)
    else:
        place = func.position(literal(digest, LargeBinary).op("IN")(table.c.persons))
    many = sql_select(table.c.number).where(table.c.controller == controller, table.c.people > text("1"), place > 0)
    return one.union_all(many)


def _record(row: LookUpRow) -> LookUpRecord:
    if row.number is None:
        raise LookUpNotRecordedError("A look-up has no number.", "Restore the database from its last copy.")
    return LookUpRecord(
        number=row.number,
        at=from_microseconds(row.at_us),
        actor_kind=ActorKind(row.actor_kind),
        actor=row.actor,
        kind=LookUpKind(row.kind),
        people=row.people,
        person=row.persons[:8].hex() if row.people == 1 else None,
        reason=row.reason,
    )
