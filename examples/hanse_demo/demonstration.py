"""Runs an example league as real processes, from purchases to released results."""

import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hanse_client.vault.run_register import Admission, RunRegister
from hanse_demo.complete_journey import cut
from hanse_demo.display import Display
from hanse_demo.grants import DrawnGrants, customers_of, draw_grants, draw_withdrawals, write_grants, write_withdrawals
from hanse_demo.officers import ScriptedOfficers
from hanse_demo.processes import Child, ProcessFailedError, ProcessGroup
from hanse_demo.story import PurchaseSource, ScriptedRun, Story
from hanse_demo.workshop import Workshop
from hanse_models.catalogue import load_catalogue
from hanse_privacy.process_environment import child_environment
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.approval import record_outcome, seek_approval
from hanse_server.submission import follow, propose, submit

_READY_TIMEOUT_S = 90.0
_QUIET_LIMIT_S = 180.0
_COMMAND_TIMEOUT_S = 120.0
_APPROVAL_POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """One run, and how long it took."""

    proposal: RunProposal
    result: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a demonstration leaves behind, beside its files."""

    runs: tuple[FinishedRun, ...]
    grants: Mapping[str, DrawnGrants]
    withdrew: Mapping[str, int]


class Demonstration:
    """One example league on this machine.

    Args:
        story: The scripted part.
        workshop: Where everything lies.
        group: Ends every process that is started.
        display: Shows progress.
    """

    def __init__(self, *, story: Story, workshop: Workshop, group: ProcessGroup, display: Display) -> None:
        self._story = story
        self._workshop = workshop
        self._group = group
        self._display = display
        self._officers = ScriptedOfficers(workshop)
        self._grants: dict[str, DrawnGrants] = {}
        self._withdrew: dict[str, int] = dict.fromkeys(workshop.partners, 0)

    def run(self) -> Finished:
        """Play the whole story.

        Raises:
            HanseError: If anything fails; the caller's process group ends what was started.
        """
        self._purchases()
        self._start_consent()
        self._record_grants()
        self._start_league()
        runs = tuple(self._conduct(scripted) for scripted in self._story.runs)
        return Finished(runs=runs, grants=self._grants, withdrew=self._withdrew)

    def _purchases(self) -> None:
        if self._story.purchases.source is PurchaseSource.COMPLETE_JOURNEY:
            self._display.step("Cut the purchases into four partners' own exports")
            cut(self._workshop.root, self._story.purchases.seed)

    def _start_consent(self) -> None:
        self._display.step("Start the consent service")
        child = self._start("consent", "consent", "serve", "--config", str(self._workshop.consent / "consent.toml"))
        child.wait_for_line("is ready", timeout_s=_READY_TIMEOUT_S)

    def _record_grants(self) -> None:
        self._display.step("Record customers' grants under each partner's own pseudonyms")
        catalogue = load_catalogue(self._workshop.league.root / self._workshop.league.load().catalogue)
        files = {}
        for partner in self._workshop.partners:
            customers = customers_of(self._workshop.node(partner).root, catalogue)
            drawn = draw_grants(self._story.grants, partner=partner, customers=customers)
            self._grants[partner] = drawn
            files[partner] = self._workshop.node(partner).root / "grants.csv"
            write_grants(files[partner], self._story.grants, drawn)
        self._send_acts(files)

    def _send_acts(self, files: Mapping[str, Path]) -> None:
        self._commands(
            [
                ("node", "consent", str(file), "--home", str(self._workshop.node(partner).root))
                for partner, file in files.items()
            ]
        )

    def _start_league(self) -> None:
        self._display.step(f"Start {len(self._workshop.partners)} vaults, the SuperLink and the couriers")
        vaults = [
            self._start(f"vault-{partner}", "node", "serve", "--home", str(self._workshop.node(partner).root))
            for partner in self._workshop.partners
        ]
        superlink = self._start("superlink", "league", "serve", "--home", str(self._workshop.league.root))
        self._wait_for_port(superlink, self._workshop.superlink_port)
        for partner in self._workshop.partners:
            self._start(
                f"courier-{partner}",
                "node",
                "courier",
                "--partner",
                partner,
                "--socket",
                str(self._workshop.socket_of(partner)),
                "--superlink",
                f"127.0.0.1:{self._workshop.superlink_port}",
                "--home",
                str(self._workshop.courier(partner)),
                "--port",
                str(self._workshop.supernode_ports[partner]),
            )
        for vault in vaults:
            vault.wait_for_line("is ready", timeout_s=_READY_TIMEOUT_S)
        self._display.note(
            "One account runs everything here: the boundary between courier and vault is NOT in force (docs/node.md)."
        )

    def _conduct(self, scripted: ScriptedRun) -> FinishedRun:
        started = time.monotonic()
        proposal = propose(self._workshop.league, self._workshop.root / "proposals" / scripted.proposal)
        self._display.step(f"{proposal.title}: ε = {proposal.cost_epsilon():.2f}")
        self._approve(proposal)
        self._display.detail("submitting")
        submit(self._workshop.league, run=proposal.run)

        def told(event: dict[str, Any]) -> None:
            self._group.require_all_running()
            self._react(scripted, proposal, event)

        result = follow(self._workshop.league, run=proposal.run, timeout_s=_QUIET_LIMIT_S, told=told)
        record_outcome(self._workshop.league, proposal=proposal)
        return FinishedRun(proposal=proposal, result=result, seconds=time.monotonic() - started)

    def _approve(self, proposal: RunProposal) -> None:
        self._display.detail("officers read the proposal")
        approved: list[str] = []
        seek_approval(
            self._workshop.league,
            proposal=proposal,
            timeout_s=_COMMAND_TIMEOUT_S,
            told=lambda standings: approved.extend(self._officers.approve(proposal.run, standings)),
            poll_s=_APPROVAL_POLL_S,
        )
        self._display.note(
            f"Approved in the consent service by {', '.join(approved)} (scripted here; people in a real league)."
        )

    def _react(self, scripted: ScriptedRun, proposal: RunProposal, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "waiting-for-approval":
                for partner in event["partners"]:
                    RunRegister(self._workshop.node(partner).runs).decide(proposal.run, Admission.ADMITTED)
                    self._display.note(f"{partner} asks a person before each run: approved (scripted here).")
            case "round-started":
                self._display.detail(f"round {event['round']} of {proposal.rounds}: {event['operation']}")
            case "round-finished" if scripted.withdrawals and event["round"] == scripted.withdrawals.after_round:
                self._withdraw(scripted)
            case _:
                pass

    def _withdraw(self, scripted: ScriptedRun) -> None:
        if scripted.withdrawals is None:
            return
        files = {}
        for partner in self._workshop.partners:
            leaving = draw_withdrawals(
                scripted.withdrawals,
                seed=self._story.grants.seed,
                partner=partner,
                granted=self._grants[partner].granted[scripted.withdrawals.purpose],
            )
            self._withdrew[partner] = len(leaving)
            files[partner] = self._workshop.node(partner).root / "withdrawals.csv"
            write_withdrawals(
                files[partner],
                purpose=scripted.withdrawals.purpose,
                customers=leaving,
                said_at=datetime.now(tz=UTC),
            )
        self._send_acts(files)
        self._display.note(
            f"{sum(self._withdrew.values())} customers withdrew {scripted.withdrawals.purpose}:"
            " rounds that start from now on are without them."
        )

    def _start(self, name: str, *arguments: str) -> Child:
        return self._group.start(name, _hanse(*arguments), environment=child_environment())

    def _commands(self, commands: Sequence[Sequence[str]]) -> None:
        """Run commands of ``hanse`` side by side; all must succeed."""
        children = [
            self._group.start_command(f"command-{place}", _hanse(*command), environment=child_environment())
            for place, command in enumerate(commands)
        ]
        limit = time.monotonic() + _COMMAND_TIMEOUT_S
        for child in children:
            try:
                status = child.process.wait(timeout=max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                raise ProcessFailedError(f"{child.name} did not end in time.", f"Its log is {child.log}.") from error
            if status != 0:
                raise ProcessFailedError(f"A command failed: {child.last_words()}", f"Its log is {child.log}.")

    def _wait_for_port(self, child: Child, port: int) -> None:
        limit = time.monotonic() + _READY_TIMEOUT_S
        while time.monotonic() < limit:
            child.require_running()
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise ProcessFailedError(f"{child.name} was not ready in time.", f"Its log is {child.log}.")


def _hanse(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "hanse"), *arguments]
