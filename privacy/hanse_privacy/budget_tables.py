"""Budgets for people, on a terminal: a vault's caps and runs, and what a person may lose in a league."""

from rich.table import Table

from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.ledger_report import ReportedCap
from hanse_privacy.terminal import as_text

_LOSSES_COMPOSE = "δ = {delta:g}. Losses compose: what is left is not the difference of what is allowed and spent."


def person_table(person: ReportedCap, *, delta: float) -> Table:
    """What all runs of a league together may cost a person who is a customer of every partner.

    Args:
        person: How the league's cap stands.
        delta: At which ε is stated.
    """
    table = Table("of", "ε spent", "ε allowed", "ε left for one run", caption=_LOSSES_COMPOSE.format(delta=delta))
    table.add_row(
        "a person who is a customer of every partner",
        f"{person.epsilon_spent:.3f}",
        f"{person.epsilon_allowed:.3f}",
        f"{person.epsilon_remaining:.3f}",
    )
    return table


def budget_tables(report: BudgetReport) -> tuple[Table, Table]:
    """For a terminal; its words may be anybody's, and are shown as they are."""
    caps = Table("cap", "of", "ε spent", "ε allowed", "ε left for one run", "renewed on")
    for cap in report.caps:
        caps.add_row(
            as_text(cap.name),
            as_text(str(cap.scope)),
            f"{cap.epsilon_spent:.3f}",
            f"{cap.epsilon_allowed:.3f}",
            f"{cap.epsilon_remaining:.3f}",
            str(cap.renewed_on) if cap.renewed_on is not None else "never",
        )
    caps.caption = _LOSSES_COMPOSE.format(delta=report.delta)
    runs = Table("run", "state", "ε requested", "ε spent", "attempts")
    for run in report.runs:
        runs.add_row(
            as_text(run.run),
            as_text(run.state),
            f"{run.epsilon_requested:.3f}" if run.epsilon_requested is not None else "unknown",
            f"{run.epsilon_spent:.3f}",
            str(run.attempts),
        )
    if report.earlier_runs:
        runs.caption = f"{report.earlier_runs} earlier runs are left out; the caps count them."
    return caps, runs
