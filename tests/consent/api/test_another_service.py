"""Two services of the same shops: what one of them received is nothing at the other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from installed_service import RunningService
from league_files import CENTRE, LeagueFolder, lay_out
from run_terms import proposal
from speakers import Node, act, good, problem


@pytest.fixture
def services(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService], tmp_path: Path
) -> tuple[RunningService, RunningService]:
    """The honest service, and another one with the same parties registered and a key of its own."""
    folder = make_folder()
    return start_service(folder), start_service(lay_out(tmp_path / "other", like=folder))


def test_a_request_for_one_service_is_refused_by_another_and_changes_nothing(
    services: tuple[RunningService, RunningService],
) -> None:
    here, there = services
    node, centre = Node(service=here, party="alster"), Node(service=here, party=CENTRE)
    elsewhere = Node(service=there, party="alster")
    asked = proposal(here)
    captured = [
        (speaker, "POST", path, body, speaker.headers("POST", path, body))
        for speaker, path, body in (
            (node, "/v1/acts", json.dumps({"acts": [act(customer=node.customer())]}).encode()),
            (centre, "/v1/runs", asked.sign(here.folder.keys[CENTRE])),
        )
    ]
    path = f"/v1/runs/{asked.run}/report"
    captured.append((centre, "GET", path, b"", centre.headers("GET", path, b"")))
    for speaker, method, path, body, headers in captured:
        assert speaker.http.request(method, path, content=body, headers=headers).status_code == 200
        # The first service, or whoever reads along there, sends it on at once.
        refused = elsewhere.http.request(method, path, content=body, headers=headers)
        problem(refused, 401, "SIGNATURE_INVALID")
    assert (node.position(), elsewhere.position()) == (1, 0)
    at_the_other = Node(service=there, party=CENTRE)
    problem(at_the_other.get(path), 404, "RUN_UNKNOWN")
    # The same parties speak to it as soon as they mean it.
    good(elsewhere.record(act(customer=elsewhere.customer())))
    assert elsewhere.position() == 1
    at_the_other.client().submit_run(asked.sign(there.folder.keys[CENTRE]))
