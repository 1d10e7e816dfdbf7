"""Sessions of people: a random bearer token (RFC 6750), of which only a hash is kept."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, delete, select

from hanse_consent.access.accounts import Account, account_of
from hanse_consent.access.errors import CredentialsInvalidError, SessionInvalidError
from hanse_consent.access.tables import AccountRow, SessionRow
from hanse_consent.access.transactions import Transactions
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_privacy.validation import require

_TOKEN_BYTES = 32
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class SessionLifetime:
    """When a session ends by itself, and how many one account may have."""

    idle: timedelta = timedelta(minutes=30)
    """Without any request."""
    absolute: timedelta = timedelta(hours=12)
    """After it was opened, whatever happens (NIST SP 800-63B 4.2.3)."""
    note_use_every: timedelta = timedelta(minutes=1)
    """Uses are written down no more often, to spare the disk: a session may end this much early."""
    per_account: int = 10
    """Sessions open at once; opening one more ends the oldest."""

    def __post_init__(self) -> None:
        require(
            timedelta(0) < self.note_use_every < self.idle <= self.absolute,
            name="note_use_every, idle, absolute",
            value=tuple(map(str, (self.note_use_every, self.idle, self.absolute))),
            bound="positive and in rising order",
        )
        require(self.per_account >= 1, name="per_account", value=self.per_account, bound="1 or more")


@dataclass(frozen=True, kw_only=True)
class OpenedSession:
    """A new session's token, shown once, and its latest end. Its representation does not show the token."""

    token: str
    ends_at: datetime

    def __repr__(self) -> str:
        return f"OpenedSession(ends_at={self.ends_at.isoformat()})"


class Sessions:
    """Opens, finds and ends sessions.

    Args:
        transactions: The database.
        now: The service's clock.
        lifetime: When sessions end.

    Raises:
        StoreUnavailableError: From any method, if the database cannot be used.
    """

    def __init__(self, transactions: Transactions, *, now: Callable[[], datetime], lifetime: SessionLifetime) -> None:
        self._transactions = transactions
        self._now = now
        self._lifetime = lifetime

    def open(self, *, account: str, password_hash: str) -> OpenedSession:
        """Open a session for whoever has just proved to know the password behind ``password_hash``.

        Raises:
            CredentialsInvalidError: If the account was disabled or its password changed since then.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now_us = to_microseconds(self._now())
        ends_us = now_us + self._lifetime.absolute // _MICROSECOND
        with self._transactions.writing_across_controllers() as session:
            # FOR UPDATE: a change of the password either sees this session and ends it, or is seen here.
            query = select(AccountRow).where(col(AccountRow.name) == account).with_for_update()
            row = session.exec(query).one_or_none()
            if row is None or row.disabled_us is not None or row.password_hash != password_hash:
                raise credentials_invalid()
            self._make_room(session, account=account, now_us=now_us)
            session.add(
                SessionRow(
                    token_sha256=_digest(token), account=account, opened_us=now_us, used_us=now_us, ends_us=ends_us
                )
            )
        return OpenedSession(token=token, ends_at=from_microseconds(ends_us))

    def find(self, token: str) -> Account:
        """The account whose session this is, as it is now; counts as a use.

        Raises:
            SessionInvalidError: If there is no such session, or it has ended.
        """
        digest, now_us = _digest(token), to_microseconds(self._now())
        with self._transactions.reading_across_controllers() as session:
            row = session.get(SessionRow, digest)
            if row is None or self._has_ended(row, now_us=now_us):
                raise session_invalid()
            owner = session.get(AccountRow, row.account)
            if owner is None or owner.disabled_us is not None:
                raise session_invalid()
            account = account_of(session, owner)
            noted_us = row.used_us
        if now_us - noted_us >= self._lifetime.note_use_every // _MICROSECOND:
            self._note_use(digest, now_us=now_us)
        return account

    def close(self, token: str) -> None:
        """End a session; ending none is no error."""
        with self._transactions.writing_across_controllers() as session:
            session.exec(delete(SessionRow).where(col(SessionRow.token_sha256) == _digest(token)))

    def _note_use(self, digest: bytes, *, now_us: int) -> None:
        with self._transactions.writing_across_controllers() as session:
            # It may have been ended meanwhile: a use never opens it again.
            row = session.exec(
                select(SessionRow).where(col(SessionRow.token_sha256) == digest).with_for_update()
            ).one_or_none()
            if row is not None and row.used_us < now_us:
                row.used_us = now_us
                session.add(row)

    def _has_ended(self, row: SessionRow, *, now_us: int) -> bool:
        return now_us >= row.ends_us or now_us - row.used_us >= self._lifetime.idle // _MICROSECOND

    def _make_room(self, session: Session, *, account: str, now_us: int) -> None:
        idle_us = self._lifetime.idle // _MICROSECOND
        ended = or_(col(SessionRow.ends_us) <= now_us, col(SessionRow.used_us) <= now_us - idle_us)
        session.exec(delete(SessionRow).where(ended))
        query = select(SessionRow).where(col(SessionRow.account) == account).order_by(col(SessionRow.opened_us).desc())
        for surplus in session.exec(query).all()[self._lifetime.per_account - 1 :]:
            session.delete(surplus)


def _digest(token: str) -> bytes:
    # No salt and no slow hash: the token itself is 256 random bits.
    return hashlib.sha256(token.encode()).digest()


def credentials_invalid() -> CredentialsInvalidError:
    """The one answer to every sign-in that fails."""
    return CredentialsInvalidError(
        "Name and password do not match an account.", "Check both; the service's administrator can set a new password."
    )


def session_invalid() -> SessionInvalidError:
    """The one answer to every token that opens nothing."""
    return SessionInvalidError("There is no open session for this token.", "Sign in again.")
