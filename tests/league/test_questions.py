"""Questions asked of a whole league: the command, the vaults' answers against the truth, and what is refused."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_demo.memory_league import MemoryLeague
from hanse_privacy.caps import BudgetExhaustedError
from hanse_privacy.command_line import build
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server import carrying_out
from hanse_server.conductor import RunFailedError
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.questions.answer import Answer
from hanse_server.questions.commands import PICTURE_FILE

WEEKS = ("--weeks", "10-40", "--epsilon", "1.5", "--yes")


@pytest.fixture
def asking(league: MemoryLeague, monkeypatch: pytest.MonkeyPatch) -> MemoryLeague:
    """The league, where officers approve at once and Flower's own ServerApp runs in this process."""

    def approved(_home: LeagueHome, *, proposal: RunProposal, **_others: Any) -> None:
        league.approve(proposal)

    def submitted(_home: LeagueHome, *, run: str) -> None:
        league.submit(run)

    monkeypatch.setattr(carrying_out, "seek_approval", approved)
    monkeypatch.setattr(carrying_out, "submit", submitted)
    return league


def ask(league: MemoryLeague, *words: str) -> Any:
    return CliRunner().invoke(
        build("ask"), ["ask", *words, "--home", str(league.workshop.league.root)], env={"COLUMNS": "160"}
    )


def answer_of(league: MemoryLeague) -> tuple[RunProposal, Answer]:
    """The newest run's proposal and answer."""
    (folder,) = (league.workshop.league.root / "runs").iterdir()
    run = RunFolder(league.workshop.league, folder.name)
    result = run.result()
    assert result is not None
    return RunProposal.unverified(run.signed_proposal()), Answer.model_validate(result["released"])


def consenting(league: MemoryLeague, partner: str) -> list[str]:
    home = league.workshop.node(partner)
    with (home.root / "grants.csv").open(encoding="utf-8", newline="") as file:
        rows = [row["customer"] for row in csv.DictReader(file) if row["purpose"] == "league-questions"]
    return sorted(PseudonymKey.load(home.pseudonym_key).pseudonyms(rows))


def truth(league: MemoryLeague, query: str) -> list[tuple[Any, ...]]:
    """What a query over one partner's tables says of those who granted the purpose, for all partners together."""
    found: list[tuple[Any, ...]] = []
    for partner in league.workshop.partners:
        with duckdb.connect(league.workshop.node(partner).purchases, read_only=True) as connection:
            connection.execute(
                "CREATE TEMP TABLE cohort AS SELECT unnest(?) AS customer", [consenting(league, partner)]
            )
            week_one = league.workshop.league.load().week_one
            connection.execute(
                f"CREATE TEMP VIEW baskets AS SELECT *, (day - DATE '{week_one}') // 7 + 1 AS week FROM basket"
                " SEMI JOIN cohort USING (customer)"
            )
            connection.execute(
                f"CREATE TEMP VIEW bought AS SELECT *, (day - DATE '{week_one}') // 7 + 1 AS week FROM purchase"
                " SEMI JOIN cohort USING (customer)"
            )
            found += connection.execute(query).fetchall()
    return found


def within(values: Sequence[float | None], exact: Sequence[float], deviation: float) -> bool:
    return bool(np.all(np.abs(np.array(values, dtype=np.float64) - np.array(exact)) < 6 * deviation))


def test_customers_by_category_are_counted_within_the_error_that_was_told(asking: MemoryLeague) -> None:
    done = ask(asking, "count", "customers", "--by", "category", *WEEKS, "--top", "3")
    assert done.exit_code == 0, done.output
    proposal, answer = answer_of(asking)
    counts = dict.fromkeys((row.group for row in answer.rows), 0)
    for category, customers in truth(
        asking,
        "SELECT category, count(DISTINCT customer) FROM bought JOIN item USING (item) WHERE week BETWEEN 10 AND 40"
        " GROUP BY category",
    ):
        counts[category] += customers
    assert within(
        [row.released.value for row in answer.rows], list(counts.values()), answer.noise_standard_deviation["answer"]
    )
    assert "Expect ±" in done.output.partition("Run question-")[0]
    assert "The largest:" in done.output
    # Every vault paid for it once, under the purpose that its customers granted.
    for partner in asking.workshop.partners:
        home = asking.workshop.node(partner)
        (entry,) = open_ledger(home, load_policy(home.policy)).entries()
        assert (entry.charge.run, entry.charge.purpose, entry.charge.operation) == (
            proposal.run,
            "league-questions",
            "count-question",
        )
    picture = asking.workshop.league.run_folder(proposal.run) / PICTURE_FILE
    assert picture.read_text(encoding="utf-8").startswith("<svg")


def test_spend_by_store_group_tells_how_many_were_cut(asking: MemoryLeague) -> None:
    done = ask(asking, "count", "spend", "--by", "store-group", "--at-most", "60", *WEEKS)
    assert done.exit_code == 0, done.output
    _, answer = answer_of(asking)
    rows = truth(
        asking,
        "SELECT customer, store_group, sum(value) FROM baskets JOIN store USING (store) WHERE week BETWEEN 10 AND 40"
        " GROUP BY customer, store_group",
    )
    spent: dict[str, dict[str, float]] = {}
    for customer, group, value in rows:
        spent.setdefault(customer, {})[group] = float(value)
    norms = {customer: float(np.linalg.norm(list(groups.values()))) for customer, groups in spent.items()}
    sums = dict.fromkeys((row.group for row in answer.rows), 0.0)
    for customer, groups in spent.items():
        for group, value in groups.items():
            sums[group] += value * min(1.0, 60 / norms[customer])
    noise = answer.noise_standard_deviation
    assert within([row.released.value for row in answer.rows], list(sums.values()), noise["answer"])
    assert answer.customers is not None
    assert within([answer.customers.value], [len(norms)], noise["customers"])
    assert answer.over is not None
    assert within([answer.over.value], [sum(norm > 60 for norm in norms.values())], noise["over"])


