"""Killed while acts are sent, the service keeps what it acknowledged, and no half of a batch."""

import threading
import time
from collections.abc import Callable

import httpx
from installed_service import RunningService
from league_files import LeagueFolder
from speakers import Node, act, good

KILLS = 5
BATCH = 20


def test_what_was_acknowledged_survives_and_no_batch_is_halved(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService]
) -> None:
    folder = make_folder()
    acknowledged: dict[str, int] = {}
    sent: list[str] = []
    for turn in range(KILLS):
        service = start_service(folder)

        def write(service: RunningService = service) -> None:
            node = Node(service=service)
            while True:
                customer = node.customer()
                sent.append(customer)
                try:
                    answer = node.record(*(act(customer=customer) for _ in range(BATCH)))
                except httpx.HTTPError:
                    return
                acknowledged[customer] = int(good(answer)["position"])

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        began, already = time.monotonic(), len(acknowledged)
        while len(acknowledged) < already + 3 + turn and time.monotonic() - began < 20:
            time.sleep(0.005)
        service.kill()
        for writer in writers:
            writer.join()
        assert len(acknowledged) > already
    service = start_service(folder)
    node = Node(service=service)
    position = node.position()
    assert position >= max(acknowledged.values())
    found = {customer: good(node.timeline(customer))["acts"] for customer in sent}
    assert {len(acts) for acts in found.values()} <= {0, BATCH}
    for customer, last in acknowledged.items():
        positions = [one["position"] for one in found[customer]]
        assert positions == list(range(last - BATCH + 1, last + 1))
    assert sum(map(len, found.values())) == position
    assert service.stop() == 0


def test_a_stopped_service_ends_orderly_and_knows_everything_again(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService]
) -> None:
    folder = make_folder()
    service = start_service(folder)
    node = Node(service=service)
    customer, said = node.customer(), act()
    said["customer"] = customer
    position = good(node.record(said))["position"]
    body = b'{"acts": []}'
    signed = node.headers("POST", "/v1/acts", body)
    assert node.http.post("/v1/acts", content=body, headers=signed).status_code == 400
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in service.log.read_text()
    again = start_service(folder)
    node = Node(service=again)
    assert node.codes(customer, at_least=position) == set()
    assert good(node.record(said)) == {"position": position, "effects": ["repeated"]}
    # What was signed for the first process is good at the second neither.
    replayed = node.http.post("/v1/acts", content=body, headers=signed)
    assert replayed.json()["code"] in ("REQUEST_REPLAYED", "REQUEST_BEFORE_START")
