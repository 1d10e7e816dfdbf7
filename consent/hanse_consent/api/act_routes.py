"""Recording acts over HTTP: by a controller's node, or by the channel where customers say yes and no."""

from fastapi import APIRouter
from starlette.requests import Request

from hanse_consent.access.bodies import parse_body
from hanse_consent.access.roles import Permission
from hanse_consent.api.callers import Callers
from hanse_consent.api.lanes import Lanes
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.api.schemas import body_schema
from hanse_consent.domain.acts import ActBatch, ActReceipt
from hanse_consent.storage.store import ConsentStore

MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Longest body of acts; ten thousand grants take about three million bytes."""


def act_routes(*, callers: Callers, store: ConsentStore, metrics: ServiceMetrics) -> APIRouter:
    """Build ``/v1/acts``."""
    router = APIRouter(prefix="/v1", tags=["acts"])
    lanes = Lanes()

    @router.post("/acts", openapi_extra=body_schema(ActBatch))
    async def acts(request: Request) -> ActReceipt:
        """Record acts of one controller's customers, all or none; durable once answered.

        Sent again under the same keys, they count once and get their first position.
        """
        arrival = await callers.receive(request, permission=Permission.RECORD_ACTS, max_bytes=MAX_BATCH_BYTES)

        def record() -> ActReceipt:
            caller = arrival.admit()
            return store.record(caller.controller, parse_body(ActBatch, caller.body).acts)

        receipt = await lanes.run(arrival.controller, record)
        metrics.recorded(len(receipt.effects))
        return receipt

    return router