def test_a_median_is_read_within_the_rank_that_was_told(asking: MemoryLeague) -> None:
    done = ask(asking, "quantile", "spend", "--highest", "256", "--bins", "64", "--probabilities", "0.5", *WEEKS)
    assert done.exit_code == 0, done.output
    _, answer = answer_of(asking)
    rows = truth(asking, "SELECT sum(value) FROM baskets WHERE week BETWEEN 10 AND 40 GROUP BY customer")
    spent = sorted(float(value) for (value,) in rows)
    (median,) = answer.rows
    assert median.released.value is not None
    told = float(done.output.partition("within ± ")[2].split()[0])
    rank = np.searchsorted(spent, median.released.value)
    # Three times the 95 % half-width, and a bin's customers.
    assert abs(rank - len(spent) / 2) < 3 * told + len(spent) / 8


def test_a_histogram_adds_up_to_its_customers(asking: MemoryLeague) -> None:
    done = ask(asking, "histogram", "baskets", "--edges", "0,5,10,20", *WEEKS)
    assert done.exit_code == 0, done.output
    _, answer = answer_of(asking)
    rows = truth(asking, "SELECT count(*) FROM baskets WHERE week BETWEEN 10 AND 40 GROUP BY customer")
    exact = np.histogram([count for (count,) in rows], bins=[0, 5, 10, 20, 10**6])[0]
    assert within([row.released.value for row in answer.rows], list(exact), answer.noise_standard_deviation["answer"])


def test_predicting_asks_nobody_and_leaves_nothing(asking: MemoryLeague) -> None:
    done = ask(asking, "count", "customers", "--weeks", "10-40", "--epsilon", "0.1", "--predict")
    assert done.exit_code == 0, done.output
    assert "Expect ±" in done.output
    assert not (asking.workshop.league.root / "runs").exists()
    for partner in asking.workshop.partners:
        home = asking.workshop.node(partner)
        assert not list(open_ledger(home, load_policy(home.policy)).entries())


def test_a_person_who_does_not_confirm_asks_nothing(asking: MemoryLeague) -> None:
    words = ["ask", "count", "customers", "--weeks", "10-40", "--epsilon", "0.1", "--home"]
    done = CliRunner().invoke(build("ask"), [*words, str(asking.workshop.league.root)], input="n\n")
    assert done.exit_code == 1
    assert not (asking.workshop.league.root / "runs").exists()


def test_a_question_that_a_person_cannot_afford_is_refused_before_anybody_confirms(asking: MemoryLeague) -> None:
    file = asking.workshop.league.root / "league.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("epsilon = 15.0", "epsilon = 2.0"), encoding="utf-8")
    words = ["ask", "count", "customers", "--weeks", "10-40", "--epsilon", "1.5", "--home"]
    done = CliRunner().invoke(build("ask"), [*words, str(asking.workshop.league.root)], input="y\n")
    assert isinstance(done.exception, BudgetExhaustedError)
    assert "Ask it?" not in done.output
    assert "the league's person cap of 2.000" in done.exception.what


def test_a_vault_that_allows_no_questions_ends_the_run_unpaid(asking: MemoryLeague) -> None:
    policy = asking.workshop.node("south").policy
    text = policy.read_text(encoding="utf-8")
    policy.write_text("".join(line for line in text.splitlines(keepends=True) if "count-question" not in line))
    asking.stop_vault("south")
    asking.start_vault("south")
    done = ask(asking, "count", "customers", *WEEKS)
    assert isinstance(done.exception, RunFailedError)
    assert "operation count-question is not allowed" in done.exception.what
    for partner in asking.workshop.partners:
        home = asking.workshop.node(partner)
        assert not list(open_ledger(home, load_policy(home.policy)).entries())


def test_a_question_beyond_the_budget_is_refused_with_what_is_left(asking: MemoryLeague) -> None:
    outcomes = [
        ask(asking, "count", "customers", "--weeks", "10-40", "--epsilon", "3", "--yes").exit_code for _ in range(2)
    ]
    assert outcomes == [0, 0], "in zCDP two runs at 3 cost less than 5 together"
    done = ask(asking, "count", "customers", "--weeks", "10-40", "--epsilon", "3", "--yes")
    assert isinstance(done.exception, RunFailedError)
    assert "BUDGET" in done.exception.what


def test_the_result_is_json_that_anybody_can_read(asking: MemoryLeague, tmp_path: Path) -> None:
    done = ask(asking, "count", "baskets", "--at-most", "8", *WEEKS)
    assert done.exit_code == 0, done.output
    (folder,) = (asking.workshop.league.root / "runs").iterdir()
    found = json.loads((folder / "result.json").read_text(encoding="utf-8"))["released"]
    assert found["kind"] == "question"
    assert found["rows"][0]["group"] == "all"
    assert found["bound"] == 8.0
