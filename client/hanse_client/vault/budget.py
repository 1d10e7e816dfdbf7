"""The budget as a node's owner reads it: what was asked for, spent and left, and what each run cost."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.table import Table

from hanse_client.vault.home import NodeHome
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_client.vault.run_register import RunRegister
from hanse_privacy.caps import Cap
from hanse_privacy.ledger import BudgetStatement
from hanse_privacy.protocol.proposal import RunProposal


@dataclass(frozen=True, kw_only=True)
class RequestedRun:
    """What a run asked for and has cost.

    Args:
        run: Its name.
        state: Where it stands at this vault.
        requested_epsilon: The most that it was proposed with, at ``delta``.
        delta: Of the proposal.
        spent_epsilon: What its attempts have cost, at the lifetime cap's δ.
        attempts: How many were paid.
    """

    run: str
    state: str
    requested_epsilon: float
    delta: float
    spent_epsilon: float
    attempts: int


@dataclass(frozen=True, kw_only=True)
class NodeBudget:
    """All of it.

    Args:
        statement: How each cap stands.
        runs: Those that were proposed here, in order.
        now: Periods are of this moment.
    """

    statement: BudgetStatement
    runs: tuple[RequestedRun, ...]
    now: datetime


def read_budget(home: NodeHome) -> NodeBudget:
    """Read a node's ledger and register.

    Raises:
        HanseError: If policy, ledger or register cannot be read.
    """
    policy = load_policy(home.policy)
    statement = open_ledger(home, policy).statement()
    costs = {cost.run: cost for cost in statement.runs}
    runs = []
    for known in RunRegister(home.runs).runs():
        # Verified when it was entered; the centre may have another key by now.
        proposal, cost = RunProposal.unverified(known.signed_proposal), costs.get(known.run)
        runs.append(
            RequestedRun(
                run=known.run,
                state=known.state.value,
                requested_epsilon=proposal.epsilon,
                delta=proposal.delta,
                spent_epsilon=cost.epsilon if cost else 0.0,
                attempts=cost.attempts if cost else 0,
            )
        )
    return NodeBudget(statement=statement, runs=tuple(runs), now=datetime.now(tz=UTC))


def budget_tables(found: NodeBudget) -> tuple[Table, Table]:
    """For people: the caps, then the runs."""
    caps = Table("cap", "of", "ε spent", "ε allowed", "ε left for one run", "renewed on")
    for stands in found.statement.caps:
        ends = stands.cap.ends(found.now)
        caps.add_row(
            stands.cap.name,
            _scope(stands.cap),
            f"{stands.spent_epsilon:.3f}",
            f"{stands.cap.budget.epsilon:.3f}",
            f"{stands.remaining_epsilon:.3f}",
            str(ends) if ends is not None else "never",
        )
    runs = Table("run", "state", "ε requested", "ε spent", "attempts")
    for run in found.runs:
        runs.add_row(run.run, run.state, f"{run.requested_epsilon:.3f}", f"{run.spent_epsilon:.3f}", str(run.attempts))
    delta = found.statement.caps[0].cap.budget.delta
    caps.caption = f"δ = {delta:g}. Losses compose: what is left is not the difference of what is allowed and spent."
    return caps, runs


def budget_as_json(found: NodeBudget) -> str:
    """For programs."""
    return json.dumps(
        {
            "delta": found.statement.caps[0].cap.budget.delta,
            "ledger": {"position": found.statement.end.position, "head": found.statement.end.head},
            "caps": [
                {
                    "name": stands.cap.name,
                    "purpose": stands.cap.purpose,
                    "operation": stands.cap.operation,
                    "period_days": stands.cap.period_days,
                    "epsilon_allowed": stands.cap.budget.epsilon,
                    "epsilon_spent": stands.spent_epsilon,
                    "epsilon_remaining": stands.remaining_epsilon,
                    "charges": stands.charges,
                }
                for stands in found.statement.caps
            ],
            "runs": [
                {
                    "run": run.run,
                    "state": run.state,
                    "epsilon_requested": run.requested_epsilon,
                    "delta_requested": run.delta,
                    "epsilon_spent": run.spent_epsilon,
                    "attempts": run.attempts,
                }
                for run in found.runs
            ],
        },
        indent=1,
    )


def _scope(cap: Cap) -> str:
    parts = [part for part in (cap.purpose, cap.operation) if part is not None]
    return ", ".join(parts) or "everything"
