"""Nodes prove who they are: each request is signed for this service (``protocol.signed_request``), and good once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from hanse_consent.access.bodies import BODY_DEADLINE_S, read_body
from hanse_consent.access.nonces import RequestMemory
from hanse_consent.access.rate_limits import AccessLimits, RateLimiter, client_address
from hanse_consent.access.suspensions import Suspensions
from hanse_consent.errors import BodyInvalidError, BodyTooLargeError, BodyTooSlowError
from hanse_privacy.errors import SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.signed_request import (
    TIME_TOLERANCE,
    HttpRequest,
    RequestClaim,
    read_claim,
    verify_request,
)

NodeKeys = Callable[[str], PublicKey | None]
"""The public key of a party served, a controller or the centre; none for any other."""


@dataclass(frozen=True, kw_only=True)
class SignedBody:
    """A body and the party that is proved to have sent it."""

    party: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class ProvedRequest:
    """A request whose signature holds. Nothing of its body is to be read before it is admitted, too.

    Args:
        party: Who signed it.
        enter: Finds out whether the party is suspended and the request new, and gives the body.
    """

    party: str
    enter: Callable[[], SignedBody]

    def admit(self) -> SignedBody:
        """Let the request in, once; waits for the database.

        Raises:
            NodeSuspendedError: If the party is suspended.
            RequestBeforeStartError: If it was signed before the service was ready.
            RequestReplayedError: If it was received before.
            StoreUnavailableError: If suspensions or the memory of requests cannot be read.
        """
        return self.enter()


class NodeAuthenticator:
    """Accepts requests signed by the parties served, each once, none of a suspended one.

    In this order: headers and time; body, within its limits; signature; suspension; the party's rate; nonce.
    So a stranger can neither spend a party's rate, nor learn who is served or suspended. A request that is refused
    changes nothing; until its time has run out it could still be delivered, once, as after any delay on the way.

    Args:
        own_key: This service's public key: what was signed for another service is refused.
        key_of: The public key of a party served, none for any other; called per request, so it must not wait.
        memory: Which requests were accepted before.
        suspensions: Who is out.
        limits: How often each may come.
        now: The service's clock.
        clock: Monotonic seconds.
        body_deadline_s: Seconds within which a whole body must have arrived.
    """

    def __init__(
        self,
        *,
        own_key: PublicKey,
        key_of: NodeKeys,
        memory: RequestMemory,
        suspensions: Suspensions,
        limits: AccessLimits,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        body_deadline_s: float = BODY_DEADLINE_S,
    ) -> None:
        self._own_key = own_key
        self._key_of = key_of
        self._memory = memory
        self._suspensions = suspensions
        self._now = now
        self._body_deadline_s = body_deadline_s
        self._by_node = RateLimiter(limits.node, max_keys=limits.max_keys, clock=clock)
        self._strangers = RateLimiter(limits.stranger, max_keys=limits.max_keys, clock=clock)
        # Nobody holds its private half: what an unknown party sends is verified and refused like a forgery.
        self._nobody = SigningKey.generate().public

    async def authenticate(self, request: Request, *, max_bytes: int) -> SignedBody:
        """Read a body of at most ``max_bytes`` and prove who sent it.

        Raises:
            HanseError: As :meth:`prove` and :meth:`ProvedRequest.admit`.
        """
        proved = await self.prove(request, max_bytes=max_bytes)
        return await run_in_threadpool(proved.admit)

    async def prove(self, request: Request, *, max_bytes: int) -> ProvedRequest:
        """Read a body of at most ``max_bytes`` and verify its signature; admitting it is left to the caller's thread.

        Raises:
            SignatureInvalidError: If the headers are missing, or signature or time do not hold, or the party is
                not served here, or it was signed for another service.
            BodyInvalidError: If the body is compressed.
            BodyTooLargeError: If it is longer.
            BodyTooSlowError: If it did not arrive in time.
            RateLimitedError: If the party, or an address that proves nothing, comes too often.
        """
        try:
            claim = read_claim(request.headers)
            _require_recent(claim, now=self._now())
            body = await read_body(request, max_bytes=max_bytes, deadline_s=self._body_deadline_s)
            self._require_signed(HttpRequest(method=request.method, path=_path(request), body=body), claim)
        except (SignatureInvalidError, BodyInvalidError, BodyTooLargeError, BodyTooSlowError):
            self._strangers.take(client_address(request))
            raise
        self._by_node.take(claim.party)

        def enter() -> SignedBody:
            self._suspensions.require_in(claim.party)
            self._memory.accept(claim)
            return SignedBody(party=claim.party, body=body)

        return ProvedRequest(party=claim.party, enter=enter)

    def _require_signed(self, signed: HttpRequest, claim: RequestClaim) -> None:
        key = self._key_of(claim.party)
        known = self._nobody if key is None else key
        try:
            verify_request(signed, claim, key=known, receiver=self._own_key, now=self._now())
        except SignatureInvalidError as error:
            raise _not_served() from error
        if key is None:
            raise _not_served()


def _not_served() -> SignatureInvalidError:
    return SignatureInvalidError(
        "The request is not signed by a party that is served here, for this service.",
        "Check the party's name and key file, that the service has registered its public key, and that the party has"
        " pinned this service's.",
    )


def _require_recent(claim: RequestClaim, *, now: datetime) -> None:
    # Before the body is read: what is captured and old costs nothing.
    if abs(now - claim.sent_at) > TIME_TOLERANCE:
        raise SignatureInvalidError(
            f"The request's time is more than {TIME_TOLERANCE.seconds} seconds off.",
            "Set the sender's clock right (NTP), and sign every request anew.",
        )


def _path(request: Request) -> str:
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")
