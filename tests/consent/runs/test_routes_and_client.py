"""Runs over HTTP, with the real client at the other end: the centre, officers, vaults."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request

from hanse_consent.access.accounts import Account
from hanse_consent.access.errors import SessionInvalidError
from hanse_consent.access.roles import Role, RoleGrant
from hanse_consent.api.problems import answer_with_problems
from hanse_consent.client import ConsentClient
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_consent.runs.guards import run_guards
from hanse_consent.runs.routes import RunParts, run_routes
from hanse_consent.runs.standing import RunOutcome, RunStage
from hanse_privacy.errors import SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.approval import RunApproval
from hanse_privacy.protocol.signed_request import HttpRequest, read_claim, verify_request


@dataclass(frozen=True)
class Signed:
    party: str
    body: bytes


class Keys:
    """Believes whoever holds the party's key."""

    def __init__(self, keys: dict[str, PublicKey], *, own_key: PublicKey) -> None:
        self._keys = keys
        self._own_key = own_key

    async def authenticate(self, request: Request, *, max_bytes: int) -> Signed:
        claim, body = read_claim(request.headers), await request.body()
        if claim.party not in self._keys or len(body) > max_bytes:
            raise SignatureInvalidError("Nobody knows you.", "Go away.")
        signed = HttpRequest(method=request.method, path=request.url.path, body=body)
        key = self._keys[claim.party]
        verify_request(signed, claim, key=key, receiver=self._own_key, now=datetime.now(UTC))
        return Signed(party=claim.party, body=body)


def account(name: str, *grants: tuple[str, Role], must_change: bool = False) -> Account:
    return Account(
        name=name,
        grants=frozenset(RoleGrant(controller=controller, role=role) for controller, role in grants),
        created_at=datetime.now(UTC),
        disabled=False,
        must_change_password=must_change,
    )


ACCOUNTS = {
    "anna": account("anna", ("alster", Role.OFFICER)),
    "emma": account("emma", ("elbe", Role.OFFICER)),
    "paul": account("paul", ("alster", Role.PARTNER), ("elbe", Role.OFFICER)),
    "nora": account("nora", ("alster", Role.OFFICER), must_change=True),
}


def signed_in(request: Request) -> Account:
    name = request.headers.get("authorization", "").removeprefix("Bearer ")
    if name not in ACCOUNTS:
        raise SessionInvalidError("No session.", "Sign in.")
    return ACCOUNTS[name]


@dataclass
class Served:
    """The service at an address."""

    url: str
    service: Any
    world: Any

    def client(self, party: str, **changes: Any) -> ConsentClient:
        key = self.world.CENTRE if party == "centre" else self.world.KEYS[party]
        fields = {"key": key, "service_key": self.world.SERVICE.public} | changes
        return ConsentClient(self.url, party, fields.pop("key"), fields.pop("service_key"), 5.0, **fields)

    def person(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {name}"}, trust_env=False)

    def decide(self, asked: Any, name: str, **changes: Any) -> httpx.Response:
        body = {"controller": "alster", "proposal": asked.digest, "verdict": "approve"} | changes
        with self.person(name) as person:
            return person.post(f"/v1/runs/{asked.run}/decisions", json=body)


@pytest.fixture
def served(database: Any, world: Any) -> Iterator[Served]:
    service = world.Service(database=database, now=datetime.now(UTC))
    parts = RunParts(
        register=service.register,
        proposals=service.proposals,
        decisions=service.decisions,
        approvals=service.approvals,
    )
    keys = {name: key.public for name, key in world.KEYS.items()} | {"centre": world.CENTRE.public}
    application = FastAPI()
    people: Any = SimpleNamespace(signed_in=signed_in)
    party = Keys(keys, own_key=world.SERVICE.public)
    application.include_router(run_routes(parts, run_guards(people, party=party)))
    answer_with_problems(application)
    server = uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(url=f"http://127.0.0.1:{port}", service=service, world=world)
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def asked(world: Any) -> Any:
    now = datetime.now(UTC)
    return world.proposal(created_at=now.isoformat(), expires_at=(now + timedelta(days=1)).isoformat())


@pytest.fixture(autouse=True)
def _registered_for_today(served: Served, world: Any) -> None:
    start, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=30)
    papers = (paper.model_copy(update={"starts_at": start, "ends_at": end}) for paper in world.registry().agreements)
    served.service.registry = world.registry(agreements=tuple(papers), notices=(world.notice(published_at=start),))


