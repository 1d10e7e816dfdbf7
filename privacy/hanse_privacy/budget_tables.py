"""A vault's budget for people: the caps, then the runs."""

from rich.table import Table
from rich.text import Text

from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.terminal import plain


def budget_tables(report: BudgetReport) -> tuple[Table, Table]:
    """For a terminal; its words may be anybody's, and are shown as they are."""
    caps = Table("cap", "of", "ε spent", "ε allowed", "ε left for one run", "renewed on")
    for cap in report.caps:
        caps.add_row(
            _words(cap.name),
            _words(str(cap.scope)),
            f"{cap.epsilon_spent:.3f}",
            f"{cap.epsilon_allowed:.3f}",
            f"{cap.epsilon_remaining:.3f}",
            str(cap.renewed_on) if cap.renewed_on is not None else "never",
        )
    caps.caption = (
        f"δ = {report.delta:g}. Losses compose: what is left is not the difference of what is allowed and spent."
    )
    runs = Table("run", "state", "ε requested", "ε spent", "attempts")
    for run in report.runs:
        runs.add_row(
            _words(run.run),
            _words(run.state),
            f"{run.epsilon_requested:.3f}" if run.epsilon_requested is not None else "unknown",
            f"{run.epsilon_spent:.3f}",
            str(run.attempts),
        )
    if report.earlier_runs:
        runs.caption = f"{report.earlier_runs} earlier runs are left out; the caps count them."
    return caps, runs


def _words(words: str) -> Text:
    # As text, so that nothing in it is taken for markup.
    return Text(plain(words), overflow="fold")
