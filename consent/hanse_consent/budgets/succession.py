"""Whether a report of a budget may follow the one that is kept: only over a ledger that still has its last entry."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from hanse_privacy.protocol.budget_report import BudgetReport


@dataclass(frozen=True, kw_only=True)
class LastWord:
    """What is kept of a vault's last report.

    Args:
        position: Of its ledger's last entry.
        head: The entry's digest.
        said_at: By the vault's own clock.
    """

    position: int
    head: str
    said_at: datetime


class Succession(Enum):
    """What becomes of a report."""

    TAKEN = auto()
    OUTDATED = auto()
    """It was said no later than the one that is kept."""
    OLDER = auto()
    """The ledger ends before the entry that the last one ended with."""
    ANOTHER = auto()
    """The ledger has another entry in its place."""
    UNPROVED = auto()
    """The ledger is as long, and the report does not show what it has in that place."""


def succession(report: BudgetReport, *, last: LastWord | None) -> Succession:
    """Judge a verified report; the first one of a vault is taken."""
    if last is None:
        return Succession.TAKEN
    if report.said_at <= last.said_at:
        # Before the ledger is looked at: what was held up on its way is of an older ledger, and no fault of anybody.
        return Succession.OUTDATED
    if report.before.position == last.position:
        return Succession.TAKEN if report.before.head == last.head else Succession.ANOTHER
    return Succession.OLDER if report.ledger.position < last.position else Succession.UNPROVED
