"""Whether a report of a budget may follow the one that is kept: only over a ledger that still has its last entry."""

from dataclasses import dataclass
from datetime import datetime

from hanse_privacy.protocol.ledger_report import BudgetOutcome, LedgerReport
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE


@dataclass(frozen=True, kw_only=True)
class LastWord:
    """What is kept of a signer's last report.

    Args:
        position: Of its ledger's last entry.
        head: The entry's digest.
        said_at: By the signer's own clock.
    """

    position: int
    head: str
    said_at: datetime


def is_outdated(report: LedgerReport, *, last: LastWord | None, now: datetime) -> bool:
    """Whether a report was held up on its way: it is not of now, or its signer said something later.

    What was held up is of an older ledger, and no fault of anybody. A last word of a time that is still to come, from
    before both clocks were set right, is no later one.

    Args:
        report: The report.
        last: The one that is kept; none if it is the signer's first.
        now: By the service's clock.
    """
    if abs(now - report.said_at) > TIME_TOLERANCE:
        return True
    return last is not None and report.said_at <= last.said_at <= now + TIME_TOLERANCE


def outcome_of(report: LedgerReport, *, last: LastWord | None) -> BudgetOutcome:
    """What becomes of a verified report of now; the first one of a signer is taken."""
    if last is None:
        return BudgetOutcome.TAKEN
    if report.before.position == last.position:
        return BudgetOutcome.TAKEN if report.before.head == last.head else BudgetOutcome.OLDER_LEDGER
    return BudgetOutcome.OLDER_LEDGER if report.ledger.position < last.position else BudgetOutcome.SHOW_LAST
