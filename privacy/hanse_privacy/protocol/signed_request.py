"""HTTP requests that a party signs with its own key, for one receiver, valid once.

The signature covers method, path, time, nonce and body, because a proxy may end TLS on the way.
The receiver refuses a time outside the tolerance and a nonce it has seen.

It also covers the receiver: services know nothing of each other's nonces, so one could otherwise send on what it
received to another that knows the same parties. The receiver is named by its public key, which every sender has
pinned to verify answers with, and not by a host name, which a proxy may change and a stranger may take over. The name
travels in no header: each side uses the key that it knows, and what was signed for another simply does not verify.
"""

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hanse_privacy.errors import SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey

TIME_TOLERANCE = timedelta(seconds=120)
"""How far the sender's clock may be from the receiver's."""

_CONTEXT = "http-request/2"
_PARTY, _TIME, _NONCE, _SIGNATURE = "hanse-party", "hanse-time", "hanse-nonce", "hanse-signature"


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What a signature speaks for."""

    method: str
    path: str
    """Path with query, as sent."""
    body: bytes


@dataclass(frozen=True, kw_only=True)
class RequestClaim:
    """Who says they sent a request, not yet verified."""

    party: str
    sent_at: datetime
    nonce: str
    signature: bytes


def _message(request: HttpRequest, *, party: str, receiver: PublicKey, sent_at: str, nonce: str) -> bytes:
    fields = {
        "body_sha256": hashlib.sha256(request.body).hexdigest(),
        "method": request.method.upper(),
        "nonce": nonce,
        "party": party,
        "path": request.path,
        "receiver": receiver.text,
        "time": sent_at,
    }
    # Of texts alone this is RFC 8785, and quick: a service verifies hundreds a second.
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign_request(
    request: HttpRequest, *, party: str, key: SigningKey, receiver: PublicKey, now: datetime
) -> dict[str, str]:
    """Return the four headers that make ``request`` this party's own, for one receiver.

    Args:
        request: What is sent.
        party: Who sends it.
        key: The sender's key.
        receiver: The receiving service's key, as the sender has pinned it.
        now: The sender's clock.
    """
    sent_at, nonce = now.astimezone(UTC).isoformat(), secrets.token_hex(16)
    message = _message(request, party=party, receiver=receiver, sent_at=sent_at, nonce=nonce)
    signature = key.sign(context=_CONTEXT, message=message)
    return {
        _PARTY: party,
        _TIME: sent_at,
        _NONCE: nonce,
        _SIGNATURE: base64.b64encode(signature).decode(),
    }


def read_claim(headers: Mapping[str, str]) -> RequestClaim:
    """Read the headers (lower-case names).

    Raises:
        SignatureInvalidError: If one is missing or malformed.
    """
    try:
        sent_at = datetime.fromisoformat(headers[_TIME])
        nonce = headers[_NONCE]
        signature = base64.b64decode(headers[_SIGNATURE], validate=True)
        party = headers[_PARTY]
    except (KeyError, ValueError, binascii.Error) as error:
        raise SignatureInvalidError(
            "The request carries no valid signature headers.", "Send it through the Hanse client."
        ) from error
    if sent_at.tzinfo is None or not 16 <= len(nonce) <= 64:
        raise SignatureInvalidError("The request's time or nonce is malformed.", "Send it through the Hanse client.")
    return RequestClaim(party=party, sent_at=sent_at, nonce=nonce, signature=signature)


def verify_request(
    request: HttpRequest, claim: RequestClaim, *, key: PublicKey, receiver: PublicKey, now: datetime
) -> None:
    """Accept the claim or raise. The caller then refuses a nonce it has seen before.

    Args:
        request: As it arrived.
        claim: Who says they sent it.
        key: The key of the party that the claim names.
        receiver: The verifying service's own key.
        now: Its clock.

    Raises:
        SignatureInvalidError: If the signature or the time does not hold, or it was signed for another receiver.
    """
    if abs(now - claim.sent_at) > TIME_TOLERANCE:
        raise SignatureInvalidError(
            f"The request's time is more than {TIME_TOLERANCE.seconds} seconds off.",
            "Set the sender's clock right (NTP).",
        )
    message = _message(
        request, party=claim.party, receiver=receiver, sent_at=claim.sent_at.isoformat(), nonce=claim.nonce
    )
    key.verify(context=_CONTEXT, message=message, signature=claim.signature)
