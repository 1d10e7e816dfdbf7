"""Reading a request's body: no longer than it may be, no slower, and nothing of it in an error."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from hanse_consent.errors import BodyInvalidError, BodyTooLargeError, BodyTooSlowError

BODY_DEADLINE_S = 10.0
"""Seconds within which a whole body must have arrived."""

_FAULTS_SHOWN = 3
_Model = TypeVar("_Model", bound=BaseModel)


async def read_body(request: Request, *, max_bytes: int, deadline_s: float = BODY_DEADLINE_S) -> bytes:
    """Read a whole body.

    Raises:
        BodyInvalidError: If it is compressed: a small body could unfold to an endless one.
        BodyTooLargeError: If it is longer than ``max_bytes``.
        BodyTooSlowError: If it did not arrive within ``deadline_s`` seconds.
    """
    if request.headers.get("content-encoding", "identity") != "identity":
        raise BodyInvalidError("The body is compressed.", "Send it as it is.")
    body = bytearray()
    try:
        async with asyncio.timeout(deadline_s):
            async for some in request.stream():
                body += some
                if len(body) > max_bytes:
                    raise BodyTooLargeError(
                        f"The body is longer than {max_bytes} bytes.", "Send it in several requests."
                    )
    except TimeoutError as error:
        raise BodyTooSlowError(
            f"The body did not arrive within {deadline_s:g} seconds.", "Send it in smaller requests."
        ) from error
    return bytes(body)


def parse_body(model: type[_Model], body: bytes) -> _Model:
    """Read a JSON document.

    Raises:
        BodyInvalidError: Naming the fields that are wrong, never what was in them.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # "from None": the cause holds what was sent, which may be a password, and a traceback may be printed.
        raise BodyInvalidError(
            f"The body is not valid ({error.error_count()} faults): {faults(error)}.",
            "Mend the named fields and send it again.",
        ) from None


def faults(error: ValidationError) -> str:
    """The first faults of a document, without what was in it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    # A forbidden field's name is the sender's own text: its place is named by the fault's kind alone.
    return "; ".join(
        "an unknown field"
        if fault["type"] == "extra_forbidden"
        else f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}"
        for fault in found[:_FAULTS_SHOWN]
    )
