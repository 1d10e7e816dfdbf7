"""The HTTP service in process: signatures, replays, limits, problem documents."""

import asyncio
import hashlib
import json
import logging
from datetime import timedelta

import httpx
import pytest

from hanse_consent import authentication
from hanse_consent.acts import ActBatch
from hanse_consent.configuration import load_configuration
from hanse_consent.errors import ConsentConfigurationError, StoreUnavailableError
from hanse_consent.service import MAX_BATCH_BYTES, create_service
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import CohortManifest, cohort_root
from hanse_privacy.protocol.signed_request import HttpRequest, sign_request


class InProcess:
    """Speaks to the service without a socket; an exception that escapes it fails the test."""

    def __init__(self, service):
        self._service = service

    def request(self, method, path, content=b"", headers=None):
        async def send():
            transport = httpx.ASGITransport(app=self._service)
            async with httpx.AsyncClient(transport=transport, base_url="http://consent", trust_env=False) as client:
                return await client.request(method, path, content=content, headers=headers)

        return asyncio.run(send())

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, *, content, headers=None):
        return self.request("POST", path, content, headers)


@pytest.fixture
def http(folder, store, clock):
    service = create_service(
        configuration=load_configuration(folder.config), store=store, key=folder.service_key, now=clock
    )
    return InProcess(service)


@pytest.fixture
def signed(folder, clock):
    def headers(path, body, *, party="alster", key=None, now=None, method="POST"):
        return sign_request(
            HttpRequest(method=method, path=path, body=body),
            party=party,
            key=key or folder.partner_keys[party],
            now=now or clock(),
        )

    return headers


ACTS, COHORTS = "/v1/acts", "/v1/cohort-manifests"


