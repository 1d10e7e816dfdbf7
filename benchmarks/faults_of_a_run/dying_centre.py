"""The shipped centre in a process that dies by SIGKILL at a named point of a run, or when it is killed from outside.

Its letters go through a pipe to the process that started it: what a vault answers is seen there, whoever dies.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hanse_privacy.errors import HanseError
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.running import conduct_run


class CentrePoint(StrEnum):
    """Where in a run the centre dies, in the order of the work."""

    ADMITTED = "admitted"
    """Every vault has sent its key; no round was asked."""
    ONE_ASKED = "one-asked"
    """The first vault has answered a round; the second was not asked."""
    ALL_ANSWERED = "all-answered"
    """Both vaults' vectors are here and not added up."""
    ADDED = "added"
    """The sum is taken; the journal does not say so."""
    RELEASED = "released"
    """The run is over; its result is not written."""


@dataclass(frozen=True, kw_only=True)
class CentreDeath:
    """Where a centre is to die.

    Args:
        point: The point.
        round: At which round, where the point is in one.
    """

    point: CentrePoint
    round: int


class PipeTransport:
    """Asks one vault after the other, through whoever is at the pipe's other end.

    Args:
        pipe: The pipe.
        told: Called with the number of the exchange (the admission is 0) and of replies that have come.
    """

    def __init__(self, pipe: Connection, told: Callable[[int, int], None]) -> None:
        self._pipe = pipe
        self._told = told
        self._exchanges = 0

    def wait_for(self, partners: int, *, timeout_s: float) -> int:
        """All are there."""
        del timeout_s
        return partners

    def exchange(
        self, letters: Mapping[str, bytes], *, accept: Callable[[str, bytes], bool], timeout_s: float
    ) -> dict[str, bytes]:
        """Send each partner its letter and wait for each reply."""
        del accept, timeout_s
        replies: dict[str, bytes] = {}
        for partner, letter in letters.items():
            self._told(self._exchanges, len(replies))
            self._pipe.send((partner, letter))
            replies[partner] = self._pipe.recv()
        self._told(self._exchanges, len(replies))
        self._exchanges += 1
        return replies


def conduct_until_killed(root: Path, run: str, pipe: Connection, death: CentreDeath | None) -> None:
    """Conduct a run; entry of a process of its own.

    Args:
        root: The centre's folder.
        run: The run.
        pipe: Where letters go, and replies come from.
        death: Where to die; none to live, or to wait for whoever kills it.
    """

    def reached(point: CentrePoint, round_number: int) -> None:
        if death is not None and (death.point, death.round) == (point, round_number):
            os.kill(os.getpid(), signal.SIGKILL)

    def told(exchange: int, replies: int) -> None:
        if replies == 0 and exchange == 1:
            reached(CentrePoint.ADMITTED, 1)
        if replies == 1:
            reached(CentrePoint.ONE_ASKED, exchange)
        if replies == 2:
            reached(CentrePoint.ALL_ANSWERED, exchange)

    def noting(note: Callable[..., None]) -> Callable[..., None]:
        @wraps(note)
        def noted(folder: RunFolder, event: dict[str, Any]) -> None:
            if event["event"] == "round-finished":
                reached(CentrePoint.ADDED, event["round"])
            note(folder, event)

        return noted

    def writing(write: Callable[..., None]) -> Callable[..., None]:
        @wraps(write)
        def written(folder: RunFolder, result: dict[str, Any]) -> None:
            reached(CentrePoint.RELEASED, 1)
            write(folder, result)

        return written

    setattr(RunFolder, "note", noting(RunFolder.note))  # noqa: B010 - mypy lets nobody assign a method
    setattr(RunFolder, "write_result", writing(RunFolder.write_result))  # noqa: B010
    try:
        conduct_run(LeagueHome(root=root), run=run, transport=PipeTransport(pipe, told))
    except HanseError:
        # The journal says why.
        raise SystemExit(1) from None
