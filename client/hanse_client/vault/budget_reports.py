"""Saying to the partner's own consent service how the budget stands: officers read it, and an older ledger is known."""

from datetime import datetime
from typing import Protocol

from hanse_client.vault.budget import BudgetReader, BudgetState
from hanse_consent.errors import ConsentAnswerInvalidError
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt, LedgerPlace


class BudgetService(Protocol):
    """Where the budget is reported."""

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        """Return the service's receipt for exactly this report, or raise."""


class BudgetReports:
    """Reports whenever anything of the budget has changed.

    Guarantee: where :meth:`report` returns, the service has taken this very ledger up to its end, and by then it had
    taken no entry that this ledger has not. Of copies of one vault that go on side by side, the others find out with
    their next payment, of which nothing leaves. Once the service has said in a signed receipt that the ledger is an
    older one, nothing is reported, paid or admitted any more until the vault is started again.

    Args:
        reader: Reads it.
        service: The partner's consent service.
    """

    def __init__(self, *, reader: BudgetReader, service: BudgetService) -> None:
        self._reader = reader
        self._service = service
        self._said: BudgetState | None = None
        self._known: LedgerPlace | None = None
        """The entry that the service was told of last; none if this process does not know."""
        self._said_at: datetime | None = None
        self._is_older = False

    def report(self) -> None:
        """Say how the budget stands, unless it was said already. After any error nothing may be paid or released.

        Raises:
            LedgerUnusableError: If the service was told of a newer ledger, or of another one, before.
            HanseError: If there is no receipt, or the budget cannot be read.
        """
        if self._is_older:
            raise _older()
        state = self._reader.state()
        if state == self._said:
            return
        is_same = self._known is None or self._reader.place(self._known.position) == self._known
        report, receipt = self._send(self._known if is_same else None)
        if receipt.outcome is BudgetOutcome.SHOW_LAST and receipt.last_position is not None:
            report, receipt = self._send(self._reader.place(receipt.last_position))
        if receipt.outcome is BudgetOutcome.SHOW_LAST:
            raise ConsentAnswerInvalidError(
                "The consent service did not take the report of the budget.",
                "Two vaults may report at once; end one, and look after the network.",
            )
        if receipt.outcome is BudgetOutcome.OLDER_LEDGER or not is_same:
            # Where it was known here already, it was sent all the same, so that the officers see it.
            self._is_older = True
            raise _older()
        self._said, self._known = state, report.ledger

    def _send(self, before: LedgerPlace | None) -> tuple[BudgetReport, BudgetReceipt]:
        report = self._reader.read(before=before, said_before=self._said_at)
        self._said_at = report.said_at
        return report, self._service.report_budget(report)


def _older() -> LedgerUnusableError:
    return LedgerUnusableError(
        "The consent service was told of a newer ledger of this vault, or of another one.",
        "Restore the newest one and start the vault again; until then it releases nothing.",
    )
