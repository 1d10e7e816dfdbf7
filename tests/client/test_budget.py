"""What a node's owner reads of the budget: every cap, every run, in a table and as JSON."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanse_client.commands import app
from hanse_client.vault import budget
from hanse_client.vault.home import NodeHome
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_client.vault.run_register import Admission, RegisteredRun, RunRegister
from hanse_demo.workshop import lay_out
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.submission import propose

SOURCE = Path(__file__).parents[2] / "examples" / "own_data"
SUB_CAP = """
[[limits.sub_caps]]
name = "statistics, each half-year"
operation = "popularity-statistics"
period_days = 182
epsilon = 3.5
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[NodeHome]:
    """North's, with a sub-cap, and with one run that is paid for and one that waits."""
    with lay_out(SOURCE, tmp_path / "league") as workshop:
        node = workshop.node("north")
        text = node.policy.read_text(encoding="utf-8")
        node.policy.write_text(text.replace("[limits.operations]", f"{SUB_CAP}\n[limits.operations]"), encoding="utf-8")
        register, key = RunRegister(node.runs), workshop.league.key()
        for draft, state in (("popularity", Admission.ADMITTED), ("churn", Admission.WAITING)):
            proposal = propose(workshop.league, workshop.root / "proposals" / f"{draft}.toml")
            signed = proposal.sign(key)
            register.enter(RegisteredRun(run=proposal.run, digest=proposal.digest, signed_proposal=signed, state=state))
            if state is Admission.ADMITTED:
                (charge,) = proposal.charges()
                open_ledger(node, load_policy(node.policy)).reserve(charge, approved=proposal.budget)
        yield node


def proposals(home: NodeHome) -> list[RunProposal]:
    return [RunProposal.unverified(known.signed_proposal) for known in RunRegister(home.runs).runs()]


def test_every_cap_and_every_run_is_in_it(home: NodeHome) -> None:
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root), "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.output)
    paid, waiting = proposals(home)
    everything, statistics = found["caps"]
    cost = epsilon_of(paid.events(), delta=found["delta"])
    assert (everything["name"], everything["epsilon_allowed"], everything["charges"]) == ("lifetime", 5.0, 1)
    assert (statistics["operation"], statistics["period_days"], statistics["charges"]) == (
        "popularity-statistics",
        182,
        1,
    )
    assert everything["epsilon_spent"] == statistics["epsilon_spent"] == cost
    assert 0 < statistics["epsilon_remaining"] < everything["epsilon_remaining"] < 5.0
    assert [(run["run"], run["state"], run["attempts"], run["epsilon_spent"]) for run in found["runs"]] == [
        (paid.run, "admitted", 1, cost),
        (waiting.run, "waiting", 0, 0.0),
    ]
    assert [run["epsilon_requested"] for run in found["runs"]] == [paid.epsilon, waiting.epsilon]
    assert (found["ledger"]["position"], found["earlier_runs"]) == (1, 0)
    # It is what the vault tells its consent service.
    assert BudgetReport.model_validate(found).caps[0].epsilon_spent == cost


def test_the_newest_runs_are_listed_and_the_others_counted(home: NodeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MOST_RUNS_REPORTED", 1)
    report = budget.read_budget(home)
    (listed,) = report.runs
    assert (listed.run, report.earlier_runs) == (proposals(home)[1].run, 1)
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root)], env={"COLUMNS": "160"})
    assert "1 earlier runs are left out" in shown.output


def test_a_run_that_only_the_ledger_knows_is_listed_all_the_same(home: NodeHome) -> None:
    paid, waiting = proposals(home)
    with closing(sqlite3.connect(home.runs)) as connection, connection:
        connection.execute("DELETE FROM run WHERE run = ?", (paid.run,))
    found = [(run.run, run.state, run.epsilon_requested, run.attempts) for run in budget.read_budget(home).runs]
    assert found == [(paid.run, "unknown", None, 1), (waiting.run, "waiting", waiting.epsilon, 0)]
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root)], env={"COLUMNS": "160"})
    assert "unknown" in shown.output


def test_a_proposal_that_an_earlier_hanse_let_in_is_read_for_what_it_asked(home: NodeHome) -> None:
    paid, waiting = proposals(home)
    with closing(sqlite3.connect(home.runs)) as connection, connection:
        for run, change in ((paid.run, {"units_per_clip": 3}), (waiting.run, {"epsilon": None})):
            ((signed,),) = connection.execute("SELECT signed_proposal FROM run WHERE run = ?", (run,)).fetchall()
            outer = json.loads(signed)
            outer["document"] |= change
            connection.execute("UPDATE run SET signed_proposal = ? WHERE run = ?", (json.dumps(outer).encode(), run))
    assert [run.epsilon_requested for run in budget.read_budget(home).runs] == [paid.epsilon, None]


def test_people_read_it_in_two_tables(home: NodeHome) -> None:
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root)], env={"COLUMNS": "160"})
    for words in ("lifetime", "statistics, each half-year", "never", "waiting", "admitted", "5.000"):
        assert words in shown.output


def test_runs_of_a_centre_that_has_another_key_by_now_are_in_it_still(home: NodeHome) -> None:
    policy = load_policy(home.policy)
    text = home.policy.read_text(encoding="utf-8")
    home.policy.write_text(text.replace(policy.pins.centre_key, SigningKey.generate().public.text), encoding="utf-8")
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root), "--json"])
    assert shown.exit_code == 0, shown.output
    assert len(json.loads(shown.output)["runs"]) == 2


def test_a_missing_ledger_is_said_in_one_sentence(home: NodeHome) -> None:
    for path in home.ledger.parent.glob("ledger.db*"):
        path.unlink()
    shown = CliRunner().invoke(app, ["budget", "--home", str(home.root)])
    assert shown.exit_code != 0
    assert "is missing" in str(shown.exception)
