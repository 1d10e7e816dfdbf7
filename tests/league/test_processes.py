"""The demo as a user starts it: real Flower processes on loopback, and none of them left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hanse_client.vault.home import NodeHome
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_client.vault.run_register import RunRegister
from hanse_demo.memory_league import MemoryLeague
from hanse_demo.summary import Summary
from hanse_privacy.accounting import epsilon_of

OWN_DATA = Path(__file__).parents[2] / "examples" / "own_data"
HANSE = str(Path(sys.executable).parent / "hanse")
HEEDING_SIGNALS = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""

pytestmark = pytest.mark.processes


def processes_of(out: Path) -> list[int]:
    """Ids of live processes that were started for this folder, whoever their parent is now."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if os.fsencode(out) in told and state != "Z":
                    found.append(int(entry.name))
    return found


def end_processes_of(out: Path) -> None:
    while left := processes_of(out):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def run_demo(league: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [HANSE, "demo", "--league", str(league), "--out", str(out)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=280)


def shortened(folder: Path) -> Path:
    """The example with four training rounds instead of ten, and the withdrawals after the first."""
    shutil.copytree(OWN_DATA, folder)
    for name, old, new in (
        ("proposals/churn.toml", "rounds = 9", "rounds = 3"),
        ("demo.toml", "after_round = 4", "after_round = 1"),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    return folder


def test_the_demo_runs_over_real_flower_processes(tmp_path: Path, league: MemoryLeague) -> None:
    out, source = tmp_path / "demo", shortened(tmp_path / "source")
    done = run_demo(source, out)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = Summary.model_validate_json((out / "summary.json").read_text())
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    assert "NOT in force" in done.stdout
    assert processes_of(out) == []
    popularity, churn, question = summary.released.runs
    assert question.answer is not None
    assert len(question.answer.rows) == 13
    for run in (popularity, churn, question):
        for partner, epsilon in run.epsilon_recorded.items():
            home = NodeHome(root=out / "partners" / partner)
            book = open_ledger(home, load_policy(home.policy))
            events = [entry.event for entry in book.entries() if entry.run == run.run]
            assert epsilon == epsilon_of(events, delta=run.delta) <= run.epsilon_stated
    north = next(truth for truth in summary.demo_oracle.partners if truth.partner == "north")
    cohorts = north.cohort_by_round[churn.run]
    assert north.withdrew > 0
    # Who withdrew while a round was under way is out of the next one at the latest.
    assert cohorts[0] == north.consented["churn-training"]
    assert cohorts[3] == cohorts[0] - north.withdrew

    # The same signed letters on both transports, counted where they arrive.
    shutil.copytree(source / "proposals", league.workshop.root / "proposals", dirs_exist_ok=True)
    drafts = {"popularity.toml": popularity.run, "churn.toml": churn.run, "question.toml": question.run}
    for draft, real in drafts.items():
        proposal = league.propose(draft)
        league.conduct(proposal)
        for partner in ("north", "south"):
            over_flower = RunRegister(out / "partners" / partner / "state" / "runs.db")
            in_memory = RunRegister(league.workshop.node(partner).runs)
            assert over_flower.letters(real) == in_memory.letters(proposal.run) == proposal.rounds + 1
            assert len(over_flower.rounds(real)) == len(in_memory.rounds(proposal.run)) == proposal.rounds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "demo"
    demo = subprocess.Popen(
        # Whoever runs the tests in the background has SIGINT ignored, and that is inherited.
        [sys.executable, "-c", HEEDING_SIGNALS, HANSE, "demo", "--league", str(OWN_DATA), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        limit = time.monotonic() + 90
        # The last processes to start are the couriers' own helpers.
        while time.monotonic() < limit and len(processes_of(out)) < 7 and demo.poll() is None:
            time.sleep(0.1)
        assert len(processes_of(out)) >= 7
        demo.send_signal(number)
        output, _ = demo.communicate(timeout=40)
        assert demo.returncode == 130
        assert "Stopped." in output
        assert "Traceback" not in output
        assert processes_of(out) == []
    finally:
        # Where it failed: its league would run on for hours.
        demo.kill()
        end_processes_of(out)


def test_a_failure_ends_everything_with_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "league"
    shutil.copytree(OWN_DATA, source)
    policy = source / "partners" / "south" / "policy.toml"
    policy.write_text(policy.read_text().replace("run_epsilon = 3.0", "run_epsilon = 2.0"))
    out = tmp_path / "demo"
    done = run_demo(source, out)
    assert done.returncode == 1
    assert "epsilon 3 is above 2 for one run" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert processes_of(out) == []


def test_other_peoples_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    done = run_demo(OWN_DATA, tmp_path)
    assert done.returncode == 2
    assert "DEMO_FOLDER" in done.stderr
    assert (tmp_path / "precious.txt").read_text() == "mine"
