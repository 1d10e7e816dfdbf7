"""Requests that nobody's client sends: at most a refusal, never a failure, and the service goes on."""

import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from installed_service import RunningService
from speakers import Node, Person, act, good, now, problem

from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.signed_request import HttpRequest, sign_request

ACTS = "/v1/acts"
MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def goes_on(service: RunningService, node: Node) -> Iterator[None]:
    """Whatever a test sent, nothing was recorded and the next one is answered."""
    before = node.position()
    yield
    assert service.process.poll() is None
    assert node.position() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b"\x00",
        b'{"acts": []}',
        b'{"acts": null}',
        b'{"acts": {}}',
        b'{"acts": [null]}',
        b'{"acts": [[]]}',
        b'{"acts": [{}]}',
        b"[" * 100_000,
        b'{"acts":' * 50_000,
        b'{"acts": [' + b"[" * 500 + b"]" * 500 + b"]}",
        b'{"acts": ' + b"9" * 100_000 + b"}",
        b'{"acts": [NaN]}',
        b'\xef\xbb\xbf{"acts": []}',
        b"acts=1",
    ],
)
def test_bodies_that_are_none(node: Node, body: bytes) -> None:
    refusal = problem(node.send("POST", ACTS, body), 400, "BODY_INVALID")
    assert len(refusal["detail"]) < 1000


@pytest.mark.parametrize(
    "change",
    [
        {"key": "a\u0000b"},
        {"key": "\ud800"},
        {"key": "x" * 65},
        {"key": ""},
        {"customer": "\u0000" * 32},
        {"customer": "A" * 32},
        {"customer": "٠" * 32},
        {"purpose": "joint-statistics\n"},
        {"purpose": "joint-statistics\u0000"},
        {"language": "en\u0000"},
        {"channel": "\u0000"},
        {"interaction": "\u0000"},
        {"notice": "statistics@1\n"},
        {"tier": 1},
        {"preselected": "perhaps"},
        {"explicit": None, "explicitly": True},
        {"said_at": "2026-02-30T00:00:00Z"},
        {"said_at": "12026-01-01T00:00:00Z"},
        {"said_at": 1e308},
        {"age": {"adult": False}},
        {"age": {"adult": True}},
        {"country": "DE"},
        {"separate": {"matter": "recipient", "subject": "centre"}},
    ],
)
def test_fields_that_are_none(node: Node, change: dict[str, Any]) -> None:
    fields = act(customer=node.customer()) | change
    refusal = problem(node.send("POST", ACTS, json.dumps({"acts": [fields]}).encode()), 400, "BODY_INVALID")
    assert fields["customer"] not in json.dumps(refusal)


def test_a_body_has_a_largest_size(node: Node) -> None:
    problem(node.send("POST", ACTS, b" " * (8 * MEBIBYTE + 1)), 413, "BODY_TOO_LARGE")
    for address, most in (("checks", 32 * 1024), ("bulk-checks", 256 * 1024), ("timelines", 4096)):
        problem(node.send("POST", f"/v1/{address}", b" " * (most + 1)), 413, "BODY_TOO_LARGE")
        problem(node.send("POST", f"/v1/{address}", b" " * most), 400, "BODY_INVALID")


def test_a_body_may_come_in_pieces(node: Node) -> None:
    body = json.dumps({"acts": []}).encode()
    headers = node.headers("POST", ACTS, body)
    pieces = (body[place : place + 1] for place in range(len(body)))
    problem(node.http.post(ACTS, content=pieces, headers=headers), 400, "BODY_INVALID")


def test_a_compressed_body_is_refused(node: Node) -> None:
    problem(node.send("POST", ACTS, b"{}", **{"content-encoding": "gzip"}), 400, "BODY_INVALID")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nothing"])
def test_the_content_type_changes_nothing(node: Node, kind: str) -> None:
    problem(node.send("POST", ACTS, b'{"acts": []}', **{"content-type": kind}), 400, "BODY_INVALID")


