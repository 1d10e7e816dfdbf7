"""The budget as a node's owner and its officers read it: what was asked for, spent and left, and what each run cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hanse_client.vault.home import NodeHome
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import Policy, load_policy
from hanse_client.vault.run_register import RunRegister, RunStanding
from hanse_privacy.caps import CapStatement
from hanse_privacy.ledger import PrivacyLedger, RunCost
from hanse_privacy.protocol.budget_report import (
    MOST_RUNS_REPORTED,
    BudgetReport,
    LedgerPlace,
    ReportedCap,
    ReportedRun,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.units import PrivacyBudget


@dataclass(frozen=True, kw_only=True)
class BudgetReader:
    """Reads ledger and register together.

    Args:
        policy: Names the partner and has the caps.
        ledger: What was paid.
        register: What was proposed.
        clock: The vault's clock.
    """

    policy: Policy
    ledger: PrivacyLedger
    register: RunRegister
    clock: Callable[[], datetime]
    _requested: dict[str, PrivacyBudget] = field(default_factory=dict, init=False, repr=False)
    """What proposals asked for, by their digests: they never change."""

    def read(self) -> BudgetReport:
        """All of it, now.

        Raises:
            HanseError: If ledger or register cannot be read.
        """
        statement, now = self.ledger.statement(), self.clock()
        return BudgetReport(
            partner=self.policy.node.partner,
            said_at=now.astimezone(UTC),
            ledger=LedgerPlace(position=statement.end.position, head=statement.end.head),
            delta=self.policy.limits.delta,
            caps=tuple(_cap(stands, now=now) for stands in statement.caps),
            runs=tuple(self._runs({cost.run: cost for cost in statement.runs})),
            earlier_runs=max(0, self.register.count() - MOST_RUNS_REPORTED),
        )

    def _runs(self, costs: dict[str, RunCost]) -> Iterator[ReportedRun]:
        for standing in self.register.newest(MOST_RUNS_REPORTED):
            requested, cost = self._budget_of(standing), costs.get(standing.run)
            yield ReportedRun(
                run=standing.run,
                state=standing.state.value,
                epsilon_requested=requested.epsilon,
                delta_requested=requested.delta,
                epsilon_spent=cost.epsilon if cost else 0.0,
                attempts=cost.attempts if cost else 0,
            )

    def _budget_of(self, standing: RunStanding) -> PrivacyBudget:
        if standing.digest not in self._requested:
            # Verified when it was entered; the centre may have another key by now.
            signed = self.register.known(standing.run).signed_proposal
            self._requested[standing.digest] = RunProposal.unverified(signed).budget
        return self._requested[standing.digest]


def read_budget(home: NodeHome) -> BudgetReport:
    """Read a node's ledger and register.

    Raises:
        HanseError: If policy, ledger or register cannot be read.
    """
    policy = load_policy(home.policy)
    reader = BudgetReader(
        policy=policy,
        ledger=open_ledger(home, policy),
        register=RunRegister(home.runs),
        clock=lambda: datetime.now(tz=UTC),
    )
    return reader.read()


def _cap(stands: CapStatement, *, now: datetime) -> ReportedCap:
    cap = stands.cap
    return ReportedCap(
        name=cap.name,
        purpose=cap.purpose,
        operation=cap.operation,
        data_category=cap.data_category,
        period_days=cap.period_days,
        renewed_on=cap.ends(now),
        epsilon_allowed=cap.budget.epsilon,
        epsilon_spent=stands.spent_epsilon,
        epsilon_remaining=stands.remaining_epsilon,
        charges=stands.charges,
    )
