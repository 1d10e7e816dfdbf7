"""What fails around a vault: a person who has not decided, a consent service, a kill, a full disk, a spent budget.

Whatever it is, nothing leaves unpaid, and what was paid stays paid.
"""

import os
import resource
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from impostor import Impostor, http, manifest
from locks import locked, wait_until

from hanse_client.vault.register_file import RegisterUnusableError
from hanse_client.vault.run_register import RunRegister
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.protocol.frames import send_frame
from hanse_privacy.protocol.ledger_report import BudgetOutcome
from hanse_privacy.protocol.letters import MaskedResult, Outcome, decode
from hanse_privacy.protocol.manifest import NO_PREVIOUS
from hanse_privacy.protocol.proposal import RunProposal

# A person is asked (the south's policy says so).


def test_a_run_waits_for_a_person_and_goes_on_when_approved(trial, run_hanse) -> None:
    home = str(trial.south.home.root)
    churn = trial.proposal()
    for answer in (
        trial.admit(churn, node="south"),
        trial.admit(churn, node="south"),
        trial.ask(churn, 1, node="south"),
    ):
        assert (answer.outcome, answer.reason) == (Outcome.WAITING, "WAITING_FOR_APPROVAL")
    listed = run_hanse("node", "runs", "--home", home)
    assert churn.run in listed.stdout
    assert "waiting" in listed.stdout
    approved = run_hanse("node", "approve", churn.run, "--home", home)
    assert (approved.returncode, approved.stderr) == (0, "")
    assert trial.admit(churn, node="south").outcome is Outcome.DONE
    assert trial.ask(churn, 1, node="south").outcome is Outcome.DONE
    # A person may stop it at any time, too.
    assert run_hanse("node", "refuse", churn.run, "--home", home).returncode == 0
    trial.require_refused(trial.ask(churn, 2, node="south"), "REFUSED_BY_OWNER")
    trial.require_refused(trial.admit(churn, node="south"), "REFUSED_BY_OWNER")
    assert [entry.round for entry in trial.south.entries(churn.run)] == [1]


def test_an_approval_is_for_the_terms_that_were_seen(trial, run_hanse) -> None:
    seen = trial.proposal()
    assert trial.admit(seen, node="south").outcome is Outcome.WAITING
    other = trial.proposal(run=seen.run, minimum_cohort=1)
    trial.require_refused(trial.admit(other, node="south"), "PROPOSAL_CHANGED")
    assert run_hanse("node", "approve", seen.run, "--home", str(trial.south.home.root)).returncode == 0
    trial.require_refused(trial.admit(other, node="south"), "PROPOSAL_CHANGED")
    trial.require_refused(trial.ask(other, 1, node="south"), "PROPOSAL_CHANGED")
    assert trial.south.entries(seen.run) == []


def test_a_run_that_nobody_proposed_cannot_be_approved(trial, run_hanse) -> None:
    for command in ("approve", "refuse"):
        done = run_hanse("node", command, "nobody-1", "--home", str(trial.south.home.root))
        assert done.returncode == 2
        assert "[RUN_UNKNOWN]" in done.stderr
        assert "Traceback" not in done.stderr


# The consent service is gone, or something else sits in its place.


SHOW = {"outcome": BudgetOutcome.SHOW_LAST}


def position_seen(trial) -> int:
    """How far the north's vault has seen its consent service: an impostor behind that is found out, too."""
    with closing(sqlite3.connect(trial.north.home.runs)) as connection:
        return connection.execute("SELECT coalesce(max(position), 1) FROM consent_position").fetchone()[0]


@pytest.fixture(scope="class")
def churn(trial) -> RunProposal:
    return trial.admitted()


@pytest.fixture(scope="module")
def begun(trial) -> RunProposal:
    """A run whose first round the real service has given a manifest for."""
    run = trial.admitted()
    assert trial.ask(run, 1).outcome is Outcome.DONE
    return run


