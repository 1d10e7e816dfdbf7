"""Compliance officers of an example league: people in a real one, scripted here.

They act as people would: each signs in at the consent service with an account of their own, reads the run as it is
shown to their controller, and approves exactly the terms that were read.
"""

import secrets
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from pwdlib import PasswordHash

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.passwords import normalised
from hanse_consent.access.roles import Role, RoleGrant
from hanse_consent.configuration import load_configuration
from hanse_consent.opening import location_of
from hanse_consent.runs.standing import RunStage, RunStanding
from hanse_consent.storage.database import Database
from hanse_demo.workshop import Workshop
from hanse_privacy.errors import HanseError

_TIMEOUT_S = 30.0
_TITLES = ("officer", "deputy")
"""Where the risk is high, two different people have to approve."""


class OfficerFailedError(HanseError):
    """The consent service did not take what a scripted officer sent."""

    code = "DEMO_OFFICER"


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
        self._tokens: dict[str, str] = {}

    def approve(self, run: str, standings: Iterable[RunStanding]) -> tuple[str, ...]:
        """Approve a run wherever officers are awaited; return who approved.

        Raises:
            OfficerFailedError: If the service refuses, or does not answer.
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
            OfficerFailedError: If the service refuses, or does not answer.
        """
        body = {"controller": controller, "ending": {"words": words}}
        self._send("POST", f"/v1/runs/{run}/revocations", token=self._token(controller, _TITLES[0]), body=body)

    def _approve(self, run: str, *, controller: str, title: str) -> None:
        token = self._token(controller, title)
        seen = self._send("GET", f"/v1/runs/{run}?controller={controller}", token=token)
        body = {"controller": controller, "proposal": seen["proposal"], "verdict": "approve"}
        self._send("POST", f"/v1/runs/{run}/decisions", token=token, body=body)

    def _token(self, controller: str, title: str) -> str:
        name = f"{title}-{controller}"
        if name not in self._tokens:
            account = OfficerAccount(name=name, controller=controller, password=secrets.token_urlsafe(24))
            self._appoint(account)
            body = {"name": account.name, "password": account.password}
            self._tokens[name] = self._send("POST", "/v1/sessions", token=None, body=body)["token"]
        return self._tokens[name]

    def _appoint(self, account: OfficerAccount) -> None:
        """What ``hanse consent account add`` does, and the officer's own first password."""
        password_hash = PasswordHash.recommended().hash(normalised(account.password))
        configuration = load_configuration(self._workshop.consent / "consent.toml")
        with closing(Database(location_of(configuration))) as database:
            accounts = Accounts(database, now=lambda: datetime.now(tz=UTC))
            grants = frozenset({RoleGrant(controller=account.controller, role=Role.OFFICER)})
            accounts.add(name=account.name, password_hash=password_hash, grants=grants, actor="demo")
            accounts.set_password(name=account.name, password_hash=password_hash, must_change=False, actor="demo")

    def _send(
        self, method: str, path: str, *, token: str | None, body: Mapping[str, object] | None = None
    ) -> dict[str, str]:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        try:
            answer = httpx.request(
                method,
                self._workshop.consent_url + path,
                headers=headers,
                json=body,
                timeout=_TIMEOUT_S,
                trust_env=False,
            )
            answer.raise_for_status()
            received: dict[str, str] = answer.json()
        except httpx.HTTPStatusError as error:
            raise OfficerFailedError(
                f"The consent service refused a scripted officer: {error.response.text[:300]}", "Read its log."
            ) from error
        except (httpx.HTTPError, ValueError) as error:
            raise OfficerFailedError(
                f"The consent service did not answer a scripted officer ({type(error).__name__}).", "Look at its log."
            ) from error
        return received
