"""Checks over HTTP: one customer with all reasons, or up to a thousand with their codes."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.access.bodies import parse_body
from hanse_consent.access.look_ups import LookUp, LookUpKind, LookUpLog
from hanse_consent.access.roles import Permission
from hanse_consent.api.callers import Caller, Callers
from hanse_consent.api.lanes import Lanes
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.api.questions import BulkAnswer, BulkCheck, Check, CheckAnswer, Use
from hanse_consent.api.schemas import body_schema
from hanse_consent.decision_service import DecisionService
from hanse_consent.decisions.question import Question
from hanse_consent.domain.names import CategoryTerm

_MAX_CHECK_BYTES = 32 * 1024
_MAX_BULK_BYTES = 256 * 1024
_NO_SUCH_CATEGORY: tuple[CategoryTerm, ...] = ("hanse:Nothing",)
"""Asked for where the purpose is unknown or not offered: the answer is a denial that says so."""


def decision_routes(
    *, callers: Callers, service: DecisionService, look_ups: LookUpLog, metrics: ServiceMetrics
) -> APIRouter:
    """Build ``/v1/checks`` and ``/v1/bulk-checks``. Each look at a person is recorded before it is answered."""
    router = APIRouter(prefix="/v1", tags=["decisions"])
    lanes = Lanes()

    @router.post("/checks", openapi_extra=body_schema(Check), response_model=CheckAnswer)
    async def check(request: Request) -> Response:
        """Say whether a customer may be used, now or at a past moment, with every reason, rule and article."""
        arrival = await callers.receive(request, permission=Permission.CHECK_CONSENT, max_bytes=_MAX_CHECK_BYTES)

        def decide() -> CheckAnswer:
            caller = arrival.admit()
            asked = parse_body(Check, caller.body)
            look_ups.record(_look_up(caller, (asked.customer,), reason=asked.reason))
            question = question_of(asked.use, controller=caller.controller, service=service)
            if asked.at is not None:
                dated = service.check_then(question, asked.customer, at=asked.at)
            else:
                dated = service.check(question, asked.customer, at_least=asked.at_least)
            return CheckAnswer.of(dated.decision, decided_for=dated.decided_for)

        answer = await lanes.run(arrival.controller, decide)
        metrics.decided(permitted=int(answer.permitted), denied=int(not answer.permitted))
        return _json(answer)

    @router.post("/bulk-checks", openapi_extra=body_schema(BulkCheck), response_model=BulkAnswer)
    async def bulk_check(request: Request) -> Response:
        """Say which of up to 1,000 customers may be used, now, all as of one position."""
        arrival = await callers.receive(request, permission=Permission.CHECK_CONSENT, max_bytes=_MAX_BULK_BYTES)

        def decide() -> BulkAnswer:
            caller = arrival.admit()
            asked = parse_body(BulkCheck, caller.body)
            look_ups.record(_look_up(caller, asked.customers, reason=asked.reason))
            question = question_of(asked.use, controller=caller.controller, service=service)
            return BulkAnswer.of(service.check_many(question, asked.customers, at_least=asked.at_least))

        answer = await lanes.run(arrival.controller, decide)
        permitted = sum(one.permitted for one in answer.answers)
        metrics.decided(permitted=permitted, denied=len(answer.answers) - permitted)
        return _json(answer)

    return router


def question_of(use: Use, *, controller: str, service: DecisionService) -> Question:
    """The question that a use asks; kinds of data that it does not name are all that the purpose has."""
    categories = use.categories
    if categories is None:
        purpose = service.registry().purpose(use.purpose)
        offered = None if purpose is None else purpose.data_categories.get(use.tier)
        categories = offered or _NO_SUCH_CATEGORY
    return Question(
        controller=controller,
        purpose=use.purpose,
        tier=use.tier,
        categories=categories,
        recipients=use.recipients,
        joint_controllers=use.joint_controllers,
        league_run=use.league_run,
    )


def _look_up(caller: Caller, customers: tuple[str, ...], *, reason: str) -> LookUp:
    # Its parts were validated when the body was read, or when the account was made.
    return LookUp.model_construct(
        controller=caller.controller,
        actor_kind=caller.kind,
        actor=caller.name,
        kind=LookUpKind.CHECK,
        customers=customers,
        reason=reason,
    )


def _json(answer: BaseModel) -> Response:
    # Written here: the framework would validate once more what was just made.
    return Response(answer.model_dump_json(), media_type="application/json")
