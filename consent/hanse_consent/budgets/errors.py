"""Why a vault's word on its budget is not taken."""

from http import HTTPStatus

from hanse_consent.errors import ConsentRefusal


class LedgerOlderError(ConsentRefusal):
    """The vault's ledger is one from before, or beside, the one that it reported last."""

    code = "LEDGER_OLDER"
    status = HTTPStatus.CONFLICT


class BudgetReportOutdatedError(ConsentRefusal):
    """The vault said something newer before: the report was held up on its way, or the vault's clock was set back."""

    code = "BUDGET_REPORT_OUTDATED"
    status = HTTPStatus.CONFLICT


class BudgetReportInvalidError(ConsentRefusal):
    """What was sent is no budget report signed by the vault that sent it."""

    code = "BUDGET_REPORT_INVALID"
