"""The client against servers that drip, babble, lie or say nothing: nobody may be used, and in time."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from hanse_consent.client import ConsentClient
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.merkle import leaf_hash, leaf_hashes, root_of
from hanse_privacy.protocol.cohort import CohortAnswer, encode_answer
from hanse_privacy.protocol.manifest import (
    NO_PREVIOUS,
    CohortManifest,
    CohortReceipt,
    CohortReport,
    LeafAlgorithm,
    ReportOutcome,
)

SERVICE_KEY = SigningKey.generate()
NOW = datetime.now(UTC)
CUSTOMERS = ("a" * 32, "b" * 32)
REPORT = CohortReport(
    partner="alster",
    run="spring-1",
    round=1,
    manifest="ef" * 32,
    loaded_count=2,
    loaded_root="cd" * 32,
    absent="AA==",
)


@contextlib.contextmanager
def server(speak):
    """Accept connections one after the other; ``speak(connection, request)`` does what it likes."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()

    def serve():
        while not stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                speak(connection, read_request(connection))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stopping.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=6)
        assert not thread.is_alive()


def read_request(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    while len(body) < length:
        body += connection.recv(65536)
    return json.loads(body)


def http(body, status="200 OK", extra=""):
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{extra}connection: close\r\n\r\n".encode() + body


def members_of(*customers):
    """Each customer salted with zeros, in the order of their leaves."""
    rows = [bytes(16) + bytes.fromhex(customer) for customer in customers]
    return b"".join(sorted(rows, key=leaf_hash))


MEMBERS = members_of(*CUSTOMERS)


def manifest_for(
    request, *, key=SERVICE_KEY, issued_at=None, lifetime=timedelta(minutes=5), members=MEMBERS, missed=(), **changes
):
    issued_at = issued_at or datetime.now(UTC)
    answer = {
        **request,
        "position": 2,
        "registry_version": 1,
        "pack_versions": {"gdpr": "1"},
        "notice_versions": ("joint-statistics@1",),
        "issued_at": issued_at,
        "expires_at": issued_at + lifetime,
        "leaf_algorithm": LeafAlgorithm.BLAKE2B_SHA256,
        "count": 2,
        "root": root_of(leaf_hashes(MEMBERS, width=32)).hex(),
        "excluded_by_reason": {"NO_CONSENT": 1},
        "previous": NO_PREVIOUS,
        **changes,
    }
    signed = CohortManifest.model_validate(answer).sign(key)
    return encode_answer(CohortAnswer(manifest=signed, missed=tuple(missed), members=members))


def missed_by(request, *, key=SERVICE_KEY, previous=NO_PREVIOUS):
    """A manifest whose answer was lost, signed."""
    answer = json.loads(manifest_for(request, key=key, nonce="1f" * 16, previous=previous))
    return json.dumps(answer["manifest"]).encode()


def receipt_for(report, *, key=SERVICE_KEY, **changes):
    receipt = {
        "manifest": report["manifest"],
        "loaded_root": report["loaded_root"],
        "outcome": ReportOutcome.MATCH,
        "received_at": datetime.now(UTC),
        **changes,
    }
    return CohortReceipt.model_validate(receipt).sign(key)


def client(url, timeout_s=2.0, **more):
    return ConsentClient(url, "alster", SigningKey.generate(), SERVICE_KEY.public, timeout_s, **more)


def answering(make):
    return server(lambda connection, request: connection.sendall(make(request)))


def test_a_good_answer_is_believed(question):
    with answering(lambda request: http(manifest_for(request))) as url:
        assert client(url).cohort_manifest(question()).customers == CUSTOMERS


def test_what_was_missed_comes_with_its_signatures_verified(question):
    asked = question()
    with answering(lambda request: http(manifest_for(request, missed=[missed_by(request)]))) as url:
        (missed,) = client(url).cohort_manifest(asked).missed
    assert (missed.run, missed.nonce, missed.previous) == (asked.run, "1f" * 16, NO_PREVIOUS)


LIES = {
    "another key": lambda r: manifest_for(r, key=SigningKey.generate()),
    "another partner": lambda r: manifest_for(r, partner="elbe"),
    "another run": lambda r: manifest_for(r, run="spring-2"),
    "another round": lambda r: manifest_for(r, round=2),
    "another purpose": lambda r: manifest_for(r, purpose="churn-model"),
    "another tier": lambda r: manifest_for(r, tier="basic"),
    "another proposal": lambda r: manifest_for(r, proposal="00" * 32),
    "a replay": lambda r: manifest_for(r, nonce="0" * 32),
    "expired": lambda r: manifest_for(r, issued_at=NOW - timedelta(hours=1)),
    "from the future": lambda r: manifest_for(r, issued_at=NOW + timedelta(hours=1)),
    "stale, though it has not expired": lambda r: manifest_for(
        r, issued_at=NOW - timedelta(minutes=10), lifetime=timedelta(minutes=50)
    ),
    "another customer": lambda r: manifest_for(r, members=members_of("a" * 32, "9" * 32)),
    "one customer more": lambda r: manifest_for(r, members=members_of("a" * 32, "b" * 32, "c" * 32)),
    "one customer less": lambda r: manifest_for(r, members=members_of("a" * 32)),
    "one customer twice": lambda r: manifest_for(r, members=members_of("a" * 32, "a" * 32)),
    "the order of leaves reversed": lambda r: manifest_for(r, members=MEMBERS[32:] + MEMBERS[:32]),
    "members without a manifest": lambda r: encode_answer(CohortAnswer(manifest=b"{}", missed=(), members=MEMBERS)),
    "another known manifest": lambda r: manifest_for(r, known="1" * 64),
    "a missed manifest of another key": lambda r: manifest_for(r, missed=[missed_by(r, key=SigningKey.generate())]),
    "a missed manifest that is none": lambda r: manifest_for(r, missed=[b"{}"]),
    "a missed manifest that was altered": lambda r: manifest_for(
        r, missed=[missed_by(r).replace(b"spring", b"autumn")]
    ),
    "more missed than there can be": lambda r: manifest_for(r, missed=[missed_by(r)] * 65),
    "nothing about what was missed": lambda r: manifest_for(r).replace(b'"missed":[],', b""),
    "an altered position": lambda r: manifest_for(r).replace(b'"position":2', b'"position":3'),
    "cut short": lambda r: manifest_for(r)[:-5],
    "not JSON": lambda r: b"\xff\xfe\x00",
    "deeply nested": lambda r: b"[" * 100_000,
    "wrong shape": lambda r: b'{"document": [], "signature": 5}',
    "a list": lambda r: b"[]",
    "nothing": lambda r: b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_not_believed(question, lie):
    with answering(lambda request: http(LIES[lie](request))) as url, pytest.raises(ConsentAnswerInvalidError) as error:
        client(url).cohort_manifest(question())
    assert "a" * 32 not in str(error.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        http(b"<html>", "302 Found", "location: http://127.0.0.1:1/\r\n"),
        http(b"", "204 No Content"),
        http(b"<html>no</html>", "404 Not Found"),
        http(b'{"code": "x\\u001b[31m", "detail": "", "mend": ""}', "400 Bad Request"),
        http(b"{}", extra="content-encoding: gzip\r\n"),
    ],
)
def test_garbage_is_an_invalid_answer(question, answer):
    with answering(lambda _: answer) as url, pytest.raises(ConsentAnswerInvalidError):
        client(url).cohort_manifest(question())


def test_refusal_keeps_the_services_words(question):
    problem = json.dumps(
        {"code": "TIER_NOT_OFFERED", "detail": "Not at this tier.", "mend": "Ask for another."}
    ).encode()
    refusing = answering(lambda _: http(problem, "422 Unprocessable Content"))
    with refusing as url, pytest.raises(ConsentRefusedError) as refused:
        client(url).cohort_manifest(question())
    assert (refused.value.refusal_code, refused.value.refusal_detail) == ("TIER_NOT_OFFERED", "Not at this tier.")
    assert refused.value.status == 422


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "599 ?"])
def test_failure_is_unavailable(question, status):
    with answering(lambda _: http(b"oops", status)) as url, pytest.raises(ConsentUnavailableError):
        client(url).cohort_manifest(question())