@pytest.fixture(scope="class")
def killed(trial, churn, begun) -> Iterator[None]:
    trial.consent.kill()
    yield
    trial.consent.start()
    trial.consent.wait()


@pytest.fixture(scope="class")
def impostor(trial, killed) -> Iterator[Impostor]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", trial.workshop.consent_port))
    listener.listen()
    one = Impostor(approving=trial.consent_key)
    thread = threading.Thread(target=one.serve, args=(listener,), daemon=True)
    thread.start()
    yield one
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=10)


class TestConsentService:
    """The real one is killed once; an impostor takes its port; at the end the real one is back."""

    def require_no_round(self, trial, churn: RunProposal, reason: str) -> str:
        before = trial.north.spent_epsilon()
        started = time.monotonic()
        answer = trial.ask(churn, 1)
        trial.require_refused(answer, reason)
        # The policy's timeout is one second for the whole exchange.
        assert time.monotonic() - started < 6
        assert trial.north.entries(churn.run) == []
        assert trial.north.register().rounds(churn.run) == ()
        assert trial.north.spent_epsilon() == before
        return str(answer.explanation)

    def test_gone(self, trial, churn, killed) -> None:
        self.require_no_round(trial, churn, "CONSENT_UNAVAILABLE")

    def test_silent(self, trial, churn, impostor) -> None:
        def silent(question: dict[str, Any]) -> bytes:
            time.sleep(1.5)
            return b""

        impostor.answer = silent
        self.require_no_round(trial, churn, "CONSENT_UNAVAILABLE")

    def test_dripping(self, trial, churn, impostor) -> None:
        impostor.answer = lambda question: http(manifest(question, trial.north.pseudonyms, key=trial.consent_key))
        impostor.pause_s = 0.2
        try:
            self.require_no_round(trial, churn, "CONSENT_UNAVAILABLE")
        finally:
            impostor.pause_s = 0.0

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (b"", "CONSENT_UNAVAILABLE"),
            (b"\x00\xff" * 500, "CONSENT_ANSWER_INVALID"),
            (http(b"failed", status="500 Internal Server Error"), "CONSENT_UNAVAILABLE"),
            (http(b""), "CONSENT_ANSWER_INVALID"),
            (http(b"everybody"), "CONSENT_ANSWER_INVALID"),
            (http(b"[" * 50_000), "CONSENT_ANSWER_INVALID"),
            (http(b'{"customers": "all"}'), "CONSENT_ANSWER_INVALID"),
            (http(b"", status="302 Found", more="Location: http://127.0.0.1:1/\r\n"), "CONSENT_ANSWER_INVALID"),
            (http(b"no", status="403 Forbidden"), "CONSENT_ANSWER_INVALID"),
            (
                http(
                    b'{"code": "TIER_NOT_OFFERED", "detail": "Not at this tier.", "mend": "Ask for less."}',
                    status="422 Unprocessable Content",
                    kind="application/problem+json",
                ),
                "CONSENT_REFUSED",
            ),
        ],
        ids=["hangs-up", "noise", "500", "empty", "text", "deep", "no-manifest", "redirect", "bare-403", "refusal"],
    )
    def test_nonsense(self, trial, churn, impostor, answer: bytes, reason: str) -> None:
        impostor.answer = lambda question: answer
        self.require_no_round(trial, churn, reason)

    def test_manifests_that_are_not_the_pinned_services(self, trial, churn, impostor) -> None:
        for key in (SigningKey.generate(), trial.centre, trial.north.key):
            impostor.answer = lambda question, key=key: http(manifest(question, trial.north.pseudonyms, key=key))
            self.require_no_round(trial, churn, "CONSENT_ANSWER_INVALID")

    @pytest.mark.parametrize(
        "changes",
        [
            {"nonce": "00" * 16},
            {"round": 2},
            {"run": "churn-other"},
            {"partner": "south"},
            {"purpose": "model-evaluation"},
            {"tier": "advanced"},
            {"proposal": "00" * 32},
            {"issued_at": "2020-01-01T00:00:00+00:00", "expires_at": "2020-01-01T00:05:00+00:00"},
            {"issued_at": "2999-01-01T00:00:00+00:00", "expires_at": "2999-01-01T00:05:00+00:00"},
        ],
    )
    def test_signed_manifests_that_answer_another_question(self, trial, churn, impostor, changes) -> None:
        impostor.answer = lambda question: http(
            manifest(question, trial.north.pseudonyms, key=trial.consent_key, **changes)
        )
        self.require_no_round(trial, churn, "CONSENT_ANSWER_INVALID")

    @pytest.mark.parametrize(
        "say",
        [
            lambda receipt, key: b"",
            lambda receipt, key: receipt.sign(SigningKey.generate()),
            lambda receipt, key: receipt.model_copy(update={"report": "00" * 32}).sign(key),
            lambda receipt, key: receipt.model_copy(update={"partner": "south"}).sign(key),
            lambda receipt, key: receipt.sign(key).replace(b'"received_at":"2', b'"received_at":"3'),
            # For ever: no ledger is far enough, or the same place again.
            lambda receipt, key: receipt.model_copy(update=SHOW | {"last_position": 2**40}).sign(key),
            lambda receipt, key: receipt.model_copy(update=SHOW | {"last_position": 0}).sign(key),
            lambda receipt, key: receipt.model_copy(update=SHOW).sign(key),
        ],
        ids=[
            "empty",
            "another key",
            "another report",
            "another partner",
            "changed",
            "beyond",
            "never enough",
            "nothing",
        ],
    )
    def test_a_receipt_that_is_not_for_this_budget(self, trial, impostor, say: Callable[..., bytes]) -> None:
        trial.admitted(approved=False)  # a run more: the budget has to be reported anew
        impostor.receipt = say
        try:
            answer = trial.admit(trial.proposal(), approved=False)
        finally:
            impostor.receipt = lambda receipt, key: receipt.sign(key)
        trial.require_refused(answer, "CONSENT_ANSWER_INVALID")

    def test_a_recorded_manifest_does_not_serve_twice(self, trial, impostor) -> None:
        recorded: list[bytes] = []

        def once(question: dict[str, Any]) -> bytes:
            if not recorded:
                few = trial.north.pseudonyms[:10]
                recorded.append(manifest(question, few, key=trial.consent_key, position=position_seen(trial)))
            return http(recorded[0])

        impostor.answer = once
        small = trial.admitted(approved=False)
        self.require_no_round(trial, small, "COHORT_TOO_SMALL")
        # Said once: the run is over here, so that nobody learns by asking when a customer comes or goes.
        self.require_no_round(trial, small, "RUN_ENDED")
        self.require_no_round(trial, trial.admitted(approved=False), "CONSENT_ANSWER_INVALID")

    def test_strangers_do_not_fill_a_cohort(self, trial, impostor) -> None:
        strangers = tuple(f"{number:032x}" for number in range(1000))
        impostor.answer = lambda question: http(
            manifest(
                question,
                (*trial.north.pseudonyms[:49], *strangers),
                key=trial.consent_key,
                position=position_seen(trial),
            )
        )
        words = self.require_no_round(trial, trial.admitted(approved=False), "COHORT_TOO_SMALL")
        assert "49" not in words
        asked = [question["nonce"] for question in impostor.asked]
        assert len(set(asked)) == len(asked)

    @pytest.mark.parametrize("previous", ["0" * 64, "77" * 32])
    def test_a_service_with_the_right_key_and_another_history(self, trial, begun, impostor, previous: str) -> None:
        before = trial.north.register().manifest_chain(begun.run)
        assert before.newest not in (NO_PREVIOUS, previous)
        impostor.answer = lambda question: http(
            manifest(
                question,
                trial.north.pseudonyms,
                key=trial.consent_key,
                previous=previous,
                position=position_seen(trial),
            )
        )
        trial.require_refused(trial.ask(begun, 2), "MANIFEST_CHAIN_BROKEN")
        assert [entry.round for entry in trial.north.entries(begun.run)] == [1]
        assert trial.north.register().manifest_chain(begun.run).newest == before.newest


