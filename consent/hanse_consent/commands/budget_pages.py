"""What officers read of their vaults' budgets: all of it, or beside a run what it would take."""

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hanse_consent.budgets.bodies import BudgetPage, VaultBudgetBody
from hanse_consent.domain.moments import in_words
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.budget_tables import budget_tables
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.budget_report import BudgetReport, ReportedCap
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.terminal import plain

_WHEN = "it does when it starts, and before it asks for an approval"
_NEARLY = 1e-6
"""Within so much of what is left, relatively, it is for the vault's own sum to say whether a run fits."""


def budget_page(page: BudgetPage) -> Group:
    """All that a controller's vaults last said."""
    if not page.vaults:
        return Group(Text(plain(f"{page.controller}: no vault has reported its budget yet: {_WHEN}.")))
    parts: list[Text | Table] = []
    for vault in page.vaults:
        parts.append(Text(plain(f"Vault of {page.controller}, key {vault.signed.key}"), style="bold"))
        parts += [Text(plain(line)) for line in _said(vault)]
        parts += budget_tables(vault.signed.document)
    return Group(*parts)


def budget_beside(page: BudgetPage, terms: RunProposal, *, now: datetime) -> Iterator[tuple[str, str]]:
    """Name and words for each thing that an officer should know of the budget before approving a run.

    Args:
        page: What the controller's vaults said.
        terms: The run's. Only the vault whose key is in its roster is shown; others may be retired ones.
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


def _said(vault: VaultBudgetBody) -> Iterator[str]:
    ledger = vault.signed.document.ledger
    yield f"{in_words(vault.received_at)}, of the ledger up to entry {ledger.position}"
    if vault.older_ledger is not None:
        older = vault.older_ledger
        yield (
            f"WARNING: on {in_words(older.at)} the vault came with another ledger, which ended at entry"
            f" {older.position}, and was refused: ask its owner whether an older copy was restored"
        )


def _takes(cap: ReportedCap, report: BudgetReport, terms: RunProposal, *, remaining: float) -> str:
    """What a run takes of a cap, at the cap's δ and as far as the cap counts it."""
    events = [charge.event for charge in terms.charges() if cap.scope.holds(charge)]
    if not events:
        return "this run takes nothing of it"
    begun = next((run for run in report.runs if run.run == terms.run and run.attempts), None)
    if begun is not None:
        return f"this run has begun; over everything it has cost {begun.epsilon_spent:.3f}"
    try:
        asked = epsilon_of(events, delta=report.delta)
    except InvalidValueError:
        return f"what this run would take cannot be said at δ = {report.delta:g}"
    if abs(asked - remaining) <= _NEARLY * asked:
        fits = "about as much as is left"
    else:
        fits = "it fits" if asked < remaining else "it does NOT fit"
    return f"this run takes {asked:.3f} if no attempt is repeated: {fits}"
