"""The league's ledger: what is asked is charged before it is asked; a vault that went back is known."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.caps import Charge
from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.ledger_statement import (
    LedgerStatement,
    LedgerStatementInvalidError,
    open_statement,
    sign_statement,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.commands import app
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger, LeagueLedgerError, LedgersDisagreeError
from hanse_server.person_spending import epsilon_of_a_person

NORTH, SOUTH = SigningKey.generate(), SigningKey.generate()
EVENT = ReleaseEvent(squared_sensitivity=100**2, variance_parameter=400**2, shares=2, size=50)


def charge(run: str = "a", round_number: int = 1, attempt: int = 1) -> Charge:
    return Charge(
        run=run,
        round=round_number,
        attempt=attempt,
        operation="count",
        purpose="statistics",
        data_categories=("pd:PurchasesAndSpendingHabit",),
        event=EVENT,
    )


def statement(position: int, head: str = "ab", *, partner: str = "north", key: SigningKey = NORTH) -> bytes:
    return sign_statement(LedgerStatement(partner=partner, position=position, head=head), key=key)


@pytest.fixture
def book(tmp_path: Path) -> LeagueLedger:
    return LeagueLedger(tmp_path / "ledger.db")


def say(book: LeagueLedger, signed: bytes, *, answered: Charge | None = None) -> None:
    book.take_statement(signed, partner="north", key=NORTH.public, answered=answered)


def test_each_partner_is_charged_for_what_it_is_asked(book: LeagueLedger, tmp_path: Path) -> None:
    book.ask(["north", "south"], charge())
    book.ask(["north", "south"], charge())
    book.ask(["north", "south"], charge(attempt=2))
    book.ask(["north"], charge(run="b"))
    say(book, statement(1), answered=charge(attempt=2))
    found = {(one.partner, one.run): one for one in LeagueLedger(tmp_path / "ledger.db").spending(delta=1e-6)}
    assert {key: (one.asked, one.answered) for key, one in found.items()} == {
        ("north", "a"): (2, 1),
        ("north", "b"): (1, 0),
        ("north", None): (3, 1),
        ("south", "a"): (2, 0),
        ("south", None): (2, 0),
    }
    assert found[("north", None)].epsilon == epsilon_of([EVENT] * 3, delta=1e-6)
    assert found[("south", None)].epsilon == epsilon_of([EVENT] * 2, delta=1e-6)


def test_a_runs_attempts_are_counted_once_for_all_partners(book: LeagueLedger) -> None:
    book.ask(["north", "south"], charge())
    book.ask(["north", "south"], charge(attempt=2))
    book.ask(["north"], charge(run="b"))
    assert book.attempts("a") == (EVENT, EVENT)
    assert book.attempts("c") == ()


def test_a_ledger_from_before_it_was_written_what_was_read_goes_on(book: LeagueLedger, tmp_path: Path) -> None:
    book.ask(["north"], charge())
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("ALTER TABLE asked DROP COLUMN data_categories")
    again = LeagueLedger(tmp_path / "ledger.db")
    again.ask(["north"], charge())
    again.ask(["north"], charge(round_number=2))
    say(again, statement(2), answered=charge(round_number=2))
    assert again.attempts("a") == (EVENT, EVENT)
    assert [(one.run, one.asked, one.answered) for one in again.spending(delta=1e-6)] == [("a", 2, 1), (None, 2, 1)]


def test_the_newest_word_is_kept_for_each_key(book: LeagueLedger) -> None:
    assert book.statement_of("north", key=NORTH.public) == b""
    for position in (0, 3, 3, 7):
        say(book, statement(position))
    assert book.statement_of("north", key=NORTH.public) == statement(7)
    assert book.statement_of("north", key=SOUTH.public) == b""
    assert book.statement_of("south", key=NORTH.public) == b""


@pytest.mark.parametrize("later", [statement(2), statement(3, "cd"), statement(0)], ids=["older", "other", "empty"])
def test_a_ledger_that_went_back_or_is_another_disagrees(book: LeagueLedger, later: bytes) -> None:
    book.ask(["north"], charge())
    say(book, statement(3))
    with pytest.raises(LedgersDisagreeError, match="entry 3"):
        say(book, later, answered=charge())
    assert book.statement_of("north", key=NORTH.public) == statement(3)
    # What it answered is charged all the same.
    assert [one.answered for one in book.spending(delta=1e-6)] == [1, 1]


@pytest.mark.parametrize(
    ("signed", "error"),
    [
        (statement(1, key=SOUTH), SignatureInvalidError),
        (statement(1, partner="south"), LedgerStatementInvalidError),
        (statement(-1), LedgerStatementInvalidError),
        (b"", LedgerStatementInvalidError),
        (b"nonsense", LedgerStatementInvalidError),
    ],
)
def test_what_is_no_word_of_this_vault_is_refused(book: LeagueLedger, signed: bytes, error: type[HanseError]) -> None:
    with pytest.raises(error):
        say(book, signed)
    assert book.statement_of("north", key=NORTH.public) == b""


def test_every_changed_byte_of_a_statement_is_noticed() -> None:
    signed = statement(5)
    for place in range(len(signed)):
        changed = bytearray(signed)
        changed[place] ^= 1
        with pytest.raises(HanseError):
            open_statement(bytes(changed), partner="north", key=NORTH.public)


def test_a_damaged_ledger_asks_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 500)
    with pytest.raises(LeagueLedgerError):
        LeagueLedger(tmp_path / "ledger.db")
    book = LeagueLedger(tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("DROP TABLE asked")
    asks: tuple[Callable[[], object], ...] = (
        lambda: book.ask(["north"], charge()),
        lambda: book.spending(delta=1e-6),
    )
    for ask in asks:
        with pytest.raises(LeagueLedgerError):
            ask()


def proposed(home: LeagueHome, *, run: str, unit: Any) -> None:
    key = SigningKey.generate()
    step = {
        "operation": "churn-gradient",
        "purpose": "churn-training",
        "tier": "standard",
        "noise_multiplier": 40.0,
        "rounds": 1,
        "last_week": 9,
        "horizon_weeks": 4,
        "weights": 15,
        "gradient": {"clip": 1.0, "share": 1.0},
    }
    proposal = RunProposal.parse(
        {
            "run": run,
            "title": "Churn",
            "data_categories": ["pd:PurchasesAndSpendingHabit"],
            "recipients": [{"name": "centre", "country": "DE"}],
            "roster": [
                {"partner": "north", "public_key": NORTH.public.text},
                {"partner": "south", "public_key": SOUTH.public.text},
            ],
            "catalogue": "0" * 64,
            "week_one": "2026-01-05",
            "minimum_cohort": 10,
            "honest_minimum": 2,
            "unit": unit,
            "units_per_clip": 65536,
            "epsilon": 1.0,
            "delta": 1e-5,
            "steps": [step],
            "created_at": "2026-05-04T12:00:00Z",
            "expires_at": "2026-05-05T12:00:00Z",
        }
    )
    RunFolder(home, run).create(proposal.sign(key))


def test_a_person_is_charged_for_every_run_by_its_unit(book: LeagueLedger, tmp_path: Path) -> None:
    home = LeagueHome(root=tmp_path)
    assert epsilon_of_a_person(home, delta=1e-6) == 0
    proposed(home, run="across", unit={"kind": "customer-across-the-roster", "partners_at_most": 2})
    proposed(home, run="alone", unit="customer-at-one-partner")
    book.ask(["north", "south"], charge(run="across"))
    # A person at both: the unit itself, once for both vaults.
    assert epsilon_of_a_person(home, delta=1e-6) == pytest.approx(epsilon_of([EVENT], delta=1e-6))
    book.ask(["north", "south"], charge(run="alone"))
    twice = replace(EVENT, squared_sensitivity=4 * EVENT.squared_sensitivity)
    assert epsilon_of_a_person(home, delta=1e-6) == pytest.approx(epsilon_of([EVENT, twice], delta=1e-6))
    # Of a run that nothing is known of, as of the weakest unit; and each of two rosters counts.
    book.ask(["north"], charge(run="lost"))
    book.ask(["south", "north"], charge(run="lost too"))
    events = [EVENT, twice, EVENT, twice]
    assert epsilon_of_a_person(home, delta=1e-6) == pytest.approx(epsilon_of(events, delta=1e-6))


def test_the_command_shows_it(book: LeagueLedger, tmp_path: Path) -> None:
    book.ask(["north", "south"], charge())
    shown = CliRunner().invoke(app, ["budget", "--home", str(tmp_path)])
    assert shown.exit_code == 0
    assert "all together" in shown.output
    assert "A person who is a customer of every partner" in " ".join(shown.output.split())
    printed = CliRunner().invoke(app, ["budget", "--home", str(tmp_path), "--json", "--delta", "1e-5"])
    assert '"epsilon"' in printed.output
    assert '"epsilon_of_a_person"' in printed.output
    assert '"delta": 1e-05' in printed.output