def test_a_run_from_proposal_to_outcome(served: Served, asked: Any, world: Any) -> None:
    centre, vault = served.client("centre"), served.client("alster")
    report = centre.submit_run(asked.sign(world.CENTRE))
    assert {one.stage for one in report.standings} == {RunStage.AWAITING}
    with pytest.raises(ConsentRefusedError) as waiting:
        vault.run_approval(served.service.question(asked))
    assert waiting.value.refusal_code == "RUN_NOT_APPROVED"
    decided = served.decide(asked, "anna")
    assert (decided.status_code, decided.json()["approved_by"]) == (200, ["anna"])
    question = served.service.question(asked)
    received = vault.run_approval(question)
    assert RunApproval.verify(received.signed, key=world.SERVICE.public) == received.approval
    assert received.approval.nonce == question.nonce
    assert centre.run_state(asked.run).standings[0].stage is RunStage.APPROVED
    ended = centre.record_outcome(
        asked.run,
        RunOutcome(proposal=asked.digest, completed=True, result_sha256="e" * 64, rounds=1, epsilon_spent=0.1),
    )
    assert ended.standings[0].stage is RunStage.FINISHED
    with served.person("anna") as anna:
        listed = anna.get("/v1/runs", params={"controller": "alster"}).json()
        detail = anna.get(f"/v1/runs/{asked.run}", params={"controller": "alster"}).json()
    assert [one["run"] for one in listed["runs"]] == [asked.run]
    assert listed["next"] is None
    assert (detail["document"], detail["model"]) == (asked.payload(), "personal-data")
    assert [event["kind"] for event in detail["events"]] == ["checked", "officer-approved", "outcome-recorded"]


def test_people_decide_only_where_their_role_lets_them(served: Served, asked: Any, world: Any) -> None:
    served.client("centre").submit_run(asked.sign(world.CENTRE))
    expected = {
        "emma": "OFFICER_FOREIGN",
        "paul": "OFFICER_FOREIGN",
        "nora": "PASSWORD_CHANGE_REQUIRED",
        "nobody": "SESSION_INVALID",
    }
    for name, code in expected.items():
        assert served.decide(asked, name).json()["code"] == code
    with served.person("emma") as emma, served.person("paul") as paul:
        address = f"/v1/runs/{asked.run}"
        assert emma.get(address, params={"controller": "alster"}).status_code == 403
        assert emma.get("/v1/runs", params={"controller": "alster"}).status_code == 403
        assert paul.get(address, params={"controller": "alster"}).status_code == 200
        body = {"controller": "alster", "ending": {"words": "No."}}
        assert paul.post(f"{address}/revocations", json=body).json()["code"] == "OFFICER_FOREIGN"
    assert served.service.register.run(asked.run, controller="alster").state.approved_by == ()


def test_a_refusal_reaches_the_centre_with_its_article(served: Served, asked: Any, world: Any) -> None:
    centre = served.client("centre")
    centre.submit_run(asked.sign(world.CENTRE))
    ending = {"words": "The assessment is too old.", "rule": "G-35", "article": "GDPR 35"}
    assert served.decide(asked, "anna", verdict="refuse").json()["code"] == "BODY_INVALID"
    assert served.decide(asked, "anna", verdict="refuse", ending=ending).status_code == 200
    assert "G-35 GDPR 35" in centre.run_state(asked.run).standings[0].in_words()


