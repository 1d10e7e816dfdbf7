"""The league's ledger: what is asked is charged before it is asked; a vault that went back is known."""

import itertools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hanse_privacy.accounting import ReleaseEvent, epsilon_as_shown, epsilon_of
from hanse_privacy.caps import BudgetExhaustedError, Cap, Charge, state
from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.ledger_statement import (
    LedgerStatement,
    LedgerStatementInvalidError,
    open_statement,
    sign_statement,
)
from hanse_privacy.units import PrivacyBudget
from hanse_server.league_ledger import LeagueLedger, LedgersDisagreeError
from hanse_server.league_ledger_file import LeagueLedgerError
from hanse_server.league_spending import PartnerSpending, events_of_a_person, spending

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


def opened(path: Path, *, epsilon: float = 50.0) -> LeagueLedger:
    cap = Cap(name="person", budget=PrivacyBudget(epsilon=epsilon, delta=1e-6))
    return LeagueLedger(path, cap=cap, clock=lambda: datetime.now(tz=UTC))


@pytest.fixture
def book(tmp_path: Path) -> LeagueLedger:
    return opened(tmp_path / "ledger.db")


def costs(book: LeagueLedger) -> tuple[PartnerSpending, ...]:
    return spending(book.read().asked, delta=1e-6)


def of_a_person(book: LeagueLedger) -> tuple[ReleaseEvent, ...]:
    return events_of_a_person(book.read().asked)


def say(book: LeagueLedger, signed: bytes, *, answered: Charge | None = None) -> None:
    book.take_statement(signed, partner="north", key=NORTH.public, answered=answered)


def test_each_partner_is_charged_for_what_it_is_asked(book: LeagueLedger, tmp_path: Path) -> None:
    book.ask(["north", "south"], charge(), vaults_of_unit=1)
    book.ask(["north", "south"], charge(), vaults_of_unit=1)
    book.ask(["north", "south"], charge(attempt=2), vaults_of_unit=1)
    book.ask(["north"], charge(run="b"), vaults_of_unit=1)
    say(book, statement(1), answered=charge(attempt=2))
    found = {(one.partner, one.run): one for one in costs(opened(tmp_path / "ledger.db"))}
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
    book.ask(["north", "south"], charge(), vaults_of_unit=1)
    book.ask(["north", "south"], charge(attempt=2), vaults_of_unit=1)
    book.ask(["north"], charge(run="b"), vaults_of_unit=1)
    assert book.attempts("a") == (EVENT, EVENT)
    assert book.attempts("c") == ()


def test_a_ledger_from_before_it_was_written_what_was_read_goes_on(book: LeagueLedger, tmp_path: Path) -> None:
    book.ask(["north"], charge(), vaults_of_unit=1)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("ALTER TABLE asked DROP COLUMN data_categories")
        connection.execute("ALTER TABLE asked DROP COLUMN vaults_of_unit")
    again = opened(tmp_path / "ledger.db")
    again.ask(["north"], charge(), vaults_of_unit=1)
    again.ask(["north"], charge(round_number=2), vaults_of_unit=1)
    say(again, statement(2), answered=charge(round_number=2))
    assert again.attempts("a") == (EVENT, EVENT)
    assert [(one.run, one.asked, one.answered) for one in costs(again)] == [("a", 2, 1), (None, 2, 1)]


def test_the_newest_word_is_kept_for_each_key(book: LeagueLedger) -> None:
    assert book.statement_of("north", key=NORTH.public) == b""
    for position in (0, 3, 3, 7):
        say(book, statement(position))
    assert book.statement_of("north", key=NORTH.public) == statement(7)
    assert book.statement_of("north", key=SOUTH.public) == b""
    assert book.statement_of("south", key=NORTH.public) == b""


