"""Budgets over HTTP: vaults report theirs, people read them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.access.nodes import NodeAuthenticator
from hanse_consent.access.people import People
from hanse_consent.access.roles import Permission
from hanse_consent.budgets.bodies import BudgetPage, SignedReport
from hanse_consent.budgets.vault_budgets import VaultBudgets
from hanse_privacy.protocol.budget_report import BudgetReceipt
from hanse_privacy.protocol.vocabulary import PartyName

MAX_REPORT_BYTES = 1024 * 1024
"""Longest report: 2,000 runs with the longest names, and 200 caps, are well below."""


class BudgetQuery(BaseModel):
    """Whose budgets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName


def budget_routes(*, authenticator: NodeAuthenticator, people: People, budgets: VaultBudgets) -> APIRouter:
    """Build ``/v1/budget-reports`` and ``/v1/budgets``.

    Args:
        authenticator: Proves which vault reports.
        people: Who may read.
        budgets: Keeps them.
    """
    router = APIRouter(prefix="/v1", tags=["budgets"])
    reads = Depends(people.require(Permission.READ_RUNS))
    schema = {"requestBody": {"required": True, "content": {"application/json": {"schema": _REPORT_SCHEMA}}}}

    @router.post("/budget-reports", openapi_extra=schema, responses={200: {"model": BudgetReceipt}})
    async def budget_reports(request: Request) -> Response:
        """Keep what the signing partner's vault says of its budget: a signed receipt, or that its ledger is older."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_REPORT_BYTES)
        receipt = await run_in_threadpool(budgets.receive, signed.body, partner=signed.party)
        return Response(receipt, status_code=HTTPStatus.OK, media_type="application/json")

    @router.get("/budgets", dependencies=[reads])
    async def controllers_budgets(query: Annotated[BudgetQuery, Query()]) -> BudgetPage:
        """What the controller's vaults last said of their budgets: caps, runs, what is left."""
        return await run_in_threadpool(budgets.page, query.controller)

    return router


_REPORT_SCHEMA = SignedReport.model_json_schema()
