"""Counts the processor time of every process that Flower starts for a message.

A node's SuperExec starts one process per message (``flwr-clientapp``) and reaps it only when it starts the
next one, so that the ended process stays in ``/proc`` as a zombie for some seconds. Its ``stat`` then holds
the final user and system time (and that of its own reaped children), to a hundredth of a second: looking
five times a second misses nothing, and costs a few milliseconds a look. Only processes below this one are
looked at.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOK_EVERY_S = 0.2
_LAST_EXITS_S = 10.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SUPERNODE, _SUPEREXEC = "flower-supernode", "flower-superexec"
_VAULT_ARGUMENTS = ("node", "serve")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One process at one look."""

    parent: int
    ended: bool
    started_ticks: int
    cpu_s: float


@dataclass(frozen=True, kw_only=True)
class MessageCost:
    """What the process of one message cost."""

    cpu_s: float
    """User and system time, reaped children included."""
    wall_s: float
    """From its start to the first look that saw it ended."""


class MessageCosts:
    """A context that watches processes started below this one; read ``messages`` and ``vaults_cpu_s`` after it."""

    def __init__(self) -> None:
        self.messages: list[MessageCost] = []
        self.not_seen_ending = 0
        """Processes that were gone before a look saw their final time; their messages are in no figure."""
        self.vaults_cpu_s = 0.0
        """What all vaults together used from the first message on."""
        self._running: dict[tuple[int, int], Seen] = {}
        # What an earlier run left as zombies is not this run's.
        self._finished = {(process, seen.started_ticks) for process, seen in below(os.getpid(), processes()).items()}
        self._vaults_before: dict[tuple[int, int], float] = {}
        self._vaults_now: dict[tuple[int, int], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last messages' processes to end, then stop looking."""
        limit = time.monotonic() + _LAST_EXITS_S
        while error is None and self._running and time.monotonic() < limit:
            time.sleep(_LOOK_EVERY_S)
        self._stop.set()
        self._thread.join()
        self.not_seen_ending += len(self._running)
        self.vaults_cpu_s = sum(
            cpu_s - self._vaults_before[identity]
            for identity, cpu_s in self._vaults_now.items()
            if identity in self._vaults_before
        )

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            self._look(below(os.getpid(), processes()))

    def _look(self, tree: Mapping[int, Seen]) -> None:
        present = set()
        programs = {process: arguments(process) for process in tree}
        for process, seen in tree.items():
            identity = (process, seen.started_ticks)
            launcher = tree.get(seen.parent)
            if (
                launcher is not None
                and _SUPEREXEC in programs[seen.parent]
                and _SUPERNODE in programs.get(launcher.parent, ())
            ):
                present.add(identity)
                self._message(identity, seen)
            elif all(word in programs[process] for word in _VAULT_ARGUMENTS):
                self._vaults_now[identity] = seen.cpu_s
                if not self._running and not self.messages:
                    self._vaults_before[identity] = seen.cpu_s
        for identity in self._running.keys() - present:
            self.not_seen_ending += 1
            del self._running[identity]

    def _message(self, identity: tuple[int, int], seen: Seen) -> None:
        if identity in self._finished:
            return
        if not seen.ended:
            self._running[identity] = seen
            return
        self._finished.add(identity)
        self._running.pop(identity, None)
        # The kernel counts start times from boot, as this clock does.
        wall_s = time.clock_gettime(time.CLOCK_BOOTTIME) - seen.started_ticks / _TICKS_PER_S
        self.messages.append(MessageCost(cpu_s=seen.cpu_s, wall_s=round(wall_s, 2)))


def processes() -> dict[int, Seen]:
    """Look at every process once, zombies included (proc_pid_stat(5))."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in brackets may hold spaces: the fields after it begin behind the last bracket.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            # It ended between the two looks.
            continue
        found[int(entry.name)] = Seen(
            parent=int(fields[1]),
            ended=fields[0] == "Z",
            started_ticks=int(fields[19]),
            cpu_s=sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_S,
        )
    return found


def below(root: int, everything: Mapping[int, Seen]) -> dict[int, Seen]:
    """Return the processes below ``root``."""
    children: dict[int, list[int]] = {}
    for process, seen in everything.items():
        children.setdefault(seen.parent, []).append(process)
    found, waiting = {}, [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found[child] = everything[child]
            waiting.append(child)
    return found


def arguments(process: int) -> tuple[str, ...]:
    """Return the words of a process's command line, folders left out; nothing if it has ended."""
    try:
        words = (Path("/proc") / str(process) / "cmdline").read_text(errors="replace").split("\0")
        return tuple(word.rpartition("/")[2] for word in words)
    except OSError:
        return ()