@pytest.mark.parametrize("later", [statement(2), statement(3, "cd"), statement(0)], ids=["older", "other", "empty"])
def test_a_ledger_that_went_back_or_is_another_disagrees(book: LeagueLedger, later: bytes) -> None:
    book.ask(["north"], charge(), vaults_of_unit=1)
    say(book, statement(3))
    with pytest.raises(LedgersDisagreeError, match="entry 3"):
        say(book, later, answered=charge())
    assert book.statement_of("north", key=NORTH.public) == statement(3)
    # What it answered is charged all the same.
    assert [one.answered for one in costs(book)] == [1, 1]


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
        opened(tmp_path / "ledger.db")
    book = opened(tmp_path / "other.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("DROP TABLE asked")
    asks: tuple[Callable[[], object], ...] = (
        lambda: book.ask(["north"], charge(), vaults_of_unit=1),
        lambda: costs(book),
    )
    for ask in asks:
        with pytest.raises(LeagueLedgerError):
            ask()


TWICE = replace(EVENT, squared_sensitivity=4 * EVENT.squared_sensitivity)
"""The same for a person who is a customer of two partners, where the unit is at one."""
BOTH = ["north", "south"]


def test_a_person_is_charged_for_every_run_by_its_unit(book: LeagueLedger) -> None:
    assert of_a_person(book) == ()
    book.ask(BOTH, charge(run="across"), vaults_of_unit=2)
    # A person at both: the unit itself, once for both vaults.
    assert of_a_person(book) == (EVENT,)
    book.ask(BOTH, charge(run="alone"), vaults_of_unit=1)
    book.ask(["north"], charge(run="north alone"), vaults_of_unit=1)
    assert of_a_person(book) == (EVENT, TWICE, EVENT)


def test_what_was_asked_before_units_were_written_down_counts_as_the_weakest(
    book: LeagueLedger, tmp_path: Path
) -> None:
    book.ask(BOTH, charge(), vaults_of_unit=2)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("ALTER TABLE asked DROP COLUMN vaults_of_unit")
    assert of_a_person(opened(tmp_path / "ledger.db")) == (TWICE,)


def test_nothing_is_asked_that_would_cost_a_person_more_than_the_cap(tmp_path: Path) -> None:
    two, three = (epsilon_of([TWICE] * count, delta=1e-6) for count in (2, 3))
    book = opened(tmp_path / "ledger.db", epsilon=(two + three) / 2)
    for attempt in (1, 2):
        book.ask(BOTH, charge(attempt=attempt), vaults_of_unit=1)
    one = epsilon_of([TWICE], delta=1e-6)
    with pytest.raises(BudgetExhaustedError) as refused:
        book.ask(BOTH, charge(attempt=3), vaults_of_unit=1)
    for number in (one, two, three, (two + three) / 2):
        assert f"{number:.3f}" in refused.value.what
    assert "a person who is a customer of every partner" in refused.value.what
    assert "league.toml" in refused.value.mend
    assert of_a_person(book) == (TWICE, TWICE)
    # What was charged is asked again for nothing; what weighs less may still fit.
    book.ask(BOTH, charge(attempt=2), vaults_of_unit=1)
    book.ask(BOTH, charge(attempt=3), vaults_of_unit=2)
    assert of_a_person(book) == (TWICE, TWICE, EVENT)
    # A cap that was lowered since stops what is new, and not what was charged.
    lower = opened(tmp_path / "ledger.db", epsilon=0.01)
    lower.ask(BOTH, charge(attempt=1), vaults_of_unit=1)
    with pytest.raises(BudgetExhaustedError):
        lower.ask(["north"], charge(attempt=4), vaults_of_unit=1)
    assert len(lower.read().asked) == 6


def test_runs_at_the_same_time_cannot_overspend(tmp_path: Path) -> None:
    limit = (epsilon_of([TWICE] * 5, delta=1e-6) + epsilon_of([TWICE] * 6, delta=1e-6)) / 2

    def ask(number: int) -> bool:
        try:
            opened(tmp_path / "ledger.db", epsilon=limit).ask(BOTH, charge(run=f"run-{number}"), vaults_of_unit=1)
        except BudgetExhaustedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(24))) == 5
    assert of_a_person(opened(tmp_path / "ledger.db")) == (TWICE,) * 5


def test_entries_are_a_chain(book: LeagueLedger, tmp_path: Path) -> None:
    assert book.read().end == book.read().place(0)
    places = []
    for number in range(1, 4):
        book.ask(BOTH, charge(round_number=number), vaults_of_unit=1)
        places.append(book.read().end)
    assert [place.position for place in places] == [2, 4, 6]
    # An answer changes nothing of what was asked.
    say(book, statement(1), answered=charge())
    reading = book.read()
    assert [reading.place(place.position) for place in places] == places
    assert reading.place(7) is None
    # Anything else does, from there on.
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE asked SET shares = 1 WHERE round = 2 AND partner = 'north'")
    changed = opened(tmp_path / "ledger.db").read()
    assert [changed.place(place.position) == place for place in places] == [True, False, False]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE asked SET partner = 'west' WHERE partner = 'north'",
        "UPDATE asked SET vaults_of_unit = 2 WHERE partner = 'north'",
        "UPDATE asked SET asked_at = '2026-01-01T00:00:00+00:00' WHERE partner = 'north'",
        "UPDATE asked SET run = 'b'",
        "UPDATE asked SET variance_parameter = '99' WHERE partner = 'north'",
        "DELETE FROM asked WHERE partner = 'north'",
    ],
)
def test_every_change_of_an_entry_is_one_of_its_digest(book: LeagueLedger, tmp_path: Path, change: str) -> None:
    book.ask(BOTH, charge(), vaults_of_unit=1)
    end = book.read().end
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute(change)
    assert opened(tmp_path / "ledger.db").read().place(2) != end