def problem(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert set(content) == {"status", "title", "code", "detail", "mend"}
    assert (content["status"], content["code"]) == (status, code)
    return content


def body_of(question):
    return question.model_dump_json().encode()


def test_health_purposes_and_notices(http, folder):
    assert http.get("/v1/health").json() == {"status": "ok", "service": "league-consent"}
    purposes = http.get("/v1/purposes").json()["purposes"]
    assert [p["name"] for p in purposes] == ["churn-model", "shared-statistics"]
    assert list(purposes[1]["data_categories"]) == ["basic", "standard", "advanced"]
    notices = http.get("/v1/notices").json()["notices"]
    assert len(notices) == 3
    for notice in notices:
        text = (folder.path / "notices" / notice["file"]).read_bytes()
        assert notice["sha256"] == hashlib.sha256(text).hexdigest()
        assert notice["text"] == text.decode()


def test_a_manifest_is_bound_to_its_question(http, signed, question, act, store, folder, clock):
    store.record(partner="alster", acts=[act(customer="b" * 32), act(customer="a" * 32), act(customer="c" * 32)])
    asked = question()
    body = body_of(asked)
    clock.advance(seconds=30)
    answer = http.post(COHORTS, content=body, headers=signed(COHORTS, body))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    manifest = CohortManifest.verify(answer.content, key=folder.service_key.public)
    assert {k: getattr(manifest, k) for k in asked.payload()} == asked.model_dump()
    assert manifest.customers == ("a" * 32, "b" * 32, "c" * 32)
    assert manifest.root == cohort_root(manifest.customers)
    assert (manifest.issued_at, manifest.expires_at) == (clock(), clock() + timedelta(seconds=300))


def test_a_replay_is_refused(http, signed, question):
    body = body_of(question())
    headers = signed(COHORTS, body)
    assert http.post(COHORTS, content=body, headers=headers).status_code == 200
    problem(http.post(COHORTS, content=body, headers=headers), 409, "REQUEST_REPLAYED")


def test_a_replay_is_refused_after_a_restart(http, signed, question, folder, store, clock):
    body = body_of(question())
    headers = signed(COHORTS, body)
    http.post(COHORTS, content=body, headers=headers)
    again = create_service(
        configuration=load_configuration(folder.config), store=store, key=folder.service_key, now=clock
    )
    problem(InProcess(again).post(COHORTS, content=body, headers=headers), 409, "REQUEST_REPLAYED")


def test_signature_must_hold_for_these_very_bytes(http, signed, question, act, store):
    body = body_of(question())
    refused = [
        http.post(COHORTS, content=body),
        http.post(COHORTS, content=body + b" ", headers=signed(COHORTS, body)),
        http.post(COHORTS, content=body, headers=signed(ACTS, body)),
        http.post(COHORTS + "?x=1", content=body, headers=signed(COHORTS, body)),
        http.post(COHORTS, content=body, headers=signed(COHORTS, body, method="PUT")),
        http.post(COHORTS, content=body, headers=signed(COHORTS, body, key=SigningKey.generate())),
        http.post(COHORTS, content=body, headers={**signed(COHORTS, body), "hanse-party": "elbe"}),
        http.post(COHORTS, content=body, headers={**signed(COHORTS, body), "hanse-nonce": "0" * 32}),
        http.post(COHORTS, content=body, headers={**signed(COHORTS, body), "hanse-time": "yesterday"}),
    ]
    for answer in refused:
        problem(answer, 401, "SIGNATURE_INVALID")
        assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("off", [121, -121])
def test_a_request_of_another_time_is_refused(http, signed, question, clock, off):
    body = body_of(question())
    headers = signed(COHORTS, body, now=clock() + timedelta(seconds=off))
    problem(http.post(COHORTS, content=body, headers=headers), 401, "SIGNATURE_INVALID")


def test_strangers_are_refused(http, signed, question):
    body = body_of(question())
    headers = signed(COHORTS, body, party="weser", key=SigningKey.generate())
    problem(http.post(COHORTS, content=body, headers=headers), 401, "PARTY_UNKNOWN")


def test_a_partner_asks_and_speaks_for_its_own_customers_only(http, signed, question, act, store):
    body = body_of(question("elbe"))
    problem(http.post(COHORTS, content=body, headers=signed(COHORTS, body)), 403, "PARTNER_MISMATCH")
    named = json.dumps({"partner": "elbe", "acts": [json.loads(act().model_dump_json())]}).encode()
    problem(http.post(ACTS, content=named, headers=signed(ACTS, named)), 400, "BODY_INVALID")
    batch = ActBatch(acts=(act(customer="a" * 32),)).model_dump_json().encode()
    assert http.post(ACTS, content=batch, headers=signed(ACTS, batch, party="elbe")).json() == {"position": 1}
    body = body_of(question())
    answer = http.post(COHORTS, content=body, headers=signed(COHORTS, body))
    assert json.loads(answer.content)["document"]["count"] == 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"preselected": True}, 422, "PRESELECTED_CONSENT"),
        ({"purpose": "unheard-of"}, 422, "PURPOSE_UNKNOWN"),
        ({"notice": "unheard-of@1"}, 422, "NOTICE_UNKNOWN"),
        ({"notice": "joint-model@2.1"}, 422, "NOTICE_DOES_NOT_EXPLAIN"),
        ({"said_at": "2026-05-04T12:05:01Z"}, 422, "SAID_IN_FUTURE"),
        ({"purposes": ["a", "b"]}, 400, "BODY_INVALID"),
        ({"said_at": "noon"}, 400, "BODY_INVALID"),
    ],
)
def test_acts_that_are_refused(http, signed, act, store, change, status, code):
    content = {**json.loads(act(customer="d" * 32).model_dump_json()), **change}
    body = json.dumps({"acts": [content]}).encode()
    answer = problem(http.post(ACTS, content=body, headers=signed(ACTS, body)), status, code)
    assert "acts.0" in answer["detail"]
    assert "d" * 32 not in json.dumps(answer)
    assert store.position() == 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"purpose": "unheard-of"}, 422, "PURPOSE_UNKNOWN"),
        ({"purpose": "churn-model", "tier": "advanced"}, 422, "TIER_NOT_OFFERED"),
        ({"tier": "everything"}, 400, "BODY_INVALID"),
        ({"round": 0}, 400, "BODY_INVALID"),
        ({"customers": []}, 400, "BODY_INVALID"),
    ],
)
def test_questions_that_are_refused(http, signed, question, change, status, code):
    body = json.dumps({**json.loads(body_of(question())), **change}).encode()
    problem(http.post(COHORTS, content=body, headers=signed(COHORTS, body)), status, code)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"\xff", b"[" * 10_000, b'{"acts": []}'])
def test_a_body_that_is_none(http, signed, body):
    problem(http.post(ACTS, content=body, headers=signed(ACTS, body)), 400, "BODY_INVALID")


def test_a_body_has_a_largest_size(http, signed):
    body = b" " * (MAX_BATCH_BYTES + 1)
    problem(http.post(ACTS, content=body, headers=signed(ACTS, body)), 413, "BODY_TOO_LARGE")


