"""The league's ledger: every attempt that was asked of a vault, and how far each vault's own went by its word.

A vault is charged for what it answered; the league charges every vault for what it asked, before the letters leave. The
two differ by attempts that were asked and never answered: the league's is the larger. A vault whose own word is from
before an earlier one has lost entries, and nothing more is asked of it.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from hanse_privacy.accounting import ReleaseEvent
from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.caps import Cap, CapOwner, Charge, require_room
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey
from hanse_privacy.ledger_entries import (
    CHARGE_COLUMNS,
    CHARGE_NAMES,
    NO_ENTRIES,
    add_missing_columns,
    charge_of,
    row_of,
)
from hanse_privacy.protocol.ledger_report import LedgerPlace
from hanse_privacy.protocol.ledger_statement import open_statement
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.league import LeagueHome
from hanse_server.league_spending import Asked, events_of_a_person

_VAULTS_OF_UNIT = "vaults_of_unit INTEGER NOT NULL DEFAULT 1"
"""Came last: of what was asked before, the unit counts as the weakest, one customer at one partner."""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS asked (
    partner TEXT NOT NULL,
    {", ".join(CHARGE_COLUMNS)},
    asked_at TEXT NOT NULL,
    answered_at TEXT,
    {_VAULTS_OF_UNIT},
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


_THE_LEAGUE = CapOwner(
    whose="the league's",
    of_whom=" for a person who is a customer of every partner",
    decides="decide on the cap: [budget] in league.toml",
)


class LeagueLedgerError(HanseError):
    """The league's ledger cannot be read or written; nothing is asked."""

    code = "LEAGUE_LEDGER_UNUSABLE"


class LedgersDisagreeError(HanseError):
    """A vault's ledger went further, or otherwise, by its own earlier word."""

    code = "LEDGERS_DISAGREE"


@dataclass(frozen=True, kw_only=True)
class LedgerReading:
    """The whole ledger at one moment.

    Args:
        asked: Every attempt of every partner, in the order in which they were asked.
        heads: A digest for each of them that stands for all before it, too; before these the one of an empty ledger.
        at: When; the later of two readings has at least as many entries.
    """

    asked: tuple[Asked, ...]
    heads: tuple[str, ...]
    at: datetime

    @property
    def end(self) -> LedgerPlace:
        """The last entry."""
        return LedgerPlace(position=len(self.asked), head=self.heads[-1])

    def place(self, position: int) -> LedgerPlace | None:
        """The entry at a position; none beyond the last."""
        return LedgerPlace(position=position, head=self.heads[position]) if position < len(self.heads) else None


class LeagueLedger:
    """The ledger, in a SQLite file of the centre.

    Guarantee: what all attempts that were asked cost a person who is a customer of every partner never passes the cap,
    whatever runs at the same time and wherever the process is killed; as far as the centre is honest and the file is
    the newest (the consent services know whether it is: :mod:`hanse_server.budget_reports`).

    Args:
        path: The file; made if it is missing.
        cap: The most that a person may lose.
        clock: The centre's clock.

    Raises:
        LeagueLedgerError: If it cannot be written.
    """

    def __init__(self, path: Path, *, cap: Cap, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._cap = cap
        self._clock = clock
        with self._connected() as connection:
            connection.executescript(_SCHEMA)
            add_missing_columns(connection, table="asked", columns=(*CHARGE_COLUMNS, _VAULTS_OF_UNIT))

    @classmethod
    def of(cls, home: LeagueHome) -> Self:
        """The ledger of a centre, under the cap that its ``league.toml`` names.

        Raises:
            HanseError: If the league's file is not valid, or the ledger cannot be written.
        """
        return cls(home.ledger, cap=home.load().budget.cap, clock=lambda: datetime.now(tz=UTC))

    def require_room_for(self, proposal: RunProposal) -> None:
        """Refuse a whole run that would not fit, before anybody is asked to approve it.

        Raises:
            BudgetExhaustedError: With what is asked, spent and left, for a person who is a customer of every partner.
        """
        self._require_room(events_of_a_person(self.read().asked), proposal.events_of_a_person(), run=proposal.run)

    def ask(self, partners: Collection[str], charge: Charge, *, vaults_of_unit: int) -> None:
        """Charge partners for an attempt before they are asked; asked again, it is charged once.

        Args:
            partners: The run's whole roster.
            charge: What it costs.
            vaults_of_unit: At so many vaults one of the run's units may be.

        Raises:
            BudgetExhaustedError: If a person would lose more than the cap; nothing is charged, and nobody may be asked.
        """
        with self._transaction() as connection:
            before = _rows(connection)
            row = (*row_of(charge), vaults_of_unit, self._now(), None)
            connection.executemany(
                f"INSERT OR IGNORE INTO asked (partner, {CHARGE_NAMES}, vaults_of_unit, asked_at, answered_at)"  # noqa: S608 - own text
                f" VALUES ({', '.join('?' * (1 + len(row)))})",
                [(partner, *row) for partner in partners],
            )
            after = _rows(connection)
            if len(after) > len(before):
                mine = (charge.run, charge.round, charge.attempt)
                spent = events_of_a_person([one for one in before if _attempt(one) != mine])
                asked = events_of_a_person([one for one in after if _attempt(one) == mine])
                self._require_room(spent, asked, run=charge.run)

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
                    (self._now(), partner, answered.run, answered.round, answered.attempt),
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
        events = {_attempt(one): one.charge.event for one in self.read().asked if one.charge.run == run}
        return tuple(events[attempt] for attempt in sorted(events))

    def read(self) -> LedgerReading:
        """All of it."""
        # The writers' lock is held, so that who reads later is later by the clock, too.
        with self._transaction() as connection:
            asked, at = _rows(connection), self._clock()
        heads = [NO_ENTRIES]
        for one in asked:
            heads.append(_head(heads[-1], one))
        return LedgerReading(asked=asked, heads=tuple(heads), at=at)

    def _require_room(self, spent: Sequence[ReleaseEvent], asked: Sequence[ReleaseEvent], *, run: str) -> None:
        require_room(self._cap, spent=spent, asked=asked, run=run, now=self._clock(), owner=_THE_LEAGUE)

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat()

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


def _rows(connection: sqlite3.Connection) -> tuple[Asked, ...]:
    rows = connection.execute(
        f"SELECT partner, vaults_of_unit, asked_at, answered_at IS NOT NULL, {CHARGE_NAMES} FROM asked"  # noqa: S608 - own text
        " ORDER BY rowid"
    )
    return tuple(
        Asked(
            partner=partner,
            charge=charge_of(charge),
            vaults_of_unit=vaults_of_unit,
            at=datetime.fromisoformat(at),
            was_answered=bool(was_answered),
        )
        for partner, vaults_of_unit, at, was_answered, *charge in rows
    )


def _attempt(asked: Asked) -> tuple[str, int, int]:
    return asked.charge.run, asked.charge.round, asked.charge.attempt


def _head(before: str, asked: Asked) -> str:
    # Whether it was answered is not in it: that comes later.
    said = [before, asked.partner, *row_of(asked.charge), asked.vaults_of_unit, asked.at.isoformat()]
    return hashlib.sha256(canonical_bytes(said)).hexdigest()
