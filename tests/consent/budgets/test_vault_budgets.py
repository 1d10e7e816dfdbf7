"""What a service keeps of vaults' budgets: each one's last word, and that one came with an older or another ledger."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse_consent.budgets.errors import BudgetReportInvalidError, BudgetReportOutdatedError, LedgerOlderError
from hanse_consent.budgets.vault_budgets import VaultBudgets
from hanse_consent.errors import ConsentRefusal
from hanse_consent.storage.database import Database
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReceipt, BudgetReport

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SERVICE, NORTH, SOUTH = (SigningKey.generate() for _ in range(3))


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
    ledger: Ledger, *, before: int | None = None, partner: str = "north", spent: float = 1.0, minute: int = 0
) -> BudgetReport:
    return BudgetReport.parse(
        {
            "partner": partner,
            "said_at": NOON + timedelta(minutes=minute),
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


@dataclass
class Room:
    """The budgets over a store of their own, with a clock and keys that tests set."""

    database: Database
    keys: dict[str, SigningKey] = field(default_factory=lambda: {"north": NORTH, "south": SOUTH})
    now: datetime = NOON
    minute: int = 0
    """Of the vault's clock; each report is said later than the one before."""

    def __post_init__(self) -> None:
        self.budgets = VaultBudgets(
            database=self.database,
            key_of=lambda party: self.keys[party].public if party in self.keys else None,
            key=SERVICE,
            now=lambda: self.now,
        )

    def send(self, said: BudgetReport, *, partner: str = "north", key: SigningKey | None = None) -> BudgetReceipt:
        signed = said.sign(key or self.keys.get(partner, NORTH))
        return BudgetReceipt.verify(self.budgets.receive(signed, partner=partner), key=SERVICE.public)

    def say(self, ledger: Ledger, *, before: int | None = None, spent: float = 1.0) -> BudgetReceipt:
        self.minute += 1
        return self.send(report(ledger, before=before, spent=spent, minute=self.minute))

    def tell(self, ledger: Ledger, *, before: int | None = None, spent: float = 1.0) -> bool:
        """As a vault does: once more if another entry is wanted. Whether it was taken."""
        receipt = self.say(ledger, before=before, spent=spent)
        if receipt.wanted_position is not None:
            receipt = self.say(ledger, before=receipt.wanted_position, spent=spent)
        return receipt.wanted_position is None

    def kept(self, partner: str = "north") -> list[tuple[int, float]]:
        """Position and ε spent of each vault of a partner."""
        documents = [vault.signed.document for vault in self.budgets.page(partner).vaults]
        return [(one.ledger.position, one.caps[0].epsilon_spent) for one in documents]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with closing(Database(tmp_path / "consent.sqlite")) as database:
        yield Room(database)


def test_the_last_word_is_kept_and_receipted(room: Room) -> None:
    assert room.kept() == []
    ledger = Ledger()
    for number in range(4):
        said = report(ledger, before=max(0, number - 1), spent=number / 2, minute=number)
        receipt = room.send(said)
        assert (receipt.partner, receipt.report, receipt.received_at) == ("north", said.digest, NOON)
        assert receipt.wanted_position is None
        assert room.kept() == [(number, number / 2)]
        ledger.add(f"entry {number}")
    assert room.kept("south") == []


def test_the_same_ledger_under_another_policy_is_a_newer_word(room: Room) -> None:
    ledger = Ledger("a", "b")
    assert room.tell(ledger)
    assert room.tell(ledger, spent=2.5)
    assert room.kept() == [(2, 2.5)]


def test_what_is_kept_is_what_the_vault_signed(room: Room) -> None:
    said = report(Ledger("a"))
    room.send(said)
    (vault,) = room.budgets.page("north").vaults
    assert (vault.signed.key, vault.received_at, vault.older_ledger) == (NORTH.public.fingerprint, NOON, None)
    assert BudgetReport.verify(vault.signed.model_dump_json().encode(), key=NORTH.public) == said


def test_a_vault_that_does_not_know_what_it_said_is_told_which_entry_to_show(room: Room) -> None:
    ledger = Ledger("a", "b")
    assert room.tell(ledger)
    ledger.add("paid, and the report was lost").add("so was this one")
    receipt = room.say(ledger)
    assert receipt.wanted_position == 2
    assert room.kept() == [(2, 1.0)]
    assert room.say(ledger, before=2).wanted_position is None
    assert room.kept() == [(4, 1.0)]


