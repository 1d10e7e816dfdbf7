"""What officers read of a league's budget: what a person loses in all, and what was asked of their vault."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from hanse_consent.budgets.bodies import LeagueBudgetBody, VaultBudgetBody
from hanse_consent.commands.budget_words import fit, heard
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE
from hanse_privacy.terminal import plain


def said_by(league: LeagueBudgetBody) -> Iterator[str]:
    """When the centre said it, and whether it came with another ledger since."""
    report = league.signed.document
    yield from heard(
        report, received_at=league.received_at, older=league.older_ledger, signer=f"the centre {report.centre}"
    )


def league_tables(report: LeagueBudgetReport) -> tuple[Table, Table]:
    """For a terminal; its words may be anybody's, and are shown as they are."""
    cap = Table("of", "ε spent", "ε allowed", "ε left for one run")
    cap.add_row(
        "a person who is a customer of every partner",
        f"{report.person.epsilon_spent:.3f}",
        f"{report.person.epsilon_allowed:.3f}",
        f"{report.person.epsilon_remaining:.3f}",
    )
    cap.caption = (
        f"δ = {report.delta:g}. A customer of {report.partner} alone has lost at most ε = {report.epsilon_asked:.3f}."
    )
    runs = Table("run", "ε requested", "attempts asked", "answered", "ε here", "ε of a person")
    for run in report.runs:
        runs.add_row(
            Text(plain(run.run), overflow="fold"),
            f"{run.epsilon_requested:.3f}" if run.epsilon_requested is not None else "unknown",
            str(run.asked),
            str(run.answered),
            f"{run.epsilon_asked:.3f}",
            f"{run.epsilon_of_a_person:.3f}",
        )
    if report.earlier_runs:
        runs.caption = f"{report.earlier_runs} earlier runs are left out; they are counted, too."
    return cap, runs


def league_beside(league: LeagueBudgetBody, terms: RunProposal) -> Iterator[tuple[str, str]]:
    """What an officer should know of a league's budget before approving a run of it."""
    report = league.signed.document
    for line in said_by(league):
        yield "league", f"{report.centre}, {line}"
    person = report.person
    begun = next((run for run in report.runs if run.run == terms.run and run.asked), None)
    if begun is not None:
        takes = f"this run has begun; it has cost {begun.epsilon_of_a_person:.3f}"
    else:
        takes = fit(terms.events_of_a_person(), delta=report.delta, remaining=person.epsilon_remaining)
    yield (
        "person",
        f"ε = {person.epsilon_spent:.3f} of {person.epsilon_allowed:.3f} spent on a person who is a customer of every"
        f" partner, {person.epsilon_remaining:.3f} left for one run; {takes}",
    )


def disagreements(vault: VaultBudgetBody, league: LeagueBudgetBody) -> Iterator[str]:
    """Runs of which a vault paid for more attempts than its centre says that it asked for.

    A centre charges an attempt before it asks. So what it said after the vault's word must have all of it; what it said
    before that need not.
    """
    said, asked = vault.signed.document, {run.run: run.asked for run in league.signed.document.runs}
    if league.signed.document.said_at <= vault.received_at + TIME_TOLERANCE:
        return
    for run in said.runs:
        is_left_out = run.run not in asked and league.signed.document.earlier_runs
        if run.attempts > asked.get(run.run, 0) and not is_left_out:
            yield (
                f"WARNING: the vault paid for {run.attempts} attempts of run {run.run}, and the centre"
                f" {league.signed.document.centre} says that it asked for {asked.get(run.run, 0)}: ask the central team"
            )
