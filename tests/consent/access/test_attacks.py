"""A stranger, a partner and an officer at a real process on loopback."""

import secrets
import socket
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from pwdlib import PasswordHash
from sqlalchemy.engine import URL

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.look_ups import ActorKind, LookUp, LookUpKey, LookUpKind, LookUpLog
from hanse_consent.access.roles import Role, RoleGrant
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.signed_request import HttpRequest, sign_request

FIRST_PASSWORD, PASSWORD = "first set by somebody", "correct horse battery"
KEYS = {name: SigningKey.generate() for name in ("aurora", "boreal")}
SERVICE = SigningKey.generate().public


class Visitor:
    """Sends requests to one served process."""

    def __init__(self, served) -> None:
        self.served = served
        self.http = httpx.Client(base_url=served.url, trust_env=False, timeout=20)

    def signed(
        self, party="aurora", key=None, *, body=b"{}", now=None, path="/signed", receiver=SERVICE
    ) -> dict[str, str]:
        request = HttpRequest(method="POST", path=path, body=body)
        signer, at = key or KEYS[party], now or datetime.now(UTC)
        return sign_request(request, party=party, key=signer, receiver=receiver, now=at)

    def send(self, headers, *, body=b"{}", path="/signed") -> httpx.Response:
        return self.http.post(path, content=body, headers=headers)

    def sign_in(self, name="ada", password=PASSWORD) -> httpx.Response:
        return self.http.post("/v1/sessions", json={"name": name, "password": password})

    def token(self, name="ada", password=PASSWORD) -> dict[str, str]:
        answer = self.sign_in(name, password)
        assert answer.status_code == 201, answer.text
        return {"authorization": f"Bearer {answer.json()['token']}"}


@pytest.fixture
def prepared(tmp_path, quick_hasher: PasswordHash, open_sqlite):
    (tmp_path / "own_key.txt").write_text(SERVICE.text)
    (tmp_path / "keys.txt").write_text("".join(f"{name} {key.public.text}\n" for name, key in KEYS.items()))
    with open_sqlite(URL.create("sqlite", database=str(tmp_path / "consent.sqlite"))) as transactions:
        accounts = Accounts(transactions, now=lambda: datetime.now(UTC))
        for name, role in (("ada", Role.OFFICER), ("otto", Role.AUDITOR), ("kim", Role.CHANNEL)):
            grants = frozenset({RoleGrant(controller="aurora", role=role)})
            accounts.add(name=name, password_hash=quick_hasher.hash(PASSWORD), grants=grants, actor="machine:test")
            if name != "kim":
                accounts.set_password(
                    name=name, password_hash=quick_hasher.hash(PASSWORD), must_change=False, actor="machine:test"
                )
        log = LookUpLog(transactions, key=LookUpKey(raw=b"k" * 32), now=lambda: datetime.now(UTC))
        for controller, actor in (("aurora", "ada"), ("aurora", "bea"), ("boreal", "eve")):
            log.record(
                LookUp(
                    controller=controller,
                    actor_kind=ActorKind.ACCOUNT,
                    actor=actor,
                    kind=LookUpKind.TIMELINE,
                    customers=("a1" * 16,),
                    reason="asked by letter",
                )
            )
    return tmp_path


@pytest.fixture
def visitor(prepared, serve):
    visitor = Visitor(serve())
    yield visitor
    visitor.http.close()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_signed_request_is_answered_once(visitor, serve) -> None:
    headers = visitor.signed()
    first = visitor.send(headers)
    assert (first.status_code, first.json()) == (200, {"party": "aurora", "body": "{}"})
    assert code(visitor.send(headers)) == (409, "REQUEST_REPLAYED")
    # Dated ahead and replayed after the process was killed.
    ahead = visitor.signed(now=datetime.now(UTC) + timedelta(seconds=60))
    assert visitor.send(ahead).status_code == 200
    visitor.served.process.kill()
    visitor.served.process.wait(timeout=10)
    again = Visitor(serve())
    assert code(again.send(headers)) == (401, "REQUEST_BEFORE_START")
    assert code(again.send(ahead)) == (409, "REQUEST_REPLAYED")
    assert again.send(again.signed()).status_code == 200
    again.http.close()


