"""The client of people: where it speaks at all, and what it believes of a service that lies, fails or says nothing."""

import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hanse_consent.access.errors import PasswordChangeRequiredError
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_consent.officer_client import OfficerClient, OfficerSession
from hanse_consent.runs.bodies import AnonymityBody
from hanse_consent.runs.standing import Ending
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TOKEN = "t" * 43
PASSWORD = "seven quiet herons"


def terms(run: str = "spring-1", **changes: Any) -> RunProposal:
    step = {
        "operation": "popularity-statistics",
        "purpose": "statistics",
        "tier": "standard",
        "noise_multiplier": 100.0,
        "last_week": 9,
        "half_life_weeks": 8.0,
        "items": 12,
        "rate": {"clip": 1.0, "share": 0.5},
        "breadth": {"clip": 1.0, "share": 0.4},
        "customers": {"clip": 1.0, "share": 0.1, "is_metric": True},
    }
    fields: dict[str, Any] = {
        "run": run,
        "title": "Spring",
        "data_categories": ["pd:PurchasesAndSpendingHabit"],
        "recipients": [{"name": "centre", "country": "DE"}],
        "roster": [{"partner": "alster", "public_key": SigningKey.generate().public.text}],
        "catalogue": "0" * 64,
        "week_one": "2026-01-05",
        "minimum_cohort": 10,
        "honest_minimum": 1,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 1.0,
        "delta": 1e-5,
        "steps": [step],
        "created_at": NOON.isoformat(),
        "expires_at": (NOON + timedelta(days=1)).isoformat(),
    }
    return RunProposal.parse(fields | changes)


def summary(proposal: RunProposal, /, **changes: Any) -> dict[str, Any]:
    return {
        "run": proposal.run,
        "title": proposal.title,
        "proposal": proposal.digest,
        "standing": {"controller": "alster", "stage": "awaiting", "officers_needed": 1, "officers_approved": 0},
        "high_risk": False,
        "approved_by": [],
        "submitted_at": NOON.isoformat(),
        "expires_at": NOON.isoformat(),
        "purposes": list(proposal.purposes()),
        "epsilon": proposal.epsilon,
        "delta": proposal.delta,
    } | changes


def detail(proposal: RunProposal, /, **changes: Any) -> dict[str, Any]:
    return {
        **summary(proposal),
        "document": proposal.payload(),
        "registry_version": 1,
        "pack_versions": {},
        "mismatches": [],
        "outcome": None,
        "model": "personal-data",
        "events": [],
    } | changes


