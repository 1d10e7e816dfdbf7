"""The league's budget for the central team and for each partner's officers: caps, runs, requests, what is left."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from written_league import written_league

from hanse_privacy.accounting import epsilon_of
from hanse_privacy.caps import BudgetExhaustedError
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol import league_budget_report
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED, LedgerPlace
from hanse_privacy.protocol.ledger_statement import LedgerStatement, sign_statement
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server import league_budget
from hanse_server.commands import app
from hanse_server.league import LeagueHome, LeagueInvalidError
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_ledger import LeagueLedger
from hanse_server.submission import begin

KEYS = {name: SigningKey.generate() for name in ("north", "south", "consent")}
DELTA = 1e-6
ACROSS = {"kind": "customer-across-the-roster", "partners_at_most": 2}


def proposal(run: str, *, unit: Any = "customer-at-one-partner", rounds: int = 2) -> RunProposal:
    now = datetime.now(tz=UTC)
    step = {
        "operation": "churn-gradient",
        "purpose": "churn-training",
        "tier": "standard",
        "noise_multiplier": 40.0,
        "rounds": rounds,
        "last_week": 9,
        "horizon_weeks": 4,
        "weights": 15,
        "gradient": {"clip": 1.0, "share": 1.0},
    }
    return RunProposal.parse(
        {
            "run": run,
            "title": "Churn",
            "data_categories": ["pd:PurchasesAndSpendingHabit"],
            "recipients": [{"name": "centre", "country": "DE"}],
            "roster": [{"partner": name, "public_key": KEYS[name].public.text} for name in ("north", "south")],
            "catalogue": "0" * 64,
            "week_one": "2026-01-05",
            "minimum_cohort": 10,
            "honest_minimum": 2,
            "unit": unit,
            "units_per_clip": 65536,
            "epsilon": 1.0,
            "delta": 1e-5,
            "steps": [step],
            "created_at": now.isoformat(),
            "expires_at": (now + timedelta(days=1)).isoformat(),
        }
    )


def ask(home: LeagueHome, run: RunProposal, *, rounds: int, partners: tuple[str, ...] = ("north", "south")) -> None:
    for charge in run.charges()[:rounds]:
        LeagueLedger.of(home).ask(partners, charge, vaults_of_unit=run.unit.vaults)


@pytest.fixture
def home(tmp_path: Path) -> LeagueHome:
    """Two runs over both partners, one of them for a person at both, and one of a run whose folder is gone."""
    home = written_league(tmp_path, **KEYS)
    for run in (first := proposal("first"), across := proposal("across", unit=ACROSS)):
        begin(home, run)
    ask(home, first, rounds=2)
    ask(home, across, rounds=1)
    ask(home, proposal("lost"), rounds=1, partners=("south",))
    return home


def said(home: LeagueHome, partner: str) -> LeagueBudgetReport:
    budget = LeagueBudget.read(home)
    return budget.report(partner, centre="centre", before=budget.reading.end)


def test_each_partner_is_told_what_was_asked_of_it_and_what_a_person_lost(home: LeagueHome) -> None:
    (event, *_), (across, *_) = proposal("x").events(), proposal("x", unit=ACROSS).events()
    (twice, *_) = proposal("x").events_of_a_person()
    north, south = said(home, "north"), said(home, "south")
    assert [(one.run, one.asked, one.answered) for one in north.runs] == [("first", 2, 0), ("across", 1, 0)]
    assert [one.run for one in south.runs] == ["first", "across", "lost"]
    assert north.runs[0].epsilon_asked == epsilon_of([event, event], delta=DELTA)
    assert north.runs[0].epsilon_of_a_person == epsilon_of([twice, twice], delta=DELTA)
    assert north.runs[1].epsilon_asked == north.runs[1].epsilon_of_a_person == epsilon_of([across], delta=DELTA)
    assert (north.runs[0].epsilon_requested, north.runs[0].delta_requested) == (1.0, 1e-5)
    assert (south.runs[2].epsilon_requested, south.runs[2].delta_requested) == (None, None)
    assert north.epsilon_asked == epsilon_of([event, event, across], delta=DELTA)
    assert south.epsilon_asked == epsilon_of([event, event, across, event], delta=DELTA)
    # Of all runs, whoever was asked in them.
    person = epsilon_of([twice, twice, across, event], delta=DELTA)
    for report in (north, south):
        assert report.person.epsilon_spent == person
        assert report.person.epsilon_allowed == 50.0
        assert 0 < report.person.epsilon_remaining < 50.0
        assert (report.ledger.position, report.delta) == (7, DELTA)
    assert north.ledger == south.ledger


def test_a_run_that_its_unit_could_afford_and_a_person_cannot_is_refused(tmp_path: Path) -> None:
    run = proposal("first")
    unit, person = (epsilon_of(events, delta=DELTA) for events in (run.events(), run.events_of_a_person()))
    home = written_league(tmp_path, **KEYS, epsilon=(unit + person) / 2)
    with pytest.raises(BudgetExhaustedError):
        begin(home, run)
    begin(home, proposal("across", unit=ACROSS))


def test_runs_are_counted_once_for_all_partners(home: LeagueHome) -> None:
    found = {one.run: (one.partners, one.attempts) for one in LeagueBudget.read(home).runs}
    assert found == {"first": (2, 2), "across": (2, 1), "lost": (1, 1)}


def test_how_far_each_vault_had_come_by_its_own_word(home: LeagueHome) -> None:
    assert said(home, "north").vault is None
    north = KEYS["north"]
    word = sign_statement(LedgerStatement(partner="north", position=3, head="ab" * 32), key=north)
    LeagueLedger.of(home).take_statement(word, partner="north", key=north.public, answered=None)
    told = said(home, "north").vault
    assert told is not None
    assert (told.key, told.ledger) == (north.public.fingerprint, LedgerPlace(position=3, head="ab" * 32))
    assert said(home, "south").vault is None
    # Nonsense in a vault's own word stops nobody's report.
    odd = sign_statement(LedgerStatement(partner="south", position=3, head="odd"), key=KEYS["south"])
    LeagueLedger.of(home).take_statement(odd, partner="south", key=KEYS["south"].public, answered=None)
    assert said(home, "south").vault is None


def test_what_is_left_for_one_run_is_what_the_ledger_lets_in(home: LeagueHome, tmp_path: Path) -> None:
    left = LeagueBudget.read(home).person
    spent, asked = left.spent_epsilon, epsilon_of(proposal("x").events_of_a_person(), delta=DELTA)
    for allowed, fits in ((spent * 1.01, False), (spent + asked, True)):
        written_league(tmp_path, **KEYS, epsilon=allowed)
        remaining = LeagueBudget.read(home).person.remaining_epsilon
        assert (asked <= remaining) is fits
        if fits:
            begin(home, proposal(f"fits-{allowed:.0f}"))
        else:
            with pytest.raises(BudgetExhaustedError, match="Run next asks for"):
                begin(home, proposal("next"))
            assert not home.run_folder("next").exists()


def test_the_newest_runs_are_listed_and_all_are_counted(home: LeagueHome, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = said(home, "south")
    for module in (league_budget, league_budget_report):
        monkeypatch.setattr(module, "MOST_RUNS_REPORTED", 2)
    cut, north = said(home, "south"), said(home, "north")
    assert ([one.run for one in cut.runs], cut.earlier_runs) == (["across", "lost"], 1)
    assert (cut.person, cut.epsilon_asked) == (whole.person, whole.epsilon_asked)
    assert ([one.run for one in north.runs], north.earlier_runs) == (["first", "across"], 0)


def test_the_command_shows_requested_spent_and_left(home: LeagueHome) -> None:
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    text, found = " ".join(shown.output.split()), LeagueBudget.read(home)
    person = found.person
    numbers = (person.spent_epsilon, person.remaining_epsilon, *(one.epsilon_of_a_person for one in found.runs))
    for words in (*(f"{number:.3f}" for number in numbers), "50.000", "unknown", "all together", "every partner"):
        assert words in text
    printed = CliRunner().invoke(app, ["budget", "--home", str(home.root), "--json"])
    said = json.loads(printed.output)
    assert said["person"] == {
        "epsilon_allowed": 50.0,
        "epsilon_spent": person.spent_epsilon,
        "epsilon_remaining": person.remaining_epsilon,
    }
    assert [one["run"] for one in said["runs"]] == ["first", "across", "lost"]
    assert [one["epsilon_requested"] for one in said["runs"]] == [1.0, 1.0, None]
    assert {one["partner"] for one in said["partners"]} == {"north", "south"}


def test_a_league_without_a_cap_is_none(home: LeagueHome) -> None:
    file = home.root / "league.toml"
    text = file.read_text(encoding="utf-8")
    for wrong in (text.partition("[budget]")[0], text.replace("50.0", "0"), text.replace("1e-6", "0.5")):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(LeagueInvalidError, match="budget"):
            home.load()


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("centre", {"centre": "The Centre"}),
        ("person.epsilon_spent", {"person": {"name": "person", "epsilon_allowed": 1.0, "epsilon_spent": -1.0}}),
        ("epsilon_asked", {"epsilon_asked": float("inf")}),
        ("runs", {"runs": [{"run": "a"}]}),
        ("earlier_runs", {"earlier_runs": -1}),
        ("earlier_runs must be 0", {"earlier_runs": 1}),
        ("customers", {"customers": 17}),
        ("before must not be after", {"before": {"position": 99, "head": "ab" * 32}}),
    ],
)
def test_what_a_report_cannot_say(home: LeagueHome, words: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match=words):
        LeagueBudgetReport.parse(said(home, "north").payload() | change)


def test_a_report_has_room_for_so_many_runs_and_no_more(home: LeagueHome) -> None:
    payload = said(home, "north").payload()
    longest = payload["runs"][0] | {"run": "r" * 60}
    LeagueBudgetReport.parse(payload | {"runs": [longest] * MOST_RUNS_REPORTED})
    with pytest.raises(InvalidValueError, match="runs"):
        LeagueBudgetReport.parse(payload | {"runs": [longest] * (MOST_RUNS_REPORTED + 1)})
