"""Every process a demo starts, and the end of all of them, whatever happens.

On Linux the harness adopts orphans (PR_SET_CHILD_SUBREAPER), so that what Flower's programs start in
turn is found and ended, too.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hanse_privacy.errors import HanseError

_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 4.0
_SAMPLE_S = 0.5


class ProcessFailedError(HanseError):
    """A process of the demo ended early or did not become ready."""

    code = "PROCESS_FAILED"


@dataclass
class Child:
    """One process that the harness started, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_running(self) -> None:
        """Raise with the log's last words if the process has ended.

        Raises:
            ProcessFailedError: If it has.
        """
        if self.process.poll() is not None:
            raise ProcessFailedError(
                f"{self.name} ended with status {self.process.returncode}: {self.last_words()}",
                f"The whole log is {self.log}.",
            )

    def last_words(self) -> str:
        """The last line of the log that says anything."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return " ".join(lines[-3:]) if lines else "it said nothing"

    def wait_for_line(self, text: str, *, timeout_s: float) -> str:
        """Wait until the log holds a line with ``text`` and return that line.

        Raises:
            ProcessFailedError: If the process ends first, or time is up.
        """
        limit = time.monotonic() + timeout_s
        while True:
            for line in self.log.read_text(errors="replace").splitlines():
                if text in line:
                    return line
            self.require_running()
            if time.monotonic() > limit:
                raise ProcessFailedError(
                    f"{self.name} was not ready after {timeout_s:g} seconds: {self.last_words()}",
                    f"The whole log is {self.log}.",
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask this one process to end, and end it if it does not."""
        _end({self.process.pid})
        self.process.wait()


@dataclass
class ProcessGroup:
    """A context: inside it processes are started, after it none is left.

    ``peak_pss_bytes`` is the largest sum of proportional set sizes of this process and all below it,
    sampled twice a second.
    """

    logs: Path
    peak_pss_bytes: int = 0
    _children: list[Child] = field(default_factory=list)
    _there_before: set[int] = field(default_factory=set)
    _stop_sampling: threading.Event = field(default_factory=threading.Event)
    _sampler: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Adopt orphans and begin to sample memory."""
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._there_before = descendants(os.getpid())
        self.logs.mkdir(parents=True, exist_ok=True)
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything below this process that was not there before."""
        self._stop_sampling.set()
        # A second Ctrl-C must not interrupt the ending of processes.
        previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while below := descendants(os.getpid()) - self._there_before:
                _end(below)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> Child:
        """Start a process with its output in ``logs/NAME.log``.

        Raises:
            ProcessFailedError: If it cannot be started.
        """
        log = self.logs / f"{name}.log"
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(
                    list(command),
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches the harness alone, which then ends the others in order.
                    start_new_session=True,
                )
        except OSError as error:
            raise ProcessFailedError(f"{name} cannot be started ({error.strerror}).", "Free memory or disk.") from error
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def start_command(self, name: str, command: Sequence[str], *, environment: Mapping[str, str]) -> Child:
        """Start a process that is expected to end by itself.

        Raises:
            ProcessFailedError: If it cannot be started.
        """
        child = self.start(name, command, environment=environment)
        self._children.remove(child)
        return child

    def require_all_running(self) -> None:
        """Raise if any process has ended.

        Raises:
            ProcessFailedError: Naming the first that has.
        """
        for child in self._children:
            child.require_running()

    def _sample(self) -> None:
        while not self._stop_sampling.wait(_SAMPLE_S):
            total = sum(_pss_bytes(process) for process in {os.getpid(), *descendants(os.getpid())})
            self.peak_pss_bytes = max(self.peak_pss_bytes, total)


def descendants(root: int) -> set[int]:
    """Return the ids of all live processes below ``root``."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            # The command name in brackets may hold spaces: the fields after it begin behind the last bracket.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def _end(processes: set[int]) -> None:
    """Ask, wait, then force; reap what was adopted."""
    for number, patience_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        limit = time.monotonic() + patience_s
        while time.monotonic() < limit:
            if not any(_alive(process) for process in processes):
                return
            time.sleep(0.05)


def _alive(process: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, os.WNOHANG)
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _pss_bytes(process: int) -> int:
    try:
        for line in (Path("/proc") / str(process) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        # It ended meanwhile.
        return 0
    return 0
