"""Runs over HTTP: the centre submits, officers decide, vaults ask whether they may."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.access.bodies import parse_body, read_body
from hanse_consent.errors import BodyInvalidError, PartnerMismatchError
from hanse_consent.runs.approvals import Approvals
from hanse_consent.runs.bodies import AnonymityBody, DecisionBody, RevocationBody, RunDetail, RunPage
from hanse_consent.runs.deciding import AnonymityClaim, Decisions
from hanse_consent.runs.officers import Officer
from hanse_consent.runs.proposing import Proposals
from hanse_consent.runs.register import PAGE_LIMIT, RunHere, RunRegister
from hanse_consent.runs.shown import detail_of, summary_of
from hanse_consent.runs.standing import RunOutcome, RunReport
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval
from hanse_privacy.protocol.vocabulary import PartyName, RunId

MAX_PROPOSAL_BYTES = 1024 * 1024
MAX_DECISION_BYTES = 16 * 1024
_PAGE = 50
_RUN_ID = re.compile(r"[a-z][a-z0-9-]{0,80}")
_SIGNED_BY = "hanse-party"
"""Header of a request that a party signed with its key; a person's has none."""


class SignedRequest(Protocol):
    """A body and the party who is proved to have sent it."""

    @property
    def party(self) -> str:
        """Who sent it."""

    @property
    def body(self) -> bytes:
        """What was sent."""


class PartyAuthenticator(Protocol):
    """Proves which party signed a request."""

    async def authenticate(self, request: Request, *, max_bytes: int) -> SignedRequest:
        """Read a body of at most ``max_bytes`` and prove who sent it, or raise."""


OfficerGuard = Callable[[Request], Awaitable[Officer]]
"""Proves which person sent a request, and for which controllers that person may do this; or raises."""


@dataclass(frozen=True, kw_only=True)
class RunGuards:
    """Who may do what: each guard names the controllers at which the person may do just this.

    Args:
        party: Centres and vaults.
        reads: People who may see runs.
        decides: People who may approve or refuse.
        revokes: People who may take an approval back.
        signs_anonymity: People who may find a model anonymous.
    """

    party: PartyAuthenticator
    reads: OfficerGuard
    decides: OfficerGuard
    revokes: OfficerGuard
    signs_anonymity: OfficerGuard


@dataclass(frozen=True, kw_only=True)
class RunParts:
    """What the addresses lead to."""

    register: RunRegister
    proposals: Proposals
    decisions: Decisions
    approvals: Approvals


def run_routes(parts: RunParts, guards: RunGuards) -> APIRouter:
    """All addresses of runs."""
    router = APIRouter(prefix="/v1", tags=["runs"])
    router.include_router(_centre_routes(parts, guards))
    router.include_router(_officer_routes(parts, guards))
    router.include_router(_vault_routes(parts, guards))
    return router


def _centre_routes(parts: RunParts, guards: RunGuards) -> APIRouter:
    router = APIRouter()

    @router.post("/runs")
    async def submit(request: Request) -> RunReport:
        """Submit a proposal that the signing centre has signed; sent again, it only says where the run stands."""
        signed = await guards.party.authenticate(request, max_bytes=MAX_PROPOSAL_BYTES)
        return await run_in_threadpool(parts.proposals.submit, signed.body, centre=signed.party)

    @router.post("/runs/{run}/outcome", openapi_extra=_body(RunOutcome))
    async def outcome(run: RunId, request: Request) -> RunReport:
        """Record what became of the signing centre's run."""
        signed = await guards.party.authenticate(request, max_bytes=MAX_DECISION_BYTES)
        said = parse_body(RunOutcome, signed.body)
        return await run_in_threadpool(parts.proposals.record_outcome, run, centre=signed.party, outcome=said)

    @router.get("/runs/{run}/report")
    async def report(run: RunId, request: Request) -> RunReport:
        """Where the signing centre's run stands at every controller served here."""
        signed = await guards.party.authenticate(request, max_bytes=0)
        return await run_in_threadpool(parts.proposals.report, run, centre=signed.party)

    return router