@pytest.mark.parametrize("length", [0, 1, 2])
def test_an_older_ledger_is_refused_and_officers_see_that_it_came(room: Room, length: int) -> None:
    newest = Ledger("a", "b", "c")
    assert room.tell(newest)
    room.now += timedelta(hours=1)
    older = newest.copy(length)
    for _ in range(2):
        with pytest.raises(LedgerOlderError, match=f"at entry 3 by this vault's own word, and ends at {length}"):
            room.tell(older)
    (vault,) = room.budgets.page("north").vaults
    assert vault.older_ledger is not None
    assert (vault.older_ledger.position, vault.older_ledger.at) == (length, room.now)
    assert (vault.received_at, room.kept()) == (NOON, [(3, 1.0)])
    # The newest one, restored, is taken; that there was another stays to be seen.
    assert room.tell(newest)
    (vault,) = room.budgets.page("north").vaults
    assert vault.older_ledger is not None
    assert vault.received_at == room.now


@pytest.mark.parametrize("length", [0, 1, 2])
@pytest.mark.parametrize("more", [3, 4, 9])
def test_an_older_ledger_does_not_become_the_newest_by_growing(room: Room, length: int, more: int) -> None:
    newest = Ledger("a", "b", "c")
    assert room.tell(newest)
    fork = newest.copy(length)
    for number in range(more):
        fork.add(f"other {number}")
    with pytest.raises(LedgerOlderError, match="another entry 3"):
        room.tell(fork)
    # Nor by showing an entry that both have, or one of its own.
    for before in range(fork.position + 1):
        try:
            assert room.say(fork, before=before).wanted_position == 3
        except LedgerOlderError:
            assert before == 3
    assert room.kept() == [(3, 1.0)]
    assert room.tell(newest.add("d"))


def test_what_was_held_up_on_its_way_is_no_older_ledger(room: Room) -> None:
    ledger = Ledger("a")
    assert room.tell(ledger)
    held_up = report(ledger, spent=0.5, minute=room.minute)
    assert room.tell(ledger.add("b"))
    with pytest.raises(BudgetReportOutdatedError, match="something newer"):
        room.send(held_up)
    # Nor may it take the place of what was said of the same entry later.
    with pytest.raises(BudgetReportOutdatedError):
        room.send(report(ledger, spent=0.5, minute=room.minute))
    (vault,) = room.budgets.page("north").vaults
    assert (vault.older_ledger, room.kept()) == (None, [(2, 1.0)])


def test_a_new_vault_with_a_new_key_has_a_row_of_its_own(room: Room) -> None:
    assert room.tell(Ledger(*"abcdefg"))
    room.keys["north"] = SigningKey.generate()
    room.now += timedelta(hours=1)
    assert room.tell(Ledger(), spent=0.0)
    assert room.kept() == [(0, 0.0), (7, 1.0)]


@pytest.mark.parametrize(
    "change",
    [
        lambda room: room.send(report(Ledger("a")), key=SOUTH),
        lambda room: room.send(report(Ledger("a"), partner="south"), partner="north"),
        lambda room: room.send(report(Ledger("a"), partner="west"), partner="west"),
        lambda room: room.budgets.receive(b"", partner="north"),
        lambda room: room.budgets.receive(b"{}", partner="north"),
        lambda room: room.budgets.receive(
            report(Ledger("a")).sign(NORTH).replace(b"lifetime", b"all time"), partner="north"
        ),
        lambda room: room.budgets.receive(_receipt().sign(NORTH), partner="north"),
    ],
    ids=["another's key", "another's budget", "unknown", "nothing", "empty", "changed", "another kind"],
)
def test_what_is_no_report_of_this_vault_is_refused(room: Room, change: Any) -> None:
    with pytest.raises(BudgetReportInvalidError):
        change(room)
    assert room.kept() == room.kept("south") == []


def _receipt() -> BudgetReceipt:
    return BudgetReceipt(partner="north", report="ab" * 32, received_at=NOON, wanted_position=None)


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
            try:
                was_taken = room.tell(ledger, before=min(rest[0], ledger.position))
            except ConsentRefusal:
                was_taken = False
            # An oracle that sees whole histories: the one that was taken, gone on with.
            assert was_taken == (ledger.heads[: len(taken)] == taken)
            taken = list(ledger.heads) if was_taken else taken