def test_forgeries_are_refused_and_an_unknown_party_is_answered_like_one(visitor) -> None:
    stranger = SigningKey.generate()
    good = visitor.signed(body=b'{"n":1}')
    answers = {
        "another key": visitor.send(visitor.signed("aurora", stranger)),
        "unknown party": visitor.send(visitor.signed("nobody", stranger)),
        "other body": visitor.send(good, body=b'{"n":2}'),
        "other query": visitor.send(good, body=b'{"n":1}', path="/signed?n=1"),
        "other party": visitor.send({**good, "hanse-party": "boreal"}, body=b'{"n":1}'),
        "other nonce": visitor.send({**good, "hanse-nonce": "0" * 32}, body=b'{"n":1}'),
        "another partner's key": visitor.send(visitor.signed("boreal", KEYS["aurora"])),
        "for another service": visitor.send(visitor.signed(receiver=SigningKey.generate().public)),
        "for the sender itself": visitor.send(visitor.signed(receiver=KEYS["aurora"].public)),
    }
    assert {code(answer) for answer in answers.values()} == {(401, "SIGNATURE_INVALID")}
    assert answers["another key"].content == answers["unknown party"].content
    assert visitor.send({}).status_code == 401
    for off_s in (-121, 121):
        headers = visitor.signed(now=datetime.now(UTC) + timedelta(seconds=off_s))
        assert code(visitor.send(headers)) == (401, "SIGNATURE_INVALID")
    assert visitor.send(good, body=b'{"n":1}').status_code == 200  # nothing above has spent it


def test_bodies_have_bounds(visitor) -> None:
    large = b"x" * 1001
    assert code(visitor.send(visitor.signed(body=large), body=large)) == (413, "BODY_TOO_LARGE")
    squeezed = {**visitor.signed(), "content-encoding": "gzip"}
    assert code(visitor.send(squeezed)) == (400, "BODY_INVALID")
    fits = b"x" * 1000
    assert visitor.send(visitor.signed(body=fits), body=fits).status_code == 200


