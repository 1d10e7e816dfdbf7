"""Errors on the wire: RFC 9457 problem details with a stable code, and nothing about any customer."""

import logging
import traceback
from http import HTTPStatus
from pathlib import Path
from time import perf_counter

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanse_consent.errors import ConsentRefusal, StoreUnavailableError
from hanse_privacy.errors import HanseError, SignatureInvalidError

_ACCESS = logging.getLogger("hanse_consent.access")
_FAULTS = logging.getLogger("hanse_consent.faults")
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


def problem_response(*, status: HTTPStatus, code: str, detail: str, mend: str) -> Response:
    """Build the answer for a problem."""
    problem = Problem(status=status.value, title=status.phrase, code=code, detail=detail, mend=mend)
    headers = {"www-authenticate": "Hanse-Signature"} if status is HTTPStatus.UNAUTHORIZED else {}
    return Response(
        problem.model_dump_json(), status_code=status, media_type="application/problem+json", headers=headers
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
    return _answer(error, status=HTTPStatus.UNAUTHORIZED)


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
    )


def answer_with_problems(service: FastAPI) -> None:
    """Make every error of the service a problem document."""
    service.add_exception_handler(ConsentRefusal, _refused)
    service.add_exception_handler(SignatureInvalidError, _unsigned)
    service.add_exception_handler(StoreUnavailableError, _store_down)
    service.add_exception_handler(HTTPException, _no_such_address)


class Doorkeeper:
    """Logs each request in one line, and turns an unforeseen exception into a bare 500.

    The lines carry no query and no path that the service does not have: either might be a pseudonym.
    For the same reason a fault is logged by its type and place, without its message.

    Args:
        application: What lies behind the door.
        paths: The paths the service has.
    """

    def __init__(self, application: ASGIApp, paths: frozenset[str]) -> None:
        self._application = application
        self._paths = paths

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
            method = scope["method"] if scope["method"] in _KNOWN_METHODS else "(other method)"
            path = scope["path"] if scope["path"] in self._paths else "(other path)"
            _ACCESS.info("%s %s %d %.1f ms", method, path, status, (perf_counter() - started_s) * 1000)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-6:]))
