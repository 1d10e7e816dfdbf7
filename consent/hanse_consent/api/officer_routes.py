"""What officers must see over HTTP, beside decisions: what a controller does not have in order."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from hanse_consent.access.people import People, Visitor
from hanse_consent.access.roles import Permission
from hanse_consent.api.lanes import Lanes
from hanse_consent.domain.findings import FindingReport
from hanse_consent.finding_service import FindingService
from hanse_privacy.protocol.vocabulary import PartyName


class FindingQuery(BaseModel):
    """Whose findings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName


def officer_routes(*, people: People, findings: FindingService) -> APIRouter:
    """Build ``/v1/findings``."""
    router = APIRouter(prefix="/v1", tags=["officers"])
    lanes = Lanes()
    reads_findings = Depends(people.require(Permission.READ_FINDINGS))

    @router.get("/findings")
    async def compliance_findings(
        query: Annotated[FindingQuery, Query()], visitor: Annotated[Visitor, reads_findings]
    ) -> FindingReport:
        """List what the controller does not have in order, now; it counts customers and names none."""
        return await lanes.run(query.controller, lambda: findings.report(visitor.controller))

    return router
