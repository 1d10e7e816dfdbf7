"""The consent services that a league's partners rely on, as the centre speaks with them."""

from dataclasses import dataclass
from typing import Protocol

from hanse_consent.client import ConsentClient
from hanse_consent.runs.standing import RunOutcome, RunReport
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetReceipt
from hanse_server.league import LeagueHome

_TIMEOUT_S = 30.0


class ConsentService(Protocol):
    """One consent service, as the centre knows it."""

    def submit_run(self, signed_proposal: bytes) -> RunReport:
        """Submit a proposal; sent again, only say where it stands."""

    def run_state(self, run: str) -> RunReport:
        """Where a run stands at every controller of the service."""

    def record_outcome(self, run: str, outcome: RunOutcome) -> RunReport:
        """Say what became of a run."""

    def report_league_budget(self, report: LeagueBudgetReport) -> BudgetReceipt:
        """Return the service's receipt for exactly this report, or raise."""


@dataclass(frozen=True, kw_only=True)
class ServedPartners:
    """A consent service and the partners of the roster that it serves."""

    service: ConsentService
    partners: tuple[str, ...]


def services_of(home: LeagueHome) -> tuple[ServedPartners, ...]:
    """The consent services that ``league.toml`` names.

    Raises:
        HanseError: If the league's file or key is not valid.
    """
    league, key = home.load(), home.key()
    return tuple(
        ServedPartners(
            service=ConsentClient(entry.url, league.centre.name, key, entry.key, _TIMEOUT_S), partners=entry.partners
        )
        for entry in league.consent_services
    )
