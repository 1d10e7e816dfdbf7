"""A person's line to a consent service: officers decide on runs, auditors read them, everybody sets an own password.

For the commands, and for whatever else stands between people and the service. Imports no web framework and no database.
An answer is believed only as far as it fits the question, and its texts may be anybody's.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, TypeAdapter, ValidationError

from hanse_consent.access.errors import PasswordChangeRequiredError
from hanse_consent.access.session_bodies import SessionToken
from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.domain.names import AccountName
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_consent.exchange import Answer, Exchange
from hanse_consent.refusals import accepted_body
from hanse_consent.runs.bodies import (
    AnonymityBody,
    DecisionBody,
    RevocationBody,
    RunDetail,
    RunPage,
    RunSummary,
    Verdict,
)
from hanse_consent.runs.standing import Ending
from hanse_consent.service_address import require_protected
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.vocabulary import PartyName, RunId
from hanse_privacy.validation import require

MOST_RUNS = 1_000
"""The most runs that one list has."""

_TIMEOUT_S = 30.0
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_PER_PAGE = 100
_LOOK_FIRST = "Look before you repeat it: it may have been recorded."
_ASK = "Check the address, or ask whoever runs the service."
_Document = TypeVar("_Document", bound=BaseModel)
_ACCOUNTS: TypeAdapter[str] = TypeAdapter(AccountName)
_PARTIES: TypeAdapter[str] = TypeAdapter(PartyName)
_RUNS: TypeAdapter[str] = TypeAdapter(RunId)


class OfficerClient:
    """One consent service, as people reach it.

    Args:
        service: Its address: ``https://`` and a host, or ``http://`` on loopback. Certificates are always verified.
        timeout_s: Seconds for a whole exchange.

    Raises:
        InvalidValueError: If a password would travel there unprotected, or it is no such address.
    """

    def __init__(self, service: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        require_protected(service)
        self._service = service.rstrip("/")
        self._exchange = Exchange(base_url=service, timeout_s=timeout_s, max_answer_bytes=_MAX_ANSWER_BYTES)

    def sign_in(self, account: str, *, password: str) -> "OfficerSession":
        """Open a session, which whoever opened it must close.

        Raises:
            InvalidValueError: If there can be no account of this name.
            ConsentUnavailableError: If the service did not answer in time.
            ConsentAnswerInvalidError: If what answered is no consent service.
            ConsentRefusedError: If name and password match no account in use, or were tried too often.
        """
        _require_name(account, _ACCOUNTS, name="account")
        body = json.dumps({"name": account, "password": password}).encode()
        answer = _reached(
            lambda: self._exchange.post("/v1/sessions", body=body, headers={}), status=HTTPStatus.CREATED, mend=_ASK
        )
        token = _read(SessionToken, answer).token
        return OfficerSession(self._exchange, service=self._service, account=account, token=token)


class OfficerSession:
    """An open session. Its representation does not show the token.

    Args:
        exchange: To the service.
        service: The service's address, for what people are told.
        account: Whose session it is.
        token: Proves it.

    Raises:
        PasswordChangeRequiredError: From any method but the last two, while somebody else knows the password.
        ConsentUnavailableError: From any method, if the service did not answer in time.
        ConsentAnswerInvalidError: From any method, if the answer does not fit the question.
        ConsentRefusedError: From any method, if the service refused.
        InvalidValueError: From any method, if a name cannot be one.
    """

    def __init__(self, exchange: Exchange, *, service: str, account: str, token: str) -> None:
        self._exchange = exchange
        self._service = service
        self._account = account
        self._token = token

    def __repr__(self) -> str:
        return f"OfficerSession({self._account} at {self._service})"

    def runs(self, controller: str, *, limit: int) -> tuple[RunSummary, ...]:
        """A controller's runs, the newest first.

        Args:
            controller: Whose.
            limit: The most that are returned, 1 to 1,000.
        """
        _require_name(controller, _PARTIES, name="controller")
        require(1 <= limit <= MOST_RUNS, name="limit", value=limit, bound=f"1 to {MOST_RUNS}")
        found: dict[str, RunSummary] = {}
        after: str | None = None
        while len(found) < limit:
            query = {"controller": controller, "limit": str(min(_PER_PAGE, limit - len(found)))}
            page = self._get(RunPage, "/v1/runs", query=query if after is None else {**query, "after": after})
            fresh = {one.run: one for one in page.runs if one.run not in found}
            # A list that brings nothing new and goes on would never end.
            if any(one.standing.controller != controller for one in page.runs) or (page.next and not fresh):
                raise _invalid("The answer is no list of this controller's runs.")
            found |= fresh
            after = page.next
            if after is None:
                break
        return tuple(found.values())[:limit]

    def run(self, run: str, *, controller: str) -> RunDetail:
        """Everything about one run at one controller."""
        _require_names(run, controller)
        detail = self._get(RunDetail, f"/v1/runs/{run}", query={"controller": controller})
        return _about(detail, run=run, controller=controller)

    def approve(self, run: str, *, controller: str, proposal: str) -> RunDetail:
        """Approve a run.

        Args:
            run: Its name.
            controller: For whom.
            proposal: Digest of the terms that were read.
        """
        body = _made(
            DecisionBody, {"controller": controller, "proposal": proposal, "verdict": Verdict.APPROVE}, name="decision"
        )
        return self._change(run, "decisions", body, controller=controller)

    def refuse(self, run: str, *, controller: str, proposal: str, ending: Ending) -> RunDetail:
        """Refuse a run: it is over at this controller.

        Args:
            run: Its name.
            controller: For whom.
            proposal: Digest of the terms that were read.
            ending: The officer's words, with rule and article if there is one.
        """
        fields = {"controller": controller, "proposal": proposal, "verdict": Verdict.REFUSE, "ending": ending}
        return self._change(run, "decisions", _made(DecisionBody, fields, name="decision"), controller=controller)

    def revoke(self, run: str, *, controller: str, ending: Ending) -> RunDetail:
        """Take an approval back.

        Args:
            run: Its name.
            controller: For whom.
            ending: The officer's words, with rule and article if there is one.
        """
        body = _made(RevocationBody, {"controller": controller, "ending": ending}, name="revocation")
        return self._change(run, "revocations", body, controller=controller)

    def find_anonymous(self, run: str, *, finding: AnonymityBody) -> RunDetail:
        """Find a run's released model anonymous, for one controller and until a date."""
        return self._change(run, "anonymity-findings", finding, controller=finding.controller)

    def budgets(self, controller: str) -> BudgetPage:
        """What a controller's vaults last said of their privacy budgets."""
        _require_name(controller, _PARTIES, name="controller")
        page = self._get(BudgetPage, "/v1/budgets", query={"controller": controller})
        if page.controller != controller:
            raise _invalid("The answer is about another controller's budgets.")
        return page

    def change_password(self, *, old: str, new: str) -> None:
        """Set one's own password; all sessions of the account end, and this one goes on under a new token."""
        body = json.dumps({"old": old, "new": new}).encode()
        self._token = _read(SessionToken, self._post("/v1/accounts/me/password", body)).token

    def close(self) -> None:
        """End the session."""
        _reached(
            lambda: self._exchange.delete("/v1/sessions/current", headers=self._headers()),
            status=HTTPStatus.NO_CONTENT,
            mend=_ASK,
        )

    def _change(self, run: str, what: str, body: BaseModel, *, controller: str) -> RunDetail:
        _require_names(run, controller)
        answer = self._post(f"/v1/runs/{run}/{what}", body.model_dump_json(exclude_none=True).encode())
        return _about(_read(RunDetail, answer), run=run, controller=controller)

    def _get(self, model: type[_Document], path: str, *, query: dict[str, str]) -> _Document:
        address = f"{path}?{urlencode(query)}"
        return _read(model, self._sent(lambda: self._exchange.get(address, headers=self._headers()), mend=_ASK))

    def _post(self, path: str, body: bytes) -> bytes:
        return self._sent(lambda: self._exchange.post(path, body=body, headers=self._headers()), mend=_LOOK_FIRST)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token}"}

    def _sent(self, send: Callable[[], Answer], *, mend: str) -> bytes:
        try:
            return _reached(send, status=HTTPStatus.OK, mend=mend)
        except ConsentRefusedError as error:
            if error.refusal_code != PasswordChangeRequiredError.code:
                raise
            raise PasswordChangeRequiredError(
                "Somebody else knows this account's password.",
                "Set your own first: hanse consent account my-password"
                f" --service {self._service} --account {self._account}",
            ) from error


