"""Keeping what each vault says of its budget, and noticing one whose ledger went back."""

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session, col, select

from hanse_consent.budgets.bodies import BudgetPage, OlderLedger, SignedReport, VaultBudgetBody
from hanse_consent.budgets.errors import BudgetReportInvalidError, LedgerOlderError
from hanse_consent.budgets.tables import VaultBudget
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_consent.storage.database import Database
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.budget_report import BudgetReceipt, BudgetReport


class VaultBudgets:
    """The last report of every vault.

    Args:
        database: Where they are kept.
        key_of: The key of a controller's node.
        key: The service's key; it signs receipts.
        now: The service's clock.
    """

    def __init__(
        self,
        *,
        database: Database,
        key_of: Callable[[str], PublicKey | None],
        key: SigningKey,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._key_of = key_of
        self._key = key
        self._now = now

    def receive(self, signed: bytes, *, partner: str) -> bytes:
        """Keep a report in place of the vault's last one, and return a signed :class:`BudgetReceipt`.

        Args:
            signed: The report, signed by the vault.
            partner: Who is proved to have sent it.

        Raises:
            BudgetReportInvalidError: If it is no report of this partner's budget, signed by its node.
            LedgerOlderError: If its ledger ends before the one reported last, or is another one; that this happened is
                kept, and the last report stays.
            StoreUnavailableError: If the store cannot be read or written.
        """
        report, node_key = self._verified(signed, partner=partner)
        received_us = to_microseconds(self._now())
        with self._database.writing(controller=partner) as session:
            row = _locked(session, controller=partner, node_key=node_key)
            last = None if row is None else row.position
            is_older = row is not None and _contradicts(row, report)
            if row is None:
                row = VaultBudget(
                    controller=partner, node_key=node_key, position=0, head="", signed=b"", received_us=received_us
                )
            if is_older:
                row.older_position, row.older_us = report.ledger.position, received_us
            else:
                row.position, row.head = report.ledger.position, report.ledger.head
                row.signed, row.received_us = signed, received_us
            session.add(row)
        if is_older:
            raise LedgerOlderError(
                f"The ledger was at entry {last} by this vault's own word, and is now at {report.ledger.position} or"
                " another one.",
                "Its owner restores the newest ledger; until then the vault takes part in nothing.",
            )
        receipt = BudgetReceipt(partner=partner, report=report.digest, received_at=from_microseconds(received_us))
        return receipt.sign(self._key)

    def page(self, controller: str) -> BudgetPage:
        """What a controller's vaults said last; nothing if none ever did.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        query = (
            select(VaultBudget)
            .where(VaultBudget.controller == controller)
            .order_by(col(VaultBudget.received_us).desc(), col(VaultBudget.node_key))
        )
        with self._database.reading(controller=controller) as session:
            vaults = tuple(map(_body, session.exec(query)))
        return BudgetPage(controller=controller, vaults=vaults)

    def _verified(self, signed: bytes, *, partner: str) -> tuple[BudgetReport, str]:
        key = self._key_of(partner)
        try:
            if key is None:
                raise SignatureInvalidError(f"No node of {partner} is known here.", "Register the controller.")
            report = BudgetReport.verify(signed, key=key)
        except (SignatureInvalidError, InvalidValueError) as error:
            raise BudgetReportInvalidError(error.what, error.mend) from error
        if report.partner != partner:
            raise BudgetReportInvalidError(
                "The report is of another partner's budget than the one that signed it.",
                "A partner can speak of its own budget only.",
            )
        return report, key.fingerprint


def _locked(session: Session, *, controller: str, node_key: str) -> VaultBudget | None:
    query = (
        select(VaultBudget)
        .where(VaultBudget.controller == controller, VaultBudget.node_key == node_key)
        .with_for_update()
    )
    return session.exec(query).first()


def _contradicts(row: VaultBudget, report: BudgetReport) -> bool:
    ledger = report.ledger
    return ledger.position < row.position or (ledger.position == row.position and ledger.head != row.head)


def _body(row: VaultBudget) -> VaultBudgetBody:
    older = None
    if row.older_position is not None and row.older_us is not None:
        older = OlderLedger(position=row.older_position, at=from_microseconds(row.older_us))
    return VaultBudgetBody(
        received_at=from_microseconds(row.received_us),
        older_ledger=older,
        signed=SignedReport.model_validate_json(row.signed),
    )
