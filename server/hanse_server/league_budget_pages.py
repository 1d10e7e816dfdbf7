"""The league's budget on a terminal and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.table import Table

from hanse_privacy.budget_tables import person_table
from hanse_privacy.protocol.ledger_report import ReportedCap
from hanse_privacy.terminal import as_text
from hanse_server.league_budget import LeagueBudget, RunSpending
from hanse_server.league_spending import spending


def budget_as_json(budget: LeagueBudget) -> dict[str, Any]:
    """All of it as JSON values; every ε at ``delta``, except what runs requested."""
    person = budget.person
    return {
        "delta": budget.delta,
        "person": {
            "epsilon_allowed": person.cap.budget.epsilon,
            "epsilon_spent": person.spent_epsilon,
            "epsilon_remaining": person.remaining_epsilon,
        },
        "runs": [_run(run) for run in budget.runs],
        "partners": [asdict(one) for one in spending(budget.reading.asked, delta=budget.delta)],
    }


def budget_tables(budget: LeagueBudget) -> tuple[Table, Table, Table]:
    """For a terminal: the cap, the runs, the partners."""
    cap = person_table(ReportedCap.of(budget.person, now=budget.reading.at), delta=budget.delta)
    runs = Table("run", "partners", "ε requested", "attempts asked", "ε of a person")
    for run in budget.runs:
        runs.add_row(
            as_text(run.run),
            str(run.partners),
            f"{run.requested.epsilon:.3f}" if run.requested is not None else "unknown",
            str(run.attempts),
            f"{run.epsilon_of_a_person:.3f}",
        )
    runs.caption = "Requested is for one unit of the run, at the run's own δ; a person may weigh more than one unit."
    partners = Table("partner", "run", "attempts asked", "answered", "ε at most")
    for one in spending(budget.reading.asked, delta=budget.delta):
        partners.add_row(
            one.partner,
            as_text(one.run or "all together"),
            str(one.asked),
            str(one.answered),
            f"{one.epsilon:.3f}",
        )
    partners.caption = "For one customer at that partner; what was asked counts, answered or not."
    return cap, runs, partners


def _run(run: RunSpending) -> dict[str, Any]:
    return {
        "run": run.run,
        "partners": run.partners,
        "epsilon_requested": run.requested.epsilon if run.requested else None,
        "delta_requested": run.requested.delta if run.requested else None,
        "attempts_asked": run.attempts,
        "epsilon_of_a_person": run.epsilon_of_a_person,
    }
