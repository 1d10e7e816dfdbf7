"""A whole league inside one process, for tests and benchmarks: only Flower's network is replaced.

The consent service answers HTTP from a thread, each vault its socket from another; the letters, the
couriers' ClientApp and the ServerApp are those of a deployment.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from hanse_client.consent_acts import read_acts, send_acts
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.flower.client_app import app as client_app
from hanse_client.vault.policy import load_policy
from hanse_client.vault.process import assemble, load_export
from hanse_client.vault.socket_server import VaultSocket
from hanse_client.vault.vault import Vault
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.client import ConsentClient
from hanse_consent.configuration import load_configuration
from hanse_consent.opening import open_service
from hanse_demo.grants import DrawnGrants, customers_of, draw_grants, write_grants
from hanse_demo.officers import ScriptedOfficers
from hanse_demo.story import Grants
from hanse_demo.workshop import Workshop
from hanse_models.catalogue import load_catalogue
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.approval import record_outcome, seek_approval
from hanse_server.flower.memory_grid import MemoryGrid
from hanse_server.flower.server_app import app as server_app
from hanse_server.league import RunFolder
from hanse_server.running import HOME_VARIABLE
from hanse_server.submission import propose

_READY_TIMEOUT_S = 20.0
_POLL_S = 0.05


class MemoryLeague:
    """A league that is up: consent service, vaults and a grid in this process.

    Args:
        workshop: Where it was laid out; its exports must be in place.
    """

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop
        self.grid = MemoryGrid(client_app, _node_configurations(workshop))
        self.vaults: dict[str, Vault] = {}
        self._officers = ScriptedOfficers(workshop)
        self._consent = ExitStack()
        self._sockets = {partner: ExitStack() for partner in workshop.partners}

    def start_consent(self) -> None:
        """Start the consent service."""
        self._consent.enter_context(consent_service(self.workshop))

    def stop_consent(self) -> None:
        """Stop the consent service."""
        self._consent.close()

    def start_vault(self, partner: str) -> None:
        """Start one vault from its folder, as after a restart."""
        self.vaults[partner] = self._sockets[partner].enter_context(_vault(self.workshop, partner))

    def stop_vault(self, partner: str) -> None:
        """Stop one vault."""
        self._sockets[partner].close()

    def propose(self, draft: str) -> RunProposal:
        """Sign one of the example's proposals."""
        return propose(self.workshop.league, self.workshop.root / "proposals" / draft)

    def approve(self, proposal: RunProposal) -> None:
        """Submit a run to the consent service and have the scripted officers approve it.

        Raises:
            HanseError: If the law, or what is registered, forbids it.
        """
        have_approved(self.workshop, self._officers, proposal)

    def submit(self, run: str) -> None:
        """Drive an approved run through Flower's own ServerApp, to its end.

        Raises:
            HanseError: As the ServerApp raises it.
        """
        os.environ[HOME_VARIABLE] = str(self.workshop.league.root)
        self.grid.conduct(server_app, run=run)

    def conduct(self, proposal: RunProposal) -> dict[str, Any]:
        """Have the run approved and drive it through Flower's own ServerApp; return its result.

        Raises:
            HanseError: If it was not approved, or as the ServerApp raises it.
        """
        self.approve(proposal)
        self.submit(proposal.run)
        record_outcome(self.workshop.league, proposal=proposal)
        return RunFolder(self.workshop.league, proposal.run).result() or {}

    def record_acts(self, partner: str, file: Path) -> int:
        """Record a file of acts as ``hanse node consent`` does; return the position."""
        home = self.workshop.node(partner)
        policy = load_policy(home.policy)
        client = ConsentClient(
            policy.consent.url, partner, SigningKey.load(home.signing_key), policy.consent_key, policy.consent.timeout_s
        )
        return send_acts(read_acts(file, PseudonymKey.load(home.pseudonym_key)), client)

    def record_grants(self, grants: Grants) -> dict[str, DrawnGrants]:
        """Draw and record every partner's grants."""
        catalogue = load_catalogue(self.workshop.league.root / self.workshop.league.load().catalogue)
        drawn = {}
        for partner in self.workshop.partners:
            folder = self.workshop.node(partner).root
            drawn[partner] = draw_grants(grants, partner=partner, customers=customers_of(folder, catalogue))
            write_grants(folder / "grants.csv", grants, drawn[partner])
            self.record_acts(partner, folder / "grants.csv")
        return drawn


def have_approved(workshop: Workshop, officers: ScriptedOfficers, proposal: RunProposal) -> None:
    """Submit a run to the consent service and have the scripted officers approve it.

    Raises:
        HanseError: If the law, or what is registered, forbids it.
    """
    seek_approval(
        workshop.league,
        proposal=proposal,
        timeout_s=_READY_TIMEOUT_S,
        told=lambda standings: officers.approve(proposal.run, standings),
        poll_s=_POLL_S,
    )


@contextmanager
def memory_league(workshop: Workshop) -> Iterator[MemoryLeague]:
    """Bring a laid-out league up in this process; its exports must be in place.

    Raises:
        HanseError: If any part cannot start.
    """
    league = MemoryLeague(workshop)
    try:
        league.start_consent()
        for partner in workshop.partners:
            league.start_vault(partner)
        yield league
    finally:
        for partner in workshop.partners:
            league.stop_vault(partner)
        league.stop_consent()


def _node_configurations(workshop: Workshop) -> Mapping[int, Mapping[str, str]]:
    partners: Sequence[str] = workshop.partners
    return {number: workshop.node_configuration(partner) for number, partner in enumerate(partners, start=1)}


@contextmanager
def consent_service(workshop: Workshop) -> Iterator[None]:
    """The league's consent service, answering HTTP from a thread."""
    configuration = load_configuration(workshop.consent / "consent.toml")
    with open_service(configuration, metrics=ServiceMetrics()) as service:
        server = uvicorn.Server(
            uvicorn.Config(
                service, host=configuration.host, port=configuration.port, log_level="warning", lifespan="off"
            )
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        limit = time.monotonic() + _READY_TIMEOUT_S
        while not server.started and time.monotonic() < limit:
            time.sleep(0.02)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(timeout=_READY_TIMEOUT_S)


@contextmanager
def _vault(workshop: Workshop, partner: str) -> Iterator[Vault]:
    home = workshop.node(partner)
    policy = load_policy(home.policy)
    load_export(home, policy)
    vault = assemble(home, policy)
    socket = VaultSocket(policy.node.socket, group=None, accounts=())
    thread = threading.Thread(target=socket.serve_forever, args=(vault.handle,), daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        socket.close()
        thread.join(timeout=_READY_TIMEOUT_S)
