"""Saying to the partner's own consent service how the budget stands: officers read it, and an older ledger is known."""

from typing import Protocol

from hanse_client.vault.budget import BudgetReader
from hanse_consent.errors import ConsentRefusedError
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.protocol.budget_report import BudgetReceipt, BudgetReport

_LEDGER_OLDER = "LEDGER_OLDER"


class BudgetService(Protocol):
    """Where the budget is reported."""

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        """Return the service's receipt for exactly this report, or raise."""


class BudgetReports:
    """Reports whenever anything of the budget has changed.

    Args:
        reader: Reads it.
        service: The partner's consent service.
    """

    def __init__(self, *, reader: BudgetReader, service: BudgetService) -> None:
        self._reader = reader
        self._service = service
        self._said: BudgetReport | None = None

    def report(self) -> None:
        """Say how the budget stands, unless it was said already. After any error nothing may be released.

        Raises:
            LedgerUnusableError: If the service was told of a newer ledger before.
            HanseError: If there is no receipt, or the budget cannot be read.
        """
        report = self._reader.read()
        if self._said is not None and report == self._said.model_copy(update={"said_at": report.said_at}):
            return
        try:
            self._service.report_budget(report)
        except ConsentRefusedError as error:
            if error.refusal_code != _LEDGER_OLDER:
                raise
            raise LedgerUnusableError(
                f"The ledger of {report.partner}, at entry {report.ledger.position}, is an older one than the consent"
                " service was told of, or another one.",
                "Restore the newest one; until then this vault releases nothing.",
            ) from error
        self._said = report
