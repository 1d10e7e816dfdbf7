"""A suspended node is out within a second, at every process; and several processes serve one database."""

import time
from collections.abc import Callable

import pytest
from installed_service import RunningService, hanse
from league_files import LeagueFolder
from speakers import Node, Person, act, good, problem


def suspend(person: Person, node: str) -> None:
    good(person.post(f"/v1/nodes/{node}/suspension", {"reason": person.reason()}))


def resume(person: Person, node: str) -> None:
    assert person.send("DELETE", f"/v1/nodes/{node}/suspension?reason=all+is+well+again").status_code == 204


def outcome(node: Node) -> str:
    answer = node.check(node.customer())
    return "answered" if answer.status_code == 200 else str(answer.json()["code"])


def test_an_officer_suspends_its_own_controllers_node(people: dict[str, Person], chinese_node: Node) -> None:
    assert outcome(chinese_node) == "answered"
    for name in ("olga", "anja", "till"):
        refused = people[name].post("/v1/nodes/taihu/suspension", {"reason": people[name].reason()})
        problem(refused, 403, "PERMISSION_MISSING")
    otto = people["otto"]
    suspend(otto, "taihu")
    try:
        problem(chinese_node.check(chinese_node.customer()), 403, "NODE_SUSPENDED")
        problem(chinese_node.record(act("withdrawal")), 403, "NODE_SUSPENDED")
        problem(otto.post("/v1/nodes/weser/suspension", {"reason": "not ours"}), 403, "PERMISSION_MISSING")
    finally:
        resume(otto, "taihu")
    assert outcome(chinese_node) == "answered"


def test_the_command_suspends_a_node_of_a_running_service(service: RunningService, other_node: Node) -> None:
    config = ("--config", str(service.folder.config))
    assert outcome(other_node) == "answered"
    assert hanse("node", "suspend", "elbe", "--reason", "its key was lost", *config).returncode == 0
    time.sleep(1)
    try:
        assert outcome(other_node) == "NODE_SUSPENDED"
    finally:
        assert hanse("node", "resume", "elbe", "--reason", "it was found again", *config).returncode == 0
    time.sleep(1)
    assert outcome(other_node) == "answered"


def test_two_processes_serve_one_database(
    engine: str,
    service: RunningService,
    start_service: Callable[[LeagueFolder], RunningService],
    people: dict[str, Person],
) -> None:
    if engine != "postgresql":
        pytest.skip("two processes serve one database on PostgreSQL only")
    second = start_service(service.folder)
    here, there = Node(service=service, party="taihu"), Node(service=second, party="taihu")
    customer = here.customer()
    second.secrets.add(customer)
    # What one has acknowledged, the other answers by, one customer or many, and the same act counts once.
    good(there.bulk(customer))
    said = act(customer=customer)
    position = good(here.record(said))["position"]
    assert there.codes(customer, at_least=position) == set()
    assert good(there.bulk(customer, at_least=position))["answers"][0]["permitted"]
    assert good(there.record(said)) == {"position": position, "effects": ["repeated"]}
    position = good(there.record(act("withdrawal", customer=customer)))["position"]
    assert here.codes(customer, at_least=position) == {"CONSENT_WITHDRAWN"}
    assert not good(here.bulk(customer, at_least=position))["answers"][0]["permitted"]
    # One signed request is good at one of them only.
    body = b'{"acts": []}'
    signed = here.headers("POST", "/v1/acts", body)
    assert here.http.post("/v1/acts", content=body, headers=signed).status_code == 400
    problem(there.http.post("/v1/acts", content=body, headers=signed), 409, "REQUEST_REPLAYED")
    # A session opened at one is open at the other, and a suspension at one counts at the other within a second.
    otto = Person(service=second, token=people["otto"].token, controller="taihu")
    assert good(otto.get("/v1/sessions/current"))["name"] == "otto"
    assert (outcome(here), outcome(there)) == ("answered", "answered")
    suspend(otto, "taihu")
    began = time.monotonic()
    try:
        while outcome(here) == "answered":
            assert time.monotonic() - began < 1
        assert outcome(there) == "NODE_SUSPENDED"
    finally:
        resume(otto, "taihu")
    assert second.leaked() == []
