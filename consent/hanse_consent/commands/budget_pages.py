"""What officers read of their vaults' budgets: all of it, or beside a run what it would take."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hanse_consent.budgets.bodies import BudgetPage, VaultBudgetBody
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.budget_tables import budget_tables
from hanse_privacy.caps import Cap
from hanse_privacy.protocol.budget_report import BudgetReport, ReportedCap
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.terminal import plain
from hanse_privacy.units import PrivacyBudget

NEVER_REPORTED = "no vault has reported its budget yet: it does when it starts, and before it asks for an approval"


def budget_page(page: BudgetPage) -> Group:
    """All that a controller's vaults last said."""
    if not page.vaults:
        return Group(Text(plain(f"{page.controller}: {NEVER_REPORTED}.")))
    parts: list[Text | Table] = []
    for vault in page.vaults:
        parts.append(Text(plain(f"Vault of {page.controller}, key {vault.signed.key}"), style="bold"))
        parts += [Text(plain(line)) for line in _said(vault)]
        parts += budget_tables(vault.signed.document)
    return Group(*parts)


def budget_beside(page: BudgetPage, terms: RunProposal) -> Iterator[tuple[str, str]]:
    """Name and words for each thing that an officer should know of the budget before approving a run."""
    if not page.vaults:
        yield "reported", NEVER_REPORTED
    for vault in page.vaults:
        for line in _said(vault):
            yield "reported", line
        report = vault.signed.document
        for cap in report.caps:
            spent = f"{cap.name}: ε = {cap.epsilon_spent:.3f} of {cap.epsilon_allowed:.3f} spent on {cap.scope()}"
            yield "cap", f"{spent}, {cap.epsilon_remaining:.3f} left for one run; {_takes(cap, report, terms)}"


def _said(vault: VaultBudgetBody) -> Iterator[str]:
    ledger = vault.signed.document.ledger
    yield f"{_moment(vault.received_at)}, of the ledger up to entry {ledger.position}"
    if vault.older_ledger is not None:
        older = vault.older_ledger
        yield (
            f"WARNING: on {_moment(older.at)} the vault came with another ledger, at entry {older.position}, and was"
            " refused: ask its owner whether an older copy was restored"
        )


def _takes(cap: ReportedCap, report: BudgetReport, terms: RunProposal) -> str:
    """What a run would take of a cap, at the cap's δ and as far as the cap counts it."""
    begun = next((run for run in report.runs if run.run == terms.run and run.attempts), None)
    if begun is not None:
        return f"this run has cost {begun.epsilon_spent:.3f} so far"
    counting, now = _counting(cap, report), report.said_at
    events = [charge.event for charge in terms.charges() if counting.counts(charge, at=now, now=now)]
    if not events:
        return "this run takes nothing of it"
    asked = epsilon_of(events, delta=report.delta)
    fits = "it fits" if asked <= cap.epsilon_remaining else "it does NOT fit, and the vault will refuse it"
    return f"this run asks for {asked:.3f}: {fits}"


def _counting(cap: ReportedCap, report: BudgetReport) -> Cap:
    """The cap's scope; its period is the report's own."""
    return Cap(
        name=f"reported {cap.name}",
        budget=PrivacyBudget(epsilon=max(cap.epsilon_allowed, 1e-9), delta=report.delta),
        purpose=cap.purpose,
        operation=cap.operation,
        data_category=cap.data_category,
    )


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
