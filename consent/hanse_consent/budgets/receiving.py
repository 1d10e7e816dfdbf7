"""Who may say what of a budget: a vault of its own, a centre of the league's; and what people read of both."""

from collections.abc import Callable
from typing import TypeVar

from hanse_consent.budgets.bodies import (
    BudgetPage,
    LeagueBudgetBody,
    OlderLedger,
    SignedLeagueReport,
    SignedReport,
    VaultBudgetBody,
)
from hanse_consent.budgets.errors import BudgetReportInvalidError
from hanse_consent.budgets.kept_reports import KeptReports
from hanse_consent.budgets.tables import KeptReport
from hanse_consent.domain.moments import from_microseconds
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import LedgerReport

_Report = TypeVar("_Report", bound=LedgerReport)


class Budgets:
    """Takes reports of budgets and shows them.

    Args:
        kept: Where they are kept.
        key_of_vault: The key of a controller's node; none for anybody else.
        key_of_centre: The key of a centre that this service listens to; none for anybody else.
    """

    def __init__(
        self,
        kept: KeptReports,
        *,
        key_of_vault: Callable[[str], PublicKey | None],
        key_of_centre: Callable[[str], PublicKey | None],
    ) -> None:
        self._kept = kept
        self._key_of_vault = key_of_vault
        self._key_of_centre = key_of_centre

    def from_vault(self, signed: bytes, *, partner: str) -> bytes:
        """Take a vault's word on its own budget: a signed receipt, or that its ledger is an older one.

        Args:
            signed: The report, signed by the vault.
            partner: Who is proved to have sent it.

        Raises:
            BudgetReportInvalidError: If it is no report of this partner's budget, signed by its node.
            BudgetReportOutdatedError: If it is not of now, or the vault said something newer.
            StoreUnavailableError: If the store cannot be read or written.
        """
        key = _known(self._key_of_vault(partner), f"No node of {partner} is known here.")
        report = _verified(BudgetReport, signed, key=key)
        if report.partner != partner:
            raise BudgetReportInvalidError(
                "The report is of another partner's budget than the one that signed it.",
                "A partner can speak of its own budget only.",
            )
        return self._kept.keep(report, signed, signer_key=key.fingerprint)

    def from_centre(self, signed: bytes, *, centre: str) -> bytes:
        """Take a centre's word on the league's budget, about a controller that is registered here.

        Args:
            signed: The report, signed by the centre.
            centre: Who is proved to have sent it.

        Raises:
            BudgetReportInvalidError: If it is no report by this centre about such a controller.
            BudgetReportOutdatedError: If it is not of now, or the centre said something newer.
            StoreUnavailableError: If the store cannot be read or written.
        """
        key = _known(self._key_of_centre(centre), f"{centre} is no centre known here.")
        report = _verified(LeagueBudgetReport, signed, key=key)
        if report.centre != centre:
            raise BudgetReportInvalidError(
                "The report is of another league than that of the centre which signed it.",
                "A centre can speak of its own league only.",
            )
        _known(self._key_of_vault(report.partner), f"No node of {report.partner} is known here.")
        return self._kept.keep(report, signed, signer_key=key.fingerprint)

    def page(self, controller: str) -> BudgetPage:
        """What was last said of a controller's budgets; nothing if nobody ever said anything.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        rows = self._kept.about(controller)
        return BudgetPage(
            controller=controller,
            vaults=tuple(
                VaultBudgetBody(
                    received_at=from_microseconds(row.received_us),
                    older_ledger=_older(row),
                    signed=SignedReport.model_validate_json(row.signed),
                )
                for row in rows
                if row.kind == BudgetReport.kind
            ),
            leagues=tuple(
                LeagueBudgetBody(
                    received_at=from_microseconds(row.received_us),
                    older_ledger=_older(row),
                    signed=SignedLeagueReport.model_validate_json(row.signed),
                )
                for row in rows
                if row.kind == LeagueBudgetReport.kind
            ),
        )


def _known(key: PublicKey | None, what: str) -> PublicKey:
    if key is None:
        raise BudgetReportInvalidError(what, "Register the controller, or name the centre in the configuration.")
    return key


def _verified(kind: type[_Report], signed: bytes, *, key: PublicKey) -> _Report:
    try:
        report = kind.verify(signed, key=key)
    except (SignatureInvalidError, InvalidValueError) as error:
        raise BudgetReportInvalidError(error.what, error.mend) from error
    if not report.is_as_signed(signed, key=key):
        # It is kept and shown as it came, and must be read then by the same rules.
        raise BudgetReportInvalidError(
            "The report is not written as this version writes it.", "Let both run the same Hanse."
        )
    return report


def _older(row: KeptReport) -> OlderLedger | None:
    if row.older_position is None or row.older_us is None:
        return None
    return OlderLedger(position=row.older_position, at=from_microseconds(row.older_us))
