"""Saying to the partner's own consent service how the budget stands: officers read it, and an older ledger is known."""

from typing import Protocol

from hanse_client.vault.budget import BudgetReader, BudgetState
from hanse_consent.budgets.errors import LedgerOlderError
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.protocol.budget_report import BudgetReceipt, BudgetReport, LedgerPlace


class BudgetService(Protocol):
    """Where the budget is reported."""

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        """Return the service's receipt for exactly this report, or raise."""


class BudgetReports:
    """Reports whenever anything of the budget has changed.

    Guarantee: where :meth:`report` returns, the service was told of this very ledger up to its end, and of no entry
    that this ledger has not. Once the service has said that it was, nothing is reported any more until the vault is
    started again: an older ledger must not grow until it passes for the newest.

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
        report = self._reader.read(before=self._known if is_same else None)
        wanted = self._send(report)
        if wanted is not None:
            report = self._reader.read(before=self._reader.place(wanted))
            wanted = self._send(report)
        if wanted is not None:
            raise ConsentAnswerInvalidError(
                "The consent service did not take the report of the budget.",
                "Two vaults may report at once; end one, and look after the network.",
            )
        if not is_same:
            # Known here already; it was sent all the same, so that the officers see it.
            self._is_older = True
            raise _older()
        self._said, self._known = state, report.ledger

    def _send(self, report: BudgetReport) -> int | None:
        """Send a report; return the position that is wanted, or none if it was taken."""
        try:
            return self._service.report_budget(report).wanted_position
        except ConsentRefusedError as error:
            if error.refusal_code != LedgerOlderError.code:
                raise
            self._is_older = True
            raise _older() from error


def _older() -> LedgerUnusableError:
    return LedgerUnusableError(
        "The consent service was told of a newer ledger of this vault, or of another one.",
        "Restore the newest one and start the vault again; until then it releases nothing.",
    )
