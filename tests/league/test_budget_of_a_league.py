"""What a person may lose over all runs of a league: capped before anybody is asked, and read by every partner."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.budgets.kept_reports import KeptReports
from hanse_consent.budgets.receiving import Budgets
from hanse_consent.commands.budget_pages import budget_beside
from hanse_consent.configuration import load_configuration
from hanse_consent.opening import location_of
from hanse_consent.storage.database import Database
from hanse_demo.memory_league import MemoryLeague
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.caps import BudgetExhaustedError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server import carrying_out
from hanse_server.league import RunFolder
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_ledger_file import LeagueLedgerError

DELTA = 1e-5


def page(league: MemoryLeague, partner: str) -> BudgetPage:
    """What the consent service would show the partner's people."""
    configuration = load_configuration(league.workshop.consent / "consent.toml")
    with closing(Database(location_of(configuration))) as database:
        kept = KeptReports(database=database, key=SigningKey.generate(), now=lambda: datetime.now(tz=UTC))
        return Budgets(kept, key_of_vault=lambda _: None, key_of_centre=lambda _: None).page(partner)


def lines(league: MemoryLeague, proposal: RunProposal, partner: str = "north") -> dict[str, str]:
    return dict(budget_beside(page(league, partner), proposal, now=datetime.now(tz=UTC)))


def cap(league: MemoryLeague, epsilon: float) -> None:
    """Let a person lose so much, at the example's δ."""
    file = league.workshop.league.root / "league.toml"
    text = file.read_text(encoding="utf-8")
    before, mark, after = text.partition("[budget]\nepsilon = ")
    assert mark
    file.write_text(f"{before}{mark}{epsilon!r}\n{after.partition(chr(10))[2]}", encoding="utf-8")


def entries(league: MemoryLeague, partner: str) -> int:
    home = league.workshop.node(partner)
    return len(open_ledger(home, load_policy(home.policy)).entries())


def test_officers_read_beside_a_run_what_a_person_loses_in_all(league: MemoryLeague) -> None:
    first = league.propose("popularity.toml")
    league.conduct(first)
    second = league.propose("churn.toml")
    league.approve(second)
    spent = epsilon_of(first.events_of_a_person(), delta=DELTA)
    asks = epsilon_of(second.events_of_a_person(), delta=DELTA)
    for partner in league.workshop.partners:
        said = lines(league, second, partner)
        assert said["person"].startswith(f"ε = {spent:.3f} of 15.000 spent on a person who is a customer of every")
        assert said["person"].endswith(f"this run takes {asks:.3f} if no attempt is repeated: it fits")
    league.submit(second.run)
    (one,) = page(league, "north").leagues
    assert [(run.run, run.asked, run.answered) for run in one.signed.document.runs] == [(first.run, 1, 1)]
    league.conduct(league.propose("question.toml"))
    (one,) = page(league, "north").leagues
    assert [run.asked for run in one.signed.document.runs] == [1, 11, 1]
    person = LeagueBudget.read(league.workshop.league).person
    assert one.signed.document.person.epsilon_spent == person.spent_epsilon
    # A person at both partners has lost more than a customer of one.
    assert person.spent_epsilon > one.signed.document.epsilon_asked


def test_a_run_that_a_person_cannot_afford_is_not_even_proposed(league: MemoryLeague) -> None:
    first = league.propose("popularity.toml")
    league.conduct(first)
    cap(league, 1.05 * epsilon_of(first.events_of_a_person(), delta=DELTA))
    with pytest.raises(BudgetExhaustedError, match="above the league's person cap") as refused:
        league.propose("popularity.toml")
    spent = LeagueBudget.read(league.workshop.league).person
    for number in (spent.spent_epsilon, spent.remaining_epsilon):
        assert f"{number:.3f}" in refused.value.what
    assert len(list((league.workshop.league.root / "runs").iterdir())) == 1


def test_of_two_runs_that_fit_by_themselves_the_second_asks_nobody(league: MemoryLeague) -> None:
    first, second = league.propose("popularity.toml"), league.propose("popularity.toml")
    cap(league, 1.05 * epsilon_of(first.events_of_a_person(), delta=DELTA))
    league.conduct(first)
    with pytest.raises(BudgetExhaustedError, match=f"Run {second.run} asks for"):
        league.conduct(second)
    assert [entries(league, partner) for partner in league.workshop.partners] == [1, 1]
    last = list(RunFolder(league.workshop.league, second.run).events())[-1]
    assert (last["event"], last["code"]) == ("failed", "BUDGET_EXHAUSTED")


def put(league: MemoryLeague, copy: Path) -> None:
    """Put a copy in the ledger's place."""
    home = league.workshop.league
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (home.root / name).unlink(missing_ok=True)
    shutil.copy(copy, home.ledger)


def test_a_league_that_restored_an_older_ledger_starts_nothing(league: MemoryLeague) -> None:
    home = league.workshop.league
    league.conduct(league.propose("popularity.toml"))
    older, newest = home.root / "older.db", home.root / "newest.db"
    approved = league.propose("question.toml")
    league.approve(approved)
    for copy in (older, newest):
        with closing(sqlite3.connect(home.ledger)) as book, closing(sqlite3.connect(copy)) as target:
            book.backup(target)
        if copy == older:
            league.conduct(league.propose("churn.toml"))
    put(league, older)
    proposal = league.propose("question.toml")
    with pytest.raises(LeagueLedgerError, match="newer ledger"):
        league.conduct(proposal)
    assert "WARNING" in dict(budget_beside(page(league, "north"), proposal, now=datetime.now(tz=UTC)))["league"]
    # Nor does one that was approved before; also if the ledger is lost.
    home.ledger.unlink()
    for _ in range(2):
        with pytest.raises(LeagueLedgerError, match="newer ledger"):
            league.submit(approved.run)
        put(league, older)
    assert [entries(league, partner) for partner in league.workshop.partners] == [12, 12]
    put(league, newest)
    league.conduct(proposal)


def test_right_after_a_run_vault_and_league_agree_and_any_difference_shows(league: MemoryLeague) -> None:
    run = league.propose("churn.toml")
    league.conduct(run)
    for partner in league.workshop.partners:
        said = page(league, partner)
        (one,), (vault,) = said.leagues, said.vaults
        assert one.signed.document.vault is not None
        assert one.signed.document.vault.ledger == vault.signed.document.ledger
        assert not [words for _, words in budget_beside(said, run, now=datetime.now(tz=UTC)) if "WARNING" in words]


def test_a_result_is_shown_also_where_its_outcome_could_not_be_recorded(
    league: MemoryLeague, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, console = league.propose("popularity.toml"), Console(width=200)
    league.approve(run)

    def conduct_and_lose_the_service(*_: object, **__: object) -> None:
        league.submit(run.run)
        league.stop_consent()

    monkeypatch.setattr(carrying_out, "submit", conduct_and_lose_the_service)
    monkeypatch.setattr(carrying_out, "seek_approval", lambda *_, **__: None)
    with console.capture() as shown:
        result = carrying_out.carry_out(league.workshop.league, run, console=console)
    assert result["run"] == run.run
    assert "WARNING: what became of the run is not recorded everywhere" in shown.get()
    assert "CONSENT_UNAVAILABLE" in shown.get()