def test_an_entry_that_cannot_be_read_is_named_as_such(book: LeagueLedger, tmp_path: Path) -> None:
    book.ask(BOTH, charge(), vaults_of_unit=1)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE asked SET squared_sensitivity = 'much' WHERE partner = 'north'")
    for use in (book.read, lambda: book.ask(BOTH, charge(run="b"), vaults_of_unit=1)):
        with pytest.raises(LeagueLedgerError, match="altered"):
            use()


def test_an_attempt_is_asked_for_on_one_set_of_terms(book: LeagueLedger) -> None:
    book.ask(["north"], charge(), vaults_of_unit=2)
    dearer = replace(charge(), event=replace(EVENT, squared_sensitivity=10**9))
    for other, vaults in ((charge(), 1), (dearer, 2)):
        for partners in (["north"], ["south"], BOTH):
            with pytest.raises(LeagueLedgerError, match="other terms"):
                book.ask(partners, other, vaults_of_unit=vaults)
    assert len(book.read().asked) == 1


def test_a_roster_that_is_asked_in_parts_weighs_as_a_whole(tmp_path: Path) -> None:
    one, two = (epsilon_of([event], delta=1e-6) for event in (EVENT, TWICE))
    narrow = opened(tmp_path / "narrow.db", epsilon=(one + two) / 2)
    narrow.ask(["north"], charge(), vaults_of_unit=1)
    with pytest.raises(BudgetExhaustedError):
        narrow.ask(["south"], charge(), vaults_of_unit=1)
    # As a whole, and not the part once more beside it.
    wide = opened(tmp_path / "wide.db", epsilon=two * 1.001)
    wide.ask(["north"], charge(), vaults_of_unit=1)
    wide.ask(["south"], charge(), vaults_of_unit=1)
    assert of_a_person(wide) == (TWICE,)


def test_whoever_is_at_fewer_partners_than_a_unit_may_be_weighs_less(book: LeagueLedger) -> None:
    book.ask(BOTH, charge(), vaults_of_unit=4)
    (half,) = of_a_person(book)
    assert half.squared_sensitivity * 4 == EVENT.squared_sensitivity


@pytest.mark.parametrize("epsilon", [60.0, 200.0, 1000.0])
def test_a_cap_that_promises_nothing_is_kept_all_the_same(tmp_path: Path, epsilon: float) -> None:
    """Beyond what can be stated exactly, too, the refusal has its numbers, and what is left is what is let in."""
    loud = replace(charge(), event=replace(EVENT, squared_sensitivity=int(160_000 * epsilon / 30)))
    book = opened(tmp_path / "ledger.db", epsilon=epsilon)
    cap = Cap(name="person", budget=PrivacyBudget(epsilon=epsilon, delta=1e-6))
    for number in range(1, 500):
        one = replace(loud, attempt=number)
        left, costs_alone = state(cap, of_a_person(book)).remaining_epsilon, epsilon_as_shown([one.event], delta=1e-6)
        if left < costs_alone:
            with pytest.raises(BudgetExhaustedError, match=rf"person cap of {epsilon:.3f}"):
                book.ask(["north"], one, vaults_of_unit=1)
            break
        book.ask(["north"], one, vaults_of_unit=1)
    spent = state(cap, of_a_person(book)).spent_epsilon
    assert 0.9 * epsilon < spent <= epsilon


def test_what_was_spent_before_there_was_a_cap_is_shown_however_much(tmp_path: Path) -> None:
    loud = replace(charge(), event=replace(EVENT, squared_sensitivity=4000**2))
    opened(tmp_path / "ledger.db", epsilon=1000.0).ask(["north"], loud, vaults_of_unit=1)
    book = opened(tmp_path / "ledger.db", epsilon=1.0)
    assert costs(book)[0].epsilon > 50
    with pytest.raises(BudgetExhaustedError):
        book.ask(["north"], charge(run="b"), vaults_of_unit=1)


def test_many_may_open_a_ledger_that_is_not_there_yet(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: opened(tmp_path / f"{number // 8}.db").read(), range(64)))


def test_a_later_reading_has_all_of_an_earlier_one(book: LeagueLedger) -> None:
    """Also while others ask: what a service hears last, by the centre's clock, is the newest."""

    def ask(number: int) -> None:
        book.ask(["north"], charge(run=f"run-{number}"), vaults_of_unit=1)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, number) for number in range(20)]
        readings = list(pool.map(lambda _: book.read(), range(40)))
    for one in asked:
        one.result()
    readings.sort(key=lambda reading: reading.at)
    for earlier, later in itertools.pairwise(readings):
        assert later.heads[: len(earlier.heads)] == earlier.heads
