"""What a service keeps of vaults' budgets: each vault's last word, and that one came with an older ledger."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse_consent.budgets.errors import BudgetReportInvalidError, LedgerOlderError
from hanse_consent.budgets.vault_budgets import VaultBudgets
from hanse_consent.storage.database import Database
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReceipt, BudgetReport

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SERVICE, NORTH, SOUTH = (SigningKey.generate() for _ in range(3))


def report(position: int = 1, head: str = "a", *, partner: str = "north", spent: float = 1.0) -> BudgetReport:
    fields: dict[str, Any] = {
        "partner": partner,
        "said_at": NOON,
        "ledger": {"position": position, "head": head * 64},
        "delta": 1e-5,
        "caps": [
            {
                "name": "lifetime",
                "epsilon_allowed": 5.0,
                "epsilon_spent": spent,
                "epsilon_remaining": 4.0,
                "charges": position,
            }
        ],
        "runs": [],
        "earlier_runs": 0,
    }
    return BudgetReport.parse(fields)


@dataclass
class Room:
    """The budgets over a store of their own, with a clock and keys that tests set."""

    database: Database
    keys: dict[str, SigningKey] = field(default_factory=lambda: {"north": NORTH, "south": SOUTH})
    now: datetime = NOON

    def __post_init__(self) -> None:
        self.budgets = VaultBudgets(
            database=self.database,
            key_of=lambda party: self.keys[party].public if party in self.keys else None,
            key=SERVICE,
            now=lambda: self.now,
        )

    def say(self, said: BudgetReport, *, partner: str = "north", key: SigningKey | None = None) -> BudgetReceipt:
        signed = said.sign(key or self.keys.get(partner, NORTH))
        return BudgetReceipt.verify(self.budgets.receive(signed, partner=partner), key=SERVICE.public)

    def kept(self, partner: str = "north") -> list[tuple[int, float]]:
        """Position and ε spent of each vault of a partner."""
        documents = [vault.signed.document for vault in self.budgets.page(partner).vaults]
        return [(one.ledger.position, one.lifetime.epsilon_spent) for one in documents]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with closing(Database(tmp_path / "consent.sqlite")) as database:
        yield Room(database)


def test_the_last_word_is_kept_and_receipted(room: Room) -> None:
    assert room.kept() == []
    for position, head in ((0, "0"), (1, "a"), (4, "b")):
        said = report(position, head, spent=position / 2)
        receipt = room.say(said)
        assert (receipt.partner, receipt.report, receipt.received_at) == ("north", said.digest, NOON)
        assert room.kept() == [(position, position / 2)]
    # The same ledger under another policy: the newer word counts.
    room.say(report(4, "b", spent=2.5))
    assert room.kept() == [(4, 2.5)]
    assert room.kept("south") == []


def test_what_is_kept_is_what_the_vault_signed(room: Room) -> None:
    said = report(3)
    room.say(said)
    (vault,) = room.budgets.page("north").vaults
    assert (vault.signed.key, vault.received_at, vault.older_ledger) == (NORTH.public.fingerprint, NOON, None)
    again = BudgetReport.verify(vault.signed.model_dump_json().encode(), key=NORTH.public)
    assert again == said


@pytest.mark.parametrize(("position", "head"), [(2, "a"), (0, "0"), (3, "b")], ids=["older", "empty", "another"])
def test_an_older_ledger_is_refused_and_officers_see_that_it_came(room: Room, position: int, head: str) -> None:
    room.say(report(3))
    room.now += timedelta(hours=1)
    for _ in range(2):
        with pytest.raises(LedgerOlderError, match="at entry 3"):
            room.say(report(position, head, spent=0.5))
    (vault,) = room.budgets.page("north").vaults
    assert vault.older_ledger is not None
    assert (vault.older_ledger.position, vault.older_ledger.at) == (position, room.now)
    assert (vault.received_at, room.kept()) == (NOON, [(3, 1.0)])
    # The newest one, restored, is taken; that there was another stays to be seen.
    room.say(report(3))
    (vault,) = room.budgets.page("north").vaults
    assert vault.older_ledger is not None
    assert vault.received_at == room.now


def test_a_new_vault_with_a_new_key_has_a_row_of_its_own(room: Room) -> None:
    room.say(report(7))
    room.keys["north"] = SigningKey.generate()
    room.now += timedelta(hours=1)
    room.say(report(0, "0", spent=0.0))
    assert room.kept() == [(0, 0.0), (7, 1.0)]


@pytest.mark.parametrize(
    "change",
    [
        lambda room: room.say(report(), key=SOUTH),
        lambda room: room.say(report(partner="south"), partner="north"),
        lambda room: room.say(report(partner="west"), partner="west"),
        lambda room: room.budgets.receive(b"", partner="north"),
        lambda room: room.budgets.receive(b"{}", partner="north"),
        lambda room: room.budgets.receive(report().sign(NORTH).replace(b"lifetime", b"all time"), partner="north"),
        lambda room: room.budgets.receive(BudgetReceipt.sign(_receipt(), NORTH), partner="north"),
    ],
    ids=["another's key", "another's budget", "unknown", "nothing", "empty", "changed", "another kind"],
)
def test_what_is_no_report_of_this_vault_is_refused(room: Room, change: Any) -> None:
    with pytest.raises(BudgetReportInvalidError):
        change(room)
    assert room.kept() == room.kept("south") == []


def _receipt() -> BudgetReceipt:
    return BudgetReceipt(partner="north", report="ab" * 32, received_at=NOON)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("ab")), max_size=12))
def test_whatever_comes_in_whatever_order_the_ledger_never_goes_back(room: Room, words: list[tuple[int, str]]) -> None:
    room.keys["north"] = SigningKey.generate()
    best: tuple[int, str] | None = None
    for position, head in words:
        contradicts = best is not None and (position < best[0] or (position == best[0] and head != best[1]))
        if contradicts:
            with pytest.raises(LedgerOlderError):
                room.say(report(position, head))
        else:
            room.say(report(position, head))
            best = position, head
        own = [
            vault.signed.document.ledger
            for vault in room.budgets.page("north").vaults
            if vault.signed.key == room.keys["north"].public.fingerprint
        ]
        assert [(ledger.position, ledger.head[0]) for ledger in own] == [best]
