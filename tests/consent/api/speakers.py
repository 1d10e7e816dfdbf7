"""Those who speak to a service: nodes that sign, people in sessions, strangers."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from installed_service import RunningService
from league_files import STATISTICS

from hanse_consent.client import ConsentClient
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.signed_request import HttpRequest, sign_request

NOTICES = {"joint-statistics": "statistics@1", "churn-model": "churn@1", "churn-detail": "churn@1"}
PROBLEM = {"status", "title", "code", "detail", "mend"}


def now() -> datetime:
    return datetime.now(UTC)


def act(kind: str = "grant", customer: str = "0" * 32, **changes: Any) -> dict[str, Any]:
    """An act as it travels; whatever is not named is an ordinary grant said now. A None takes a field away."""
    purpose = changes.get("purpose", STATISTICS)
    fields: dict[str, Any] = {"kind": kind, "customer": customer, "said_at": now().isoformat()}
    fields["key"] = secrets.token_hex(12)
    if kind in ("grant", "renewal"):
        fields |= {"purpose": purpose, "tier": "standard", "notice": NOTICES.get(purpose, "health@1")}
        if purpose == STATISTICS:
            fields["language"] = "en"
    return {name: value for name, value in (fields | changes).items() if value is not None}


def use(purpose: str = STATISTICS, **changes: Any) -> dict[str, Any]:
    return {"purpose": purpose, "tier": "standard"} | changes


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a refusal, which must be this one."""
    assert (answer.status_code, answer.headers.get("content-type")) == (status, "application/problem+json"), answer.text
    found = answer.json()
    assert set(found) == PROBLEM
    assert (found["status"], found["code"]) == (status, code), found
    return dict(found)


def good(answer: httpx.Response, status: int = 200) -> Any:
    """What a request was answered with that must have succeeded."""
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


@dataclass
class Speaker:
    """Sends requests over one kept connection."""

    service: RunningService
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.service.url, trust_env=False, timeout=30)

    def customer(self) -> str:
        """A new pseudonym, which the service's log must never hold."""
        pseudonym = secrets.token_hex(16)
        self.service.secrets.add(pseudonym)
        return pseudonym

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        return {}

    def send(self, method: str, path: str, content: Any = None, **headers: str) -> httpx.Response:
        """Send a document (or bytes as they are)."""
        body = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        sent = {"content-type": "application/json"} | self.headers(method, path, body) | headers
        return self.http.request(method, path, content=body, headers=sent)

    def get(self, path: str) -> httpx.Response:
        return self.send("GET", path)

    def post(self, path: str, content: Any) -> httpx.Response:
        return self.send("POST", path, content)

    def path(self, name: str) -> str:
        return f"/v1/{name}"

    def record(self, *acts: dict[str, Any]) -> httpx.Response:
        return self.post(self.path("acts"), {"acts": acts})

    def check(self, customer: str, purpose: str = STATISTICS, **changes: Any) -> httpx.Response:
        used = use(purpose) | changes.pop("use", {})
        question = {"use": used, "customer": customer, "reason": self.reason()} | changes
        return self.post(self.path("checks"), question)

    def bulk(self, *customers: str, purpose: str = STATISTICS, **changes: Any) -> httpx.Response:
        question = {"use": use(purpose), "customers": customers, "reason": self.reason()} | changes
        return self.post(self.path("bulk-checks"), question)

    def timeline(self, customer: str, **changes: Any) -> httpx.Response:
        return self.post(self.path("timelines"), {"customer": customer, "reason": self.reason()} | changes)

    def document(self, name: str, customer: str, purpose: str = STATISTICS) -> httpx.Response:
        asked = {"customer": customer, "purpose": purpose, "reason": self.reason()}
        return self.post(self.path(name), asked)

    def reason(self) -> str:
        """A reason for a look-up, which the service's log must never hold."""
        reason = f"because {secrets.token_urlsafe(9)}"
        self.service.secrets.add(reason)
        return reason

    def codes(self, customer: str, purpose: str = STATISTICS, **changes: Any) -> set[str]:
        """The codes that exclude a customer; none if the customer may be used."""
        answer = good(self.check(customer, purpose, **changes))
        found = {reason["code"] for reason in answer["reasons"]}
        assert answer["permitted"] == (not found)
        return found


@dataclass
class Node(Speaker):
    """A party that signs what it sends."""

    party: str = "alster"
    key: SigningKey | None = None

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        folder = self.service.folder
        request = HttpRequest(method=method, path=path, body=body)
        key, receiver = self.key or folder.keys[self.party], folder.service_key.public
        return sign_request(request, party=self.party, key=key, receiver=receiver, now=now())

    def client(self) -> ConsentClient:
        """The client that vaults and centres use."""
        keys = self.service.folder.keys
        service_key = self.service.folder.service_key.public
        return ConsentClient(self.service.url, self.party, keys[self.party], service_key, timeout_s=30)

    def position(self) -> int:
        """The controller's position."""
        return int(good(self.check(self.customer()))["position"])


@dataclass
class Person(Speaker):
    """Somebody with an account, in a session."""

    controller: str = "alster"
    token: str = ""
    name: str = ""
    password: str = ""

    def path(self, name: str) -> str:
        return f"/v1/{name}?controller={self.controller}"

    def headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def sign_in(self, name: str, password: str) -> httpx.Response:
        answer = self.http.post("/v1/sessions", json={"name": name, "password": password})
        if answer.status_code == 201:
            self.service.secrets.add(answer.json()["token"])
            self.token = answer.json()["token"]
        return answer

    def change_password(self, old: str, new: str) -> httpx.Response:
        answer = self.post("/v1/accounts/me/password", {"old": old, "new": new})
        if answer.status_code == 200:
            self.service.secrets.add(answer.json()["token"])
            self.token = answer.json()["token"]
        return answer
