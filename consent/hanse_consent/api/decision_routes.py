"""Checks over HTTP: one customer with all reasons, or up to a thousand with their codes."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request

from hanse_consent.access.bodies import parse_body
from hanse_consent.access.look_ups import LookUp, LookUpKind, LookUpLog
from hanse_consent.access.roles import Permission
from hanse_consent.api.callers import Caller, Callers
from hanse_consent.api.lanes import Lanes
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.api.questions import BulkAnswer, BulkCheck, Check, CheckAnswer, CustomerAnswer, Use
from hanse_consent.api.schemas import body_schema
from hanse_consent.decision_service import DatedDecision, DecisionService
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

    @router.post("/checks", openapi_extra=body_schema(Check))
    async def check(request: Request) -> CheckAnswer:
        """Say whether a customer may be used, now or at a past moment, with every reason, rule and article."""
        caller = await callers.admit(request, permission=Permission.CHECK_CONSENT, max_bytes=_MAX_CHECK_BYTES)
        asked = parse_body(Check, caller.body)

        def decide() -> DatedDecision:
            look_ups.record(_look_ups(caller, (asked.customer,), reason=asked.reason))
            question = question_of(asked.use, controller=caller.controller, service=service)
            if asked.at is not None:
                return service.check_then(question, asked.customer, at=asked.at)
            return service.check(question, asked.customer, at_least=asked.at_least)

        dated = await lanes.run(caller.controller, decide)
        metrics.decided(permitted=int(dated.decision.permitted), denied=int(not dated.decision.permitted))
        return CheckAnswer.of(dated.decision, decided_for=dated.decided_for)

    @router.post("/bulk-checks", openapi_extra=body_schema(BulkCheck))
    async def bulk_check(request: Request) -> BulkAnswer:
        """Say which of up to 1,000 customers may be used, now, all as of one position."""
        caller = await callers.admit(request, permission=Permission.CHECK_CONSENT, max_bytes=_MAX_BULK_BYTES)
        asked = parse_body(BulkCheck, caller.body)

        def decide() -> BulkAnswer:
            look_ups.record(_look_ups(caller, asked.customers, reason=asked.reason))
            question = question_of(asked.use, controller=caller.controller, service=service)
            bulk = service.check_many(question, asked.customers, at_least=asked.at_least)
            return BulkAnswer(
                answers=tuple(CustomerAnswer(permitted=not codes, codes=codes) for codes in bulk.codes),
                decided_for=bulk.decided_for,
                position=bulk.position,
                registry_version=bulk.plan.registry_version,
                pack_versions=dict(bulk.plan.pack_versions),
            )

        answer = await lanes.run(caller.controller, decide)
        permitted = sum(one.permitted for one in answer.answers)
        metrics.decided(permitted=permitted, denied=len(answer.answers) - permitted)
        return answer

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


def _look_ups(caller: Caller, customers: Sequence[str], *, reason: str) -> list[LookUp]:
    return [
        LookUp.model_construct(
            controller=caller.controller,
            actor_kind=caller.kind,
            actor=caller.name,
            kind=LookUpKind.CHECK,
            customer=customer,
            reason=reason,
        )
        for customer in customers
    ]