def test_ten_thousand_acts_fit(http, signed, act):
    acts = tuple(act(customer=f"{n:032x}", key=f"{n:064d}", purpose="shared-statistics") for n in range(10_000))
    body = ActBatch(acts=acts).model_dump_json().encode()
    assert http.post(ACTS, content=body, headers=signed(ACTS, body)).json() == {"position": 10_000}


def test_a_body_has_a_deadline(http, signed, monkeypatch):
    async def slowly(self):
        await asyncio.sleep(5)
        yield b""

    monkeypatch.setattr(authentication, "BODY_DEADLINE_S", 0.05)
    monkeypatch.setattr("starlette.requests.Request.stream", slowly)
    problem(http.post(ACTS, content=b"{}", headers=signed(ACTS, b"{}")), 408, "BODY_TOO_SLOW")


def test_unknown_addresses_and_methods(http):
    problem(http.get("/v1/customers"), 404, "NOT_FOUND")
    problem(http.get(ACTS), 405, "METHOD_NOT_ALLOWED")
    problem(http.get("/docs"), 404, "NOT_FOUND")


def test_an_unforeseen_fault_is_a_bare_500(http, store, monkeypatch, caplog):
    def fail():
        raise RuntimeError("secret c0ffee")

    monkeypatch.setattr(store, "purposes", fail)
    with caplog.at_level(logging.INFO):
        answer = http.get("/v1/purposes")
    problem(answer, 500, "INTERNAL_ERROR")
    assert "c0ffee" not in answer.text + caplog.text
    assert "RuntimeError at test_service.py:" in caplog.text


def test_a_store_that_fails_is_a_503(http, store, monkeypatch):
    def fail():
        raise StoreUnavailableError("The disk is full.", "Free some.")

    monkeypatch.setattr(store, "position", fail)
    problem(http.get("/v1/health"), 503, "STORE_UNAVAILABLE")


def test_openapi_names_every_address(http):
    paths = http.get("/v1/openapi.json").json()["paths"]
    assert set(paths) == {"/v1/health", "/v1/purposes", "/v1/notices", ACTS, COHORTS}
    for path in (ACTS, COHORTS):
        assert paths[path]["post"]["requestBody"]["required"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "league-consent"', 'name = "League Consent"', "name"),
        ("port = 0", "port = 70000", "port"),
        ("port = 0", "port = 0\nwhatever = 1", "whatever"),
        ("port = 0", "port = 0\nmanifest_lifetime_s = 0", "manifest_lifetime_s"),
        ('key = "service.pem"', "", "key"),
        ('country = "DE"', 'country = "Germany"', "partners.0.country"),
        ("hanse-ed25519:", "hanse-ed25519:!", "partners.0.public_key"),
        ('name = "elbe"', 'name = "alster"', "same name"),
    ],
)
def test_configuration_faults_are_named(folder, old, new, named):
    folder.config.write_text(folder.config.read_text().replace(old, new))
    with pytest.raises(ConsentConfigurationError, match=named):
        load_configuration(folder.config)


def test_paths_start_at_the_configuration(folder):
    assert load_configuration(folder.config).database == folder.path / "consent.sqlite"


def test_keygen_and_check(folder, tmp_path):
    made = folder.run("keygen", "--out", str(tmp_path / "new.pem"))
    assert made.returncode == 0
    key = SigningKey.load(tmp_path / "new.pem").public
    assert made.stdout.splitlines() == [key.text, key.fingerprint]
    assert folder.run("keygen", "--out", str(tmp_path / "new.pem")).returncode == 2

    good = folder.run("check", "--config", str(folder.config))
    assert (good.returncode, good.stderr) == (0, "")
    assert "2 partners, 2 purposes, 3 notices" in good.stdout
    assert not (folder.path / "consent.sqlite").exists()


@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_start_that_cannot_be_is_one_sentence(folder, store, command):
    notice = folder.path / "notices" / "joint-model@2.1.en.md"
    for spoil, code in [
        (lambda: notice.write_text("Something else."), "NOTICE_CHANGED"),
        ((folder.path / "service.pem").unlink, "KEY_FILE"),
        (folder.config.unlink, "CONSENT_CONFIGURATION"),
    ]:
        spoil()
        result = folder.run(command, "--config", str(folder.config))
        assert result.returncode == 2
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert f"[{code}]" in result.stderr
