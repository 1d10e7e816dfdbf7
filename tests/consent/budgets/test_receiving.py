"""What a service keeps of budgets: each signer's last word, and that one came with an older or another ledger."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse_consent.budgets.errors import BudgetReportInvalidError, BudgetReportOutdatedError
from hanse_consent.budgets.kept_reports import KeptReports
from hanse_consent.budgets.receiving import Budgets
from hanse_consent.storage.database import Database
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SERVICE, NORTH, SOUTH, CENTRE = (SigningKey.generate() for _ in range(4))


class Ledger:
    """A chain of entries, as far as its digests go."""

    def __init__(self, *entries: str) -> None:
        self.heads = ["0" * 64]
        for entry in entries:
            self.add(entry)

    def add(self, entry: str) -> "Ledger":
        self.heads.append(hashlib.sha256(f"{self.heads[-1]} {entry}".encode()).hexdigest())
        return self

    def copy(self, length: int) -> "Ledger":
        older = Ledger()
        older.heads = self.heads[: length + 1]
        return older

    def place(self, position: int) -> dict[str, Any]:
        return {"position": position, "head": self.heads[position]}

    @property
    def position(self) -> int:
        return len(self.heads) - 1


def report(
    ledger: Ledger, *, before: int | None = None, partner: str = "north", spent: float = 1.0, at: datetime = NOON
) -> BudgetReport:
    return BudgetReport.parse(
        {
            "partner": partner,
            "said_at": at,
            "ledger": ledger.place(ledger.position),
            "before": ledger.place(ledger.position if before is None else before),
            "delta": 1e-5,
            "caps": [
                {
                    "name": "lifetime",
                    "epsilon_allowed": 5.0,
                    "epsilon_spent": spent,
                    "epsilon_remaining": 4.0,
                    "charges": ledger.position,
                }
            ],
            "runs": [],
            "earlier_runs": 0,
        }
    )


def league_report(
    ledger: Ledger,
    *,
    before: int | None = None,
    partner: str = "north",
    centre: str = "centre",
    spent: float = 8.0,
    at: datetime = NOON,
) -> LeagueBudgetReport:
    return LeagueBudgetReport.parse(
        {
            "partner": partner,
            "centre": centre,
            "said_at": at,
            "ledger": ledger.place(ledger.position),
            "before": ledger.place(ledger.position if before is None else before),
            "delta": 1e-5,
            "person": {
                "name": "person",
                "epsilon_allowed": 30.0,
                "epsilon_spent": spent,
                "epsilon_remaining": 20.0,
                "charges": ledger.position,
            },
            "epsilon_asked": 1.0,
            "runs": [],
            "earlier_runs": 0,
            "vault": None,
        }
    )


@dataclass
class Room:
    """The budgets over a store of their own, with a clock and keys that tests set."""

    database: Database
    keys: dict[str, SigningKey] = field(default_factory=lambda: {"north": NORTH, "south": SOUTH})
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.budgets = Budgets(
            KeptReports(database=self.database, key=SERVICE, now=lambda: self.now),
            key_of_vault=lambda party: self.keys[party].public if party in self.keys else None,
            key_of_centre=lambda party: CENTRE.public if party == "centre" else None,
        )

    def send(self, said: BudgetReport, *, partner: str = "north", key: SigningKey | None = None) -> BudgetReceipt:
        signed = said.sign(key or self.keys.get(partner, NORTH))
        return BudgetReceipt.verify(self.budgets.from_vault(signed, partner=partner), key=SERVICE.public)

    def say(self, ledger: Ledger, *, before: int | None = None, spent: float = 1.0) -> BudgetReceipt:
        """Each a second later than the one before, by both clocks."""
        self.now += timedelta(seconds=1)
        return self.send(report(ledger, before=before, spent=spent, at=self.now))

    def tell(self, ledger: Ledger, *, before: int | None = None, spent: float = 1.0) -> BudgetOutcome:
        """As a vault does: once more if the last entry is to be shown."""
        receipt = self.say(ledger, before=before, spent=spent)
        if receipt.outcome is BudgetOutcome.SHOW_LAST:
            receipt = self.say(ledger, before=receipt.last_position, spent=spent)
        assert receipt.outcome is not BudgetOutcome.SHOW_LAST
        return receipt.outcome

    def hear(self, said: LeagueBudgetReport, *, key: SigningKey = CENTRE, centre: str = "centre") -> BudgetReceipt:
        receipt = self.budgets.from_centre(said.sign(key), centre=centre)
        return BudgetReceipt.verify(receipt, key=SERVICE.public)

    def leagues(self, partner: str = "north") -> list[tuple[str, int, float]]:
        """Centre, position and ε of a person, of each league's word on a partner."""
        documents = [league.signed.document for league in self.budgets.page(partner).leagues]
        return [(one.centre, one.ledger.position, one.person.epsilon_spent) for one in documents]

    def kept(self, partner: str = "north") -> list[tuple[int, float]]:
        """Position and ε spent of each vault of a partner."""
        documents = [vault.signed.document for vault in self.budgets.page(partner).vaults]
        return [(one.ledger.position, one.caps[0].epsilon_spent) for one in documents]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with closing(Database(tmp_path / "consent.sqlite")) as database:
        yield Room(database)


