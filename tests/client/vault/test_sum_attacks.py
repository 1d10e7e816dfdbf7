"""Secure aggregation in an installed vault, attacked over its socket: never two vectors under one set of masks.

Asked eight times at once, asked again after a crash, with other weights, with other keys, or with its own memory put
back from an older copy, a vault sends the bytes that it sent before, or none.
"""

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from threading import Barrier

import numpy as np
import pytest
from locks import locked, wait_until

from hanse_client.vault.home import NodeHome
from hanse_privacy.aggregation.session_keys import SessionKey
from hanse_privacy.protocol.frames import receive_frame, send_frame
from hanse_privacy.protocol.letters import (
    AdmitParameters,
    Answer,
    CourierReply,
    MaskedResult,
    Outcome,
    WeightsParameters,
    decode,
    open_answer,
)
from hanse_privacy.protocol.manifest import NO_PREVIOUS
from hanse_privacy.protocol.proposal import RunProposal

ROOM = 0.5
"""What a run here may cost: its rounds, and many attempts beside."""
SMALL = 2**45
"""Entries of a vector are below it, words under a mask are not."""


def masked_of(answer: Answer) -> bytes:
    assert answer.outcome is Outcome.DONE, answer.explanation
    return decode(answer.result, MaskedResult).masked


def weights(value: float) -> WeightsParameters:
    return WeightsParameters(weights=[value] * 15)


def attempts(trial, run: RunProposal) -> list[tuple[int, int]]:
    return [(entry.round, entry.attempt) for entry in trial.north.entries(run.run)]


def at_once(trial, letters: Sequence[bytes]) -> list[Answer]:
    """Send all letters at the same moment, each over a connection of its own."""
    ready = Barrier(len(letters))

    def send(letter: bytes) -> Answer:
        ready.wait(timeout=10)
        return trial.answer(letter)

    with ThreadPoolExecutor(len(letters)) as pool:
        return list(pool.map(send, letters))


def start(trial) -> None:
    trial.north.program.start()
    trial.north.program.wait()


def restart(trial) -> None:
    trial.north.program.kill()
    start(trial)


# Many at once.


