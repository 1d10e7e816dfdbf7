"""The register of runs: what is asked of it is one run's, and a damaged file is a clear error."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hanse_client.vault.register_file import RegisterUnusableError
from hanse_client.vault.run_register import Admission, RegisteredRun, RoundRecord, RunRegister, RunUnknownError
from hanse_privacy.protocol.manifest_chain import ManifestChain


def registered(run: str, state: Admission = Admission.WAITING) -> RegisteredRun:
    return RegisteredRun(run=run, digest=f"digest of {run}", signed_proposal=run.encode(), state=state)


def test_a_run_is_found_by_its_name_as_it_was_entered(tmp_path: Path) -> None:
    register = RunRegister(tmp_path / "runs.db")
    for run in ("churn-1", "churn-2", "popularity-1"):
        register.enter(registered(run))
    register.decide("churn-2", Admission.ADMITTED)
    assert register.find("churn-1") == registered("churn-1")
    assert register.find("churn-2") == registered("churn-2", Admission.ADMITTED)
    assert register.find("churn") is None


def test_letters_are_counted_once_and_for_one_run(tmp_path: Path) -> None:
    register = RunRegister(tmp_path / "runs.db")
    assert register.remember_letter(b"one", run="churn-1")
    assert not register.remember_letter(b"one", run="churn-1")
    assert register.remember_letter(b"two", run="churn-2")
    assert (register.letters("churn-1"), register.letters("churn-3")) == (1, 0)


def test_a_register_lost_while_serving_is_an_error_not_an_empty_one(tmp_path: Path) -> None:
    register = RunRegister(tmp_path / "runs.db")
    for file in tmp_path.iterdir():
        file.unlink()
    for question in (register.find, register.letters, register.rounds, register.manifest_chain):
        with pytest.raises(RegisterUnusableError, match="cannot be read"):
            question("churn-1")
    with pytest.raises(RegisterUnusableError, match="cannot be read"):
        register.runs()


def test_an_ended_run_is_not_begun_again(tmp_path: Path) -> None:
    register = RunRegister(tmp_path / "runs.db")
    register.enter(registered("churn-1"))
    register.decide("churn-1", Admission.ENDED)
    with pytest.raises(RunUnknownError, match="has ended"):
        register.decide("churn-1", Admission.ADMITTED)
    assert register.find("churn-1") == registered("churn-1", Admission.ENDED)


def test_a_runs_manifests_are_remembered_as_they_were_kept_last(tmp_path: Path) -> None:
    register = RunRegister(tmp_path / "runs.db")
    assert register.manifest_chain("churn-1") == ManifestChain()
    waiting = ManifestChain(open_questions=frozenset({"12" * 32, "34" * 32}))
    register.keep_manifest_chain("churn-1", waiting)
    register.keep_manifest_chain("churn-2", ManifestChain(newest="56" * 32))
    again = RunRegister(tmp_path / "runs.db")
    assert again.manifest_chain("churn-1") == waiting
    assert again.manifest_chain("churn-2") == ManifestChain(newest="56" * 32)
    again.keep_manifest_chain("churn-1", ManifestChain(newest="78" * 32))
    assert register.manifest_chain("churn-1") == ManifestChain(newest="78" * 32)


def test_rounds_of_a_register_from_before_attempts_are_kept(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
        connection.execute(
            "CREATE TABLE round (run TEXT NOT NULL, round INTEGER NOT NULL, manifest_position INTEGER NOT NULL,"
            " manifest_root TEXT NOT NULL, loaded_root TEXT NOT NULL, customers INTEGER NOT NULL,"
            " clipped TEXT NOT NULL, answered_at TEXT NOT NULL, PRIMARY KEY (run, round)) STRICT"
        )
        connection.execute("INSERT INTO round VALUES ('churn-1', 2, 30, 'ab', 'ab', 99, 'gradient 3', '2026-05-04')")
    kept = RoundRecord(
        run="churn-1",
        round=2,
        attempt=1,
        manifest_position=30,
        manifest_root="ab",
        loaded_root="ab",
        customers=99,
        clipped="gradient 3",
    )
    for _ in range(2):
        assert RunRegister(tmp_path / "runs.db").rounds("churn-1") == (kept,)
