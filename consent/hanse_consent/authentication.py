"""Who sends a request: the headers name a partner, its pinned key proves it, its nonce is good once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from hanse_consent.errors import BodyInvalidError, BodyTooLargeError, BodyTooSlowError, PartyUnknownError
from hanse_consent.store import ConsentStore
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.signed_request import HttpRequest, read_claim, verify_request

BODY_DEADLINE_S = 10.0
"""Seconds within which a whole body must have arrived."""


@dataclass(frozen=True, kw_only=True)
class SignedBody:
    """A body and the partner who is proved to have sent it."""

    partner: str
    body: bytes


class Authenticator:
    """Accepts requests signed by the partners served.

    Args:
        keys: Pinned public key of each partner.
        store: Where nonces are remembered.
        now: The service's clock.
    """

    def __init__(self, *, keys: dict[str, PublicKey], store: ConsentStore, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._store = store
        self._now = now

    async def authenticate(self, request: Request, *, max_bytes: int) -> SignedBody:
        """Read a body of at most ``max_bytes`` and prove who sent it.

        Raises:
            SignatureInvalidError: If the headers are missing, or signature or time do not hold.
            PartyUnknownError: If the named party is not served here.
            BodyTooLargeError: If the body is longer.
            BodyTooSlowError: If it did not arrive in time.
            RequestReplayedError: If the request was received before.
        """
        claim = read_claim(request.headers)
        key = self._keys.get(claim.party)
        if key is None:
            raise PartyUnknownError(
                "The party that signed this request is not served here.",
                "Ask whoever runs the service to add the party and its public key to consent.toml.",
            )
        body = await _read(request, max_bytes=max_bytes)
        signed = HttpRequest(method=request.method, path=_path(request), body=body)
        verify_request(signed, claim, key=key, now=self._now())
        await run_in_threadpool(self._store.remember_nonce, party=claim.party, nonce=claim.nonce)
        return SignedBody(partner=claim.party, body=body)


def _path(request: Request) -> str:
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


async def _read(request: Request, *, max_bytes: int) -> bytes:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise BodyInvalidError("The body is compressed.", "Send it as it is.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for some in request.stream():
                body += some
                if len(body) > max_bytes:
                    raise BodyTooLargeError(
                        f"The body is longer than {max_bytes} bytes.", "Send it in several requests."
                    )
    except TimeoutError as error:
        raise BodyTooSlowError(
            f"The body did not arrive within {BODY_DEADLINE_S:g} seconds.", "Send it in smaller requests."
        ) from error
    return bytes(body)
