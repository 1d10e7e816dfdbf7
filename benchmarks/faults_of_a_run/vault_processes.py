"""Vaults as processes: the installed command, or the same code in a fork, which may die at a named point."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faults_of_a_run.dying_vault import Death, serve_until_killed
from hanse_client.vault.home import NodeHome
from hanse_privacy.process_environment import child_environment

_HANSE = str(Path(sys.executable).parent / "hanse")
_READY_TIMEOUT_S = 60.0
_DIES_WITHIN_S = 30.0
_MODULES = [
    "faults_of_a_run.kills_of_vault",
    "faults_of_a_run.kills_of_centre",
    "hanse_client.vault.process",
    "dp_accounting.rdp",
]


@dataclass(frozen=True, kw_only=True)
class RunningVault:
    """One process.

    Args:
        pid: Its id.
        wait: Waits so many seconds for its end; the exit status, or none while it runs.
        log: What it says.
    """

    pid: int
    wait: Callable[[float], int | None]
    log: Path

    def await_ready(self) -> None:
        """Wait until it serves.

        Raises:
            RuntimeError: If it ends, or takes too long.
        """
        until = time.monotonic() + _READY_TIMEOUT_S
        while "is ready" not in self.log.read_text(errors="replace"):
            if self.wait(0) is not None or time.monotonic() > until:
                raise RuntimeError(f"the vault does not start: {self.log.read_text(errors='replace')}")
            time.sleep(0.02)

    def await_death(self) -> None:
        """Wait until it was killed.

        Raises:
            RuntimeError: If it ended in another way, or lives on.
        """
        status = self.wait(_DIES_WITHIN_S)
        if status != -signal.SIGKILL:
            raise RuntimeError(f"the vault was to be killed and its status is {status}")

    def kill(self) -> None:
        """Kill it, unless it is dead."""
        if self.wait(0) is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait(_DIES_WITHIN_S)


def installed_vault(home: NodeHome, log: Path) -> RunningVault:
    """Start ``hanse node serve``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [_HANSE, "node", "serve", "--home", str(home.root)],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def wait(timeout_s: float) -> int | None:
        try:
            return process.wait(timeout_s) if timeout_s else process.poll()
        except subprocess.TimeoutExpired:
            return None

    return RunningVault(pid=process.pid, wait=wait, log=log)


def forked_vault(home: NodeHome, log: Path, death: Death | None) -> RunningVault:
    """Start the same vault from a process that has imported it already; with a death, it dies at that point."""
    log.touch()
    process = forkserver().Process(target=serve_until_killed, args=(home.root, log, death), daemon=True)
    process.start()

    def wait(timeout_s: float) -> int | None:
        process.join(timeout_s)
        return process.exitcode

    return RunningVault(pid=process.pid or 0, wait=wait, log=log)


def forkserver() -> multiprocessing.context.ForkServerContext:
    """Where processes are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    return context
