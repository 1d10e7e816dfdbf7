"""What releases cost, and a ledger that cannot be overspent."""

import math
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_privacy.accounting import (
    ReleaseEvent,
    epsilon_from_rho,
    epsilon_of,
    noise_multiplier_for,
    rho_for,
)
from hanse_privacy.errors import HanseError
from hanse_privacy.ledger import BudgetExhaustedError, LedgerUnusableError, PrivacyLedger, RoundAlreadyPaidError
from hanse_privacy.units import PrivacyBudget

EVENT = ReleaseEvent(squared_sensitivity=100**2, variance_parameter=400**2)


def closed_form_epsilon(rho: float, delta: float) -> float:
    """An independent conversion: minimise over orders (Canonne, Kamath and Steinke 2020, Proposition 12)."""
    best = math.inf
    for step in range(1, 400_000):
        order = 1 + 1.00004**step / 100
        bound = rho * order + math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)
        best = min(best, bound)
    return best


@pytest.mark.parametrize("rho", [1e-6, 0.001, 0.03, 0.2, 1.0])
def test_epsilon_agrees_with_the_formula(rho: float) -> None:

    ours = epsilon_from_rho(Fraction(rho), delta=1e-5)
    theirs = closed_form_epsilon(rho, 1e-5)
    # dp-accounting searches a grid of orders, so that it may only be a little larger.
    assert theirs * (1 - 1e-6) <= ours <= theirs * 1.001


@pytest.mark.parametrize(("epsilon", "releases"), [(1.0, 12), (3.0, 1), (0.1, 100)])
def test_calibration_comes_back_to_the_budget(epsilon: float, releases: int) -> None:
    budget = PrivacyBudget(epsilon=epsilon, delta=1e-5)
    multiplier = noise_multiplier_for(rho=rho_for(budget), releases=releases)
    units = 2**16
    event = ReleaseEvent(squared_sensitivity=units**2, variance_parameter=math.ceil((multiplier * units) ** 2))
    spent = epsilon_of([event] * releases, delta=1e-5)
    assert epsilon * 0.999 < spent <= epsilon * (1 + 1e-6)


def test_half_the_noise_costs_more() -> None:
    halved = ReleaseEvent(squared_sensitivity=100**2, variance_parameter=200**2)
    assert halved.rho == 4 * EVENT.rho
    assert epsilon_of([halved], delta=1e-5) > 1.9 * epsilon_of([EVENT], delta=1e-5)


def test_nothing_costs_nothing() -> None:
    assert epsilon_of([], delta=1e-5) == 0


def ledger(folder: Path, epsilon: float = 1.0) -> PrivacyLedger:
    return PrivacyLedger(folder / "ledger.db", cap=PrivacyBudget(epsilon=epsilon, delta=1e-5))


def test_spending_survives_a_restart(tmp_path: Path) -> None:
    ledger(tmp_path, 3.0).reserve(EVENT, run="a", round_number=1, operation="count")
    again = ledger(tmp_path, 3.0)
    assert [(entry.run, entry.round, entry.event) for entry in again.entries()] == [("a", 1, EVENT)]
    assert again.statement().spent_epsilon == epsilon_of([EVENT], delta=1e-5)


def small_events() -> st.SearchStrategy[ReleaseEvent]:
    """Releases of which six fit under a cap of 100."""
    return st.builds(
        lambda sensitivity, factor: ReleaseEvent(
            squared_sensitivity=sensitivity**2, variance_parameter=factor * sensitivity**2
        ),
        st.integers(1, 10**6),
        st.integers(2, 10**5),
    )


@given(st.data(), st.lists(small_events(), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_restarts_change_the_statement(data: st.DataObject, events: list[ReleaseEvent]) -> None:
    named = list(enumerate(events))
    orders = [named, data.draw(st.permutations(named))]
    statements = []
    for order in orders:
        with tempfile.TemporaryDirectory() as folder:
            book, spent = ledger(Path(folder), 100.0), [0.0]
            for number, event in order:
                if data.draw(st.booleans()):
                    book = ledger(Path(folder), 100.0)
                book.reserve(event, run=f"run-{number}", round_number=1, operation="count")
                spent.append(book.statement().spent_epsilon)
            assert all(later > earlier for earlier, later in pairwise(spent))
            statements.append(ledger(Path(folder), 100.0).statement())
            assert statements[-1].spent_epsilon == spent[-1]
            assert [entry.event for entry in book.entries()] == [event for _, event in order]
    assert statements[0] == statements[1]
    assert statements[0].releases == len(events)


def test_a_round_is_paid_once(tmp_path: Path) -> None:
    book = ledger(tmp_path, 10.0)
    book.reserve(EVENT, run="a", round_number=1, operation="count")
    with pytest.raises(RoundAlreadyPaidError):
        book.reserve(EVENT, run="a", round_number=1, operation="count")
    assert len(book.entries()) == 1


def test_the_cap_holds_and_says_its_numbers(tmp_path: Path) -> None:
    book = ledger(tmp_path, 2.0)
    with pytest.raises(BudgetExhaustedError, match=r"cap of 2\.000"):
        for round_number in range(1, 100):
            book.reserve(EVENT, run="a", round_number=round_number, operation="count")
    spent = book.statement().spent_epsilon
    assert 1.0 < spent <= 2.0
    with pytest.raises(BudgetExhaustedError, match="asks for"):
        book.require_room_for([EVENT], run="b")


def test_concurrent_runs_cannot_overspend(tmp_path: Path) -> None:
    book = ledger(tmp_path, 2.0)

    def spend(run: int) -> int:
        paid = 0
        for round_number in range(1, 6):
            try:
                ledger(tmp_path, 2.0).reserve(EVENT, run=f"run-{run}", round_number=round_number, operation="count")
                paid += 1
            except HanseError:
                pass
        return paid

    with ThreadPoolExecutor(8) as pool:
        paid = sum(pool.map(spend, range(8)))
    assert paid == len(book.entries()) > 0
    assert book.statement().spent_epsilon <= 2.0
    assert epsilon_of([EVENT] * (paid + 1), delta=1e-5) > 2.0


def test_a_damaged_ledger_releases_nothing(tmp_path: Path) -> None:
    ledger(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"not a database, but long enough to be looked at" * 50)
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(LedgerUnusableError):
        ledger(tmp_path).reserve(EVENT, run="a", round_number=1, operation="count")
