"""Killing the process that conducts a run, while both vaults stay up: what they paid is what they answered.

After each death the same run is conducted again, which may end in a refusal and must not bring out a second vector;
then a whole new run is made, and its result held against the exact sums of both vaults.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray
from reporting import Observations

from faults_of_a_run.books import Books
from faults_of_a_run.dying_centre import CentreDeath, CentrePoint, conduct_until_killed
from faults_of_a_run.league_books import LeagueBooks
from faults_of_a_run.league_under_fire import LeagueUnderFire
from faults_of_a_run.noisy_sums import is_right
from faults_of_a_run.vault_processes import forked_vault, forkserver
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import PopularityStep
from hanse_server.league import RunFolder

_ENDS_WITHIN_S = 120.0


@dataclass
class CentreKills:
    """What was found.

    Args:
        league: The league.
        chance: Moments of death.
        observations: Every single kill.
    """

    league: LeagueUnderFire
    chance: random.Random
    observations: Observations
    kills: int = 0
    resumed: int = 0
    """Killed runs that ended well when they were conducted again."""
    next_run_errors: int = 0
    books: dict[str, Books] = field(init=False)
    league_books: LeagueBooks = field(init=False)
    _exact: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        self.books = {partner: Books(self.league, partner) for partner in self.league.workshop.partners}
        self.league_books = LeagueBooks(self.league)

    @property
    def budget_errors(self) -> int:
        """Of both vaults and the league."""
        return self.league_books.errors + sum(books.errors for books in self.books.values())

    def measure(self, points: Sequence[CentrePoint | None]) -> None:
        """Kill once for each point, none meaning a random moment; leaves no process behind.

        Raises:
            RuntimeError: If a vault does not start, or the centre does not die where it should.
        """
        vaults = [
            forked_vault(self.league.workshop.node(partner), self.league.logs / f"centre-{partner}.log", None)
            for partner in self.league.workshop.partners
        ]
        try:
            for vault in vaults:
                vault.await_ready()
            run = self._new_run("churn")
            started = time.monotonic()
            if self._conducted(run, None, kill_after_s=None) != 0:
                raise RuntimeError("an undisturbed run did not end well")
            run_s = time.monotonic() - started
            self._compare(run)
            for point in points:
                self._kill(point, run_s)
        finally:
            for vault in vaults:
                vault.kill()

    def _kill(self, point: CentrePoint | None, run_s: float) -> None:
        run, status = self._new_run("churn"), 0
        if point is None:
            while status != -signal.SIGKILL:
                # A run may be faster than its killer: then the next one is shot at.
                run = self._new_run("churn")
                status = self._conducted(run, None, kill_after_s=self.chance.uniform(0, run_s))
                self._compare(run)
        else:
            is_in_round = point not in (CentrePoint.ADMITTED, CentrePoint.RELEASED)
            number = self.chance.randint(1, run.rounds) if is_in_round else 1
            status = self._conducted(run, CentreDeath(point=point, round=number), kill_after_s=None)
            self._compare(run)
        if status != -signal.SIGKILL:
            raise RuntimeError(f"the centre was to be killed at {point} and its status is {status}")
        self.kills += 1
        resumed = self._conducted(run, None, kill_after_s=None) == 0
        self.resumed += resumed
        self._compare(run)
        answered = self.league.courier.answered("north", run.run)
        self.observations.note(f"centre_{'random' if point is None else point.value}_resumed", float(resumed))
        self.observations.note("centre_answered_rounds", float(len(answered)))
        self._next_run()

    def _conducted(self, run: RunProposal, death: CentreDeath | None, *, kill_after_s: float | None) -> int:
        """Conduct a run in a process of its own; return its exit status."""
        context = forkserver()
        ours, theirs = context.Pipe()
        process = context.Process(
            target=conduct_until_killed, args=(self.league.workshop.league.root, run.run, theirs, death), daemon=True
        )
        process.start()
        theirs.close()
        first = threading.Event()
        carrier = threading.Thread(target=self._carry, args=(ours, first), daemon=True)
        carrier.start()
        if kill_after_s is not None and first.wait(_ENDS_WITHIN_S):
            time.sleep(kill_after_s)
            if process.exitcode is None:
                os.kill(process.pid or 0, signal.SIGKILL)
        process.join(_ENDS_WITHIN_S)
        # What a dead centre has asked is answered all the same.
        carrier.join(_ENDS_WITHIN_S)
        ours.close()
        if process.exitcode is None or carrier.is_alive():
            process.kill()
            raise RuntimeError("the centre does not end")
        return process.exitcode

    def _carry(self, pipe: Connection, first: threading.Event) -> None:
        while True:
            try:
                partner, letter = pipe.recv()
                first.set()
                pipe.send(self.league.courier.carry(partner, letter))
            except (EOFError, OSError):
                return

    def _compare(self, run: RunProposal) -> None:
        for partner, books in self.books.items():
            books.compare(run, self.league.courier.answered(partner, run.run))
            self.league_books.compare(run, partner, books.attempts(run.run))

    def _new_run(self, draft: str) -> RunProposal:
        return self.league.approve(self.league.propose(draft))

    def _next_run(self) -> None:
        run = self._new_run("popularity")
        status = self._conducted(run, None, kill_after_s=None)
        result = RunFolder(self.league.workshop.league, run.run).result()
        if status != 0 or result is None:
            self.next_run_errors += 1
            return
        if self._exact is None:
            vectors = [self.league.exact_popularity(partner, run) for partner in run.partners()]
            self._exact = np.sum(vectors, axis=0)
        found, variance = _in_units(run, result["released"])
        self.next_run_errors += not is_right(found, self._exact, variance=variance)
        self._compare(run)


def _in_units(run: RunProposal, released: dict[str, object]) -> tuple[NDArray[np.int64], float]:
    """A result's sum in the integer units that vaults add up, and the variance of its noise."""
    (step,) = run.steps
    if not isinstance(step, PopularityStep):
        raise RuntimeError("no popularity run")
    layout = run.layout(step)
    unit = layout.decode(np.ones(layout.size, dtype=np.int64))
    customers = released["customers"]
    if not isinstance(customers, dict):
        raise RuntimeError("the result has no count")
    blocks = {"rate": released["rate"], "breadth": released["breadth"], "customers": [customers["value"]]}
    parts = [np.rint(np.asarray(blocks[block.name]) / unit[block.name]) for block in layout.blocks]
    return np.concatenate(parts).astype(np.int64), float(layout.share_variance_parameter * len(run.roster))