def test_an_attempt_asked_eight_times_at_once_has_one_vector_and_one_price(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    letters = [trial.letter(run, 1, parameters=weights(number / 8)) for number in range(8)]
    assert len({masked_of(answer) for answer in at_once(trial, letters)}) == 1
    assert attempts(trial, run) == [(1, 1)]
    assert [record.attempt for record in trial.north.register().rounds(run.run)] == [1]


def test_attempts_asked_at_once_have_masks_of_their_own(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    numbers = [1, 2, 3] * 3
    answers = at_once(trial, [trial.letter(run, 1, attempt=number) for number in numbers])
    sent: dict[int, set[bytes]] = {}
    for number, answer in zip(numbers, answers, strict=True):
        if answer.outcome is Outcome.DONE:
            sent.setdefault(number, set()).add(masked_of(answer))
        else:
            trial.require_refused(answer, "ROUND_OUT_OF_ORDER")
    assert {len(vectors) for vectors in sent.values()} == {1}
    assert len(set.union(*sent.values())) == len(sent)
    assert attempts(trial, run) == [(1, number) for number in sorted(sent)]


def test_two_runs_at_once_do_not_meet(trial) -> None:
    runs = [trial.admitted(epsilon=ROOM) for _ in range(2)]
    for number in range(1, 4):
        answers = at_once(trial, [trial.letter(run, number) for run in runs for _ in range(3)])
        sent = [{masked_of(answer) for answer in answers[start : start + 3]} for start in (0, 3)]
        assert [len(vectors) for vectors in sent] == [1, 1]
        assert sent[0] != sent[1]
        for run, answer in zip(runs, answers[::3], strict=True):
            # Each run's own keys take its masks off, and no other's.
            assert np.abs(trial.vector(run, answer, number)).max() < SMALL
    assert [attempts(trial, run) for run in runs] == [[(1, 1), (2, 1), (3, 1)]] * 2


# After a crash.


def test_replays_across_a_restart_are_no_letters(trial) -> None:
    run = trial.proposal(epsilon=ROOM)
    trial.approve(run)
    admission = trial.letter(
        run, 0, parameters=AdmitParameters(signed_proposal=run.sign(trial.centre), ledger_statement=b"")
    )
    trial.answer(admission)
    trial.admit(run)
    first = trial.letter(run, 1)
    sent = masked_of(trial.answer(first))
    restart(trial)
    for letter in (admission, first):
        trial.require_not_accepted(letter, "LETTER_MALFORMED")
    # The key for the run is the one that it was: a second one would be a second set of masks.
    heard = trial.heard[(run.digest, "north")]
    assert trial.admit(run).outcome is Outcome.DONE
    assert trial.heard[(run.digest, "north")] == heard
    assert masked_of(trial.ask(run, 1)) == sent
    assert attempts(trial, run) == [(1, 1)]


def test_an_answered_attempt_asked_with_other_weights_after_a_crash(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    sent = masked_of(trial.ask(run, 1, parameters=weights(0.0)))
    for value in (0.25, -1.0):
        restart(trial)
        assert masked_of(trial.ask(run, 1, parameters=weights(value))) == sent
    assert attempts(trial, run) == [(1, 1)]


def manifest_accepted(trial, run: RunProposal) -> bool:
    return trial.north.register().manifest_chain(run.run).newest != NO_PREVIOUS


def lose(trial, run: RunProposal, letter: bytes) -> None:
    """Have north pay for the first attempt at the first round, and kill it before it answers."""
    home = trial.north.home
    with socket(AF_UNIX, SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(str(trial.north.socket))
        with ExitStack() as register_held:
            with locked(home.ledger):
                send_frame(connection, letter)
                wait_until(lambda: manifest_accepted(trial, run))
                # It cannot pay yet. When it has, it finds the register locked, and no answer leaves before that.
                register_held.enter_context(locked(home.runs))
            wait_until(lambda: attempts(trial, run) == [(1, 1)])
            trial.north.program.kill()
        with suppress(ConnectionResetError):
            assert connection.recv(1 << 20) == b""
    start(trial)


def test_a_lost_attempt_is_void_whatever_is_asked_of_it(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    lose(trial, run, trial.letter(run, 1, parameters=weights(0.0)))
    for value in (0.0, 0.5):
        trial.require_refused(trial.ask(run, 1, parameters=weights(value)), "ATTEMPT_VOID")
    trial.require_refused(trial.ask(run, 1, attempt=3), "ROUND_OUT_OF_ORDER")
    answers = at_once(trial, [trial.letter(run, 1, attempt=2, parameters=weights(value)) for value in (0.5, 0.7)])
    assert len({masked_of(answer) for answer in answers}) == 1
    assert np.abs(trial.vector(run, answers[0], 1, attempt=2)).max() < SMALL
    assert attempts(trial, run) == [(1, 1), (1, 2)]


def test_killed_before_it_paid_an_attempt_is_void_and_costs_nothing(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    with socket(AF_UNIX, SOCK_STREAM) as connection, locked(trial.north.home.ledger):
        connection.connect(str(trial.north.socket))
        send_frame(connection, trial.letter(run, 1))
        wait_until(lambda: manifest_accepted(trial, run))
        trial.north.program.kill()
    start(trial)
    trial.require_refused(trial.ask(run, 1), "ATTEMPT_VOID")
    assert attempts(trial, run) == []
    assert trial.ask(run, 1, attempt=2).outcome is Outcome.DONE
    assert attempts(trial, run) == [(1, 2)]


# Other keys.


def souths_other_key(trial, run: RunProposal) -> list[bytes]:
    """The messages of a run, with a second key that the south has signed for it, too."""
    ours, _ = trial.session_keys(run)
    return [ours, SessionKey.generate().message(run.identity, partner="south", key=trial.south.key)]


def test_other_keys_for_another_attempt_are_refused_before_it_is_paid_for(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    sent = masked_of(trial.ask(run, 1))
    other = souths_other_key(trial, run)
    for _ in range(2):
        for attempt in (1, 2):
            answer = trial.ask(run, 1, attempt=attempt, session_keys=other)
            trial.require_refused(answer, "SESSION_KEYS_CHANGED")
        trial.require_refused(trial.ask(run, 2, session_keys=other), "SESSION_KEYS_CHANGED")
        restart(trial)
    assert attempts(trial, run) == [(1, 1)]
    assert masked_of(trial.ask(run, 1)) == sent


def test_other_keys_after_a_lost_attempt_bring_it_not_back(trial) -> None:
    run = trial.admitted(epsilon=ROOM)
    lose(trial, run, trial.letter(run, 1))
    other = souths_other_key(trial, run)
    trial.require_refused(trial.ask(run, 1, session_keys=other), "ATTEMPT_VOID")
    # Nothing was ever sent under the first keys, so the run may have the others; then it keeps to them.
    sent = masked_of(trial.ask(run, 1, attempt=2, session_keys=other))
    trial.require_refused(trial.ask(run, 1, attempt=2), "SESSION_KEYS_CHANGED")
    trial.require_refused(trial.ask(run, 1, attempt=3), "SESSION_KEYS_CHANGED")
    assert masked_of(trial.ask(run, 1, attempt=2, session_keys=other)) == sent
    assert attempts(trial, run) == [(1, 1), (1, 2)]


# The key of a run that is over.


def test_the_key_of_a_run_that_is_over_is_deleted_with_the_next_letter_or_start(trial) -> None:
    def is_kept(run: RunProposal) -> bool:
        with closing(sqlite3.connect(trial.north.home.runs)) as connection:
            return connection.execute("SELECT 1 FROM session_key WHERE run = ?", (run.run,)).fetchone() is not None

    for comes_by in (
        lambda run: trial.require_refused(trial.ask(run, 1), "PROPOSAL_EXPIRED"),
        lambda _: restart(trial),
    ):
        soon = datetime.now(tz=UTC) + timedelta(seconds=1.5)
        run = trial.admitted(expires_at=soon.isoformat())
        assert is_kept(run)
        time.sleep(max(0.0, (soon - datetime.now(tz=UTC)).total_seconds()) + 0.05)
        comes_by(run)
        assert not is_kept(run)


# Older copies of its memory.


def files_of(home: NodeHome, name: str) -> list[Path]:
    return sorted(home.ledger.parent.glob(f"{name}*"))


def copy_state(home: NodeHome, folder: Path) -> Path:
    """Copy both files with their journals, as an owner does."""
    folder.mkdir()
    for path in [*files_of(home, "ledger.db"), *files_of(home, "runs.db")]:
        shutil.copy2(path, folder)
    return folder


def put_back(home: NodeHome, folder: Path, names: Sequence[str]) -> None:
    for name in names:
        for path in files_of(home, name):
            path.unlink()
        for path in folder.glob(f"{name}*"):
            shutil.copy2(path, home.ledger.parent)


BOTH = ("ledger.db", "runs.db")


def forget_budget(trial) -> None:
    """Let the partner's consent service forget what it was told of the vault's ledger.

    It would refuse an older copy by itself; here it is about what else stops one.
    """
    with closing(sqlite3.connect(trial.workshop.consent / "consent.db", timeout=10)) as connection, connection:
        connection.execute("DELETE FROM budget_report WHERE controller = 'north'")


class Copies:
    """North's memory before something, and its newest, which is put back at the end."""

    def __init__(self, trial, folder: Path) -> None:
        self._trial = trial
        self._folder = folder
        self._home = trial.north.home
        self.older: Path | None = None

    def take(self) -> None:
        self._trial.north.program.stop()
        self.older = copy_state(self._home, self._folder / "older")
        start(self._trial)

    @contextmanager
    def put_back(self, names: Sequence[str]) -> Iterator[None]:
        """The vault is stopped inside; whoever starts it finds the older copies."""
        assert self.older is not None
        self._trial.north.program.stop()
        newest = copy_state(self._home, self._folder / f"newest-{time.monotonic_ns()}")
        put_back(self._home, self.older, names)
        try:
            yield
        finally:
            self._trial.north.program.stop()
            put_back(self._home, newest, BOTH)
            # What the older copies went on to say there must not stand in the newest ones' way.
            forget_budget(self._trial)
            start(self._trial)


@pytest.fixture
def copies(trial, tmp_path: Path) -> Copies:
    return Copies(trial, tmp_path)


def served(trial, run_hanse) -> subprocess.CompletedProcess[str]:
    return run_hanse("node", "serve", "--home", str(trial.north.home.root))


def test_an_older_ledger_is_not_served(trial, copies, run_hanse) -> None:
    run = trial.admitted(epsilon=ROOM)
    copies.take()
    sent = masked_of(trial.ask(run, 1))
    with copies.put_back(["ledger.db"]):
        done = served(trial, run_hanse)
        assert done.returncode != 0
        assert "[LEDGER_UNUSABLE]" in done.stderr
        assert "Traceback" not in done.stderr
    assert masked_of(trial.ask(run, 1)) == sent
    assert attempts(trial, run) == [(1, 1)]


def test_an_older_register_makes_what_was_paid_void(trial, copies) -> None:
    run = trial.admitted(epsilon=ROOM)
    copies.take()
    masked_of(trial.ask(run, 1))
    with copies.put_back(["runs.db"]):
        start(trial)
        for value in (0.0, 0.5):
            trial.require_refused(trial.ask(run, 1, parameters=weights(value)), "ATTEMPT_VOID")
        # The manifest of the first attempt is none that this register knows of.
        trial.require_refused(trial.ask(run, 1, attempt=2), "MANIFEST_CHAIN_BROKEN")
        assert attempts(trial, run) == [(1, 1)]


def test_the_partners_own_consent_service_knows_older_copies_of_both(trial, copies, run_hanse) -> None:
    run = trial.admitted(epsilon=ROOM)
    masked_of(trial.ask(run, 1))
    copies.take()
    masked_of(trial.ask(run, 2))
    with copies.put_back(BOTH):
        done = served(trial, run_hanse)
        assert done.returncode != 0
        assert "[LEDGER_UNUSABLE]" in done.stderr
        assert "Traceback" not in done.stderr
    assert len(attempts(trial, run)) == 2


def test_an_older_ledger_under_a_serving_vault_is_known_before_rows_are_read(trial, copies) -> None:
    run, other = trial.admitted(epsilon=ROOM), trial.admitted(epsilon=ROOM)
    copies.take()
    masked_of(trial.ask(run, 1))
    home = trial.north.home
    with copies.put_back([]):
        start(trial)
        put_back(home, copies.older, ["ledger.db"])
        trial.require_refused(trial.ask(other, 1), "LEDGER_UNUSABLE")
        assert trial.north.register().rounds(other.run) == ()


@pytest.mark.parametrize("answered", [1, 2])
def test_older_copies_of_both_end_the_run(trial, copies, answered: int) -> None:
    """Taken while the vault was stopped, before the first round was answered, or before the second."""
    run = trial.admitted(epsilon=ROOM)
    sent = [masked_of(trial.ask(run, number)) for number in range(1, answered)]
    copies.take()
    sent.append(masked_of(trial.ask(run, answered)))
    masked_of(trial.ask(run, answered + 1))
    with copies.put_back(BOTH):
        forget_budget(trial)
        start(trial)
        if answered > 1:
            assert masked_of(trial.ask(run, answered - 1, parameters=weights(0.5))) == sent[-2]
        for value in (0.0, 0.5):
            answer = trial.ask(run, answered, parameters=weights(value))
            trial.require_refused(answer, "MANIFEST_CHAIN_BROKEN")
        trial.require_refused(trial.ask(run, answered, attempt=2), "ROUND_OUT_OF_ORDER")
        assert attempts(trial, run) == [(number, 1) for number in range(1, answered)]


def test_copies_of_both_from_the_middle_of_an_attempt(trial, copies, tmp_path: Path) -> None:
    """Taken while the vault serves, between its question for the manifest and its payment."""
    run = trial.admitted(epsilon=ROOM)
    home = trial.north.home
    letter = trial.letter(run, 1)
    with socket(AF_UNIX, SOCK_STREAM) as connection:
        connection.connect(str(trial.north.socket))
        with locked(home.ledger):
            send_frame(connection, letter)
            wait_until(lambda: manifest_accepted(trial, run))
            copies.older = copy_state(home, tmp_path / "hot")
        reply = decode(receive_frame(connection, timeout_s=20), CourierReply)
    sent = masked_of(open_answer(reply.answer, key=trial.north.key.public, instruction_letter=letter))
    with copies.put_back(BOTH):
        forget_budget(trial)
        start(trial)
        for value in (0.0, 0.5):
            trial.require_refused(trial.ask(run, 1, parameters=weights(value)), "ATTEMPT_VOID")
        # The attempt that is new has masks of its own, and the manifest that it needs answers a question of its own.
        assert masked_of(trial.ask(run, 1, attempt=2)) != sent


# Before anything is paid.


def test_more_honest_vaults_than_a_partner_counts_on_are_too_many(trial) -> None:
    proposal = trial.proposal(honest_minimum=2, epsilon=ROOM)
    answer = trial.admit(proposal)
    trial.require_refused(answer, "POLICY_VIOLATION")
    # Two vaults, one of which may collude.
    assert "counts on 2 honest partners of 2, at most 1 here" in answer.explanation
    assert trial.north.register().find(proposal.run) is None


def test_a_sum_that_could_wrap_is_refused_before_it_is_paid_for(trial) -> None:
    narrow = trial.admitted(ring_bits=32, epsilon=ROOM)
    answer = trial.ask(narrow, 1)
    assert len(masked_of(answer)) == 4 * narrow.layout(narrow.steps[0]).size
    assert np.abs(trial.vector(narrow, answer, 1)).max() < 2**29
    too_fine = trial.admitted(ring_bits=32, units_per_clip=2**24, epsilon=ROOM)
    before = trial.north.spent_epsilon()
    for _ in range(2):
        trial.require_refused(trial.ask(too_fine, 1), "INVALID_VALUE")
    assert attempts(trial, too_fine) == []
    assert trial.north.spent_epsilon() == before
    # With room for the same units it is answered.
    wide = trial.admitted(ring_bits=64, units_per_clip=2**24, epsilon=ROOM)
    assert trial.ask(wide, 1).outcome is Outcome.DONE
