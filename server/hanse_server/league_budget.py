"""The league's budget as the central team reads it, and as it is signed for each partner's consent service."""

from collections.abc import Mapping
from dataclasses import dataclass

from hanse_privacy.accounting import epsilon_of
from hanse_privacy.caps import Cap, CapStatement, state
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport, ReportedAsking
from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED, LedgerPlace, ReportedCap
from hanse_privacy.protocol.proposal import RunProposal
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
        reading: The ledger.
    """

    def __init__(self, home: LeagueHome, *, cap: Cap, reading: LedgerReading) -> None:
        self._home = home
        self._cap = cap
        self.reading = reading

    @classmethod
    def read(cls, home: LeagueHome) -> "LeagueBudget":
        """The budget as it is now.

        Raises:
            HanseError: If the league's file is not valid, or the ledger cannot be read.
        """
        return cls(home, cap=home.load().budget.cap, reading=LeagueLedger.of(home).read())

    @property
    def delta(self) -> float:
        """At which every ε here is stated, except what runs requested."""
        return self._cap.budget.delta

    def person(self) -> CapStatement:
        """What all runs have cost a person who is a customer of every partner."""
        return state(self._cap, events_of_a_person(self.reading.asked))

    def runs(self) -> tuple[RunSpending, ...]:
        """Each run, in the order in which they were first asked for."""
        return tuple(
            RunSpending(
                run=run,
                partners=len({one.partner for one in asked}),
                requested=self._requested(run),
                attempts=len({(one.charge.round, one.charge.attempt) for one in asked}),
                epsilon_of_a_person=self._of_a_person(asked),
            )
            for run, asked in _by_run(self.reading.asked).items()
        )

    def report(self, partner: str, *, centre: str, before: LedgerPlace) -> LeagueBudgetReport:
        """What a partner's officers should know.

        Args:
            partner: The partner.
            centre: Who signs.
            before: The ledger's entry up to which its consent service was told of it before.
        """
        by_run = _by_run(self.reading.asked)
        of_partner = {
            run: [one for one in asked if one.partner == partner]
            for run, asked in by_run.items()
            if any(one.partner == partner for one in asked)
        }
        listed = list(of_partner)[-MOST_RUNS_REPORTED:]
        return LeagueBudgetReport.parse(
            {
                "partner": partner,
                "centre": centre,
                "said_at": self.reading.at,
                "ledger": self.reading.end,
                "before": before,
                "delta": self.delta,
                "person": ReportedCap.of(self.person(), now=self.reading.at),
                "epsilon_asked": self._at_partner([one for run in of_partner.values() for one in run]),
                "runs": [self._asking(run, of_partner[run], of_all=by_run[run]) for run in listed],
                "earlier_runs": len(of_partner) - len(listed),
            }
        )

    def _asking(self, run: str, of_partner: list[Asked], *, of_all: list[Asked]) -> ReportedAsking:
        requested = self._requested(run)
        return ReportedAsking(
            run=run,
            epsilon_requested=requested.epsilon if requested else None,
            delta_requested=requested.delta if requested else None,
            asked=len(of_partner),
            answered=sum(one.was_answered for one in of_partner),
            epsilon_asked=self._at_partner(of_partner),
            epsilon_of_a_person=self._of_a_person(of_all),
        )

    def _at_partner(self, asked: list[Asked]) -> float:
        return epsilon_of([one.charge.event for one in asked], delta=self.delta)

    def _of_a_person(self, asked: list[Asked]) -> float:
        return epsilon_of(events_of_a_person(asked), delta=self.delta)

    def _requested(self, run: str) -> PrivacyBudget | None:
        try:
            # Signed by the centre when the run was proposed; it may have another key, and other rules, by now.
            return RunProposal.stated_budget(RunFolder(self._home, run).signed_proposal())
        except HanseError:
            return None


def _by_run(asked: tuple[Asked, ...]) -> Mapping[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for one in asked:
        found.setdefault(one.charge.run, []).append(one)
    return found