TAKEN, SHOW_LAST, OLDER = BudgetOutcome.TAKEN, BudgetOutcome.SHOW_LAST, BudgetOutcome.OLDER_LEDGER


def test_the_last_word_is_kept_and_receipted(room: Room) -> None:
    assert room.kept() == []
    ledger = Ledger()
    for number in range(4):
        said = report(ledger, before=max(0, number - 1), spent=number / 2, at=room.now)
        receipt = room.send(said)
        assert (receipt.partner, receipt.report, receipt.received_at) == ("north", said.digest, room.now)
        assert (receipt.outcome, receipt.last_position) == (TAKEN, number - 1 if number else None)
        assert room.kept() == [(number, number / 2)]
        ledger.add(f"entry {number}")
        room.now += timedelta(seconds=1)
    assert room.kept("south") == []


def test_the_same_ledger_under_another_policy_is_a_newer_word(room: Room) -> None:
    ledger = Ledger("a", "b")
    assert room.tell(ledger) is TAKEN
    assert room.tell(ledger, spent=2.5) is TAKEN
    assert room.kept() == [(2, 2.5)]


def test_what_is_kept_is_what_the_vault_signed(room: Room) -> None:
    said = report(Ledger("a"))
    room.send(said)
    (vault,) = room.budgets.page("north").vaults
    assert (vault.signed.key, vault.received_at, vault.older_ledger) == (NORTH.public.fingerprint, NOON, None)
    assert BudgetReport.verify(vault.signed.model_dump_json().encode(), key=NORTH.public) == said


def test_a_vault_that_does_not_know_what_it_said_is_told_which_entry_to_show(room: Room) -> None:
    ledger = Ledger("a", "b")
    assert room.tell(ledger) is TAKEN
    ledger.add("paid, and the report was lost").add("so was this one")
    receipt = room.say(ledger)
    assert (receipt.outcome, receipt.last_position) == (SHOW_LAST, 2)
    assert room.kept() == [(2, 1.0)]
    assert room.say(ledger, before=2).outcome is TAKEN
    assert room.kept() == [(4, 1.0)]


@pytest.mark.parametrize("length", [0, 1, 2])
def test_an_older_ledger_is_refused_and_officers_see_that_it_came(room: Room, length: int) -> None:
    newest = Ledger("a", "b", "c")
    assert room.tell(newest) is TAKEN
    received_at = room.now
    room.now += timedelta(hours=1)
    older = newest.copy(length)
    for _ in range(2):
        assert room.tell(older) is OLDER
    (vault,) = room.budgets.page("north").vaults
    assert vault.older_ledger is not None
    assert (vault.older_ledger.position, vault.older_ledger.at) == (length, room.now)
    assert (vault.received_at, room.kept()) == (received_at, [(3, 1.0)])
    # The newest one, restored, is taken; that there was another stays to be seen.
    assert room.tell(newest) is TAKEN
    (vault,) = room.budgets.page("north").vaults
    assert vault.older_ledger is not None
    assert vault.received_at == room.now


@pytest.mark.parametrize("length", [0, 1, 2])
@pytest.mark.parametrize("more", [3, 4, 9])
def test_an_older_ledger_does_not_become_the_newest_by_growing(room: Room, length: int, more: int) -> None:
    newest = Ledger("a", "b", "c")
    assert room.tell(newest) is TAKEN
    fork = newest.copy(length)
    for number in range(more):
        fork.add(f"other {number}")
    assert room.tell(fork) is OLDER
    # Nor by showing an entry that both have, or one of its own.
    for before in range(fork.position + 1):
        assert room.say(fork, before=before).outcome is (OLDER if before == 3 else SHOW_LAST)
    assert room.kept() == [(3, 1.0)]
    assert room.tell(newest.add("d")) is TAKEN


