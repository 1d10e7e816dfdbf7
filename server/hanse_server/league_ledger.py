"""The league's ledger: every attempt that was asked of a vault, and how far each vault's own went by its word.

A vault is charged for what it answered; the league charges every vault for what it asked, before the letters leave. The
two differ by attempts that were asked and never answered: the league's is the larger. A vault whose own word is from
before an earlier one has lost entries, and nothing more is asked of it.
"""

import re
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Self

from hanse_privacy.accounting import ReleaseEvent, rho_for, total_rho
from hanse_privacy.caps import Cap, CapOwner, Charge, exhausted
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.ledger_report import LedgerPlace, said_after
from hanse_privacy.protocol.ledger_statement import open_statement
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.league import LeagueHome
from hanse_server.league_ledger_file import (
    LeagueLedgerError,
    asked_of,
    connected,
    heads_of,
    insert,
    prepare,
    rows_of,
    transaction,
)
from hanse_server.league_spending import Asked, Attempt, events_of_a_person

_A_HEAD = re.compile(r"[0-9a-f]{64}\Z")
_THE_LEAGUE = CapOwner(
    whose="the league's",
    of_whom=" for a person who is a customer of every partner",
    decides="decide on the cap: [budget] in league.toml",
)


class LedgersDisagreeError(HanseError):
    """A vault's ledger went further, or otherwise, by its own earlier word."""

    code = "LEDGERS_DISAGREE"


@dataclass(frozen=True, kw_only=True)
class LedgerReading:
    """The whole ledger at one moment.

    Args:
        asked: Every attempt of every partner, in the order in which they were asked.
        heads: A digest for each of them that stands for all before it, too; before these the one of an empty ledger.
        at: When; the later of two readings has at least as many entries, whatever happened to the clock in between.
        words: How far each vault's own ledger went by its last word, by partner and public key.
    """

    asked: tuple[Asked, ...]
    heads: tuple[str, ...]
    at: datetime
    words: Mapping[tuple[str, str], LedgerPlace]

    @property
    def end(self) -> LedgerPlace:
        """The last entry."""
        return LedgerPlace(position=len(self.asked), head=self.heads[-1])

    def place(self, position: int) -> LedgerPlace | None:
        """The entry at a position; none beyond the last."""
        return LedgerPlace(position=position, head=self.heads[position]) if position < len(self.heads) else None


class LeagueLedger:
    """The ledger, in a SQLite file of the centre.

    Guarantee: the ρ of all attempts that were asked, for a person who is a customer of every partner, never passes that
    of the cap, whatever runs at the same time and wherever the process is killed; as far as the centre is honest and
    the file is the newest (the consent services know whether it is: :mod:`hanse_server.budget_reports`). What the
    samplers' total variation adds to δ is not counted: it matters to no ε below 50.

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
        prepare(path)

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
            LeagueLedgerError: If the attempt was asked for before at another cost, or the ledger cannot be written.
        """
        mine = Attempt.of(charge)
        with transaction(self._path) as connection:
            held = asked_of(rows_of(connection), name=self._path.name)
            there = {one.partner: one for one in held if one.attempt == mine}
            if any((one.charge.event, one.vaults_of_unit) != (charge.event, vaults_of_unit) for one in there.values()):
                raise LeagueLedgerError(
                    f"Attempt {charge.attempt} at round {charge.round} of run {charge.run} was asked for on other"
                    " terms.",
                    "Start a new run.",
                )
            new = sorted(set(partners) - set(there))
            if new:
                person = charge.event.weighing(Fraction(len(there) + len(new), vaults_of_unit))
                spent = events_of_a_person([one for one in held if one.attempt != mine])
                self._require_room(spent, [person], run=charge.run)
                now = self._clock().astimezone(UTC)
                insert(
                    connection,
                    [
                        Asked(partner=partner, charge=charge, vaults_of_unit=vaults_of_unit, at=now, was_answered=False)
                        for partner in new
                    ],
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
        with transaction(self._path) as connection:
            if answered is not None:
                now = self._clock().astimezone(UTC).isoformat()
                connection.execute(
                    "UPDATE asked SET answered_at = ? WHERE partner = ? AND run = ? AND round = ? AND attempt = ?"
                    " AND answered_at IS NULL",
                    (now, partner, answered.run, answered.round, answered.attempt),
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
        with connected(self._path) as connection:
            row = connection.execute(
                "SELECT signed FROM statement WHERE partner = ? AND public_key = ?", (partner, key.text)
            ).fetchone()
        return bytes(row[0]) if row is not None else b""

    def attempts(self, run: str) -> tuple[ReleaseEvent, ...]:
        """Every attempt of a run that was asked, once for all partners."""
        events = {one.attempt: one.charge.event for one in self.read().asked if one.charge.run == run}
        return tuple(events[attempt] for attempt in sorted(events, key=lambda one: (one.round, one.attempt)))

    def read(self) -> LedgerReading:
        """All of it."""
        # The writers' lock is held, so that who reads later is later by the time that is kept, too.
        with transaction(self._path) as connection:
            rows, at = rows_of(connection), self._later(connection)
            words = connection.execute("SELECT partner, public_key, position, head FROM statement").fetchall()
        asked = asked_of(rows, name=self._path.name)
        return LedgerReading(
            asked=asked,
            heads=heads_of(asked),
            at=at,
            words={
                (partner, key): LedgerPlace(position=position, head=head)
                for partner, key, position, head in words
                if _A_HEAD.match(head)
            },
        )

    def _later(self, connection: sqlite3.Connection) -> datetime:
        """Now, or a moment after the last reading, if the clock was set back a little since."""
        row = connection.execute("SELECT at FROM reading").fetchone()
        last = datetime.fromisoformat(row[0]) if row is not None else None
        now = said_after(last, now=self._clock().astimezone(UTC))
        connection.execute("INSERT OR REPLACE INTO reading VALUES (1, ?)", (now.isoformat(),))
        return now

    def _require_room(self, spent: Sequence[ReleaseEvent], asked: Sequence[ReleaseEvent], *, run: str) -> None:
        if total_rho([*spent, *asked]) > Fraction(rho_for(self._cap.budget)):
            raise exhausted(self._cap, spent=spent, asked=asked, run=run, now=self._clock(), owner=_THE_LEAGUE)
