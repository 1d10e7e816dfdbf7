"""The two addresses that a vault asks, with the client that asks them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

from hanse_consent.api.problems import answer_with_problems
from hanse_consent.client import ConsentClient
from hanse_consent.cohorts.routes import MAX_REPORT_BYTES, cohort_routes
from hanse_consent.errors import ConsentRefusedError
from hanse_consent.exchange import Answer, Exchange
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import MAXIMUM_COHORT, ReportOutcome
from hanse_privacy.protocol.signed_request import HttpRequest, read_claim, sign_request, verify_request

NORTH = SigningKey.generate()


@dataclass(frozen=True)
class Proved:
    party: str
    body: bytes


class Authenticator:
    """Proves north's signature, and remembers the largest body it was told to read."""

    def __init__(self, now, own_key) -> None:
        self.now = now
        self.own_key = own_key
        self.limits: list[int] = []

    async def authenticate(self, request: Request, *, max_bytes: int) -> Proved:
        self.limits.append(max_bytes)
        body = await request.body()
        claim = read_claim(request.headers)
        signed = HttpRequest(method=request.method, path=request.url.path, body=body)
        verify_request(signed, claim, key=NORTH.public, receiver=self.own_key, now=self.now())
        return Proved(claim.party, body)


@pytest.fixture
def web(room) -> TestClient:
    service = FastAPI()
    authenticator = Authenticator(room.clock, room.key.public)
    service.include_router(cohort_routes(authenticator=authenticator, issuer=room.issuer, reports=room.reports))
    answer_with_problems(service)
    client = TestClient(service)
    client.limits = authenticator.limits
    return client


@pytest.fixture
def vault_line(room, web, monkeypatch) -> ConsentClient:
    """The client that vaults use, its exchange handed to the application in place of a socket."""

    def post(self: Exchange, path: str, *, body: bytes, headers: dict[str, str]) -> Answer:
        response: httpx.Response = web.post(path, content=body, headers=headers)
        return Answer(status=response.status_code, body=response.content)

    monkeypatch.setattr(Exchange, "post", post)
    return ConsentClient("http://consent.test", "north", NORTH, room.key.public, now=room.clock)


def test_a_round_from_question_to_receipt(room, vault_line, pseudonyms) -> None:
    cohort = vault_line.cohort_manifest(room.request())
    assert cohort.customers == tuple(sorted(pseudonyms[number] for number in (1, 2, 3, 5, 8, 13)))
    assert vault_line.report_cohort(cohort.report(cohort.customers[2:])).outcome is ReportOutcome.MATCH


def test_a_mismatch_reaches_the_vault_as_a_refusal(room, vault_line) -> None:
    cohort = vault_line.cohort_manifest(room.request())
    report = cohort.report(cohort.customers).model_copy(update={"loaded_root": "00" * 32})
    with pytest.raises(ConsentRefusedError) as refused:
        vault_line.report_cohort(report)
    assert refused.value.refusal_code == "COHORT_MISMATCH"
    with pytest.raises(ConsentRefusedError) as refused:
        vault_line.cohort_manifest(room.request(round=2))
    assert refused.value.refusal_code == "RUN_NOT_APPROVED"


def test_a_late_report_reaches_the_vault_as_a_refusal_and_the_round_may_be_asked_for_again(room, vault_line) -> None:
    cohort = vault_line.cohort_manifest(room.request())
    room.clock.at += timedelta(seconds=300)
    with pytest.raises(ConsentRefusedError, match="REPORT_LATE") as refused:
        vault_line.report_cohort(cohort.report(cohort.customers))
    assert refused.value.refusal_code == "REPORT_LATE"
    again = vault_line.cohort_manifest(room.request(known=cohort.manifest.digest))
    assert vault_line.report_cohort(again.report(again.customers)).outcome is ReportOutcome.MATCH


def test_a_partner_speaks_for_itself_only(room, vault_line) -> None:
    with pytest.raises(ConsentRefusedError) as refused:
        vault_line.cohort_manifest(room.request(partner="south"))
    assert (refused.value.refusal_code, refused.value.status) == ("PARTNER_MISMATCH", 403)
    cohort = room.cohort(partner="south")
    with pytest.raises(ConsentRefusedError) as refused:
        vault_line.report_cohort(cohort.report(cohort.customers))
    assert refused.value.refusal_code == "PARTNER_MISMATCH"
    assert room.runs.flagged == []


def test_an_unsigned_question_is_refused(web) -> None:
    for path in ("/v1/cohort-manifests", "/v1/cohort-reports"):
        assert web.post(path, content=b"{}").json()["code"] == "SIGNATURE_INVALID"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"partner": "north", "run": "0123456789abcdef"}'])
def test_a_body_that_is_no_question_is_refused_without_its_words(web, room, body: bytes) -> None:
    for path in ("/v1/cohort-manifests", "/v1/cohort-reports"):
        signed = HttpRequest(method="POST", path=path, body=body)
        headers = sign_request(signed, party="north", key=NORTH, receiver=room.key.public, now=room.clock())
        answer = web.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "BODY_INVALID")
        assert "0123456789abcdef" not in answer.text


def test_the_largest_report_fits(room, web, vault_line) -> None:
    cohort = vault_line.cohort_manifest(room.request())
    report = cohort.report(cohort.customers)
    vault_line.report_cohort(report)
    longest = len(report.model_dump_json()) + (MAXIMUM_COHORT // 8 + 2) // 3 * 4
    assert web.limits == [16 * 1024, MAX_REPORT_BYTES]
    assert longest < MAX_REPORT_BYTES


def test_the_description_names_both_ends(web) -> None:
    paths: dict[str, Any] = json.loads(web.get("/openapi.json").content)["paths"]
    assert set(paths) == {"/v1/cohort-manifests", "/v1/cohort-reports"}
    for path in paths.values():
        assert path["post"]["requestBody"]["required"]
        assert path["post"]["responses"]["200"]["content"]["application/json"]
