"""Keeping what each vault says of its budget, and noticing one whose ledger is not the one that it spoke of."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from hanse_consent.budgets.bodies import BudgetPage, OlderLedger, SignedReport, VaultBudgetBody
from hanse_consent.budgets.errors import BudgetReportInvalidError, BudgetReportOutdatedError
from hanse_consent.budgets.succession import LastWord, is_outdated, outcome_of
from hanse_consent.budgets.tables import VaultBudget
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_consent.storage.database import Database
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.budget_report import BudgetOutcome, BudgetReceipt, BudgetReport

_NOTHING_YET = b""
"""In place of a signed report, in a row that is not committed before there is one."""


class VaultBudgets:
    """The last report of every vault.

    Guarantee: each report that is taken is of a ledger that still has the entry with which the one before ended, as
    far as SHA-256 is collision-resistant. So a vault whose ledger was set back, or replaced, gets no receipt however
    much it adds to it.

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
        """Keep a report in place of the vault's last one, or say why not: a signed :class:`BudgetReceipt`.

        Where the ledger is an older one or another, this is kept beside the last report, which stays.

        Args:
            signed: The report, signed by the vault.
            partner: Who is proved to have sent it.

        Raises:
            BudgetReportInvalidError: If it is no report of this partner's budget, signed by its node.
            BudgetReportOutdatedError: If it is not of now, or the vault said something newer.
            StoreUnavailableError: If the store cannot be read or written.
        """
        report, node_key = self._verified(signed, partner=partner)
        now = self._now()
        received_us = to_microseconds(now)
        with self._database.writing(controller=partner) as session:
            row = _locked(session, controller=partner, node_key=node_key, received_us=received_us)
            last = _last_word(row)
            if is_outdated(report, last=last, now=now):
                # Nothing is written: the row, if it is a new one, goes with the transaction.
                raise BudgetReportOutdatedError(
                    "This report of a budget is not of now, or the vault has said something newer.",
                    "If it was held up on its way, nothing is to be done. If it goes on, set both clocks right (NTP).",
                )
            outcome = outcome_of(report, last=last)
            if outcome is BudgetOutcome.TAKEN:
                row.position, row.head = report.ledger.position, report.ledger.head
                row.said_us, row.signed, row.received_us = to_microseconds(report.said_at), signed, received_us
            elif outcome is BudgetOutcome.OLDER_LEDGER:
                row.older_position, row.older_us = report.ledger.position, received_us
            session.add(row)
        receipt = BudgetReceipt(
            partner=partner,
            report=report.digest,
            received_at=from_microseconds(received_us),
            outcome=outcome,
            last_position=last.position if last is not None else None,
        )
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
        if not report.is_as_signed(signed, key=key):
            # It is kept and shown as it came, and must be read then by the same rules.
            raise BudgetReportInvalidError(
                "The report is not written as a vault of this version writes it.", "Let both run the same Hanse."
            )
        if report.partner != partner:
            raise BudgetReportInvalidError(
                "The report is of another partner's budget than the one that signed it.",
                "A partner can speak of its own budget only.",
            )
        return report, key.fingerprint


def _locked(session: Session, *, controller: str, node_key: str, received_us: int) -> VaultBudget:
    """The vault's row, made if there is none, held until the transaction ends."""
    connection = session.connection()
    fresh = {
        "controller": controller,
        "node_key": node_key,
        "position": 0,
        "head": "",
        "said_us": 0,
        "signed": _NOTHING_YET,
        "received_us": received_us,
    }
    if connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(VaultBudget).values(fresh).on_conflict_do_nothing())
    else:
        connection.execute(postgresql.insert(VaultBudget).values(fresh).on_conflict_do_nothing())
    query = select(VaultBudget).where(VaultBudget.controller == controller, VaultBudget.node_key == node_key)
    return session.exec(query.with_for_update()).one()


def _last_word(row: VaultBudget) -> LastWord | None:
    if row.signed == _NOTHING_YET:
        return None
    return LastWord(position=row.position, head=row.head, said_at=from_microseconds(row.said_us))


def _body(row: VaultBudget) -> VaultBudgetBody:
    older = None
    if row.older_position is not None and row.older_us is not None:
        older = OlderLedger(position=row.older_position, at=from_microseconds(row.older_us))
    return VaultBudgetBody(
        received_at=from_microseconds(row.received_us),
        older_ledger=older,
        signed=SignedReport.model_validate_json(row.signed),
    )