@dataclass
class Liar:
    """Answers HTTP as a test says, and remembers what it was asked."""

    says: Callable[[str, str], tuple[int, bytes]]
    asked: list[tuple[str, str, bytes, str | None]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(says: Callable[[str, str], tuple[int, bytes]], *, tls: ssl.SSLContext | None = None) -> Iterator[Liar]:
    liar = Liar(says=says)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            liar.asked.append((self.command, self.path, body, self.headers.get("authorization")))
            status, answer = liar.says(self.command, self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    liar.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def opened() -> tuple[int, bytes]:
    return 201, json.dumps({"token": TOKEN, "ends_at": NOON.isoformat()}).encode()


def honest(answers: dict[str, Any]) -> Callable[[str, str], tuple[int, bytes]]:
    """Opens and closes sessions, and answers paths (without their query) with documents."""

    def says(method: str, path: str) -> tuple[int, bytes]:
        if path == "/v1/sessions":
            return opened()
        if path == "/v1/sessions/current":
            return 204, b""
        answer = answers[path.partition("?")[0]]
        return answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())

    return says


@contextmanager
def signed_in(answers: dict[str, Any]) -> Iterator[tuple[OfficerSession, Liar]]:
    with serving(honest(answers)) as liar:
        yield OfficerClient(liar.url, timeout_s=5).sign_in("olga", password=PASSWORD), liar


def problem(code: str, detail: str = "Not so.", mend: str = "Do otherwise.") -> bytes:
    return json.dumps({"code": code, "detail": detail, "mend": mend}).encode()


# Where it speaks.


@pytest.mark.parametrize(
    "address",
    ["https://consent.example", "https://consent.example:8443/", "https://[2001:db8::1]", "http://127.0.0.1:8700",
     "http://127.8.9.1", "http://[::1]:8700", "http://localhost:8700"],
)  # fmt: skip
def test_protected_addresses(address: str) -> None:
    OfficerClient(address)


@pytest.mark.parametrize(
    "address",
    ["", "consent.example", "ftp://consent.example", "http://", "https://", "http://consent.example",
     "http://10.0.0.1", "http://0.0.0.0:8700", "http://[::]:8700", "http://127.0.0.1.example", "http://localhost.example",
     "http://127.0.0.1@consent.example", "https://olga:secretword@consent.example", "https://consent.example/path",
     "https://consent.example/?x=1", "https://consent.example/#x", "https://consent.example:99999", "https://[::1",
     "http://[::ffff:127.0.0.1]", "file:///etc/passwd", "https:///consent.example"],
)  # fmt: skip
def test_addresses_where_a_password_would_be_anybodys(address: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        OfficerClient(address)
    assert "secretword" not in str(refused.value)


def certificate(path: Path, *, host: str = "127.0.0.1") -> Path:
    """A self-signed certificate with its key, as a server reads them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's own authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoded = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(encoded)
    return path


def test_a_certificate_that_nobody_vouches_for_gets_no_password(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate(tmp_path / "own.pem"))
    with serving(honest({}), tls=tls) as liar, pytest.raises(ConsentUnavailableError, match="self-signed certificate"):
        OfficerClient(liar.url, timeout_s=5).sign_in("olga", password=PASSWORD)
    assert liar.asked == []


@pytest.mark.parametrize(("host", "is_trusted"), [("127.0.0.1", True), ("127.0.0.2", False)])
def test_a_trusted_certificate_counts_for_its_own_host(tmp_path: Path, host: str, is_trusted: bool) -> None:
    own = certificate(tmp_path / "own.pem", host=host)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own)
    script = (
        "import sys; from hanse_consent.officer_client import OfficerClient;"
        "print(OfficerClient(sys.argv[1]).sign_in('olga', password='x'))"
    )
    with serving(honest({}), tls=tls) as liar:
        done = subprocess.run(
            [sys.executable, "-c", script, liar.url],
            env={"SSL_CERT_FILE": str(own)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode == 0) is is_trusted, done.stderr
    assert bool(liar.asked) is is_trusted
    if not is_trusted:
        assert "mismatch" in done.stderr


# What it believes.


def test_a_session_from_beginning_to_end() -> None:
    spring = terms()
    answers = {
        "/v1/runs": {"runs": [summary(spring)], "next": None},
        "/v1/runs/spring-1": detail(spring),
        "/v1/runs/spring-1/decisions": detail(spring),
        "/v1/runs/spring-1/revocations": detail(spring),
        "/v1/runs/spring-1/anonymity-findings": detail(spring),
        "/v1/budgets": {"controller": "alster", "vaults": [], "leagues": []},
    }
    finding = AnonymityBody(
        controller="alster", epsilon=1.0, honest_minimum=1, audit="A-7", found_on=NOON.date(), valid_until=NOON
    )
    with signed_in(answers) as (session, liar):
        assert [one.run for one in session.runs("alster", limit=5)] == ["spring-1"]
        shown = session.run("spring-1", controller="alster")
        assert shown.document == spring
        session.approve("spring-1", controller="alster", proposal=shown.document.digest)
        session.refuse("spring-1", controller="alster", proposal=spring.digest, ending=Ending(words="No.", rule="G-6"))
        session.revoke("spring-1", controller="alster", ending=Ending(words="A complaint."))
        session.find_anonymous("spring-1", finding=finding)
        assert session.budgets("alster").vaults == ()
        session.close()
    assert [(method, path) for method, path, _, _ in liar.asked] == [
        ("POST", "/v1/sessions"),
        ("GET", "/v1/runs?controller=alster&limit=5"),
        ("GET", "/v1/runs/spring-1?controller=alster"),
        ("POST", "/v1/runs/spring-1/decisions"),
        ("POST", "/v1/runs/spring-1/decisions"),
        ("POST", "/v1/runs/spring-1/revocations"),
        ("POST", "/v1/runs/spring-1/anonymity-findings"),
        ("GET", "/v1/budgets?controller=alster"),
        ("DELETE", "/v1/sessions/current"),
    ]
    assert json.loads(liar.asked[0][2]) == {"name": "olga", "password": PASSWORD}
    assert json.loads(liar.asked[3][2]) == {"controller": "alster", "proposal": spring.digest, "verdict": "approve"}
    assert json.loads(liar.asked[4][2])["ending"] == {"words": "No.", "rule": "G-6", "article": ""}
    assert {proof for _, _, _, proof in liar.asked[1:]} == {f"Bearer {TOKEN}"}
    assert TOKEN not in repr(session)


def test_a_list_is_read_page_by_page_up_to_its_limit() -> None:
    runs = [terms(f"spring-{number}") for number in range(5)]
    pages = {
        "": {"runs": [summary(one) for one in runs[:2]], "next": "one"},
        "one": {"runs": [summary(one) for one in runs[2:4]], "next": "t w&o"},
        "t+w%26o": {"runs": [summary(runs[4])], "next": None},
    }

    def says(method: str, path: str) -> tuple[int, bytes]:
        if path == "/v1/sessions":
            return opened()
        return 200, json.dumps(pages[path.partition("after=")[2]]).encode()

    with serving(says) as liar:
        session = OfficerClient(liar.url).sign_in("olga", password=PASSWORD)
        assert [one.run for one in session.runs("alster", limit=1000)] == [one.run for one in runs]
        assert [one.run for one in session.runs("alster", limit=3)] == [one.run for one in runs[:3]]
        for limit in (0, 1001):
            with pytest.raises(InvalidValueError, match="limit"):
                session.runs("alster", limit=limit)


SPRING = terms()
LIES: dict[str, Any] = {
    "nothing": (200, b""),
    "noise": (200, b"\x00\xff\xfe"),
    "deeply nested": (200, b"[" * 100_000),
    "a list": (200, b"[]"),
    "another run": detail(terms("spring-2")),
    "another run's terms": detail(SPRING, document=terms("spring-2").payload()),
    "another controller": detail(SPRING, standing={**summary(SPRING)["standing"], "controller": "elbe"}),
    "a digest of other terms": detail(SPRING, proposal=terms(epsilon=2.0).digest),
    "other terms under the digest": detail(SPRING, document=terms(title="Autumn").payload()),
    "terms that cost more than they say": detail(SPRING, document=SPRING.payload() | {"epsilon": 0.001}),
    "terms with something unknown": detail(SPRING, document=SPRING.payload() | {"more": 1}),
    "an unknown field": detail(SPRING, more=1),
    "an unknown stage": detail(SPRING, standing={**summary(SPRING)["standing"], "stage": "blessed"}),
    "an unknown event": detail(SPRING, events=[{"kind": "blessed", "at_us": 0}]),
    "another status": (202, json.dumps(detail(SPRING)).encode()),
    "a redirect": (302, b""),
    "a bare refusal": (403, b"no"),
    "a refusal with control codes": (403, problem("CODE", detail="\x1b[2J")),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_not_believed(lie: str) -> None:
    with (
        signed_in({"/v1/runs/spring-1": LIES[lie], "/v1/runs/spring-1/decisions": LIES[lie]}) as (session, _),
    ):
        with pytest.raises(ConsentAnswerInvalidError):
            session.run("spring-1", controller="alster")
        with pytest.raises(ConsentAnswerInvalidError):
            session.approve("spring-1", controller="alster", proposal=SPRING.digest)


@pytest.mark.parametrize(
    "page",
    [
        {"runs": [summary(SPRING)], "next": "one"},
        {"runs": [], "next": "one"},
        {"runs": [summary(SPRING, standing={**summary(SPRING)["standing"], "controller": "elbe"})], "next": None},
        {"runs": "all"},
        [],
    ],
    ids=["in circles", "empty for ever", "another controller's", "no runs", "no page"],
)
def test_a_list_that_is_none(page: Any) -> None:
    with signed_in({"/v1/runs": page}) as (session, _), pytest.raises(ConsentAnswerInvalidError):
        session.runs("alster", limit=1000)


@pytest.mark.parametrize(
    "page",
    [
        {"controller": "elbe", "vaults": [], "leagues": []},
        {"controller": "alster"},
        {"controller": "alster", "vaults": [{}], "leagues": []},
        {"controller": "alster", "vaults": [], "leagues": [{}]},
        [],
    ],
    ids=["another controller's", "no vaults", "no vault", "no league", "no page"],
)
def test_budgets_that_are_none(page: Any) -> None:
    with signed_in({"/v1/budgets": page}) as (session, _), pytest.raises(ConsentAnswerInvalidError):
        session.budgets("alster")


@pytest.mark.parametrize(
    "answer",
    [b"{}", b'{"token": "a b", "ends_at": "2026-05-04T12:00:00Z"}', b'{"token": "", "ends_at": "2026-05-04T12:00:00Z"}',
     b'{"token": "a\\r\\nx: y", "ends_at": "2026-05-04T12:00:00Z"}', b'{"token": "secret-token", "ends_at": "soon"}'],
)  # fmt: skip
def test_a_session_that_is_none(answer: bytes) -> None:
    with serving(lambda method, path: (201, answer)) as liar, pytest.raises(ConsentAnswerInvalidError) as error:
        OfficerClient(liar.url).sign_in("olga", password=PASSWORD)
    assert "secret-token" not in f"{error.value!r} {error.value.__cause__!r}"


def test_a_refusal_keeps_the_services_code_and_words() -> None:
    with (
        signed_in({"/v1/runs/spring-1": (404, problem("RUN_UNKNOWN", "No run.", "Mend the name."))}) as (session, _),
        pytest.raises(ConsentRefusedError) as refused,
    ):
        session.run("spring-1", controller="alster")
    assert (refused.value.refusal_code, refused.value.status, refused.value.mend) == (
        "RUN_UNKNOWN",
        404,
        "Mend the name.",
    )


def test_a_password_that_must_be_changed_names_the_command() -> None:
    with signed_in({"/v1/runs": (403, problem("PASSWORD_CHANGE_REQUIRED"))}) as (session, liar):
        with pytest.raises(PasswordChangeRequiredError) as refused:
            session.runs("alster", limit=1)
        assert f"hanse consent account my-password --service {liar.url} --account olga" in refused.value.mend


def test_a_new_password_goes_on_under_a_new_token() -> None:
    renewed = {"token": "n" * 43, "ends_at": NOON.isoformat()}
    with signed_in({"/v1/accounts/me/password": renewed}) as (session, liar):
        session.change_password(old=PASSWORD, new="another long one")
        session.close()
    assert liar.asked[-1][3] == f"Bearer {'n' * 43}"


def test_what_may_have_been_recorded_is_looked_at_first() -> None:
    with signed_in({"/v1/runs/spring-1/decisions": (503, b"oops"), "/v1/runs/spring-1": (500, b"")}) as (session, _):
        with pytest.raises(ConsentUnavailableError) as failed:
            session.approve("spring-1", controller="alster", proposal=SPRING.digest)
        assert "may have been recorded" in failed.value.mend
        with pytest.raises(ConsentUnavailableError) as failed:
            session.run("spring-1", controller="alster")
        assert "may have been recorded" not in failed.value.mend


def test_nobody_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConsentUnavailableError, match="cannot be reached"):
        OfficerClient(f"http://127.0.0.1:{port}").sign_in("olga", password=PASSWORD)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ConsentUnavailableError, match=r"within 0\.3 seconds"),
    ):
        OfficerClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3).sign_in("olga", password=PASSWORD)


def test_names_are_checked_before_anything_is_sent() -> None:
    with signed_in({}) as (session, liar):
        for run, controller in (("../sessions", "alster"), ("a b", "alster"), ("spring-1", "Alster"), ("", "alster")):
            with pytest.raises(InvalidValueError):
                session.run(run, controller=controller)
            with pytest.raises(InvalidValueError):
                session.revoke(run, controller=controller, ending=Ending(words="No."))
        with pytest.raises(InvalidValueError, match="decision is not valid: proposal"):
            session.approve("spring-1", controller="alster", proposal="not a digest")
        with pytest.raises(InvalidValueError):
            session.runs("a&b=c", limit=1)
        with pytest.raises(InvalidValueError):
            OfficerClient(liar.url).sign_in("Olga Smith", password=PASSWORD)
    assert len(liar.asked) == 1


def test_the_client_is_light() -> None:
    script = "import sys, hanse_consent.officer_client; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(result.stdout.split())
    assert "hanse_consent.officer_client" in loaded
    assert not loaded & {"fastapi", "starlette", "sqlmodel", "sqlalchemy", "uvicorn", "typer"}
