"""Compliance officers of an example league: people in a real one, scripted here.

They act as people would: each signs in at the consent service with an account of their own, reads the run as it is
shown to their controller, and approves exactly the terms that were read.
"""

import secrets
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from pwdlib import PasswordHash

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.passwords import normalised
from hanse_consent.access.roles import Role, RoleGrant
from hanse_consent.configuration import load_configuration
from hanse_consent.officer_client import OfficerClient, OfficerSession
from hanse_consent.opening import location_of
from hanse_consent.runs.standing import Ending, RunStage, RunStanding
from hanse_consent.storage.database import Database
from hanse_demo.workshop import Workshop

_TITLES = ("officer", "deputy")
"""Where the risk is high, two different people have to approve."""


@dataclass(frozen=True, kw_only=True)
class OfficerAccount:
    """One officer's account at the consent service. Its representation does not show the password."""

    name: str
    controller: str
    password: str

    def __repr__(self) -> str:
        return f"OfficerAccount(name={self.name!r}, controller={self.controller!r})"


class ScriptedOfficers:
    """The officers of all partners; each gets an account when first needed.

    Args:
        workshop: Where the league is laid out; its consent service must be up.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._sessions: dict[str, OfficerSession] = {}

    def approve(self, run: str, standings: Iterable[RunStanding]) -> tuple[str, ...]:
        """Approve a run wherever officers are awaited; return who approved.

        Raises:
            HanseError: If the service refuses, or does not answer.
        """
        approved = []
        for standing in standings:
            if standing.stage is RunStage.AWAITING:
                for title in _TITLES[: standing.officers_needed]:
                    self._approve(run, controller=standing.controller, title=title)
                    approved.append(f"{title}-{standing.controller}")
        return tuple(approved)

    def revoke(self, run: str, *, controller: str, words: str) -> None:
        """Take a controller's approval of a run back.

        Raises:
            HanseError: If the service refuses, or does not answer.
        """
        self._session(controller, _TITLES[0]).revoke(run, controller=controller, ending=Ending(words=words))

    def _approve(self, run: str, *, controller: str, title: str) -> None:
        session = self._session(controller, title)
        seen = session.run(run, controller=controller)
        session.approve(run, controller=controller, proposal=seen.document.digest)

    def _session(self, controller: str, title: str) -> OfficerSession:
        name = f"{title}-{controller}"
        if name not in self._sessions:
            account = OfficerAccount(name=name, controller=controller, password=secrets.token_hex(24))
            self._appoint(account)
            client = OfficerClient(self._workshop.consent_url)
            self._sessions[name] = client.sign_in(account.name, password=account.password)
        return self._sessions[name]

    def _appoint(self, account: OfficerAccount) -> None:
        """What ``hanse consent account add`` does, and the officer's own first password."""
        password_hash = PasswordHash.recommended().hash(normalised(account.password))
        configuration = load_configuration(self._workshop.consent / "consent.toml")
        with closing(Database(location_of(configuration))) as database:
            accounts = Accounts(database, now=lambda: datetime.now(tz=UTC))
            grants = frozenset({RoleGrant(controller=account.controller, role=Role.OFFICER)})
            accounts.add(name=account.name, password_hash=password_hash, grants=grants, actor="demo")
            accounts.set_password(name=account.name, password_hash=password_hash, must_change=False, actor="demo")