def test_what_was_held_up_on_its_way_is_no_older_ledger(room: Room) -> None:
    ledger = Ledger("a")
    assert room.tell(ledger) is TAKEN
    held_up = report(ledger, spent=0.5, at=room.now)
    assert room.tell(ledger.add("b")) is TAKEN
    with pytest.raises(BudgetReportOutdatedError):
        room.send(held_up)
    # Nor may it take the place of what was said of the same entry later.
    with pytest.raises(BudgetReportOutdatedError):
        room.send(report(ledger, spent=0.5, at=room.now))
    (vault,) = room.budgets.page("north").vaults
    assert (vault.older_ledger, room.kept()) == (None, [(2, 1.0)])


@pytest.mark.parametrize("off", [timedelta(seconds=121), timedelta(days=-1), timedelta(days=9999)])
def test_what_is_not_of_now_is_not_taken_and_leaves_no_trace(room: Room, off: timedelta) -> None:
    with pytest.raises(BudgetReportOutdatedError):
        room.send(report(Ledger("a"), at=room.now + off))
    assert room.kept() == []
    assert room.tell(Ledger("a")) is TAKEN


def test_a_time_to_come_that_both_clocks_once_had_stops_nobody(room: Room) -> None:
    right = room.now
    room.now += timedelta(days=3650)
    ledger = Ledger("a")
    assert room.tell(ledger) is TAKEN
    room.now = right
    assert room.tell(ledger.add("b")) is TAKEN
    assert room.tell(ledger.copy(1)) is OLDER


def test_a_new_vault_with_a_new_key_has_a_row_of_its_own(room: Room) -> None:
    assert room.tell(Ledger(*"abcdefg")) is TAKEN
    room.keys["north"] = SigningKey.generate()
    room.now += timedelta(hours=1)
    assert room.tell(Ledger(), spent=0.0) is TAKEN
    assert room.kept() == [(0, 0.0), (7, 1.0)]


def rewritten(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A report with a true signature, in another envelope than a vault's."""
    outer = json.loads(report(Ledger("a")).sign(NORTH))
    change(outer)
    return json.dumps(outer, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda room: room.send(report(Ledger("a")), key=SOUTH),
        lambda room: room.send(report(Ledger("a"), partner="south"), partner="north"),
        lambda room: room.send(report(Ledger("a"), partner="west"), partner="west"),
        lambda room: room.budgets.from_vault(b"", partner="north"),
        lambda room: room.budgets.from_vault(b"{}", partner="north"),
        lambda room: room.budgets.from_vault(
            report(Ledger("a")).sign(NORTH).replace(b"lifetime", b"all time"), partner="north"
        ),
        lambda room: room.budgets.from_vault(_receipt().sign(NORTH), partner="north"),
        lambda room: room.budgets.from_vault(rewritten(lambda outer: outer.pop("key")), partner="north"),
        lambda room: room.budgets.from_vault(
            rewritten(lambda outer: outer.update(key=SOUTH.public.fingerprint)), partner="north"
        ),
        lambda room: room.budgets.from_vault(rewritten(lambda outer: outer.update(more=1)), partner="north"),
        lambda room: room.budgets.from_vault(
            report(Ledger("a")).sign(NORTH).decode().encode("utf-16"), partner="north"
        ),
        lambda room: room.budgets.from_vault(b" " + report(Ledger("a")).sign(NORTH), partner="north"),
    ],
    ids=[
        "another's key",
        "another's budget",
        "unknown",
        "nothing",
        "empty",
        "changed",
        "another kind",
        "no key named",
        "another key named",
        "more outside",
        "another encoding",
        "other spaces",
    ],
)
def test_what_is_no_report_of_this_vault_is_refused(room: Room, change: Any) -> None:
    with pytest.raises(BudgetReportInvalidError):
        change(room)
    assert room.kept() == room.kept("south") == []


