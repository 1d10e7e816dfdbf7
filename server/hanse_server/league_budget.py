"""The league's budget as the central team reads it, and as it is signed for each partner's consent service."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from hanse_privacy.accounting import ReleaseEvent, epsilon_as_shown
from hanse_privacy.caps import Cap, CapStatement, state
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport, ReportedAsking, VaultsWord
from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED, LedgerPlace, ReportedCap
from hanse_privacy.protocol.proposal import RosterEntry, RunProposal
from hanse_privacy.units import PrivacyBudget
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger, LedgerReading
from hanse_server.league_spending import Asked, events_of_a_person


@dataclass(frozen=True, kw_only=True)
class RunSpending:
    """What one run has cost so far.

    Args:
        run: Its name.
        partners: How many partners were asked.
        requested: The most that it was proposed with; none where its folder is gone.
        attempts: How many were asked.
        epsilon_of_a_person: What they have cost a person who is a customer of every partner asked.
    """

    run: str
    partners: int
    requested: PrivacyBudget | None
    attempts: int
    epsilon_of_a_person: float


class LeagueBudget:
    """What the ledger says, composed.

    Args:
        home: The centre's folder.
        cap: The most that a person may lose.
        roster: The league's partners now, with their keys.
        reading: The ledger.
    """

    def __init__(self, home: LeagueHome, *, cap: Cap, roster: Sequence[RosterEntry], reading: LedgerReading) -> None:
        self._home = home
        self._cap = cap
        self._keys = {entry.partner: entry.key for entry in roster}
        self.reading = reading
        self._by_run = _by_run(reading.asked)
        self._composed: dict[tuple[ReleaseEvent, ...], float] = {}

    @classmethod
    def read(cls, home: LeagueHome) -> Self:
        """The budget as it is now.

        Raises:
            HanseError: If the league's file is not valid, or the ledger cannot be read.
        """
        league = home.load()
        return cls(home, cap=league.budget.cap, roster=league.roster, reading=LeagueLedger.of(home).read())

    @property
    def delta(self) -> float:
        """At which every ε here is stated, except what runs requested."""
        return self._cap.budget.delta

    @functools.cached_property
    def person(self) -> CapStatement:
        """What all runs have cost a person who is a customer of every partner."""
        return state(self._cap, events_of_a_person(self.reading.asked))

    @functools.cached_property
    def runs(self) -> tuple[RunSpending, ...]:
        """Each run, in the order in which they were first asked for."""
        return tuple(
            RunSpending(
                run=run,
                partners=len({one.partner for one in asked}),
                requested=self._requested(run),
                attempts=len({one.attempt for one in asked}),
                epsilon_of_a_person=self._epsilon(events_of_a_person(asked)),
            )
            for run, asked in self._by_run.items()
        )

    def report(self, partner: str, *, centre: str, before: LedgerPlace) -> LeagueBudgetReport:
        """What a partner's officers should know.

        Args:
            partner: The partner.
            centre: Who signs.
            before: The ledger's entry up to which its consent service was told of it before.
        """
        here = {
            run.run: of_partner
            for run in self.runs
            if (of_partner := [one for one in self._by_run[run.run] if one.partner == partner])
        }
        listed = [run for run in self.runs if run.run in here][-MOST_RUNS_REPORTED:]
        return LeagueBudgetReport.parse(
            {
                "partner": partner,
                "centre": centre,
                "said_at": self.reading.at,
                "ledger": self.reading.end,
                "before": before,
                "delta": self.delta,
                "person": ReportedCap.of(self.person, now=self.reading.at),
                "epsilon_asked": self._epsilon([one.charge.event for of_run in here.values() for one in of_run]),
                "runs": [self._asking(run, here[run.run]) for run in listed],
                "earlier_runs": len(here) - len(listed),
                "vault": self._word_of(partner),
            }
        )

    def _asking(self, run: RunSpending, of_partner: Sequence[Asked]) -> ReportedAsking:
        return ReportedAsking(
            run=run.run,
            epsilon_requested=run.requested.epsilon if run.requested else None,
            delta_requested=run.requested.delta if run.requested else None,
            asked=len(of_partner),
            answered=sum(one.was_answered for one in of_partner),
            epsilon_asked=self._epsilon([one.charge.event for one in of_partner]),
            epsilon_of_a_person=run.epsilon_of_a_person,
        )

    def _word_of(self, partner: str) -> VaultsWord | None:
        key = self._keys.get(partner)
        place = self.reading.words.get((partner, key.text)) if key is not None else None
        return VaultsWord(key=key.fingerprint, ledger=place) if key is not None and place is not None else None

    def _epsilon(self, events: Sequence[ReleaseEvent]) -> float:
        # The same for nearly all partners of a run.
        released = tuple(events)
        if released not in self._composed:
            self._composed[released] = epsilon_as_shown(released, delta=self.delta)
        return self._composed[released]

    def _requested(self, run: str) -> PrivacyBudget | None:
        try:
            # Signed by the centre when the run was proposed; it may have another key, and other rules, by now.
            return RunProposal.stated_budget(RunFolder(self._home, run).signed_proposal())
        except HanseError:
            return None


def _by_run(asked: Sequence[Asked]) -> Mapping[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for one in asked:
        found.setdefault(one.charge.run, []).append(one)
    return found