def test_a_revocation_and_a_finding_over_http(served: Served, asked: Any, world: Any) -> None:
    served.client("centre").submit_run(asked.sign(world.CENTRE))
    served.decide(asked, "anna")
    finding = {
        "controller": "alster",
        "epsilon": 1.0,
        "honest_minimum": 2,
        "audit": "canary-7",
        "found_on": "2026-03-01",
        "valid_until": "2999-03-01T00:00:00+00:00",
    }
    with served.person("anna") as anna:
        early = anna.post(f"/v1/runs/{asked.run}/anonymity-findings", json=finding)
        assert (early.status_code, early.json()["code"]) == (409, "RUN_STATE")
        body = {"controller": "alster", "ending": {"words": "Stop."}}
        assert anna.post(f"/v1/runs/{asked.run}/revocations", json=body).json()["standing"]["stage"] == "revoked"
        assert anna.get("/v1/runs", params={"controller": "alster", "after": "x"}).json()["code"] == "BODY_INVALID"
    with pytest.raises(ConsentRefusedError) as error:
        served.client("alster").run_approval(served.service.question(asked))
    assert error.value.refusal_code == "RUN_REVOKED"


def test_a_vault_asks_for_itself_and_the_centre_for_its_own_runs(served: Served, asked: Any, world: Any) -> None:
    served.client("centre").submit_run(asked.sign(world.CENTRE))
    served.decide(asked, "anna")
    with pytest.raises(ConsentRefusedError) as error:
        served.client("elbe").run_approval(served.service.question(asked))
    assert error.value.refusal_code == "PARTNER_MISMATCH"
    for attempt in (
        lambda: served.client("alster").submit_run(asked.sign(world.KEYS["alster"])),
        lambda: served.client("alster").run_state(asked.run),
        lambda: served.client("centre", key=SigningKey.generate()).run_state(asked.run),
    ):
        with pytest.raises(ConsentRefusedError):
            attempt()


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "0" * 32},
    "another partner": {"partner": "elbe"},
    "another run": {"run": "spring-2"},
    "other terms": {"proposal": "0" * 64},
    "expired": {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
    "old": {"issued_at": datetime.now(UTC) - timedelta(hours=1)},
    "of the future": {"issued_at": datetime.now(UTC) + timedelta(hours=1)},
    "one officer where two are needed": {"high_risk": True},
    "nobody": {"approved_by": ()},
    "one officer twice": {"approved_by": ("anna", "anna")},
}


@pytest.mark.parametrize("lie", [*LIES, "another key"])
def test_a_lie_about_an_approval_is_not_believed(
    served: Served, asked: Any, world: Any, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sits at the address: what is not signed by the pinned key for this question, now, counts for nothing."""

    def issue(request: Any) -> bytes:
        now = datetime.now(UTC)
        fields = {
            **request.model_dump(),
            "approved_by": ("anna",),
            "approved_at": now,
            "high_risk": False,
            "registry_version": 1,
            "pack_versions": {},
            "issued_at": now,
            "expires_at": now + timedelta(hours=1),
        }
        # Unchecked, as no honest program would make it.
        approval = RunApproval.model_construct(**(fields | LIES.get(lie, {})))
        return approval.sign(SigningKey.generate() if lie == "another key" else world.SERVICE)

    monkeypatch.setattr(served.service.approvals, "issue", issue)
    with pytest.raises(ConsentAnswerInvalidError):
        served.client("alster").run_approval(served.service.question(asked))


def test_a_true_answer_through_the_same_liar_is_believed(served: Served, asked: Any, world: Any) -> None:
    served.client("centre").submit_run(asked.sign(world.CENTRE))
    served.decide(asked, "anna")
    assert served.client("alster").run_approval(served.service.question(asked)).approval.approved_by == ("anna",)


def test_a_service_that_is_gone_approves_nothing(served: Served, asked: Any, world: Any) -> None:
    gone = ConsentClient("http://127.0.0.1:1", "alster", world.KEYS["alster"], world.SERVICE.public, 1.0)
    asking: tuple[Callable[[], object], ...] = (
        lambda: gone.run_approval(served.service.question(asked)),
        lambda: gone.run_state(asked.run),
    )
    for ask in asking:
        with pytest.raises(ConsentUnavailableError):
            ask()