def hang_up(connection, request):
    connection.shutdown(socket.SHUT_RDWR)


def half_a_body(connection, request):
    connection.sendall(http(manifest_for(request))[:-10])


@pytest.mark.parametrize("speak", [hang_up, half_a_body])
def test_breaking_off_is_unavailable(question, speak):
    with server(speak) as url, pytest.raises(ConsentUnavailableError):
        client(url).cohort_manifest(question())


def test_nobody_listening_is_unavailable(question):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConsentUnavailableError):
        client(f"http://127.0.0.1:{port}").cohort_manifest(question())


def drip_body(connection, request):
    answer = http(manifest_for(request))
    connection.sendall(answer[:200])
    for byte in answer[200:]:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_head(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
    for _ in range(100):
        connection.sendall(b"a")
        time.sleep(0.05)


def say_nothing(connection, request):
    connection.recv(1)


@pytest.mark.parametrize("speak", [drip_body, drip_head, say_nothing])
def test_the_deadline_holds_for_the_whole_exchange(question, speak):
    with server(speak) as url:
        started = time.perf_counter()
        with pytest.raises(ConsentUnavailableError, match=r"0\.4 seconds"):
            client(url, timeout_s=0.4).cohort_manifest(question())
        assert time.perf_counter() - started < 1.2


def test_an_endless_answer_is_cut_off(question):
    def flood(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with server(flood) as url, pytest.raises(ConsentAnswerInvalidError, match="longer than 1000000 bytes"):
        client(url, max_answer_bytes=1_000_000).cohort_manifest(question())


def test_a_report_is_received(question):
    received = []

    def answer(request):
        received.append(request)
        return http(receipt_for(request))

    with answering(answer) as url:
        receipt = client(url).report_cohort(REPORT)
    assert (receipt.outcome, receipt.manifest) == (ReportOutcome.MATCH, REPORT.manifest)
    assert received == [REPORT.payload()]


FALSE_RECEIPTS = {
    "another key": lambda r: receipt_for(r, key=SigningKey.generate()),
    "of another manifest": lambda r: receipt_for(r, manifest="00" * 32),
    "of another root": lambda r: receipt_for(r, loaded_root="00" * 32),
    "a report instead": lambda r: CohortReport.model_validate(r).sign(SERVICE_KEY),
    "unsigned": lambda r: b'{"outcome": "match"}',
    "nothing": lambda r: b"",
}


@pytest.mark.parametrize("lie", FALSE_RECEIPTS)
def test_without_its_receipt_a_report_was_not_received(lie):
    with answering(lambda request: http(FALSE_RECEIPTS[lie](request))) as url, pytest.raises(ConsentAnswerInvalidError):
        client(url).report_cohort(REPORT)


def test_a_mismatch_is_a_refusal():
    problem = json.dumps({"code": "COHORT_MISMATCH", "detail": "Other customers.", "mend": "Look."}).encode()
    with answering(lambda _: http(problem, "409 Conflict")) as url, pytest.raises(ConsentRefusedError) as refused:
        client(url).report_cohort(REPORT)
    assert refused.value.refusal_code == "COHORT_MISMATCH"


def test_a_receipt_must_be_one(act):
    with answering(lambda _: http(b'{"position": -1}')) as url, pytest.raises(ConsentAnswerInvalidError):
        client(url).record_acts([act()])


def test_bounds_of_a_client_are_checked(act):
    with pytest.raises(InvalidValueError, match="timeout_s"):
        client("http://127.0.0.1:1", timeout_s=0)
    with pytest.raises(InvalidValueError, match="base_url"):
        client("127.0.0.1:1")
    with pytest.raises(InvalidValueError, match="number of acts"):
        client("http://127.0.0.1:1").record_acts([])


def test_environment_proxies_are_ignored(question, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with answering(lambda request: http(manifest_for(request))) as url:
        assert client(url).cohort_manifest(question()).manifest.count == 2


def test_the_client_is_light():
    script = "import sys, hanse_consent.client; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(result.stdout.split())
    assert "hanse_consent.client" in loaded
    assert not loaded & {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "uvicorn", "typer"}
