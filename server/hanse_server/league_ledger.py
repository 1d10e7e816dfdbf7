"""The league's ledger: every attempt that was asked of a vault, and how far each vault's own went by its word.

A vault is charged for what it answered; the league charges every vault for what it asked, before the letters leave. The
two differ by attempts that were asked and never answered: the league's is the larger. A vault whose own word is from
before an earlier one has lost entries, and nothing more is asked of it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.caps import Charge
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey
from hanse_privacy.ledger_entries import CHARGE_COLUMNS, CHARGE_NAMES, add_missing_columns, charge_of, row_of
from hanse_privacy.protocol.ledger_statement import open_statement

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS asked (
    partner TEXT NOT NULL,
    {", ".join(CHARGE_COLUMNS)},
    asked_at TEXT NOT NULL,
    answered_at TEXT,
    PRIMARY KEY (partner, run, round, attempt)
) STRICT;
CREATE TABLE IF NOT EXISTS statement (
    partner TEXT NOT NULL,
    public_key TEXT NOT NULL,
    position INTEGER NOT NULL,
    head TEXT NOT NULL,
    signed BLOB NOT NULL,
    PRIMARY KEY (partner, public_key)
) STRICT;
"""


class LeagueLedgerError(HanseError):
    """The league's ledger cannot be read or written; nothing is asked."""

    code = "LEAGUE_LEDGER_UNUSABLE"


class LedgersDisagreeError(HanseError):
    """A vault's ledger went further, or otherwise, by its own earlier word."""

    code = "LEDGERS_DISAGREE"


@dataclass(frozen=True, kw_only=True)
class PartnerSpending:
    """What was asked of one partner.

    Args:
        partner: Its name.
        run: The run; none for all of them together.
        asked: Attempts asked.
        answered: Attempts answered.
        epsilon: What all that was asked has cost at most, together.
    """

    partner: str
    run: str | None
    asked: int
    answered: int
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class RunAsked:
    """What was asked in one run.

    Args:
        run: Its name.
        partners: How many were asked.
        events: Every attempt, once for all partners.
    """

    run: str
    partners: int
    events: tuple[ReleaseEvent, ...]


class LeagueLedger:
    """The ledger, in a SQLite file of the centre.

    Args:
        path: The file; made if it is missing.

    Raises:
        LeagueLedgerError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._connected() as connection:
            connection.executescript(_SCHEMA)
            add_missing_columns(connection, table="asked")

    def ask(self, partners: Iterable[str], charge: Charge) -> None:
        """Charge partners for an attempt before they are asked; asked again, it is charged once."""
        row = (*row_of(charge), _now(), None)
        with self._transaction() as connection:
            connection.executemany(
                f"INSERT OR IGNORE INTO asked (partner, {CHARGE_NAMES}, asked_at, answered_at)"  # noqa: S608 - own text
                f" VALUES ({', '.join('?' * (1 + len(row)))})",
                [(partner, *row) for partner in partners],
            )

    def take_statement(self, signed: bytes, *, partner: str, key: PublicKey, answered: Charge | None) -> None:
        """Keep a vault's word on its ledger, unless it contradicts an earlier one.

        Args:
            signed: Its word.
            partner: Whose it is.
            key: Its lasting key.
            answered: The attempt that it answered with it; none for an admission.

        Raises:
            LedgersDisagreeError: If its ledger was further already, or another one.
            HanseError: If it is no statement of this vault.
        """
        statement = open_statement(signed, partner=partner, key=key)
        with self._transaction() as connection:
            if answered is not None:
                connection.execute(
                    "UPDATE asked SET answered_at = ? WHERE partner = ? AND run = ? AND round = ? AND attempt = ?"
                    " AND answered_at IS NULL",
                    (_now(), partner, answered.run, answered.round, answered.attempt),
                )
            row = connection.execute(
                "SELECT position, head FROM statement WHERE partner = ? AND public_key = ?", (partner, key.text)
            ).fetchone()
            contradicts = row is not None and (
                statement.position < row[0] or (statement.position == row[0] and statement.head != row[1])
            )
            if not contradicts:
                connection.execute(
                    "INSERT OR REPLACE INTO statement VALUES (?, ?, ?, ?, ?)",
                    (partner, key.text, statement.position, statement.head, signed),
                )
        if contradicts:
            raise LedgersDisagreeError(
                f"The ledger of {partner} was at entry {row[0]} by its own word, and is now at {statement.position} or"
                " another one.",
                "Its owner restores the newest ledger; until then it takes part in nothing.",
            )

    def statement_of(self, partner: str, *, key: PublicKey) -> bytes:
        """A vault's last word on its ledger; empty if it never gave one."""
        with self._connected() as connection:
            row = connection.execute(
                "SELECT signed FROM statement WHERE partner = ? AND public_key = ?", (partner, key.text)
            ).fetchone()
        return bytes(row[0]) if row is not None else b""

    def attempts(self, run: str) -> tuple[ReleaseEvent, ...]:
        """Every attempt of a run that was asked, once for all partners."""
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT DISTINCT {CHARGE_NAMES} FROM asked WHERE run = ? ORDER BY round, attempt",  # noqa: S608 - own text
                (run,),
            ).fetchall()
        return tuple(charge_of(row).event for row in rows)

    def runs(self) -> tuple[RunAsked, ...]:
        """Every run that anything was asked in."""
        with self._connected() as connection:
            rows = connection.execute("SELECT run, count(DISTINCT partner) FROM asked GROUP BY run").fetchall()
        return tuple(RunAsked(run=run, partners=partners, events=self.attempts(run)) for run, partners in rows)

    def spending(self, *, delta: float) -> tuple[PartnerSpending, ...]:
        """What was asked of each partner: each run, then all of them together, at one δ."""
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT partner, answered_at IS NOT NULL, {CHARGE_NAMES} FROM asked"  # noqa: S608 - own text
                " ORDER BY partner, asked_at, round, attempt"
            ).fetchall()
        found: dict[tuple[str, str | None], list[tuple[ReleaseEvent, bool]]] = {}
        for partner, was_answered, *row in rows:
            charge = charge_of(row)
            for key in ((partner, charge.run), (partner, None)):
                found.setdefault(key, []).append((charge.event, bool(was_answered)))
        # Each partner's total after its runs.
        ordered = sorted(found, key=lambda key: (key[0], key[1] is None))
        return tuple(
            PartnerSpending(
                partner=partner,
                run=run,
                asked=len(found[(partner, run)]),
                answered=sum(was_answered for _, was_answered in found[(partner, run)]),
                epsilon=epsilon_of([event for event, _ in found[(partner, run)]], delta=delta),
            )
            for partner, run in ordered
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                yield connection
        except sqlite3.Error as error:
            raise LeagueLedgerError(
                f"The league's ledger {self._path.name} cannot be used ({error}).",
                "Free disk space or mend the file; until then nothing is asked of a vault.",
            ) from error


def _now() -> str:
    return datetime.now(tz=UTC).isoformat()