def _receipt() -> BudgetReceipt:
    return BudgetReceipt(
        partner="north", report="ab" * 32, received_at=NOON, outcome=BudgetOutcome.TAKEN, last_position=None
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("pay"), st.integers(0, 3)),
            st.tuples(st.just("restore"), st.integers(0, 3), st.integers(0, 6)),
            st.tuples(st.just("tell"), st.integers(0, 3), st.integers(0, 6)),
        ),
        max_size=25,
    )
)
def test_whichever_copies_go_on_only_one_history_is_ever_taken(room: Room, acts: list[tuple[Any, ...]]) -> None:
    """Up to four copies of one vault's ledger pay, are set back and report, in any order."""
    room.keys["north"] = SigningKey.generate()
    copies = [Ledger() for _ in range(4)]
    taken: list[str] = []
    for number, (act, which, *rest) in enumerate(acts):
        if act == "pay":
            copies[which].add(f"payment {number}")
        elif act == "restore":
            copies[which] = copies[which].copy(min(rest[0], copies[which].position))
        else:
            ledger = copies[which]
            outcome = room.tell(ledger, before=min(rest[0], ledger.position))
            # An oracle that sees whole histories: the one that was taken, gone on with.
            assert (outcome is TAKEN) == (ledger.heads[: len(taken)] == taken)
            taken = list(ledger.heads) if outcome is TAKEN else taken


def test_a_centre_speaks_of_each_partner_to_that_partners_people(room: Room) -> None:
    ledger = Ledger("a", "b")
    for partner in ("north", "south"):
        receipt = room.hear(said := league_report(ledger, partner=partner))
        assert (receipt.partner, receipt.report, receipt.outcome) == (partner, said.digest, TAKEN)
        assert room.leagues(partner) == [("centre", 2, 8.0)]
        (league,) = room.budgets.page(partner).leagues
        assert league.signed.key == CENTRE.public.fingerprint
        assert LeagueBudgetReport.verify(league.signed.model_dump_json().encode(), key=CENTRE.public) == said
    # The vault's own word stands beside it, each over its own ledger.
    assert room.tell(Ledger("own")) is TAKEN
    assert (room.kept(), room.leagues()) == ([(1, 1.0)], [("centre", 2, 8.0)])


def test_an_older_ledger_of_a_league_is_refused_and_seen(room: Room) -> None:
    ledger = Ledger("a", "b", "c")
    room.hear(league_report(ledger))
    room.now += timedelta(seconds=1)
    older = ledger.copy(1).add("other").add("others").add("more")
    receipt = room.hear(league_report(older, at=room.now))
    assert (receipt.outcome, receipt.last_position) == (SHOW_LAST, 3)
    room.now += timedelta(seconds=1)
    assert room.hear(league_report(older, before=3, at=room.now)).outcome is OLDER
    (league,) = room.budgets.page("north").leagues
    assert league.older_ledger is not None
    assert league.older_ledger.position == 4
    # Nothing was said of the south, which nothing is known of.
    room.now += timedelta(seconds=1)
    assert room.hear(league_report(older, partner="south", at=room.now)).outcome is TAKEN


@pytest.mark.parametrize(
    "send",
    [
        lambda room: room.hear(league_report(Ledger("a")), key=NORTH),
        lambda room: room.hear(league_report(Ledger("a"), centre="another")),
        lambda room: room.hear(league_report(Ledger("a")), centre="another"),
        lambda room: room.hear(league_report(Ledger("a")), key=NORTH, centre="north"),
        lambda room: room.hear(league_report(Ledger("a"), centre="north"), key=NORTH, centre="north"),
        lambda room: room.hear(league_report(Ledger("a"), partner="west")),
        lambda room: room.budgets.from_centre(report(Ledger("a")).sign(CENTRE), centre="centre"),
        lambda room: room.budgets.from_vault(league_report(Ledger("a")).sign(NORTH), partner="north"),
        lambda room: room.budgets.from_centre(b"", centre="centre"),
        lambda room: room.budgets.from_centre(b" " + league_report(Ledger("a")).sign(CENTRE), centre="centre"),
    ],
    ids=[
        "a vault's key",
        "of another league",
        "another centre",
        "a vault as centre",
        "a vault as its own centre",
        "of nobody",
        "a vault's report",
        "a league's as a vault's",
        "nothing",
        "other spaces",
    ],
)
def test_what_is_no_word_of_this_centre_on_a_partner_here_is_refused(room: Room, send: Any) -> None:
    with pytest.raises(BudgetReportInvalidError):
        send(room)
    for partner in ("north", "south"):
        assert room.leagues(partner) == room.kept(partner) == []


def test_one_key_for_a_vault_and_a_centre_makes_no_word_the_others(room: Room) -> None:
    room.keys["north"] = CENTRE
    assert room.tell(Ledger()) is TAKEN
    room.now += timedelta(seconds=1)
    assert room.hear(league_report(Ledger(), at=room.now)).outcome is TAKEN
    assert room.tell(Ledger("a")) is TAKEN
    assert (room.kept(), room.leagues()) == ([(1, 1.0)], [("centre", 0, 8.0)])
