"""Signed requests of the retailer's node, and the simplest client that keeps a connection open.

Not the shipped client: that opens a connection per request and verifies what it gets, and here it is the service that
is measured.
"""

import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consent.workplace import utc_now
from consent.world import ASKED, CATEGORIES, CENTRE, EXCHANGE, NEIGHBOUR, RETAILER
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.signed_request import HttpRequest, sign_request

USE = {
    "purpose": ASKED,
    "tier": "advanced",
    "categories": CATEGORIES,
    "recipients": (EXCHANGE, CENTRE),
    "joint_controllers": (NEIGHBOUR,),
    "league_run": True,
}
_REASON = "Measuring how fast checks are"
TIMEOUT_S = 60.0
KEPT_S = 3.0
"""For so long an idle connection is used again; the service closes it after five seconds."""


def check_body(customer: str) -> bytes:
    """The body of a single check."""
    return _body({"use": USE, "customer": customer, "reason": _REASON})


def bulk_body(customers: Sequence[str]) -> bytes:
    """The body of a bulk check."""
    return _body({"use": USE, "customers": customers, "reason": _REASON})


def _body(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def signed_headers(path: str, body: bytes, *, key: SigningKey, service: PublicKey) -> dict[str, str]:
    """Headers that make a POST the retailer's own, for one service."""
    request = HttpRequest(method="POST", path=path, body=body)
    return sign_request(request, party=RETAILER, key=key, receiver=service, now=utc_now())


def as_sent(path: str, body: bytes, *, key: SigningKey, service: PublicKey) -> bytes:
    """A whole signed POST as it goes over the wire (HTTP/1.1, connection kept)."""
    headers = signed_headers(path, body, key=key, service=service)
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Status and body."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Node:
    """One open connection of the retailer's node.

    Args:
        port: Of the service, on loopback.
        key: The retailer's.
        service: The service's public key.
    """

    def __init__(self, port: int, *, key: SigningKey, service: PublicKey) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        self._key = key
        self._service = service
        self._used = time.monotonic()

    def post(self, path: str, body: bytes) -> Answer:
        """Send a signed POST.

        Raises:
            OSError: If the connection broke, also as ``http.client.HTTPException``.
        """
        if time.monotonic() - self._used > KEPT_S:
            self._connection.close()  # the next request opens it again
        headers = signed_headers(path, body, key=self._key, service=self._service)
        headers["content-type"] = "application/json"
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        whole = Answer(status=answer.status, body=answer.read())
        self._used = time.monotonic()
        return whole

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
