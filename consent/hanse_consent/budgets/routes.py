"""Budgets over HTTP: vaults report theirs, centres their leagues', people read them."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.access.nodes import NodeAuthenticator
from hanse_consent.access.people import People
from hanse_consent.access.roles import Permission
from hanse_consent.budgets.bodies import BudgetPage, SignedLeagueReport, SignedReport
from hanse_consent.budgets.receiving import Budgets
from hanse_privacy.protocol.ledger_report import BudgetReceipt
from hanse_privacy.protocol.vocabulary import PartyName

MAX_REPORT_BYTES = 1024 * 1024
"""Longest report: 2,000 runs with the longest names, and 200 caps, are well below."""


class BudgetQuery(BaseModel):
    """Whose budgets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName


def budget_routes(*, authenticator: NodeAuthenticator, people: People, budgets: Budgets) -> APIRouter:
    """Build ``/v1/budget-reports``, ``/v1/league-budget-reports`` and ``/v1/budgets``.

    Args:
        authenticator: Proves which vault or centre reports.
        people: Who may read.
        budgets: Takes and shows them.
    """
    router = APIRouter(prefix="/v1", tags=["budgets"])
    reads = Depends(people.require(Permission.READ_RUNS))

    @router.post("/budget-reports", openapi_extra=_body(SignedReport), responses={200: {"model": BudgetReceipt}})
    async def budget_reports(request: Request) -> Response:
        """Keep what the signing partner's vault says of its budget: a signed receipt, or that its ledger is older."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_REPORT_BYTES)
        receipt = await run_in_threadpool(budgets.from_vault, signed.body, partner=signed.party)
        return Response(receipt, status_code=HTTPStatus.OK, media_type="application/json")

    @router.post(
        "/league-budget-reports", openapi_extra=_body(SignedLeagueReport), responses={200: {"model": BudgetReceipt}}
    )
    async def league_budget_reports(request: Request) -> Response:
        """Keep what the signing centre says of the league's budget, about one controller: a receipt, as above."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_REPORT_BYTES)
        receipt = await run_in_threadpool(budgets.from_centre, signed.body, centre=signed.party)
        return Response(receipt, status_code=HTTPStatus.OK, media_type="application/json")

    @router.get("/budgets", dependencies=[reads])
    async def controllers_budgets(query: Annotated[BudgetQuery, Query()]) -> BudgetPage:
        """What the controller's vaults and its leagues' centres last said of budgets: caps, runs, what is left."""
        return await run_in_threadpool(budgets.page, query.controller)

    return router


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """The description of a body that is verified as it came, not parsed by the framework."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}
