"""People's accounts: who there is, and which roles they hold at which controllers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, select

from hanse_consent.access.errors import AccountExistsError, AccountUnknownError
from hanse_consent.access.roles import Permission, Role, RoleGrant, may
from hanse_consent.access.tables import AccessEventRow, AccountRoleRow, AccountRow, SessionRow
from hanse_consent.access.transactions import Transactions
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_privacy.validation import require_not_empty


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account as it is now."""

    name: str
    grants: frozenset[RoleGrant]
    created_at: datetime
    disabled: bool
    must_change_password: bool

    def may(self, permission: Permission, *, controller: str) -> bool:
        """Whether one of its roles at this controller allows something; a disabled account may nothing."""
        return not self.disabled and any(
            grant.controller == controller and may(grant.role, permission) for grant in self.grants
        )


@dataclass(frozen=True, kw_only=True)
class StoredPassword:
    """What a sign-in compares with."""

    password_hash: str
    disabled: bool


class Accounts:
    """Adds, lists, disables; every change is noted with who made it.

    Args:
        transactions: The database.
        now: The service's clock.

    Raises:
        StoreUnavailableError: From any method, if the database cannot be used.
    """

    def __init__(self, transactions: Transactions, *, now: Callable[[], datetime]) -> None:
        self._transactions = transactions
        self._now = now

    def add(self, *, name: str, password_hash: str, grants: frozenset[RoleGrant], actor: str) -> None:
        """Add an account whose first password somebody else knows: its owner must change it.

        Raises:
            AccountExistsError: If the name is taken, also by a disabled account.
            InvalidValueError: If no role is granted.
        """
        require_not_empty(grants=grants)
        with self._transactions.writing_across_controllers() as session:
            if session.get(AccountRow, name) is not None:
                raise AccountExistsError(
                    f"There is an account {name} already.", "Choose another name; names are not used twice."
                )
            session.add(
                AccountRow(
                    name=name,
                    password_hash=password_hash,
                    created_us=to_microseconds(self._now()),
                    must_change_password=True,
                )
            )
            session.flush()
            session.add_all(
                AccountRoleRow(account=name, controller=grant.controller, role=grant.role.value) for grant in grants
            )
            held = ", ".join(sorted(f"{grant.role.value}@{grant.controller}" for grant in grants))
            self._note(session, actor=actor, action="account-added", subject=name, reason=f"Roles: {held}.")

    def disable(self, *, name: str, actor: str) -> None:
        """Disable an account and end its sessions; disabling it again changes nothing.

        Raises:
            AccountUnknownError: If there is none of this name.
        """
        with self._transactions.writing_across_controllers() as session:
            row = self._locked(session, name)
            if row.disabled_us is not None:
                return
            row.disabled_us = to_microseconds(self._now())
            session.add(row)
            session.exec(delete(SessionRow).where(col(SessionRow.account) == name))
            self._note(session, actor=actor, action="account-disabled", subject=name, reason="")

    def set_password(self, *, name: str, password_hash: str, must_change: bool, actor: str) -> None:
        """Set a password and end all sessions of the account.

        Raises:
            AccountUnknownError: If there is none of this name.
        """
        with self._transactions.writing_across_controllers() as session:
            row = self._locked(session, name)
            row.password_hash = password_hash
            row.must_change_password = must_change
            session.add(row)
            session.exec(delete(SessionRow).where(col(SessionRow.account) == name))
            self._note(session, actor=actor, action="password-set", subject=name, reason="")

    def renew_hash(self, *, name: str, old_hash: str, new_hash: str) -> None:
        """Keep the same password under newer parameters, unless it was changed meanwhile."""
        with self._transactions.writing_across_controllers() as session:
            row = self._locked(session, name)
            if row.password_hash == old_hash:
                row.password_hash = new_hash
                session.add(row)

    def stored_password(self, name: str) -> StoredPassword | None:
        """What to compare a password with; none for an unknown account."""
        with self._transactions.reading_across_controllers() as session:
            row = session.get(AccountRow, name)
            if row is None:
                return None
            return StoredPassword(password_hash=row.password_hash, disabled=row.disabled_us is not None)

    def all(self) -> tuple[Account, ...]:
        """Every account, by name."""
        with self._transactions.reading_across_controllers() as session:
            rows = session.exec(select(AccountRow).order_by(col(AccountRow.name))).all()
            return tuple(account_of(session, row) for row in rows)

    def _locked(self, session: Session, name: str) -> AccountRow:
        # FOR UPDATE: two changes of one account, or a change and a sign-in, come one after the other.
        row = session.exec(select(AccountRow).where(col(AccountRow.name) == name).with_for_update()).one_or_none()
        if row is None:
            raise AccountUnknownError(f"There is no account {name}.", "See 'account list'.")
        return row

    def _note(self, session: Session, *, actor: str, action: str, subject: str, reason: str) -> None:
        at_us = to_microseconds(self._now())
        session.add(AccessEventRow(at_us=at_us, actor=actor, action=action, subject=subject, reason=reason))


def account_of(session: Session, row: AccountRow) -> Account:
    """Read an account's roles, in the transaction that read its row."""
    roles = session.exec(select(AccountRoleRow).where(col(AccountRoleRow.account) == row.name)).all()
    return Account(
        name=row.name,
        grants=frozenset(RoleGrant(controller=role.controller, role=Role(role.role)) for role in roles),
        created_at=from_microseconds(row.created_us),
        disabled=row.disabled_us is not None,
        must_change_password=row.must_change_password,
    )
