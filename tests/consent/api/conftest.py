"""The installed service as a process, on both engines, with nodes and people that speak to it."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from installed_service import RunningService, add_account, served_database, server_is_there, start
from league_files import CENTRE, LeagueFolder, lay_out
from run_terms import proposal
from speakers import Node, Person, act

from hanse_privacy.protocol.proposal import RunProposal

ROLES = {
    "olga": ("officer@alster",),
    "otto": ("officer@elbe", "officer@taihu"),
    "anja": ("auditor@alster",),
    "petra": ("partner@alster",),
    "sven": ("scientist@alster",),
    "till": ("channel@alster", "auditor@elbe"),
}


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Which database serves; a machine without a PostgreSQL server skips that half."""
    if request.param == "postgresql" and not server_is_there():
        if os.environ.get("HANSE_REQUIRE_POSTGRESQL") == "1":
            pytest.fail("no PostgreSQL server answers at 127.0.0.1:5432")
        pytest.skip("no PostgreSQL server")
    return str(request.param)


@pytest.fixture
def make_folder(engine: str, tmp_path: Path) -> Iterator[Callable[[], LeagueFolder]]:
    """Lay out folders of services that share nothing with others."""
    with ExitStack() as stack:

        def make() -> LeagueFolder:
            folder = lay_out(tmp_path / secrets.token_hex(4))
            return stack.enter_context(served_database(folder)) if engine == "postgresql" else folder

        yield make


@pytest.fixture
def start_service() -> Iterator[Callable[..., RunningService]]:
    """Start services that end with the test."""
    started: list[RunningService] = []

    def begin(folder: LeagueFolder, *options: str) -> RunningService:
        started.append(start(folder, *options))
        return started[-1]

    yield begin
    for service in started:
        service.kill()


@pytest.fixture(scope="session")
def service(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One process that most tests share; they use customers of their own."""
    folder = lay_out(tmp_path_factory.mktemp("league") / "consent")
    with ExitStack() as stack:
        served = stack.enter_context(served_database(folder)) if engine == "postgresql" else folder
        running = start(served)
        try:
            yield running
            assert running.process.poll() is None
            assert running.leaked() == []
            assert "Traceback" not in running.log.read_text()
        finally:
            running.stop()


@pytest.fixture(scope="session")
def people(service: RunningService) -> dict[str, Person]:
    """Everybody with an account, signed in under a password of their own."""
    found = {}
    for name, roles in ROLES.items():
        # Hexadecimal: by chance another text holds an account's name, and is refused.
        given, own = f"given {secrets.token_hex(12)}", f"own {secrets.token_hex(12)}"
        service.secrets |= {given, own}
        add_account(service.folder, name, *roles, password=given)
        person = Person(service=service, controller=roles[0].partition("@")[2], name=name, password=own)
        assert person.sign_in(name, given).status_code == 201
        assert person.change_password(given, own).status_code == 200
        found[name] = person
    return found


@pytest.fixture(scope="session")
def officer(people: dict[str, Person]) -> Person:
    return people["olga"]


@pytest.fixture(scope="session")
def node(service: RunningService) -> Node:
    """The node of alster."""
    return Node(service=service, party="alster")


@pytest.fixture(scope="session")
def other_node(service: RunningService) -> Node:
    """The node of elbe."""
    return Node(service=service, party="elbe")


@pytest.fixture(scope="session")
def chinese_node(service: RunningService) -> Node:
    """The node of taihu."""
    return Node(service=service, party="taihu")


@pytest.fixture
def known(node: Node) -> Callable[..., str]:
    """Make a customer of alster who said something: a grant, or what is named."""

    def make(*changes: dict[str, Any]) -> str:
        customer = node.customer()
        acts = [act(customer=customer, **one) for one in changes or ({},)]
        assert node.record(*acts).status_code == 200
        return customer

    return make


@pytest.fixture
def centre(service: RunningService) -> Node:
    return Node(service=service, party=CENTRE)


@pytest.fixture
def submit(centre: Node) -> Callable[..., RunProposal]:
    def send(*partners: str) -> RunProposal:
        asked = proposal(centre.service, *partners)
        centre.client().submit_run(asked.sign(centre.service.folder.keys[CENTRE]))
        return asked

    return send
