"""What officers read of budgets: all of it, or beside a run what it would take."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hanse_consent.budgets.bodies import BudgetPage, VaultBudgetBody
from hanse_consent.commands.budget_words import fit, heard
from hanse_consent.commands.league_budget_pages import (
    disagreements,
    league_beside,
    league_tables,
    newest_of_each_centre,
    said_by,
    shorter_than_before,
)
from hanse_privacy.budget_tables import budget_tables
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.ledger_report import ReportedCap
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.terminal import as_text, plain

_WHEN = "it does when it starts, and before it asks for an approval"


def budget_page(page: BudgetPage) -> Group:
    """All that a controller's vaults and its leagues' centres last said."""
    parts: list[Text | Table] = []
    if not page.vaults:
        parts.append(as_text(f"{page.controller}: no vault has reported its budget yet: {_WHEN}."))
    for vault in page.vaults:
        parts.append(Text(plain(f"Vault of {page.controller}, key {vault.signed.key}"), style="bold"))
        parts += [as_text(line) for line in _said(vault)]
        parts += budget_tables(vault.signed.document)
    for league in page.leagues:
        centre = league.signed.document.centre
        parts.append(Text(plain(f"League, by the word of its centre {centre}, key {league.signed.key}"), style="bold"))
        parts += [as_text(line) for line in said_by(league)]
        parts += league_tables(league.signed.document)
    parts += [as_text(line) for line in _disagreements(page)]
    return Group(*parts)


def budget_beside(page: BudgetPage, terms: RunProposal, *, now: datetime) -> Iterator[tuple[str, str]]:
    """Name and words for each thing that an officer should know of budgets before approving a run.

    Args:
        page: What the controller's vaults and its leagues' centres said.
        terms: The run's. Only the vault whose key is in its roster is shown, and the centre that is to receive sums.
        now: A cap that was renewed since the report is not held against the run.
    """
    keys = {entry.key.fingerprint for entry in terms.roster}
    taking_part = [vault for vault in page.vaults if vault.signed.key in keys]
    if not taking_part:
        yield "reported", f"no vault with a key of this roster has reported its budget yet: {_WHEN}"
    for vault in taking_part:
        for line in _said(vault):
            yield "reported", line
        report = vault.signed.document
        for cap in report.caps:
            spent = f"{cap.name}: ε = {cap.epsilon_spent:.3f} of {cap.epsilon_allowed:.3f} spent on {cap.scope}"
            if cap.renewed_on is not None and cap.renewed_on <= now.astimezone(UTC).date():
                spent += f" in a period that ended on {cap.renewed_on}, and none that was reported since"
                remaining = cap.epsilon_allowed
            else:
                remaining = cap.epsilon_remaining
            takes = _takes(cap, report, terms, remaining=remaining)
            yield "cap", f"{spent}, {remaining:.3f} left for one run; {takes}"
    recipients = {recipient.name for recipient in terms.recipients}
    for league in newest_of_each_centre(page.leagues):
        if league.signed.document.centre in recipients:
            yield from league_beside(league, terms)
    for line in _disagreements(page):
        yield "league", line


def _said(vault: VaultBudgetBody) -> Iterator[str]:
    yield from heard(vault.signed.document, received_at=vault.received_at, older=vault.older_ledger, signer="the vault")


def _takes(cap: ReportedCap, report: BudgetReport, terms: RunProposal, *, remaining: float) -> str:
    """What a run takes of a cap, at the cap's δ and as far as the cap counts it."""
    events = [charge.event for charge in terms.charges() if cap.scope.holds(charge)]
    begun = next((run for run in report.runs if run.run == terms.run and run.attempts), None)
    if events and begun is not None:
        return f"this run has begun; over everything it has cost {begun.epsilon_spent:.3f}"
    return fit(events, delta=report.delta, remaining=remaining)


def _disagreements(page: BudgetPage) -> Iterator[str]:
    yield from shorter_than_before(page.leagues)
    for league in newest_of_each_centre(page.leagues):
        for vault in page.vaults:
            yield from disagreements(vault, league)
