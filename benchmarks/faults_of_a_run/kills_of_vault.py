"""Killing a vault in the middle of runs: half of the deaths at named points of an attempt, half at random moments.

A run is driven letter by letter until nobody answers. The ledger is read as the dead vault left it; then the vault is
started anew, the lost attempt asked again, the run driven to its end, and a whole new run made and added up.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from reporting import Observations

from faults_of_a_run.books import Books
from faults_of_a_run.dying_vault import Death, FaultPoint
from faults_of_a_run.league_under_fire import LeagueUnderFire
from faults_of_a_run.noisy_sums import is_right
from faults_of_a_run.played_centre import ASKED, PlayedRun, new_run
from faults_of_a_run.vault_processes import RunningVault, forked_vault, installed_vault
from hanse_privacy.aggregation.vault_side import SumRefusal
from hanse_privacy.protocol.letters import Answer, Outcome

_ASKED_AGAIN = 3
_SOUTHS_LARGEST = 2**20
_VOID = SumRefusal.ATTEMPT_VOID.value


@dataclass
class VaultKills:
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
    at_random: int = 0
    at_random_in_transaction: int = 0
    repeat_errors: int = 0
    """Attempts that were neither sent again as they were nor void, or not the one of the two that they should be."""
    next_run_errors: int = 0
    books: Books = field(init=False)
    _paid: int = 0
    _exact: NDArray[np.int64] | None = None
    _run_s: float = 0.0

    def __post_init__(self) -> None:
        self.books = Books(self.league, ASKED)

    def measure(self, points: Sequence[FaultPoint | None]) -> None:
        """Kill once for each point, none meaning a random moment; leaves no process behind.

        Raises:
            RuntimeError: If the vault does not start, or does not die where it should.
        """
        run = new_run(self.league, "churn")
        vault = self._start(None, run)
        try:
            # One whole run first: how long it takes says in which time a random moment lies.
            run.admit()
            started = time.monotonic()
            self._drive(run, first=1)
            self._run_s = time.monotonic() - started
            self._settle(run, self.league.courier.answered(ASKED, run.proposal.run))
            for point in points:
                run = new_run(self.league, "churn")
                vault.kill()
                vault = self._start(point, run)
                lost = self._die(vault, run, point)
                vault = self._look_after(run, lost, point)
        finally:
            vault.kill()

    def _start(self, point: FaultPoint | None, run: PlayedRun) -> RunningVault:
        home, log = self.league.workshop.node(ASKED), self.league.logs / f"vault-{time.monotonic_ns()}.log"
        if point is None:
            vault = installed_vault(home, log)
        else:
            rounds = run.proposal.rounds
            death = Death(run=run.proposal.run, round=self.chance.randint(1, rounds), point=point)
            vault = forked_vault(home, log, death)
        vault.await_ready()
        return vault

    def _drive(self, run: PlayedRun, *, first: int) -> int:
        """Ask round after round; return the one that nobody answered, or 0."""
        for number in range(first, run.proposal.rounds + 1):
            answer = run.ask(number)
            if answer is None:
                return number
            if answer.outcome is not Outcome.DONE:
                raise RuntimeError(f"round {number} was refused: {answer.reason} {answer.explanation}")
        return 0

    def _die(self, vault: RunningVault, run: PlayedRun, point: FaultPoint | None) -> int:
        run.admit()
        killer = threading.Timer(self.chance.uniform(0, self._run_s), vault.kill)
        if point is None:
            killer.start()
        lost = self._drive(run, first=1)
        while point is None and not lost:
            # The run was faster than its killer: the last answer is asked for again until there is nobody.
            lost = self._drive(run, first=run.proposal.rounds)
        killer.cancel()
        vault.await_death()
        return lost

    def _look_after(self, run: PlayedRun, lost: int, point: FaultPoint | None) -> RunningVault:
        courier, name = self.league.courier, run.proposal.run
        answered = courier.answered(ASKED, name)
        in_books = self.books.attempts(name)
        is_paid = (lost, 1) in in_books and (lost, 1) not in answered
        self.books.compare(run.proposal, [*answered, *([(lost, 1)] if is_paid else [])])
        self.books.errors += point is not None and is_paid != point.is_paid
        self.kills += 1
        self.at_random += point is None
        self.at_random_in_transaction += point is None and is_paid
        log = self.league.logs / f"vault-after-{self.kills}.log"
        vault = forked_vault(self.league.workshop.node(ASKED), log, None)
        try:
            vault.await_ready()
            self.books.compare(run.proposal, in_books)
            is_void = self._ask_again(run, lost, is_paid=is_paid, point=point)
            self._drive(run, first=lost if not is_void else lost + 1)
            self._settle(run, [*courier.answered(ASKED, name), *([(lost, 1)] if is_void and is_paid else [])])
            self._next_run()
        except BaseException:
            vault.kill()
            raise
        self.observations.note(f"{'random' if point is None else point.value}_paid", float(is_paid))
        self.observations.note(f"{'random' if point is None else point.value}_void", float(is_void))
        return vault

    def _ask_again(self, run: PlayedRun, lost: int, *, is_paid: bool, point: FaultPoint | None) -> bool:
        """Ask for the lost attempt as often as a stubborn centre, with other weights; return whether it is void."""
        run.admit()
        was_answered = (lost, 1) in self.league.courier.answered(ASKED, run.proposal.run)
        if lost > 1:
            # The round before is the last that was answered, unless the lost one's bytes are kept.
            before = run.ask(lost - 1)
            is_past = before is not None and before.reason == "ROUND_ALREADY_ANSWERED"
            self.repeat_errors += not (_is_done(before) or ((is_paid or was_answered) and is_past))
        answers = [run.ask(lost, weight=float(number)) for number in range(_ASKED_AGAIN)]
        refused = [answer is not None and answer.reason == _VOID for answer in answers]
        is_void = all(refused)
        self.repeat_errors += not (is_void or all(map(_is_done, answers)))
        # What was answered is never void; what was not may be, and after a named point only one of the two.
        self.repeat_errors += is_void and was_answered
        self.repeat_errors += point is not None and is_void != point.is_void
        if is_void:
            # Whatever became of the first attempt, the next one is paid anew and is as good as any.
            self.repeat_errors += not _is_done(run.ask(lost, 2))
        return is_void

    def _settle(self, run: PlayedRun, expected: list[tuple[int, int]]) -> None:
        self.books.compare(run.proposal, expected)
        self._paid += len(expected)
        self.books.compare_total(self._paid)

    def _next_run(self) -> None:
        run = new_run(self.league, "popularity")
        run.admit()
        answer = run.ask(1)
        proposal = run.proposal
        if answer is None or answer.outcome is not Outcome.DONE:
            self.next_run_errors += 1
            return
        layout = proposal.layout(proposal.steps[0])
        if self._exact is None:
            self._exact = self.league.exact_popularity(ASKED, proposal)
        souths = np.random.default_rng(self.kills).integers(-_SOUTHS_LARGEST, _SOUTHS_LARGEST, size=layout.size)
        found = run.unmasked(answer, sent_by_south=souths)
        self.next_run_errors += not is_right(found, self._exact, variance=layout.share_variance_parameter)
        self._settle(run, [(1, 1)])


def _is_done(answer: Answer | None) -> bool:
    return answer is not None and answer.outcome is Outcome.DONE
