"""Why a word on a budget is not taken."""

from http import HTTPStatus

from hanse_consent.errors import ConsentRefusal


class BudgetReportOutdatedError(ConsentRefusal):
    """The report was held up on its way: its signer has said more since, or one of the two clocks is wrong."""

    code = "BUDGET_REPORT_OUTDATED"
    status = HTTPStatus.CONFLICT


class BudgetReportInvalidError(ConsentRefusal):
    """What was sent is no budget report signed by the vault, or the centre, that sent it."""

    code = "BUDGET_REPORT_INVALID"
