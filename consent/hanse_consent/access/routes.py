"""The routes of this room: sessions, one's own password, suspensions of nodes, the log of look-ups."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from hanse_consent.access.accounts import Account
from hanse_consent.access.bodies import parse_body, read_body
from hanse_consent.access.errors import NodeUnknownError
from hanse_consent.access.look_ups import MAX_LOOK_UPS_PER_PAGE, LookUpLog, LookUpPage, Reason
from hanse_consent.access.nodes import NodeKeys
from hanse_consent.access.people import People, Visitor, bearer_token
from hanse_consent.access.rate_limits import client_address
from hanse_consent.access.roles import Permission
from hanse_consent.access.session_bodies import AccountView, Credentials, PasswordChange, SessionToken
from hanse_consent.access.sessions import OpenedSession, Sessions
from hanse_consent.access.sign_in import SignIns
from hanse_consent.access.suspensions import Suspensions
from hanse_consent.domain.moments import Moment
from hanse_privacy.protocol.vocabulary import PartyName

_MAX_BODY_BYTES = 4096


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SuspensionRequest(_Body):
    """Why a node is to be put out."""

    reason: Reason


class SuspensionView(_Body):
    """A node that is out."""

    node: PartyName
    since: Moment
    suspended_by: str
    reason: str


class LookUpQuery(BaseModel):
    """Which look-ups to list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName
    before: int | None = Field(default=None, ge=1, le=2**63 - 1)
    limit: int = Field(default=100, ge=1, le=MAX_LOOK_UPS_PER_PAGE)
    actor: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9._-]{0,39}$")


@dataclass(frozen=True, kw_only=True)
class AccessParts:
    """What the routes of this room work with."""

    sign_ins: SignIns
    sessions: Sessions
    people: People
    suspensions: Suspensions
    look_ups: LookUpLog
    key_of: NodeKeys
    """The public key of a party served; here only whether there is one."""


def access_router(parts: AccessParts) -> APIRouter:
    """Make the routes of this room, under ``/v1``."""
    router = APIRouter(prefix="/v1")
    router.include_router(_session_routes(parts))
    router.include_router(_suspension_routes(parts))
    router.include_router(_look_up_routes(parts))
    return router


def _session_routes(parts: AccessParts) -> APIRouter:
    router = APIRouter()

    @router.post("/sessions", status_code=HTTPStatus.CREATED, openapi_extra=_body_schema(Credentials))
    async def open_session(request: Request, response: Response) -> SessionToken:
        """Open a session with a name and a password."""
        body = parse_body(Credentials, await read_body(request, max_bytes=_MAX_BODY_BYTES))
        opened = await parts.sign_ins.open(
            name=body.name, password=body.password.get_secret_value(), address=client_address(request)
        )
        return _shown_once(opened, response)

    @router.get("/sessions/current")
    def current_session(account: Annotated[Account, Depends(parts.people.signed_in)]) -> AccountView:
        """Say whose session this is and which roles it holds."""
        grants = sorted(account.grants, key=lambda grant: (grant.controller, grant.role.value))
        return AccountView(name=account.name, grants=tuple(grants), must_change_password=account.must_change_password)

    @router.delete("/sessions/current", status_code=HTTPStatus.NO_CONTENT)
    def close_session(request: Request, _account: Annotated[Account, Depends(parts.people.signed_in)]) -> None:
        """End this session."""
        parts.sessions.close(bearer_token(request))

    @router.post("/accounts/me/password", openapi_extra=_body_schema(PasswordChange))
    async def change_password(
        request: Request, response: Response, account: Annotated[Account, Depends(parts.people.signed_in)]
    ) -> SessionToken:
        """Set one's own password: all sessions of the account end, and a new one is opened."""
        body = parse_body(PasswordChange, await read_body(request, max_bytes=_MAX_BODY_BYTES))
        opened = await parts.sign_ins.change_password(
            account,
            old=body.old.get_secret_value(),
            new=body.new.get_secret_value(),
            address=client_address(request),
        )
        return _shown_once(opened, response)

    return router


def _suspension_routes(parts: AccessParts) -> APIRouter:
    router = APIRouter(prefix="/nodes/{name}/suspension")
    # A node's name is its controller's: whoever may stop it is officer there.
    officer = Depends(parts.people.require(Permission.SUSPEND_NODE, controller_in="name"))

    @router.post("", openapi_extra=_body_schema(SuspensionRequest))
    async def suspend(request: Request, name: PartyName, visitor: Annotated[Visitor, officer]) -> SuspensionView:
        """Suspend a node: within a second nothing that it signs is answered."""
        _require_known(parts, name)
        body = parse_body(SuspensionRequest, await read_body(request, max_bytes=_MAX_BODY_BYTES))
        actor = _actor(visitor)
        suspension = await run_in_threadpool(parts.suspensions.suspend, name, actor=actor, reason=body.reason)
        return SuspensionView(
            node=suspension.node,
            since=suspension.since,
            suspended_by=suspension.suspended_by,
            reason=suspension.reason,
        )

    @router.delete("", status_code=HTTPStatus.NO_CONTENT)
    def resume(name: PartyName, reason: Annotated[Reason, Query()], visitor: Annotated[Visitor, officer]) -> None:
        """Let a suspended node in again."""
        _require_known(parts, name)
        parts.suspensions.resume(name, actor=_actor(visitor), reason=reason)

    return router


def _look_up_routes(parts: AccessParts) -> APIRouter:
    router = APIRouter()
    auditor = Depends(parts.people.require(Permission.READ_LOOK_UPS))

    @router.get("/look-ups")
    def look_ups(query: Annotated[LookUpQuery, Query()], visitor: Annotated[Visitor, auditor]) -> LookUpPage:
        """List who looked at customers of a controller, when and why, newest first."""
        return parts.look_ups.page(visitor.controller, before=query.before, limit=query.limit, actor=query.actor)

    return router


def _require_known(parts: AccessParts, name: str) -> None:
    if parts.key_of(name) is None:
        raise NodeUnknownError(f"There is no node {name}.", "See the registry for those there are.")


def _actor(visitor: Visitor) -> str:
    return f"account:{visitor.account.name}"


def _shown_once(opened: OpenedSession, response: Response) -> SessionToken:
    response.headers["cache-control"] = "no-store"
    return SessionToken(token=opened.token, ends_at=opened.ends_at)


def _body_schema(model: type[BaseModel]) -> dict[str, object]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
