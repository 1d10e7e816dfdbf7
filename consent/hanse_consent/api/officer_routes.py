"""What officers must see over HTTP, beside decisions: what is not in order, and which runs an act came too late for."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.access.people import People, Visitor
from hanse_consent.access.roles import Permission
from hanse_consent.api.lanes import Lanes
from hanse_consent.cohorts.affected_runs import MAX_ACTS_PER_PAGE, AffectedRuns
from hanse_consent.domain.affected_runs import AffectedRunPage
from hanse_consent.domain.findings import FindingReport
from hanse_consent.finding_service import FindingService
from hanse_privacy.protocol.vocabulary import PartyName


class FindingQuery(BaseModel):
    """Whose findings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName


class AffectedRunQuery(BaseModel):
    """Which acts, and from where on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName
    after: int = Field(default=0, ge=0, le=2**63 - 1)
    """Position after which to go on."""
    limit: int = Field(default=50, ge=1, le=MAX_ACTS_PER_PAGE)


def officer_routes(*, people: People, findings: FindingService, affected: AffectedRuns) -> APIRouter:
    """Build ``/v1/findings`` and ``/v1/affected-runs``."""
    router = APIRouter(prefix="/v1", tags=["officers"])
    lanes = Lanes()
    reads_findings = Depends(people.require(Permission.READ_FINDINGS))
    reads_affected_runs = Depends(people.require(Permission.READ_AFFECTED_RUNS))

    @router.get("/findings")
    async def compliance_findings(
        query: Annotated[FindingQuery, Query()], visitor: Annotated[Visitor, reads_findings]
    ) -> FindingReport:
        """List what the controller does not have in order, now; it counts customers and names none."""
        return await lanes.run(query.controller, lambda: findings.report(visitor.controller))

    @router.get("/affected-runs")
    async def affected_runs(
        query: Annotated[AffectedRunQuery, Query()], visitor: Annotated[Visitor, reads_affected_runs]
    ) -> AffectedRunPage:
        """List acts by which customers said no before a run used them, recorded after; by position, page by page."""
        return await lanes.run(
            query.controller, lambda: affected.page(visitor.controller, after=query.after, limit=query.limit)
        )

    return router