def test_a_signature_is_for_these_very_bytes(node: Node, other_node: Node) -> None:
    body = json.dumps({"acts": [act(customer=node.customer())]}).encode()

    def signed(path: str = ACTS, *, method: str = "POST", party: str = "alster", **changes: Any) -> dict[str, str]:
        key = changes.get("key", node.service.folder.keys[party])
        receiver = changes.get("receiver", node.service.folder.service_key.public)
        at = now() + timedelta(seconds=changes.get("off", 0))
        request = HttpRequest(method=method, path=path, body=body)
        return sign_request(request, party=party, key=key, receiver=receiver, now=at)

    for headers in (
        {},
        signed() | {"hanse-party": "elbe"},
        signed() | {"hanse-nonce": "0" * 32},
        signed() | {"hanse-time": "yesterday"},
        signed() | {"hanse-time": now().isoformat()},
        signed() | {"hanse-signature": "!"},
        signed() | {"hanse-signature": "AAAA"},
        signed("/v1/checks"),
        signed(ACTS + "?controller=alster"),
        signed(method="PUT"),
        signed(key=SigningKey.generate()),
        signed(receiver=SigningKey.generate().public),
        signed() | {"hanse-party": "weser"},
        signed(off=-121),
        signed(off=121),
    ):
        refused = node.http.post(ACTS, content=body, headers=headers)
        problem(refused, 401, "SIGNATURE_INVALID" if headers else "SESSION_INVALID")
        assert "www-authenticate" in refused.headers
    problem(node.http.post(ACTS, content=body + b" ", headers=signed()), 401, "SIGNATURE_INVALID")
    problem(node.http.post(ACTS + "?x=1", content=body, headers=signed()), 401, "SIGNATURE_INVALID")


def test_a_request_is_good_once(node: Node) -> None:
    body = b'{"acts": []}'
    headers = node.headers("POST", ACTS, body)
    problem(node.http.post(ACTS, content=body, headers=headers), 400, "BODY_INVALID")
    problem(node.http.post(ACTS, content=body, headers=headers), 409, "REQUEST_REPLAYED")


def test_headers_sent_twice_open_nothing(node: Node, officer: Person) -> None:
    body = json.dumps({"acts": [act(customer=node.customer())]}).encode()
    signed = node.headers("POST", ACTS, body)
    for name in signed:
        headers = [*signed.items(), (name, "elbe" if name == "hanse-party" else signed[name])]
        answer = node.http.post(ACTS, content=b'{"acts": []}', headers=headers)
        assert answer.status_code in (400, 401, 409), answer.text
    # A person's token beside a foreign signature speaks for nobody.
    both = officer.headers("POST", ACTS, body) | {"hanse-party": "elbe"}
    problem(node.http.post("/v1/checks?controller=alster", content=b"{}", headers=both), 401, "SIGNATURE_INVALID")
    twice = [("authorization", "Bearer nothing"), *officer.headers("GET", "", b"").items()]
    assert officer.http.get("/v1/sessions/current", headers=twice).status_code in (200, 401)


def raw(service: RunningService, request: bytes, *, wait_s: float = 5) -> bytes:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait_s) as line:
        line.sendall(request)
        answer = b""
        try:
            while some := line.recv(65536):
                answer += some
        except TimeoutError:
            return answer
        return answer


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /v1/health HTTP/9.9\r\nhost: x\r\n\r\n",
        b"BREW /v1/acts HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /v1/health\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /v1/acts HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /v1/acts HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/acts HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\nzz\r\n",
        b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    ],
)
def test_what_is_no_request(service: RunningService, request_line: bytes) -> None:
    answer = raw(service, request_line, wait_s=1)
    status = answer.split(b" ", 2)[1:2]
    assert not status or not status[0].startswith(b"5"), answer


def test_a_body_that_never_ends_is_given_up(service: RunningService, engine: str) -> None:
    if engine != "sqlite":
        pytest.skip("no store is asked: once is enough")
    began = time.monotonic()
    head = b"POST /v1/sessions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{"
    answer = raw(service, head, wait_s=20)
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert 5 < time.monotonic() - began < 20


def test_somebody_who_leaves_in_the_middle_disturbs_nobody(service: RunningService, node: Node) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    for _ in range(20):
        with socket.create_connection((host, int(port)), timeout=5) as line:
            line.sendall(b"POST /v1/acts HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    good(node.check(node.customer()))


@pytest.mark.parametrize(
    "path",
    [
        "/v1/%00",
        "/v1/../v1/health",
        "//v1/health",
        "/v1/health%2f",
        "/v1/runs/..%2f..%2fetc?controller=alster",
        "/v1/é",
    ],
)
def test_addresses_that_are_none(officer: Person, path: str) -> None:
    answer = officer.http.request("GET", httpx.URL(officer.service.url + path), headers=officer.headers("GET", "", b""))
    assert 400 <= answer.status_code < 500 or path == "/v1/../v1/health"
