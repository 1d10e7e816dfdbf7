"""Budgets in a terminal: what is left, whether a run fits, that an older ledger came; nothing in them is obeyed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.commands.budget_pages import budget_beside, budget_page
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PURCHASES = "pd:PurchasesAndSpendingHabit"
HOSTILE = "[bold red]x[/] \x1b[2K \u202e :boom:"
TERMS = RunProposal.parse(
    {
        "run": "churn-1",
        "title": "A model of who may stop coming",
        "data_categories": [PURCHASES],
        "recipients": [{"name": "centre", "country": "DE"}],
        "roster": [{"partner": "north", "public_key": SigningKey.generate().public.text}],
        "catalogue": "ab" * 32,
        "week_one": "2024-12-30",
        "minimum_cohort": 40,
        "honest_minimum": 1,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 2.0,
        "delta": 1e-6,
        "steps": [
            {
                "operation": "churn-gradient",
                "purpose": "churn-training",
                "tier": "standard",
                "noise_multiplier": 12.0,
                "rounds": 4,
                "last_week": 37,
                "horizon_weeks": 8,
                "weights": 15,
                "gradient": {"clip": 1.0, "share": 1.0},
            }
        ],
        "created_at": NOON.isoformat(),
        "expires_at": (NOON + timedelta(days=1)).isoformat(),
    }
)


def cap(name: str = "lifetime", **changes: Any) -> dict[str, Any]:
    standing: dict[str, Any] = {"name": name, "epsilon_allowed": 5.0, "epsilon_spent": 1.25, "charges": 3}
    return standing | {"epsilon_remaining": 4.5} | changes


def run(name: str = "spring-1", **changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"run": name, "state": "admitted", "epsilon_requested": 3.0, "delta_requested": 1e-5}
    return asked | {"epsilon_spent": 1.25, "attempts": 3} | changes


def page(*caps: dict[str, Any], older: bool = False, **changes: Any) -> BudgetPage:
    document: dict[str, Any] = {
        "partner": "north",
        "said_at": NOON.isoformat(),
        "ledger": {"position": 17, "head": "ab" * 32},
        "delta": 1e-5,
        "caps": caps or (cap(),),
        "runs": [run()],
        "earlier_runs": 0,
    }
    vault = {
        "received_at": NOON.isoformat(),
        "older_ledger": {"position": 9, "at": NOON.isoformat()} if older else None,
        "signed": {"document": document | changes, "key": "SHA256:abc", "signature": "AAAA"},
    }
    return BudgetPage.model_validate({"controller": "north", "vaults": [vault]})


def beside(found: BudgetPage) -> dict[str, str]:
    """What is said of each cap, by its name, and of the report."""
    said = {}
    for name, words in budget_beside(found, TERMS):
        cap, _, of_cap = words.partition(": ")
        said |= {cap: of_cap} if name == "cap" else {name: words}
    return said


def printed(found: BudgetPage, *, width: int = 200) -> str:
    console = Console(width=width, markup=False, highlight=False, emoji=False, force_terminal=False)
    with console.capture() as captured:
        console.print(budget_page(found))
    return captured.get()


def test_an_officer_sees_whether_a_run_fits() -> None:
    asked = epsilon_of(TERMS.events(), delta=1e-5)
    said = beside(page(cap(), cap("narrow", epsilon_allowed=1.5, epsilon_remaining=asked * 0.99)))
    assert said["lifetime"] == (
        f"ε = 1.250 of 5.000 spent on everything, 4.500 left for one run; this run asks for {asked:.3f}: it fits"
    )
    assert said["narrow"].endswith(f"this run asks for {asked:.3f}: it does NOT fit, and the vault will refuse it")
    assert said["reported"] == "2026-05-04 12:00:00 UTC, of the ledger up to entry 17"


@pytest.mark.parametrize(
    ("scope", "is_touched"),
    [
        ({}, True),
        ({"purpose": "churn-training"}, True),
        ({"operation": "churn-gradient", "data_category": PURCHASES}, True),
        ({"purpose": "statistics"}, False),
        ({"operation": "popularity-statistics"}, False),
        ({"data_category": "pd:Age"}, False),
    ],
)
def test_a_cap_is_held_against_what_it_counts(scope: dict[str, str], is_touched: bool) -> None:
    said = beside(page(cap("narrow", period_days=90, renewed_on="2026-06-01", **scope)))
    assert ("this run takes nothing of it" in said["narrow"]) is not is_touched


def test_of_a_run_that_has_begun_it_is_said_what_it_has_cost() -> None:
    said = beside(page(runs=[run(), run("churn-1", epsilon_spent=0.375, attempts=1)]))
    assert said["lifetime"].endswith("this run has cost 0.375 so far")
    # Proposed and not begun.
    said = beside(page(runs=[run("churn-1", epsilon_spent=0.0, attempts=0)]))
    assert "this run asks for" in said["lifetime"]


def test_a_vault_that_never_reported_is_named_as_such() -> None:
    silent = BudgetPage(controller="north", vaults=())
    assert "no vault has reported" in beside(silent)["reported"]
    assert "no vault has reported" in printed(silent)


def test_an_older_ledger_is_a_warning_in_both_places() -> None:
    words = "came with another ledger, at entry 9, and was refused"
    lines = [line for name, line in budget_beside(page(older=True), TERMS) if name == "reported"]
    assert [words in line for line in lines] == [False, True]
    assert words in " ".join(printed(page(older=True)).split())
    assert "WARNING" not in printed(page())


def test_all_of_it_in_tables() -> None:
    caps = (cap(), cap("each quarter", purpose="statistics", period_days=91, renewed_on="2026-06-29"))
    said = printed(page(*caps, earlier_runs=4))
    for words in ("each quarter", "statistics", "2026-06-29", "never", "spring-1", "3.000", "1.250", "4 earlier runs"):
        assert words in said


def test_words_of_others_are_shown_and_not_obeyed() -> None:
    hostile = page(cap(HOSTILE, purpose=HOSTILE), runs=[run(state=HOSTILE)])
    for said in (printed(hostile), printed(hostile, width=60)):
        assert not set(said) & {"\x1b", "\u202e"}
    assert "[bold red]x[/]" in printed(hostile)
    lines = [f"{name} {line}" for name, line in budget_beside(hostile, TERMS)]
    assert [HOSTILE in line for line in lines] == [False, True]  # the page of a run makes them plain