def test_a_body_that_drips_is_cut_off(visitor) -> None:
    address = urlsplit(visitor.served.url)
    headers = visitor.signed(body=b"x" * 500)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        lines = ["POST /signed HTTP/1.1", "host: x", "content-length: 500", *(f"{k}: {v}" for k, v in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        started = time.monotonic()
        connection.settimeout(0.1)
        received = b""
        while not received and time.monotonic() - started < 5:
            connection.sendall(b"x")
            try:
                received = connection.recv(1000)
            except TimeoutError:
                continue
        assert received.startswith(b"HTTP/1.1 408")
        assert 0.9 < time.monotonic() - started < 3


def test_a_suspended_node_is_out_within_a_second_also_when_another_process_says_so(visitor, serve) -> None:
    other = Visitor(serve())  # a second process on the same database
    officer = other.token()
    assert visitor.send(visitor.signed()).status_code == 200
    answer = other.http.post("/v1/nodes/aurora/suspension", headers=officer, json={"reason": "its laptop was stolen"})
    said = time.monotonic()
    assert (answer.status_code, answer.json()["suspended_by"]) == (200, "account:ada")
    while visitor.send(visitor.signed()).status_code == 200:
        assert time.monotonic() - said < 1
        time.sleep(0.02)
    assert code(visitor.send(visitor.signed())) == (403, "NODE_SUSPENDED")
    assert code(other.send(other.signed())) == (403, "NODE_SUSPENDED")
    assert visitor.send(visitor.signed("boreal")).status_code == 200
    # A stranger does not learn it.
    assert code(visitor.send(visitor.signed("aurora", SigningKey.generate()))) == (401, "SIGNATURE_INVALID")
    resumed = other.http.delete("/v1/nodes/aurora/suspension", headers=officer, params={"reason": "new key now"})
    assert resumed.status_code == 204
    time.sleep(0.6)
    assert visitor.send(visitor.signed()).status_code == 200
    other.http.close()


def test_only_its_own_officer_suspends_a_node(visitor) -> None:
    officer, auditor = visitor.token(), visitor.token("otto")
    body = {"reason": "its laptop was stolen"}

    def suspend(node: str, headers, json=body) -> tuple[int, str]:
        return code(visitor.http.post(f"/v1/nodes/{node}/suspension", headers=headers, json=json))

    assert suspend("boreal", officer) == (403, "PERMISSION_MISSING")
    assert suspend("aurora", auditor) == (403, "PERMISSION_MISSING")
    assert suspend("nobody", officer) == (403, "PERMISSION_MISSING")
    assert suspend("aurora", {}) == (401, "SESSION_INVALID")
    assert suspend("aurora", officer, {"reason": "why"}) == (400, "BODY_INVALID")
    assert suspend("aurora", officer, {"reason": f"customer {'a1' * 16}"}) == (400, "BODY_INVALID")
    assert suspend("aurora", officer, {**body, "until": "tomorrow"}) == (400, "BODY_INVALID")
    assert visitor.http.delete("/v1/nodes/aurora/suspension", headers=officer).status_code == 400
    assert visitor.send(visitor.signed()).status_code == 200


def test_a_session_from_sign_in_to_sign_out(visitor) -> None:
    answer = visitor.sign_in()
    assert answer.headers["cache-control"] == "no-store"
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    current = visitor.http.get("/v1/sessions/current", headers=headers).json()
    assert current == {
        "name": "ada",
        "grants": [{"controller": "aurora", "role": "officer"}],
        "must_change_password": False,
    }
    assert visitor.http.delete("/v1/sessions/current", headers=headers).status_code == 204
    refused = visitor.http.get("/v1/sessions/current", headers=headers)
    assert code(refused) == (401, "SESSION_INVALID")
    assert refused.headers["www-authenticate"] == "Bearer"


def test_whoever_was_given_a_password_sets_an_own_one_first(visitor) -> None:
    headers = visitor.token("kim")
    answer = visitor.http.get("/v1/look-ups", headers=headers, params={"controller": "aurora"})
    assert code(answer) == (403, "PASSWORD_CHANGE_REQUIRED")
    changed = visitor.http.post(
        "/v1/accounts/me/password", headers=headers, json={"old": PASSWORD, "new": "another long one"}
    )
    assert changed.status_code == 200
    assert visitor.http.get("/v1/sessions/current", headers=headers).status_code == 401
    renewed = {"authorization": f"Bearer {changed.json()['token']}"}
    answer = visitor.http.get("/v1/look-ups", headers=renewed, params={"controller": "aurora"})
    assert code(answer) == (403, "PERMISSION_MISSING")


def test_an_auditor_reads_the_look_ups_of_one_controller(visitor) -> None:
    auditor = visitor.token("otto")

    def read(**params: object) -> httpx.Response:
        return visitor.http.get("/v1/look-ups", headers=auditor, params=params)  # type: ignore[arg-type]

    first = read(controller="aurora", limit=1).json()
    assert [entry["actor"] for entry in first["look_ups"]] == ["bea"]
    second = read(controller="aurora", limit=1, before=first["next_before"]).json()
    assert [entry["actor"] for entry in second["look_ups"]] == ["ada"]
    assert second["next_before"] is None
    assert code(read(controller="boreal")) == (403, "PERMISSION_MISSING")
    assert code(read()) == (400, "CONTROLLER_NOT_NAMED")
    assert code(read(controller=["aurora", "boreal"])) == (400, "CONTROLLER_NOT_NAMED")
    assert code(read(controller="aurora", limit=501)) == (400, "REQUEST_INVALID")
    assert code(read(controller="aurora", customer="a1" * 16)) == (400, "REQUEST_INVALID")
    officer = visitor.http.get("/v1/look-ups", headers=visitor.token(), params={"controller": "aurora"})
    assert code(officer) == (403, "PERMISSION_MISSING")


def test_guessing_passwords_is_limited_and_hurts_nobody_else(visitor) -> None:
    partner = visitor.token()
    started = time.monotonic()
    answers = [visitor.sign_in(name="otto", password=f"guess number {n}") for n in range(30)]
    codes = [answer.json()["code"] for answer in answers]
    assert codes == ["CREDENTIALS_INVALID"] * 5 + ["RATE_LIMITED"] * 25
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
    assert code(visitor.sign_in(name="otto")) == (429, "RATE_LIMITED")
    assert time.monotonic() - started < 20
    # From the same address: open sessions and signed requests go on.
    assert visitor.http.get("/v1/sessions/current", headers=partner).status_code == 200
    assert visitor.send(visitor.signed()).status_code == 200


def test_a_stranger_cannot_spend_a_partner_s_allowance(visitor) -> None:
    partner = visitor.token()
    stranger = SigningKey.generate()
    answers = [visitor.send(visitor.signed("aurora", stranger)) for _ in range(60)]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses[:40]) == {401}
    assert 429 in statuses[40:]
    assert "retry-after" in answers[statuses.index(429)].headers
    guesses = [
        visitor.http.get("/v1/sessions/current", headers={"authorization": f"Bearer {secrets.token_hex(32)}"})
        for _ in range(60)
    ]
    assert guesses[-1].status_code == 429
    assert [visitor.send(visitor.signed()).status_code for _ in range(20)] == [200] * 20
    assert visitor.http.get("/v1/sessions/current", headers=partner).status_code == 200


MALFORMED = [
    b"",
    b"{",
    b"[]",
    b'{"name":"ada"}',
    b'{"name":"ada","password":"hidden words here","admin":true}',
    b'{"name":"ada","password":["hidden words here"]}',
    b'{"name":"Ada\\u0000","password":"hidden words here"}',
    b'{"name":"ada","password":"\\ud800 hidden words here"}',
    b'{"hidden words here":1,"name":"ada","password":"x"}',
    b'{"name":"ada","password":"' + b"hidden words here" * 100 + b'"}',
]


def test_malformed_credentials_are_refused_without_being_repeated(visitor) -> None:
    for body in MALFORMED:
        answer = visitor.http.post("/v1/sessions", content=body)
        assert code(answer) == (400, "BODY_INVALID")
        assert "hidden" not in answer.text
    assert "hidden" not in visitor.served.log()


def test_no_secret_is_in_the_log(visitor) -> None:
    wrong = f"wrong {secrets.token_hex(8)}"
    visitor.sign_in(password=wrong)
    headers = visitor.token()
    visitor.http.get("/v1/sessions/current", headers=headers)
    visitor.http.post("/v1/accounts/me/password", headers=headers, json={"old": PASSWORD, "new": "another long one"})
    visitor.send(visitor.signed())
    log = visitor.served.log()
    assert "/v1/sessions" in log  # it is a log, and at its most talkative
    for secret in (wrong, PASSWORD, "another long one", headers["authorization"].split()[1]):
        assert secret not in log
    stored = b"".join(path.read_bytes() for path in visitor.served.folder.glob("consent.sqlite*"))
    for secret in (PASSWORD, "another long one", headers["authorization"].split()[1]):
        assert secret.encode() not in stored


def test_the_two_ways_of_authorization_do_not_mix_and_a_lost_database_lets_nobody_in(visitor) -> None:
    signed = visitor.signed()
    assert code(visitor.http.get("/v1/sessions/current", headers=signed)) == (401, "SESSION_INVALID")
    assert code(visitor.send(visitor.token())) == (401, "SIGNATURE_INVALID")
    with sqlite3.connect(visitor.served.folder / "consent.sqlite") as connection:
        connection.execute("DROP TABLE access_node_suspension")
    time.sleep(0.6)
    assert visitor.send(visitor.signed()).status_code >= 500
