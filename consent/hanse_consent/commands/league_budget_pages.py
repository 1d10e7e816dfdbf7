"""What officers read of a league's budget: what a person loses in all, and what was asked of their vault."""

import math
from collections.abc import Iterator, Sequence

from rich.table import Table

from hanse_consent.budgets.bodies import LeagueBudgetBody, VaultBudgetBody
from hanse_consent.commands.budget_words import fit_of, heard
from hanse_privacy.accounting import epsilon_as_shown
from hanse_privacy.budget_tables import person_table
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.terminal import as_text

_SAME = 1e-6
"""Sums in another order may differ by less."""


def said_by(league: LeagueBudgetBody) -> Iterator[str]:
    """When the centre said it, and whether it came with another ledger since."""
    report = league.signed.document
    yield from heard(
        report, received_at=league.received_at, older=league.older_ledger, signer=f"the centre {report.centre}"
    )


def league_tables(report: LeagueBudgetReport) -> tuple[Table, Table]:
    """For a terminal; its words may be anybody's, and are shown as they are."""
    runs = Table("run", "ε requested", "attempts asked", "answered", "ε here", "ε of a person")
    for run in report.runs:
        runs.add_row(
            as_text(run.run),
            f"{run.epsilon_requested:.3f}" if run.epsilon_requested is not None else "unknown",
            str(run.asked),
            str(run.answered),
            f"{run.epsilon_asked:.3f}",
            f"{run.epsilon_of_a_person:.3f}",
        )
    runs.caption = f"A customer of {report.partner} alone has lost at most ε = {report.epsilon_asked:.3f}."
    if report.earlier_runs:
        runs.caption += f" {report.earlier_runs} earlier runs are left out; they are counted, too."
    return person_table(report.person, delta=report.delta), runs


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
        epsilon = epsilon_as_shown(terms.events_of_a_person(), delta=report.delta)
        takes = fit_of(epsilon, remaining=person.epsilon_remaining)
    yield (
        "person",
        f"ε = {person.epsilon_spent:.3f} of {person.epsilon_allowed:.3f} spent on a person who is a customer of every"
        f" partner, {person.epsilon_remaining:.3f} left for one run; {takes}",
    )


def newest_of_each_centre(leagues: Sequence[LeagueBudgetBody]) -> Iterator[LeagueBudgetBody]:
    """One word for each centre, of all its keys the one heard of last.

    Args:
        leagues: The last heard of first.
    """
    seen = set[str]()
    for league in leagues:
        centre = league.signed.document.centre
        if centre not in seen:
            seen.add(centre)
            yield league


def shorter_than_before(leagues: Sequence[LeagueBudgetBody]) -> Iterator[str]:
    """Centres whose ledger under an earlier key went further than the one they speak of now."""
    for now in newest_of_each_centre(leagues):
        said = now.signed.document
        for earlier in leagues:
            before = earlier.signed.document
            if before.centre == said.centre and before.ledger.position > said.ledger.position:
                yield (
                    f"WARNING: under another key, {earlier.signed.key}, the centre {said.centre} spoke of a ledger up"
                    f" to entry {before.ledger.position}: what it asked for then may not be counted any more"
                )


def disagreements(vault: VaultBudgetBody, league: LeagueBudgetBody) -> Iterator[str]:
    """Where a vault and its centre tell different things of the same attempts.

    The centre charges an attempt before it asks for it, and with each answer the vault says how far its own ledger
    goes. So of two words the one that knows the later end of the vault's ledger must have all that the other has.
    """
    paid, told = vault.signed.document, league.signed.document
    if told.vault is None or told.vault.key != vault.signed.key:
        return
    if told.vault.ledger.position == paid.ledger.position and told.vault.ledger != paid.ledger:
        yield f"WARNING: the vault told the centre {told.centre} of another ledger than this service: ask its owner"
    asked, spent = {run.run: run for run in told.runs}, {run.run: run for run in paid.runs}
    if told.vault.ledger.position >= paid.ledger.position:
        for run in paid.runs:
            known = asked[run.run].asked if run.run in asked else 0
            if run.attempts > known and not (run.run not in asked and told.earlier_runs):
                yield _differ(run.run, told.centre, paid=run.attempts, said=f"asked for {known}")
    if paid.ledger.position >= told.vault.ledger.position:
        for one in told.runs:
            attempts = spent[one.run].attempts if one.run in spent else 0
            if one.answered > attempts and not (one.run not in spent and paid.earlier_runs):
                yield _differ(one.run, told.centre, paid=attempts, said=f"had {one.answered} answered")
    if paid.delta == told.delta:
        for run in paid.runs:
            same = asked.get(run.run)
            if same is None or same.asked != run.attempts:
                continue
            if not math.isclose(same.epsilon_asked, run.epsilon_spent, rel_tol=_SAME, abs_tol=_SAME):
                yield (
                    f"WARNING: run {run.run} cost ε = {run.epsilon_spent:.3f} by the vault, and"
                    f" {same.epsilon_asked:.3f} by the centre {told.centre}, for as many attempts: ask both"
                )


def _differ(run: str, centre: str, *, paid: int, said: str) -> str:
    return (
        f"WARNING: the vault paid for {paid} attempts of run {run}, and the centre {centre} says that it {said}:"
        " ask both"
    )
