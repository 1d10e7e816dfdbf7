"""The service against its own description: whatever is sent, no failure, and no answer that is not described.

``HANSE_API_EXAMPLES`` sets how many requests each address gets from each sender.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from installed_service import add_account, served_database
from league_files import CENTRE, LeagueFolder, lay_out
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from speakers import now

from hanse_consent.access.rate_limits import AccessLimits, Rate
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.configuration import load_configuration
from hanse_consent.opening import open_service
from hanse_privacy.protocol.signed_request import HttpRequest, sign_request

EXAMPLES = int(os.environ.get("HANSE_API_EXAMPLES", "4"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OFTEN = Rate(burst=1_000_000, per_s=1_000_000)
SENDERS = ("nobody", "person", "node", "centre")


@dataclass(frozen=True, kw_only=True)
class Described:
    """A service without a socket, whose door is wide, and who sends to it."""

    service: FastAPI
    folder: LeagueFolder
    web: TestClient
    token: str

    def send(self, request: httpx.Request, *, sender: str) -> httpx.Response:
        body = request.read()
        if sender == "person":
            request.headers["authorization"] = f"Bearer {self.token}"
        elif sender != "nobody":
            signed = HttpRequest(method=request.method, path=request.url.raw_path.decode(), body=body)
            party = CENTRE if sender == "centre" else "alster"
            key, receiver = self.folder.keys[party], self.folder.service_key.public
            request.headers.update(sign_request(signed, party=party, key=key, receiver=receiver, now=now()))
        return self.web.send(request)


@pytest.fixture(scope="module")
def described(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    folder = lay_out(tmp_path_factory.mktemp("described") / "consent")
    limits = AccessLimits(node=OFTEN, account=OFTEN, stranger=OFTEN, sign_in_from_address=OFTEN)
    with ExitStack() as stack:
        served = stack.enter_context(served_database(folder)) if engine == "postgresql" else folder
        configuration = load_configuration(served.config)
        service = stack.enter_context(open_service(configuration, metrics=ServiceMetrics(), limits=limits))
        given, own = secrets.token_hex(12), secrets.token_hex(12)
        roles = [f"{role}@alster" for role in ("officer", "auditor", "channel")]
        add_account(served, "eve", *roles, password=given)
        web = stack.enter_context(TestClient(service, base_url="http://consent.test"))
        first = web.post("/v1/sessions", json={"name": "eve", "password": given}).json()["token"]
        changed = web.post(
            "/v1/accounts/me/password",
            json={"old": given, "new": own},
            headers={"authorization": f"Bearer {first}"},
        )
        yield Described(service=service, folder=served, web=web, token=changed.json()["token"])


def operations(described: Described) -> Iterator[Any]:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", described.service)
    for found in schema.get_all_operations():
        yield found.ok()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fitting", "unfitting"])
@pytest.mark.parametrize("sender", SENDERS)
def test_every_answer_is_as_described(described: Described, sender: str, mode: GenerationMode) -> None:
    failures: dict[str, BaseException] = {}
    for operation in operations(described):
        if operation.label == "DELETE /v1/sessions/current" and sender == "person":
            continue  # it would end the session that the others need
        if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
            continue

        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: schemathesis.Case) -> None:
            if mode is GenerationMode.POSITIVE and sender == "person":
                named = any(parameter.name == "controller" for parameter in case.operation.query)
                case.query = {**(case.query or {}), **({"controller": "alster"} if named else {})}
            parts = case.as_transport_kwargs(base_url="http://consent.test")
            request = described.web.build_request(**parts)
            case.validate_response(described.send(request, sender=sender), checks=CHECKS)

        try:
            run()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # nothing that could be sent there is unfitting
        except Exception as error:  # noqa: BLE001 - all of them, so that one run tells of every address
            failures[operation.label] = error
    assert not failures, "\n\n".join(f"{label}: {error}" for label, error in failures.items())


ADDRESSES = """
GET /v1/health
GET /v1/ready
GET /v1/purposes
GET /v1/notices
POST /v1/acts
POST /v1/checks
POST /v1/bulk-checks
POST /v1/timelines
POST /v1/customer-look-ups
POST /v1/consent-records
POST /v1/receipts
POST /v1/sessions
GET /v1/sessions/current
DELETE /v1/sessions/current
POST /v1/accounts/me/password
POST /v1/nodes/{name}/suspension
DELETE /v1/nodes/{name}/suspension
GET /v1/look-ups
GET /v1/findings
GET /v1/affected-runs
GET /v1/budgets
POST /v1/runs
GET /v1/runs
GET /v1/runs/{run}
GET /v1/runs/{run}/report
POST /v1/runs/{run}/outcome
POST /v1/runs/{run}/decisions
POST /v1/runs/{run}/revocations
POST /v1/runs/{run}/anonymity-findings
POST /v1/run-approvals
POST /v1/cohort-manifests
POST /v1/cohort-reports
POST /v1/budget-reports
"""


def test_the_document_names_every_address_and_hides_no_reference(described: Described) -> None:
    document = described.web.get("/v1/openapi.json").json()
    named = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert set(ADDRESSES.strip().splitlines()) <= named
    assert "$defs" not in json.dumps(document)
    for reference in references(document):
        found: Any = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_bodies_have_descriptions(described: Described) -> None:
    document = described.web.get("/v1/openapi.json").json()
    undescribed = {
        path
        for path, methods in document["paths"].items()
        if "post" in methods and "requestBody" not in methods["post"]
    }
    assert undescribed <= {"/v1/runs"}  # a signed document, described where proposals are
