"""Budgets in a terminal: what is left, whether a run fits, that an older ledger came; nothing in them is obeyed."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.commands.budget_pages import budget_beside, budget_page
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.caps import LIFETIME, BudgetExhaustedError, Cap
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.units import PrivacyBudget

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PURCHASES = "pd:PurchasesAndSpendingHabit"
HOSTILE = "[bold red]x[/] \x1b[2K \u202e :boom:"
KEY = SigningKey.generate().public
TERMS = RunProposal.parse(
    {
        "run": "churn-1",
        "title": "A model of who may stop coming",
        "data_categories": [PURCHASES],
        "recipients": [{"name": "centre", "country": "DE"}],
        "roster": [{"partner": "north", "public_key": KEY.text}],
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


def page(*caps: dict[str, Any], older: bool = False, key: str = KEY.fingerprint, **changes: Any) -> BudgetPage:
    document: dict[str, Any] = {
        "partner": "north",
        "said_at": NOON.isoformat(),
        "ledger": {"position": 17, "head": "ab" * 32},
        "before": {"position": 17, "head": "ab" * 32},
        "delta": 1e-5,
        "caps": caps or (cap(),),
        "runs": [run()],
        "earlier_runs": 0,
    }
    vault = {
        "received_at": NOON.isoformat(),
        "older_ledger": {"position": 9, "at": NOON.isoformat()} if older else None,
        "signed": {"document": document | changes, "key": key, "signature": "AAAA"},
    }
    return BudgetPage.model_validate({"controller": "north", "vaults": [vault], "leagues": []})


def asking(name: str = "spring-1", **changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"run": name, "epsilon_requested": 3.0, "delta_requested": 1e-5, "asked": 3, "answered": 2}
    return asked | {"epsilon_asked": 1.25, "epsilon_of_a_person": 6.5} | changes


def league(*runs: dict[str, Any], older: bool = False, centre: str = "centre", **changes: Any) -> BudgetPage:
    """With the vault's own word, from noon; the centre's is from an hour later."""
    document: dict[str, Any] = {
        "partner": "north",
        "centre": centre,
        "said_at": (NOON + timedelta(hours=1)).isoformat(),
        "ledger": {"position": 40, "head": "cd" * 32},
        "before": {"position": 40, "head": "cd" * 32},
        "delta": 1e-5,
        "person": cap("person", epsilon_allowed=30.0, epsilon_spent=6.5, epsilon_remaining=22.0),
        "epsilon_asked": 1.375,
        "runs": list(runs) or [asking()],
        "earlier_runs": 0,
        "vault": None,
    }
    said = {
        "received_at": (NOON + timedelta(hours=1)).isoformat(),
        "older_ledger": {"position": 39, "at": NOON.isoformat()} if older else None,
        "signed": {"document": document | changes, "key": "SHA256:centre", "signature": "AAAA"},
    }
    return BudgetPage.model_validate(page().model_dump() | {"leagues": [said]})


def beside(found: BudgetPage, *, now: datetime = NOON) -> dict[str, str]:
    """What is said of each cap, by its name, and of the report."""
    said = {}
    for name, words in budget_beside(found, TERMS, now=now):
        cap, _, of_cap = words.partition(": ")
        said |= {cap: of_cap} if name == "cap" else {name: words}
    return said


def printed(found: BudgetPage, *, width: int = 200) -> str:
    console = Console(width=width, markup=False, highlight=False, emoji=False, force_terminal=False)
    with console.capture() as captured:
        console.print(budget_page(found))
    return captured.get()


ASKED = epsilon_of(TERMS.events(), delta=1e-5)


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (4.5, "it fits"),
        (ASKED * 1.00001, "it fits"),
        (ASKED, "about as much as is left"),
        (ASKED * 0.99999, "it does NOT fit"),
        (0.0, "it does NOT fit"),
    ],
)
def test_an_officer_sees_whether_a_run_fits(remaining: float, words: str) -> None:
    said = beside(page(cap(), cap("narrow", epsilon_allowed=1.5, epsilon_remaining=remaining)))
    assert said["lifetime"] == (
        f"ε = 1.250 of 5.000 spent on everything, 4.500 left for one run; this run takes {ASKED:.3f} if no attempt is"
        " repeated: it fits"
    )
    assert said["narrow"].endswith(f"if no attempt is repeated: {words}")
    assert said["reported"] == "2026-05-04 12:00:00 UTC, of the ledger up to entry 17"


def test_what_the_page_says_of_a_fit_is_what_the_ledger_does(tmp_path: Path) -> None:
    """The same caps in a ledger, with the room that the page speaks of."""
    PrivacyLedger.create(tmp_path / "ledger.db")
    for allowed, fits in ((ASKED * 1.001, True), (ASKED * 0.999, False)):
        budget = PrivacyBudget(epsilon=allowed, delta=1e-5)
        caps = (Cap(name=LIFETIME, budget=budget), Cap(name="others", budget=budget, purpose="statistics"))
        ledger = PrivacyLedger(tmp_path / "ledger.db", caps=caps, clock=lambda: NOON)
        stands = [
            cap(one.cap.name, purpose=one.cap.purpose, epsilon_remaining=one.remaining_epsilon)
            for one in ledger.statement().caps
        ]
        said = beside(page(*stands, runs=[]))
        assert said["lifetime"].endswith("it fits" if fits else "it does NOT fit")
        assert said["others"].endswith("this run takes nothing of it")
        with nullcontext() if fits else pytest.raises(BudgetExhaustedError):
            ledger.require_room_for(TERMS.charges())


def test_a_cap_that_was_renewed_since_is_held_against_a_run_as_it_is_now() -> None:
    quarter = cap("quarter", epsilon_allowed=5.0, epsilon_remaining=0.0, period_days=91, renewed_on="2026-05-05")
    assert beside(page(quarter))["quarter"].endswith("it does NOT fit")
    said = beside(page(quarter), now=NOON + timedelta(days=1))["quarter"]
    assert "in a period that ended on 2026-05-05, and none that was reported since, 5.000 left for one run" in said
    assert said.endswith("it fits")
    narrow = quarter | {"epsilon_allowed": 0.01}
    assert beside(page(narrow), now=NOON + timedelta(days=1))["quarter"].endswith("it does NOT fit")


def test_a_vault_that_is_not_in_the_roster_is_not_spoken_of() -> None:
    retired = page(key="SHA256:retired")
    assert set(beside(retired)) == {"reported"}
    assert "no vault with a key of this roster" in beside(retired)["reported"]
    both = BudgetPage(controller="north", vaults=(*retired.vaults, *page().vaults), leagues=())
    assert beside(both) == beside(page())
    # By itself, each is shown with its key.
    for key in ("SHA256:retired", KEY.fingerprint):
        assert key in printed(both)


def test_where_nothing_can_be_said_it_says_so() -> None:
    steps = [TERMS.payload()["steps"][0] | {"noise_multiplier": 0.25}]
    loud = RunProposal.parse(TERMS.payload() | {"epsilon": 100.0, "delta": 1e-4, "steps": steps})
    lines = dict(budget_beside(page(delta=1e-30), loud, now=NOON))
    assert lines["cap"].endswith("what this run would take cannot be said at δ = 1e-30")


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
    assert said["lifetime"].endswith("this run has begun; over everything it has cost 0.375")
    others = cap("others", purpose="statistics")
    said = beside(page(cap(), others, runs=[run("churn-1", epsilon_spent=0.375, attempts=1)]))
    assert said["others"].endswith("this run takes nothing of it")
    # Proposed and not begun.
    said = beside(page(runs=[run("churn-1", epsilon_spent=0.0, attempts=0)]))
    assert "this run takes" in said["lifetime"]


def test_a_vault_that_never_reported_is_named_as_such() -> None:
    silent = BudgetPage(controller="north", vaults=(), leagues=())
    assert "has reported its budget yet" in beside(silent)["reported"]
    assert "no vault has reported" in printed(silent)


def test_an_older_ledger_is_a_warning_in_both_places() -> None:
    words = "came with another ledger, which ended at entry 9, and was refused"
    lines = [line for name, line in budget_beside(page(older=True), TERMS, now=NOON) if name == "reported"]
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
    lines = [f"{name} {line}" for name, line in budget_beside(hostile, TERMS, now=NOON)]
    assert [HOSTILE in line for line in lines] == [False, True]  # the page of a run makes them plain


PERSON = epsilon_of(TERMS.events_of_a_person(), delta=1e-5)


def of_league(found: BudgetPage) -> list[tuple[str, str]]:
    return [(name, words) for name, words in budget_beside(found, TERMS, now=NOON) if name in ("league", "person")]


def test_an_officer_sees_what_a_person_loses_in_all() -> None:
    (heard, person) = of_league(league())
    assert heard == ("league", "centre, 2026-05-04 13:00:00 UTC, of the ledger up to entry 40")
    assert person == (
        "person",
        "ε = 6.500 of 30.000 spent on a person who is a customer of every partner, 22.000 left for one run; this run"
        f" takes {PERSON:.3f} if no attempt is repeated: it fits",
    )
    full = cap("person", epsilon_allowed=30.0, epsilon_remaining=PERSON * 0.99)
    assert of_league(league(person=full))[1][1].endswith("it does NOT fit")
    begun = league(asking("churn-1", epsilon_of_a_person=2.5))
    assert of_league(begun)[1][1].endswith("this run has begun; it has cost 2.500")


def test_a_person_of_two_partners_weighs_more_than_a_customer_of_one() -> None:
    other = {"partner": "south", "public_key": SigningKey.generate().public.text}
    both = RunProposal.parse(TERMS.payload() | {"roster": [*TERMS.payload()["roster"], other]})
    alone, person = both.events()[0], both.events_of_a_person()[0]
    assert person.squared_sensitivity == 4 * alone.squared_sensitivity
    unit = {"kind": "customer-across-the-roster", "partners_at_most": 2}
    across = RunProposal.parse(both.payload() | {"unit": unit})
    assert across.events_of_a_person() == across.events()


def test_a_league_whose_centre_gets_nothing_of_the_run_is_not_spoken_of() -> None:
    assert of_league(league(centre="another")) == []


def test_an_older_ledger_of_a_league_is_a_warning_in_both_places() -> None:
    words = "the centre centre came with another ledger, which ended at entry 39, and was refused"
    assert [words in line for name, line in of_league(league(older=True)) if name == "league"] == [False, True]
    assert words in " ".join(printed(league(older=True)).split())
    assert "WARNING" not in printed(league())


def word(position: int, head: str = "ab", *, key: str = KEY.fingerprint) -> dict[str, Any]:
    """What the vault told the centre of its own ledger; this service knows it up to entry 17."""
    return {"key": key, "ledger": {"position": position, "head": head * 32}}


@pytest.mark.parametrize(
    ("runs", "vault", "words"),
    [
        # The centre knows all that the vault told here.
        ([asking(asked=2)], word(17), ["paid for 3 attempts of run spring-1", "says that it asked for 2"]),
        ([asking("other", answered=0)], word(18, "cd"), ["paid for 3 attempts of run spring-1", "asked for 0"]),
        ([asking(asked=4)], word(17), []),
        # The vault told more here.
        ([asking(asked=2, answered=2)], word(16), []),
        ([asking(asked=5, answered=4)], word(16), ["paid for 3 attempts of run spring-1", "had 4 answered"]),
        ([asking(), asking("other")], word(17), ["paid for 0 attempts of run other", "had 2 answered"]),
        ([asking(asked=5, answered=4)], word(18, "cd"), []),
        # Two ledgers.
        ([asking()], word(17, "cd"), ["told the centre centre of another ledger"]),
        # The same attempts at another price.
        ([asking(epsilon_asked=0.001)], word(17), ["cost ε = 1.250 by the vault, and 0.001 by the centre"]),
        ([asking(epsilon_asked=1.25 + 1e-9)], word(17), []),
        # Another vault's word says nothing of this one's, nor does none.
        ([asking(asked=2)], word(17, key="SHA256:another"), []),
        ([asking(asked=2)], None, []),
    ],
)
def test_vault_and_league_are_held_against_each_other(
    runs: list[dict[str, Any]], vault: dict[str, Any] | None, words: list[str]
) -> None:
    found = league(*runs, vault=vault)
    said = [line for _, line in budget_beside(found, TERMS, now=NOON) if "WARNING" in line]
    assert len(said) == (1 if words else 0)
    for part in words:
        assert part in said[0]
        assert part in " ".join(printed(found).split())
    assert ("WARNING" in printed(found)) is bool(words)


def test_a_centre_with_a_new_key_speaks_once_and_what_it_forgot_is_named() -> None:
    now = league()
    document = now.leagues[0].signed.document
    earlier = now.leagues[0].model_copy(
        update={
            "signed": now.leagues[0].signed.model_copy(
                update={
                    "key": "SHA256:earlier",
                    "document": document.model_copy(
                        update={"ledger": document.ledger.model_copy(update={"position": 41})}
                    ),
                }
            )
        }
    )
    both = now.model_copy(update={"leagues": (*now.leagues, earlier)})
    said = of_league(both)
    assert [name for name, _ in said] == ["league", "person", "league"]
    assert "under another key, SHA256:earlier, the centre centre spoke of a ledger up to entry 41" in said[2][1]
    other_way = now.model_copy(update={"leagues": (earlier, *now.leagues)})
    assert len(of_league(other_way)) == 2


def test_a_run_dearer_than_can_be_stated_exactly_does_not_fit() -> None:
    steps = [TERMS.payload()["steps"][0] | {"noise_multiplier": 0.25}]
    loud = RunProposal.parse(TERMS.payload() | {"epsilon": 100.0, "delta": 1e-4, "steps": steps})
    lines = dict(budget_beside(league(delta=1e-30), loud, now=NOON))
    assert lines["person"].endswith("it does NOT fit")


def test_a_league_in_tables() -> None:
    said = " ".join(printed(league(asking(epsilon_requested=None, delta_requested=None))).split())
    for words in ("SHA256:centre", "6.500", "30.000", "22.000", "1.375", "1.250", "unknown"):
        assert words in said
