"""Errors on the wire: RFC 9457 problem details with a stable code, and nothing about any customer."""

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from time import perf_counter

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanse_consent.access.answers import answer_access_refusals
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.errors import ConsentRefusal, StoreUnavailableError
from hanse_privacy.errors import HanseError, SignatureInvalidError

_ACCESS = logging.getLogger("hanse_consent.access")
_FAULTS = logging.getLogger("hanse_consent.faults")
_PREFIX = "/v1"
"""Every address begins with it."""
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Problem(BaseModel):
    """What a refused or failed request is answered with (``application/problem+json``)."""

    status: int
    title: str
    """The HTTP status in words."""
    code: str
    """Stable, for programs."""
    detail: str
    mend: str


def problem_response(
    *, status: HTTPStatus, code: str, detail: str, mend: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Build the answer for a problem, with headers that belong to its status."""
    problem = Problem(status=status.value, title=status.phrase, code=code, detail=detail, mend=mend)
    return Response(
        problem.model_dump_json(),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )


def _answer(error: HanseError, *, status: HTTPStatus) -> Response:
    return problem_response(status=status, code=error.code, detail=error.what, mend=error.mend)


def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ConsentRefusal):
        raise error
    return _answer(error, status=error.status)


def _unsigned(_request: Request, error: Exception) -> Response:
    if not isinstance(error, SignatureInvalidError):
        raise error
    return problem_response(
        status=HTTPStatus.UNAUTHORIZED,
        code=error.code,
        detail=error.what,
        mend=error.mend,
        headers={"www-authenticate": "Hanse-Signature"},
    )


def _store_down(_request: Request, error: Exception) -> Response:
    if not isinstance(error, StoreUnavailableError):
        raise error
    _FAULTS.error("%s", error)
    return _answer(error, status=HTTPStatus.SERVICE_UNAVAILABLE)


def _no_such_address(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    return problem_response(
        status=status,
        code=status.name,
        detail="There is nothing at this address for this method.",
        mend="See /v1/openapi.json for what there is.",
        headers=error.headers,  # of a method that is not offered: those that are (RFC 9110, 15.5.6)
    )


def _not_foreseen_here(_request: Request, error: Exception) -> Response:
    """An error of a lower room: its words are the product's own and name no customer."""
    if not isinstance(error, HanseError):
        raise error
    _FAULTS.warning("%s", error.code)
    return _answer(error, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def answer_with_problems(service: FastAPI) -> None:
    """Make every error of the service a problem document."""
    service.add_exception_handler(ConsentRefusal, _refused)
    service.add_exception_handler(SignatureInvalidError, _unsigned)
    service.add_exception_handler(StoreUnavailableError, _store_down)
    service.add_exception_handler(HTTPException, _no_such_address)
    service.add_exception_handler(HanseError, _not_foreseen_here)
    answer_access_refusals(service)


class Doorkeeper:
    """Logs and counts each request, and turns an unforeseen exception into a bare 500.

    The lines carry no query, and of a path only the pattern that it matched: what was in it might be a pseudonym.
    For the same reason a fault is logged by its type and place, without its message.

    Args:
        application: What lies behind the door.
        metrics: Where it counts.
    """

    def __init__(self, application: ASGIApp, metrics: ServiceMetrics) -> None:
        self._application = application
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        started_s = perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 - the last door: whatever it is, the caller learns only that it failed
            _FAULTS.error("%s at %s", type(error).__name__, _place(error))
            if status == 0:
                response = problem_response(
                    status=HTTPStatus.INTERNAL_SERVER_ERROR,
                    code="INTERNAL_ERROR",
                    detail="The service failed on this request.",
                    mend="Ask whoever runs the service to read its log.",
                )
                await response(scope, receive, watch)
        finally:
            seconds = perf_counter() - started_s
            method = scope["method"] if scope["method"] in _KNOWN_METHODS else "(other method)"
            path = _pattern(scope)
            self._metrics.request(method=method, path=path, status=status, seconds=seconds)
            _ACCESS.info("%s %s %d %.1f ms", method, path, status, seconds * 1000)


def _pattern(scope: Scope) -> str:
    path: object = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return "(other path)"
    # A route in a router inside another one is known by its own part only.
    return path if path.startswith(_PREFIX) else _PREFIX + path


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-6:]))
