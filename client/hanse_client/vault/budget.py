"""The budget as a node's owner and its officers read it: what was asked for, spent and left, and what each run cost."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from hanse_client.vault.home import NodeHome
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import Policy, load_policy
from hanse_client.vault.run_register import RunRegister, RunStanding
from hanse_privacy.ledger import LedgerEnd, PrivacyLedger, RunCost
from hanse_privacy.protocol.budget_report import BudgetReport, ReportedRun
from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED, LedgerPlace, ReportedCap, said_after
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.units import PrivacyBudget

_UNKNOWN = "unknown"
"""In place of the state of a run that the ledger has and the register has not."""


@dataclass(frozen=True, kw_only=True)
class BudgetState:
    """What a budget depends on; while it is the same, so is the budget.

    Args:
        end: The ledger's last entry.
        standings: Where all runs stand.
        renewals: When each cap's period ends.
    """

    end: LedgerEnd
    standings: tuple[RunStanding, ...]
    renewals: tuple[date | None, ...]


class BudgetReader:
    """Reads ledger and register together.

    Args:
        policy: Names the partner and has the caps.
        ledger: What was paid.
        register: What was proposed.
        clock: The vault's clock.
    """

    def __init__(
        self, *, policy: Policy, ledger: PrivacyLedger, register: RunRegister, clock: Callable[[], datetime]
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._register = register
        self._clock = clock
        self._requested: dict[str, PrivacyBudget | None] = {}
        """What proposals asked for, by their digests: they never change."""

    def state(self) -> BudgetState:
        """What the budget depends on now; composes nothing."""
        now = self._clock()
        return BudgetState(
            end=self._ledger.end(),
            standings=self._register.standings(),
            renewals=tuple(cap.ends(now) for cap in self._policy.caps),
        )

    def place(self, position: int) -> LedgerPlace | None:
        """The ledger's entry at a position; none beyond the last."""
        head = self._ledger.head_at(position)
        return LedgerPlace(position=position, head=head) if head is not None else None

    def read(self, *, before: LedgerPlace | None = None, said_before: datetime | None = None) -> BudgetReport:
        """All of it, now.

        Args:
            before: The entry that a service was told of before; the ledger's end if none is named.
            said_before: When it was told that; this is said later, also where the clock was set back a little.

        Raises:
            HanseError: If ledger or register cannot be read, or is beyond what a report may say.
        """
        listed, now = self._listed(), self._clock()
        names = [run for run, _ in listed[-MOST_RUNS_REPORTED:]]
        statement = self._ledger.statement(of_runs=frozenset(names))
        end = LedgerPlace(position=statement.end.position, head=statement.end.head)
        costs = {cost.run: cost for cost in statement.runs}
        return BudgetReport.parse(
            {
                "partner": self._policy.node.partner,
                "said_at": said_after(said_before, now=now.astimezone(UTC)),
                "ledger": end,
                "before": end if before is None else before,
                "delta": self._policy.limits.delta,
                "caps": [ReportedCap.of(stands, now=now) for stands in statement.caps],
                "runs": list(self._runs(listed[-MOST_RUNS_REPORTED:], costs)),
                "earlier_runs": len(listed) - len(names),
            }
        )

    def _listed(self) -> list[tuple[str, RunStanding | None]]:
        """All runs with where they stand; those that only the ledger knows come first."""
        standings = self._register.standings()
        known = {standing.run for standing in standings}
        lost = [run for run in self._ledger.runs() if run not in known]
        return [(run, None) for run in lost] + [(standing.run, standing) for standing in standings]

    def _runs(
        self, listed: list[tuple[str, RunStanding | None]], costs: Mapping[str, RunCost]
    ) -> Iterator[ReportedRun]:
        for run, standing in listed:
            requested, cost = self._requested_by(standing), costs.get(run)
            yield ReportedRun(
                run=run,
                state=standing.state.value if standing else _UNKNOWN,
                epsilon_requested=requested.epsilon if requested else None,
                delta_requested=requested.delta if requested else None,
                epsilon_spent=cost.epsilon if cost else 0.0,
                attempts=cost.attempts if cost else 0,
            )

    def _requested_by(self, standing: RunStanding | None) -> PrivacyBudget | None:
        if standing is None:
            return None
        if standing.digest not in self._requested:
            # Verified when it was entered. The centre may have another key by now, and this Hanse other rules.
            known = self._register.find(standing.run)
            self._requested[standing.digest] = RunProposal.stated_budget(known.signed_proposal) if known else None
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
