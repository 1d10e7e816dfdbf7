"""How this room's refusals look on the wire: RFC 9457 problem documents, with the headers that belong to them."""

import json

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from hanse_consent.access.errors import AccessRefusal, RequestInvalidError


def refusal_response(refusal: AccessRefusal) -> Response:
    """Build the answer for a refusal."""
    problem = {
        "status": refusal.status.value,
        "title": refusal.status.phrase,
        "code": refusal.code,
        "detail": refusal.what,
        "mend": refusal.mend,
    }
    return Response(
        json.dumps(problem),
        status_code=refusal.status,
        media_type="application/problem+json",
        headers={**refusal.headers, "cache-control": "no-store"},
    )


def answer_access_refusals(service: FastAPI) -> None:
    """Make a service answer this room's refusals, and malformed parameters without repeating what was sent."""
    service.add_exception_handler(AccessRefusal, _refused)
    service.add_exception_handler(RequestValidationError, _malformed)


def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, AccessRefusal):
        raise error
    return refusal_response(error)


def _malformed(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    places = len(error.errors())
    return refusal_response(
        RequestInvalidError(
            f"The parameters of the address are not valid ({places} faults).",
            "See /v1/openapi.json for what they are.",
        )
    )