def _officer_routes(parts: RunParts, guards: RunGuards) -> APIRouter:
    router = APIRouter()

    @router.get("/runs")
    async def runs(request: Request, controller: PartyName, after: str | None = None, limit: int = _PAGE) -> RunPage:
        """List a controller's runs, the newest first."""
        officer = await guards.reads(request)
        officer.require_acts_for(controller)
        wanted = max(1, min(limit, PAGE_LIMIT))
        found = await run_in_threadpool(
            parts.register.runs, controller=controller, before=_read_cursor(after), limit=wanted
        )
        following = _cursor(found[-1]) if len(found) == wanted else None
        return RunPage(runs=tuple(map(summary_of, found)), next=following)

    @router.get("/runs/{run}")
    async def run(run: RunId, request: Request, controller: PartyName) -> RunDetail:
        """Everything about one run at one controller."""
        officer = await guards.reads(request)
        officer.require_acts_for(controller)
        return detail_of(await run_in_threadpool(parts.register.run, run, controller=controller))

    @router.post("/runs/{run}/decisions", openapi_extra=_body(DecisionBody))
    async def decide(run: RunId, request: Request) -> RunDetail:
        """Approve or refuse a run for one controller."""
        officer = await guards.decides(request)
        said = parse_body(DecisionBody, await read_body(request, max_bytes=MAX_DECISION_BYTES))

        def record() -> RunHere:
            if said.ending is None:
                return parts.decisions.approve(run, controller=said.controller, officer=officer, proposal=said.proposal)
            return parts.decisions.refuse(
                run, controller=said.controller, officer=officer, proposal=said.proposal, ending=said.ending
            )

        return detail_of(await run_in_threadpool(record))

    @router.post("/runs/{run}/revocations", openapi_extra=_body(RevocationBody))
    async def revoke(run: RunId, request: Request) -> RunDetail:
        """Take an approval back: the next round is without this controller's customers."""
        officer = await guards.revokes(request)
        said = parse_body(RevocationBody, await read_body(request, max_bytes=MAX_DECISION_BYTES))
        here = await run_in_threadpool(
            parts.decisions.revoke, run, controller=said.controller, officer=officer, ending=said.ending
        )
        return detail_of(here)

    @router.post("/runs/{run}/anonymity-findings", openapi_extra=_body(AnonymityBody))
    async def find_anonymous(run: RunId, request: Request) -> RunDetail:
        """Find the run's released model anonymous, for one controller and until a date."""
        officer = await guards.signs_anonymity(request)
        said = parse_body(AnonymityBody, await read_body(request, max_bytes=MAX_DECISION_BYTES))
        claim = AnonymityClaim(
            epsilon=said.epsilon,
            honest_minimum=said.honest_minimum,
            audit=said.audit,
            found_on=said.found_on,
            valid_until=said.valid_until,
        )
        here = await run_in_threadpool(
            parts.decisions.find_anonymous, run, controller=said.controller, officer=officer, claim=claim
        )
        return detail_of(here)

    return router


def _vault_routes(parts: RunParts, guards: RunGuards) -> APIRouter:
    router = APIRouter()

    @router.post("/run-approvals", openapi_extra=_body(ApprovalRequest), responses={200: {"model": RunApproval}})
    async def run_approval(request: Request) -> Response:
        """Say whether the signing partner's officers have approved a run: a signed approval, or the reason why not."""
        signed = await guards.party.authenticate(request, max_bytes=MAX_DECISION_BYTES)
        question = parse_body(ApprovalRequest, signed.body)
        if question.partner != signed.party:
            raise PartnerMismatchError(
                "The request names another partner than the one that signed it.",
                "A partner can ask for its own approvals only.",
            )
        approval = await run_in_threadpool(parts.approvals.issue, question)
        return Response(approval, status_code=HTTPStatus.OK, media_type="application/json")

    return router


def _cursor(last: RunHere) -> str:
    return f"{last.submitted_us}.{last.proposal.run}"


def _read_cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    at, dot, run = text.partition(".")
    if not (dot and _RUN_ID.fullmatch(run) and at.isascii() and at.isdecimal() and len(at) <= 18):
        raise BodyInvalidError("The list cannot go on after this place.", "Send the 'next' of the page before.")
    return int(at), run


def _body(model: type[BaseModel]) -> dict[str, object]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
