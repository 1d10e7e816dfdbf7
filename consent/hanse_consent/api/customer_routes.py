"""One customer's papers over HTTP. Every look is recorded, with its reason, before it is answered.

Pseudonyms travel in bodies, never in addresses: addresses end up in logs.
"""

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.access.bodies import parse_body
from hanse_consent.access.look_ups import MAX_LOOK_UPS_PER_PAGE, LookUp, LookUpKind, LookUpLog, LookUpPage, Reason
from hanse_consent.access.roles import Permission
from hanse_consent.api.callers import Caller, Callers
from hanse_consent.api.lanes import Lanes
from hanse_consent.api.schemas import body_schema
from hanse_consent.domain.acts import Age, SeparateConsent
from hanse_consent.record_service import RecordService
from hanse_consent.records.history import RecordedAct
from hanse_consent.records.record import standalone
from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.protocol.vocabulary import Pseudonym, PurposeName, Tier

_MAX_BODY_BYTES = 4096
_PAGE = 200
_JSON_LD: dict[str, dict[str, dict[str, str]]] = {"application/ld+json": {"schema": {"type": "object"}}}


class TimelineQuestion(BaseModel):
    """Which customer's acts, and from where on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    customer: Pseudonym
    reason: Reason
    after: int = Field(default=0, ge=0)
    """Position after which to go on."""
    limit: int = Field(default=_PAGE, ge=1, le=_PAGE)


class CustomerLookUpQuestion(BaseModel):
    """Whose look-ups, and from where on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    customer: Pseudonym
    reason: Reason
    before: int | None = Field(default=None, ge=1, le=2**63 - 1)
    """Number before which to go on."""
    limit: int = Field(default=100, ge=1, le=MAX_LOOK_UPS_PER_PAGE)


class RecordQuestion(BaseModel):
    """Which customer's consent to which purpose."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    customer: Pseudonym
    purpose: PurposeName
    reason: Reason


class TimelineEntry(BaseModel):
    """One act as recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int
    recorded_at: datetime
    said_at: datetime
    kind: str
    key: str
    purpose: str | None
    tier: Tier | None
    notice: str | None
    language: str | None
    explicit: bool
    ends_at: datetime | None
    separate: SeparateConsent | None
    country: str | None
    age: Age | None
    channel: str | None

    @classmethod
    def of(cls, recorded: RecordedAct) -> Self:
        """As it is sent."""
        act = recorded.act
        return cls(
            position=recorded.position,
            recorded_at=recorded.recorded_at,
            said_at=act.said_at,
            kind=act.kind.value,
            key=act.key,
            purpose=act.purpose,
            tier=act.tier,
            notice=act.notice,
            language=act.language,
            explicit=act.explicit,
            ends_at=act.ends_at,
            separate=act.separate,
            country=act.country,
            age=act.age,
            channel=act.channel,
        )


class Timeline(BaseModel):
    """A customer's acts, oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    acts: tuple[TimelineEntry, ...]
    next_after: int | None
    """Ask again with this as ``after`` for more; none if these were the last."""


def customer_routes(*, callers: Callers, records: RecordService, look_ups: LookUpLog) -> APIRouter:
    """Build ``/v1/timelines``, ``/v1/customer-look-ups``, ``/v1/consent-records`` and ``/v1/receipts``."""
    router = APIRouter(prefix="/v1", tags=["customers"])
    lanes = Lanes()

    @router.post("/timelines", openapi_extra=body_schema(TimelineQuestion))
    async def timelines(request: Request) -> Timeline:
        """Everything recorded of one customer, oldest first, page by page."""
        arrival = await callers.receive(request, permission=Permission.LOOK_UP_CUSTOMER, max_bytes=_MAX_BODY_BYTES)

        def read() -> Timeline:
            caller = arrival.admit()
            asked = parse_body(TimelineQuestion, caller.body)
            look_ups.record(_look_up(caller, LookUpKind.TIMELINE, customer=asked.customer, reason=asked.reason))
            history = records.history(caller.controller, asked.customer)
            rest = [recorded for recorded in history if recorded.position > asked.after]
            page = rest[: asked.limit]
            return Timeline(
                acts=tuple(map(TimelineEntry.of, page)),
                next_after=page[-1].position if len(rest) > len(page) else None,
            )

        return await lanes.run(arrival.controller, read)

    @router.post("/customer-look-ups", openapi_extra=body_schema(CustomerLookUpQuestion))
    async def customer_look_ups(request: Request) -> LookUpPage:
        """Who looked at one customer, when and why, newest first (GDPR 15; CJEU C-579/21). This look is one of them."""
        arrival = await callers.receive(request, permission=Permission.LOOK_UP_CUSTOMER, max_bytes=_MAX_BODY_BYTES)

        def read() -> LookUpPage:
            caller = arrival.admit()
            asked = parse_body(CustomerLookUpQuestion, caller.body)
            look_ups.record(_look_up(caller, LookUpKind.LOOK_UPS, customer=asked.customer, reason=asked.reason))
            return look_ups.page(caller.controller, before=asked.before, limit=asked.limit, customer=asked.customer)

        return await lanes.run(arrival.controller, read)

    @router.post(
        "/consent-records",
        openapi_extra=body_schema(RecordQuestion),
        response_class=Response,
        responses={200: {"content": _JSON_LD}},
    )
    async def consent_records(request: Request) -> Response:
        """The ISO/IEC TS 27560 record of one customer's consent to one purpose, as JSON-LD."""
        arrival = await callers.receive(request, permission=Permission.LOOK_UP_CUSTOMER, max_bytes=_MAX_BODY_BYTES)

        def make() -> bytes:
            caller = arrival.admit()
            asked = parse_body(RecordQuestion, caller.body)
            look_ups.record(_look_up(caller, LookUpKind.EXPLANATION, customer=asked.customer, reason=asked.reason))
            return canonical_bytes(standalone(records.record(caller.controller, asked.customer, asked.purpose)))

        return Response(await lanes.run(arrival.controller, make), media_type="application/ld+json")

    @router.post(
        "/receipts",
        openapi_extra=body_schema(RecordQuestion),
        response_class=Response,
        responses={200: {"content": _JSON_LD}},
    )
    async def receipts(request: Request) -> Response:
        """A signed receipt that the customer keeps and anybody can verify with the service's public key."""
        arrival = await callers.receive(request, permission=Permission.RECORD_ACTS, max_bytes=_MAX_BODY_BYTES)

        def make() -> bytes:
            caller = arrival.admit()
            asked = parse_body(RecordQuestion, caller.body)
            look_ups.record(_look_up(caller, LookUpKind.RECEIPT, customer=asked.customer, reason=asked.reason))
            return records.receipt(caller.controller, asked.customer, asked.purpose)

        return Response(await lanes.run(arrival.controller, make), media_type="application/ld+json")

    return router


def _look_up(caller: Caller, kind: LookUpKind, *, customer: str, reason: str) -> LookUp:
    return LookUp(
        controller=caller.controller,
        actor_kind=caller.kind,
        actor=caller.name,
        kind=kind,
        customers=(customer,),
        reason=reason,
    )
