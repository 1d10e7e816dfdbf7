"""Looking back over HTTP: which manifests a run used, and whether one customer was in one of them."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from hanse_consent.access.bodies import parse_body
from hanse_consent.access.look_ups import LookUp, LookUpKind, LookUpLog, Reason
from hanse_consent.access.people import People, Visitor
from hanse_consent.access.roles import Permission
from hanse_consent.api.callers import Callers
from hanse_consent.api.schemas import body_schema
from hanse_consent.cohorts.membership import MembershipProof, Memberships, UseInRound
from hanse_privacy.protocol.vocabulary import Pseudonym, RunId

_MAX_BODY_BYTES = 4096


class MembershipQuestion(BaseModel):
    """Whether a customer was used in one round of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    customer: Pseudonym
    run: RunId
    round: int = Field(ge=1, le=100_000)
    reason: Reason


class ManifestList(BaseModel):
    """The manifests of one run at one controller, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifests: tuple[UseInRound, ...]


def evidence_routes(*, callers: Callers, people: People, memberships: Memberships, look_ups: LookUpLog) -> APIRouter:
    """Build ``/v1/memberships`` and ``/v1/runs/{run}/manifests``."""
    router = APIRouter(prefix="/v1", tags=["evidence"])
    reader = Depends(people.require(Permission.READ_RUNS))

    @router.get("/runs/{run}/manifests")
    def manifests(run: RunId, visitor: Annotated[Visitor, reader]) -> ManifestList:
        """Every manifest of a run at the controller that the query names."""
        return ManifestList(manifests=memberships.uses(visitor.controller, run))

    @router.post("/memberships", openapi_extra=body_schema(MembershipQuestion))
    async def membership(request: Request) -> MembershipProof:
        """Prove whether a customer was, or was not, in the newest manifest of a round."""
        arrival = await callers.receive(request, permission=Permission.LOOK_UP_CUSTOMER, max_bytes=_MAX_BODY_BYTES)

        def prove() -> MembershipProof:
            caller = arrival.admit()
            asked = parse_body(MembershipQuestion, caller.body)
            look_ups.record(
                LookUp(
                    controller=caller.controller,
                    actor_kind=caller.kind,
                    actor=caller.name,
                    kind=LookUpKind.EXPLANATION,
                    customers=(asked.customer,),
                    reason=asked.reason,
                )
            )
            return memberships.prove(
                controller=caller.controller, run=asked.run, round_number=asked.round, customer=asked.customer
            )

        return await run_in_threadpool(prove)

    return router