def test_with_the_service_back_its_own_history_goes_on(trial, begun) -> None:
    answers = [trial.ask(begun, 2)]
    # What a service that has just started answers may come too late: it is lost then, and asked for again.
    while answers[-1].reason == "CONSENT_UNAVAILABLE" and len(answers) < 5:
        answers.append(trial.ask(begun, 2))
    assert answers[-1].outcome is Outcome.DONE, answers[-1].explanation


def test_with_the_service_back_the_same_run_goes_on(trial) -> None:
    churn = trial.admitted()
    answer = trial.ask(churn, 1)
    assert answer.outcome is Outcome.DONE, answer.explanation


# The disk is full.


@contextmanager
def largest_file(pid: int, limit_bytes: int) -> Iterator[None]:
    """No file of that process may grow beyond the limit: what a full disk does, without filling one."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def linux_only() -> None:
    if not hasattr(resource, "prlimit"):
        pytest.skip("setting another process's limits needs Linux")


def test_with_a_full_disk_no_letter_is_opened(trial, linux_only) -> None:
    churn = trial.admitted()
    letter = trial.letter(churn, 1)
    with largest_file(trial.north.program.pid, 0):
        trial.require_not_accepted(letter, "REGISTER_UNUSABLE")
    assert trial.north.entries(churn.run) == []
    # With room again the very same letter counts: it was never taken in.
    assert trial.answer(letter).outcome is Outcome.DONE
    assert len(trial.north.entries(churn.run)) == 1


def test_nothing_is_released_that_the_ledger_could_not_hold(trial, linux_only) -> None:
    churn = trial.admitted()
    with closing(sqlite3.connect(trial.north.home.runs)) as held:
        # Held open, the register keeps its index file and needs little room; the ledger must make its own, of 32 KiB.
        held.execute("SELECT count(*) FROM letter").fetchone()
        with largest_file(trial.north.program.pid, 30_000):
            trial.require_refused(trial.ask(churn, 1), "LEDGER_UNUSABLE")
    assert trial.north.entries(churn.run) == []
    assert trial.north.register().rounds(churn.run) == ()
    assert trial.ask(churn, 1).outcome is Outcome.DONE


@pytest.mark.parametrize("room_bytes", [0, 100, 4096, 20_000])
def test_a_vault_without_room_for_its_state_says_so(tmp_path: Path, linux_only, room_bytes: int) -> None:
    with largest_file(os.getpid(), room_bytes):
        with pytest.raises(LedgerUnusableError, match=r"ledger\.db cannot be made"):
            PrivacyLedger.create(tmp_path / "ledger.db")
        with pytest.raises(RegisterUnusableError, match=r"cannot be (opened|written)"):
            RunRegister(tmp_path / "runs.db")


@pytest.mark.parametrize("content", [b"no database at all" * 500, b""], ids=["damaged", "lost"])
def test_a_ledger_that_was_lost_or_damaged_while_serving_is_not_an_empty_one(trial, tmp_path, content: bytes) -> None:
    run = trial.admitted()
    ledger = trial.north.home.ledger
    kept = tmp_path / ledger.name
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.rename(kept)
    try:
        ledger.write_bytes(content)
        trial.require_refused(trial.ask(run, 1), "LEDGER_UNUSABLE")
        trial.require_refused(trial.admit(trial.proposal()), "LEDGER_UNUSABLE")
    finally:
        for path in ledger.parent.glob(f"{ledger.name}*"):
            path.unlink()
        kept.rename(ledger)
    assert trial.ask(run, 1).outcome is Outcome.DONE
    assert len(trial.north.entries(run.run)) == 1


# The vault is killed.


def restart(trial) -> None:
    trial.north.program.start()
    trial.north.program.wait()


def test_killed_between_rounds_it_keeps_its_spending_and_its_memory(trial) -> None:
    churn = trial.admitted()
    first = trial.letter(churn, 1)
    sent = trial.answer(first).result
    assert sent
    entries, spent = trial.north.entries(), trial.north.spent_epsilon()
    trial.north.program.kill()
    unreachable = trial.send(trial.letter(churn, 2))
    assert (unreachable.answer, unreachable.failure) == (b"", "VAULT_UNREACHABLE")
    restart(trial)
    assert trial.north.entries() == entries
    trial.require_not_accepted(first, "LETTER_MALFORMED")
    # The very bytes again: a second vector under the same masks would show its difference from the first.
    assert trial.ask(churn, 1).result == sent
    assert trial.north.spent_epsilon() == spent
    # Still admitted, without asking anew: the run goes on.
    assert trial.ask(churn, 2).outcome is Outcome.DONE
    assert trial.north.spent_epsilon() > spent


def test_killed_between_paying_and_answering_it_never_answers(trial) -> None:
    run = trial.admitted(epsilon=2 * trial.proposal().epsilon)
    home = trial.north.home

    def manifest_accepted() -> bool:
        return trial.north.register().manifest_chain(run.run).newest != NO_PREVIOUS

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(trial.north.socket))
        with ExitStack() as register_held:
            with locked(home.ledger):
                send_frame(connection, trial.letter(run, 1))
                wait_until(manifest_accepted)
                # It cannot pay yet. When it has, it finds the register locked, and no answer leaves before that.
                register_held.enter_context(locked(home.runs))
            wait_until(lambda: len(trial.north.entries(run.run)) == 1)
            trial.north.program.kill()
        with suppress(ConnectionResetError):
            assert connection.recv(1 << 20) == b""
    restart(trial)
    assert len(trial.north.entries(run.run)) == 1
    trial.require_refused(trial.ask(run, 1), "ATTEMPT_VOID")
    trial.require_refused(trial.ask(run, 2), "ROUND_OUT_OF_ORDER")
    # What was paid for is spent; the next attempt is paid for anew, as far as the run was approved.
    assert trial.ask(run, 1, attempt=2).outcome is Outcome.DONE
    assert [(entry.round, entry.attempt) for entry in trial.north.entries(run.run)] == [(1, 1), (1, 2)]
    assert trial.ask(run, 2).outcome is Outcome.DONE


# It does not start where it would not be safe, and says so in one line.


def test_a_home_that_others_can_enter_is_not_served(trial, run_hanse) -> None:
    state = trial.south.home.ledger.parent
    state.chmod(0o750)
    try:
        done = run_hanse("node", "serve", "--home", str(trial.south.home.root))
    finally:
        state.chmod(0o700)
    assert done.returncode == 2
    assert "[NODE_HOME]" in done.stderr
    assert "chmod 700" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_vault_leaves_the_first_one_alone(trial, run_hanse) -> None:
    done = run_hanse("node", "serve", "--home", str(trial.north.home.root))
    assert done.returncode == 2
    assert "[NODE_HOME]" in done.stderr
    assert "Traceback" not in done.stderr
    trial.require_alive()
    assert trial.ask(trial.admitted(), 1).outcome is Outcome.DONE


# The budget, last: it is spent here.


def test_runs_admitted_together_cannot_pass_the_cap_together(trial) -> None:
    # Each fits when it is let in; the ledger asks again before each release.
    runs = [trial.admitted("dear") for _ in range(4)]
    answers = [trial.ask(run, 1) for run in runs]
    released = [answer for answer in answers if answer.outcome is Outcome.DONE]
    assert 0 < len(released) < 4
    for answer in answers[len(released) :]:
        trial.require_refused(answer, "BUDGET_EXHAUSTED")
    assert all(decode(answer.result, MaskedResult).masked for answer in released)
    assert trial.north.spent_epsilon() <= 5.0
    trial.require_refused(trial.admit(trial.proposal("dear")), "BUDGET_EXHAUSTED")
