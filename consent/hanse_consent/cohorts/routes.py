"""Manifests and reports over HTTP. Both are asked by a vault and signed with its own key."""

from http import HTTPStatus
from typing import Protocol, TypeVar

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.cohorts.issuing import ManifestIssuer
from hanse_consent.cohorts.reports import CohortReports
from hanse_consent.errors import BodyInvalidError, PartnerMismatchError
from hanse_privacy.protocol.documents import Document, describe
from hanse_privacy.protocol.manifest import MAXIMUM_COHORT, MOST_MISSED, CohortReceipt, CohortReport, CohortRequest

MAX_QUESTION_BYTES = 16 * 1024
"""Longest body of a cohort request."""
MAX_REPORT_BYTES = MAXIMUM_COHORT // 6 + 16 * 1024
"""Longest body of a report: a bit for each customer in base64, and the rest."""

_Asked = TypeVar("_Asked", CohortRequest, CohortReport)


class ProvedBody(Protocol):
    """A body and the party who is proved to have sent it."""

    @property
    def party(self) -> str:
        """The party's name."""

    @property
    def body(self) -> bytes:
        """What was sent."""


class Authenticates(Protocol):
    """Reads and proves signed requests."""

    async def authenticate(self, request: Request, *, max_bytes: int) -> ProvedBody:
        """Read a body of at most ``max_bytes`` and prove who sent it, or raise."""


def cohort_routes(*, authenticator: Authenticates, issuer: ManifestIssuer, reports: CohortReports) -> APIRouter:
    """Build the routes ``/v1/cohort-manifests`` and ``/v1/cohort-reports``.

    Args:
        authenticator: Proves who asks.
        issuer: Issues manifests.
        reports: Receives reports.
    """
    router = APIRouter(prefix="/v1")

    @router.post(
        "/cohort-manifests", openapi_extra=_body_schema(CohortRequest), responses={200: {"content": _ANSWER_CONTENT}}
    )
    async def cohort_manifests(request: Request) -> Response:
        """Say who of the signing partner's customers may be used for this step, now: manifest and members."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_QUESTION_BYTES)
        asked = _asked(CohortRequest, signed)
        return _json(await run_in_threadpool(issuer.issue, asked))

    @router.post("/cohort-reports", openapi_extra=_body_schema(CohortReport), responses={200: {"model": CohortReceipt}})
    async def cohort_reports(request: Request) -> Response:
        """Hold what the signing partner's vault loaded against its manifest: a signed receipt, or a mismatch."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_REPORT_BYTES)
        asked = _asked(CohortReport, signed)
        return _json(await run_in_threadpool(reports.receive, asked))

    return router


def _asked(model: type[_Asked], signed: ProvedBody) -> _Asked:
    try:
        asked = model.model_validate_json(signed.body)
    except ValidationError as error:
        raise BodyInvalidError(
            f"The body is not valid: {describe(error)}.", "Mend the named fields and send it again."
        ) from error
    if asked.partner != signed.party:
        raise PartnerMismatchError(
            "The request names another partner than the one that signed it.",
            "A partner can speak for its own customers only.",
        )
    return asked


def _json(body: bytes) -> Response:
    return Response(body, status_code=HTTPStatus.OK, media_type="application/json")


_ANSWER_CONTENT: dict[str, object] = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["manifest", "missed", "opening"],
            "additionalProperties": False,
            "properties": {
                "manifest": {"type": "object", "description": "The signed CohortManifest."},
                "missed": {
                    "type": "array",
                    "items": {"type": "object"},
                    "maxItems": MOST_MISSED,
                    "description": "Signed CohortManifests issued since the one named as known, oldest first.",
                },
                "opening": {
                    "type": "string",
                    "format": "byte",
                    "description": "Base64 of salt and pseudonym, 16 bytes each, of every member in leaf order.",
                },
            },
        }
    }
}


def _body_schema(model: type[Document]) -> dict[str, object]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
