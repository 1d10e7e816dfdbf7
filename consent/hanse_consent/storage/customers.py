"""Customers: their numbers, their erasable keys, and what is left of them after an erasure."""

import hashlib
import hmac
from collections.abc import Callable, Iterable

from sqlalchemy import text
from sqlmodel import Session, col, delete, select, update

from hanse_consent.storage.bulk import look_up, table_of
from hanse_consent.storage.tables import Customer, FactRow, NumberedName, ProfileDetail, StoreSecret, Tombstone

_CUSTOMER = table_of(Customer)
_TOMBSTONE = table_of(Tombstone)

KEY_BYTES = 32
"""Of a customer's own random key, and of the store's secret."""
_SECRET = "tombstones"  # noqa: S105 - the secret's name


def numbers_of(session: Session, *, controller_no: int, pseudonyms: Iterable[bytes]) -> dict[bytes, int]:
    """The numbers of those pseudonyms that have one."""
    found = look_up(
        session,
        [_CUSTOMER.c.pseudonym, _CUSTOMER.c.customer_no],
        fixed={_CUSTOMER.c.controller_no: controller_no},
        by=_CUSTOMER.c.pseudonym,
        values=pseudonyms,
    )
    return {bytes(pseudonym): number for pseudonym, number in found}


class Tombstones:
    """Recognises pseudonyms that were erased, without keeping them.

    Args:
        session: Of the transaction.
        controller_no: Whose customers.
        draw: Draws so many random bytes; for the store's secret, when it is needed for the first time.
    """

    def __init__(self, session: Session, *, controller_no: int, draw: Callable[[int], bytes]) -> None:
        self._session = session
        self._controller_no = controller_no
        self._draw = draw
        self._secret = b""

    def digest(self, pseudonym: bytes) -> bytes:
        """What a tombstone holds of a pseudonym."""
        if not self._secret:
            self._secret = _store_secret(self._session, self._draw)
        return hmac.digest(self._secret, b"%d:%b" % (self._controller_no, pseudonym), hashlib.sha256)

    def stands(self, pseudonym: bytes) -> bool:
        """Whether somebody of this pseudonym was erased."""
        return bool(self.erased_us([pseudonym]))

    def erased_us(self, pseudonyms: Iterable[bytes]) -> dict[bytes, int]:
        """When those among the pseudonyms that were erased asked for it."""
        digests = {self.digest(pseudonym): pseudonym for pseudonym in pseudonyms}
        found = look_up(
            self._session,
            [_TOMBSTONE.c.digest, _TOMBSTONE.c.erased_us],
            fixed={_TOMBSTONE.c.controller_no: self._controller_no},
            by=_TOMBSTONE.c.digest,
            values=digests,
        )
        return {digests[bytes(digest)]: erased_us for digest, erased_us in found}

    def put(self, pseudonym: bytes, *, erased_us: int) -> None:
        """Remember an erasure; of two the later one."""
        digest = self.digest(pseudonym)
        known = self._session.get(Tombstone, (self._controller_no, digest))
        if known is None:
            known = Tombstone(controller_no=self._controller_no, digest=digest, erased_us=erased_us)
        known.erased_us = max(known.erased_us, erased_us)
        self._session.add(known)
        self._session.flush()


def _store_secret(session: Session, draw: Callable[[int], bytes]) -> bytes:
    # Of two transactions that need it first, the second waits for the first and reads what that one drew.
    session.connection().execute(
        text("INSERT INTO store_secret (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"),
        {"name": _SECRET, "value": draw(KEY_BYTES)},
    )
    return session.exec(select(StoreSecret.value).where(StoreSecret.name == _SECRET)).one()


def forget(session: Session, *, controller_no: int, customer_no: int, position: int) -> None:
    """Cut the link to a person and delete what tells of them; the acts stay, under a number that nobody can follow."""
    session.exec(
        update(Customer)
        .where(col(Customer.controller_no) == controller_no, col(Customer.customer_no) == customer_no)
        .values(pseudonym=None, key=None, erased=position)
    )
    session.exec(
        delete(ProfileDetail).where(
            col(ProfileDetail.controller_no) == controller_no, col(ProfileDetail.customer_no) == customer_no
        )
    )
    session.exec(
        delete(FactRow).where(
            col(FactRow.controller_no) == controller_no,
            col(FactRow.customer_no) == customer_no,
            col(FactRow.topic_no).in_(select(NumberedName.number)),  # names every topic, so that the key is used
        )
    )
