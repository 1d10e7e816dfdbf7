"""Keeping the last report of each signer, and noticing one whose ledger is not the one that it spoke of."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from hanse_consent.budgets.errors import BudgetReportOutdatedError
from hanse_consent.budgets.succession import LastWord, is_outdated, outcome_of
from hanse_consent.budgets.tables import KeptReport
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_consent.storage.database import Database
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt, LedgerReport

_NOTHING_YET = b""
"""In place of a signed report, in a row that is not committed before there is one."""


class KeptReports:
    """The last report of every signer about every controller.

    Guarantee, for a signer that computes its reports from its ledger: each report that is taken is of a ledger that
    still has the entry with which the one before ended, as far as SHA-256 is collision-resistant. So a ledger that was
    set back, or replaced, gets no receipt however much is added to it. (A signer that lies can repeat that entry.)

    Args:
        database: Where they are kept.
        key: The service's key; it signs receipts.
        now: The service's clock.
    """

    def __init__(self, *, database: Database, key: SigningKey, now: Callable[[], datetime]) -> None:
        self._database = database
        self._key = key
        self._now = now

    def keep(self, report: LedgerReport, signed: bytes, *, signer_key: str) -> bytes:
        """Keep a verified report in place of its signer's last one, or say why not: a signed :class:`BudgetReceipt`.

        Where the ledger is an older one or another, this is kept beside the last report, which stays.

        Args:
            report: The report.
            signed: The same, as it was signed.
            signer_key: Fingerprint of the key that did.

        Raises:
            BudgetReportOutdatedError: If it is not of now, or its signer said something newer.
            StoreUnavailableError: If the store cannot be read or written.
        """
        now = self._now()
        received_us = to_microseconds(now)
        with self._database.writing(controller=report.partner) as session:
            row = _locked(session, report, signer_key=signer_key, received_us=received_us)
            last = _last_word(row)
            if is_outdated(report, last=last, now=now):
                # Nothing is written: the row, if it is a new one, goes with the transaction.
                raise BudgetReportOutdatedError(
                    "This report of a budget is not of now, or its signer has said something newer.",
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
            partner=report.partner,
            report=report.digest,
            received_at=from_microseconds(received_us),
            outcome=outcome,
            last_position=last.position if last is not None else None,
        )
        return receipt.sign(self._key)

    def about(self, controller: str) -> tuple[KeptReport, ...]:
        """What was last said of a controller, the last heard of first.

        Raises:
            StoreUnavailableError: If the store cannot be read.
        """
        query = (
            select(KeptReport)
            .where(KeptReport.controller == controller)
            .order_by(col(KeptReport.received_us).desc(), col(KeptReport.signer_key))
        )
        with self._database.reading(controller=controller) as session:
            return tuple(session.exec(query))


def _locked(session: Session, report: LedgerReport, *, signer_key: str, received_us: int) -> KeptReport:
    """The signer's row, made if there is none, held until the transaction ends."""
    connection = session.connection()
    fresh = {
        "controller": report.partner,
        "signer_key": signer_key,
        "kind": report.kind,
        "position": 0,
        "head": "",
        "said_us": 0,
        "signed": _NOTHING_YET,
        "received_us": received_us,
    }
    if connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(KeptReport).values(fresh).on_conflict_do_nothing())
    else:
        connection.execute(postgresql.insert(KeptReport).values(fresh).on_conflict_do_nothing())
    query = select(KeptReport).where(
        KeptReport.controller == report.partner, KeptReport.kind == report.kind, KeptReport.signer_key == signer_key
    )
    return session.exec(query.with_for_update()).one()


def _last_word(row: KeptReport) -> LastWord | None:
    if row.signed == _NOTHING_YET:
        return None
    return LastWord(position=row.position, head=row.head, said_at=from_microseconds(row.said_us))