def _reached(send: Callable[[], Answer], *, status: HTTPStatus, mend: str) -> bytes:
    """Send something; what cannot be reached is told to people, not to a vault."""
    try:
        return accepted_body(send(), status=status)
    except ConsentUnavailableError as error:
        raise ConsentUnavailableError(error.what, mend) from error


def _read(model: type[_Document], body: bytes) -> _Document:
    try:
        return model.model_validate_json(body)
    except ValidationError:
        # "from None": the cause holds what was received, which may be a token.
        raise _invalid("The answer is not what a consent service of this version sends.") from None


def _about(detail: RunDetail, *, run: str, controller: str) -> RunDetail:
    """Accept what is about this run, and whose digest is of the very terms that it shows."""
    terms = detail.document
    if (detail.run, terms.run, detail.standing.controller) != (run, run, controller) or detail.proposal != terms.digest:
        raise _invalid("The answer is about another run, or its terms are not those that its digest is of.")
    return detail


def _invalid(what: str) -> ConsentAnswerInvalidError:
    return ConsentAnswerInvalidError(what, "Check the address; both ends must run the same Hanse.")


def _made(model: type[_Document], fields: dict[str, object], *, name: str) -> _Document:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidValueError(f"The {name} is not valid: {describe(error)}.", "Mend what is named.") from None


def _require_names(run: str, controller: str) -> None:
    _require_name(run, _RUNS, name="run")
    _require_name(controller, _PARTIES, name="controller")


def _require_name(value: str, adapter: TypeAdapter[str], *, name: str) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError:
        raise InvalidValueError(f"{name} is {value!r}.", f"There can be no {name} of this name.") from None
