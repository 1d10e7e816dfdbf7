"""Drives one run over a transport: admission, rounds, and a loud end if anybody is missing.

The transport is the only thing that differs between Flower and one process; letters, signatures,
checks and order are the same.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.letters import (
    NONCE_BYTES,
    PROTOCOL_VERSION,
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    LetterMalformedError,
    Outcome,
    ReleaseResult,
    decode,
    open_answer,
    seal,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.release import ReleaseLayout
from hanse_server.league import Deadlines
from hanse_server.programmes import Programme

_APPROVAL_POLL_S = 1.0
_LARGEST_ENTRY = 2**55
"""Bounds each entry so that no sum over a roster of up to 128 vaults can overflow."""


class RunFailedError(HanseError):
    """The run ended before its last round; it says at whom and why."""

    code = "RUN_FAILED"


class Transport(Protocol):
    """Carries sealed letters to vaults and their replies back."""

    def wait_for(self, partners: int, *, timeout_s: float) -> int:
        """Wait until that many nodes are connected or time is up; return how many are."""

    def exchange(
        self, letters: Mapping[str, bytes], *, accept: Callable[[str, bytes], bool], timeout_s: float
    ) -> dict[str, bytes]:
        """Send each partner its letter; return encoded courier's replies of those that answered in time.

        A reply that ``accept`` finds to be the partner's own is preferred over any other under its name.
        """


@dataclass(frozen=True, kw_only=True)
class Conductor:
    """Everything a run needs beside its programme."""

    proposal: RunProposal
    signed_proposal: bytes
    centre: str
    key: SigningKey
    transport: Transport
    deadlines: Deadlines
    journal: Callable[[dict[str, Any]], None]
    """Told of every event, as JSON values."""
    clock: Callable[[], datetime]

    def conduct(self, programme: Programme) -> dict[str, Any]:
        """Run from admission to result.

        Raises:
            RunFailedError: Naming every vault that was missing or refused, and the reason.
        """
        expected = len(self.proposal.roster)
        connected = self.transport.wait_for(expected, timeout_s=self.deadlines.nodes_s)
        if connected < expected:
            raise RunFailedError(
                f"{connected} of {expected} nodes were connected after {self.deadlines.nodes_s:g} seconds.",
                "Start the missing nodes' couriers ('hanse node courier') and propose the run again.",
            )
        self._admit()
        for round_number in range(1, self.proposal.rounds + 1):
            programme = self._round(programme, round_number)
        return programme.result()

    def _admit(self) -> None:
        parameters = msgspec.msgpack.encode(AdmitParameters(signed_proposal=self.signed_proposal))
        started = time.monotonic()
        waiting = self.proposal.partners()
        while True:
            answers = self._ask(
                waiting,
                round_number=0,
                operation="admit",
                version=1,
                parameters=parameters,
                timeout_s=self.deadlines.admission_s,
            )
            waiting = tuple(partner for partner, answer in answers.items() if answer.outcome is Outcome.WAITING)
            if not waiting:
                self.journal({"event": "admitted", "seconds": time.monotonic() - started})
                return
            if time.monotonic() - started > self.deadlines.approval_s:
                raise RunFailedError(
                    f"Nobody approved the run at {', '.join(waiting)} in {self.deadlines.approval_s:g} seconds.",
                    f"There: hanse node approve {self.proposal.run}. Then propose the run again.",
                )
            self.journal({"event": "waiting-for-approval", "partners": list(waiting)})
            time.sleep(_APPROVAL_POLL_S)

    def _round(self, programme: Programme, round_number: int) -> Programme:
        step = self.proposal.step_of(round_number)
        if step is None:
            raise RunFailedError(f"The proposal has no round {round_number}.", "Propose the run again.")
        layout = self.proposal.layout(step)
        started = time.monotonic()
        self.journal({"event": "round-started", "round": round_number, "operation": step.operation})
        answers = self._ask(
            self.proposal.partners(),
            round_number=round_number,
            operation=step.operation,
            version=step.version,
            parameters=programme.parameters(),
            timeout_s=self.deadlines.round_s,
        )
        total = np.zeros(layout.size, dtype=np.int64)
        for partner, answer in answers.items():
            total += _vector(answer, layout, partner=partner)
        programme = programme.absorb(layout.decode(total), round_number=round_number)
        self.journal({"event": "round-finished", "round": round_number, "seconds": time.monotonic() - started})
        return programme

    def _ask(
        self,
        partners: Sequence[str],
        *,
        round_number: int,
        operation: str,
        version: int,
        parameters: bytes,
        timeout_s: float,
    ) -> dict[str, Answer]:
        letters = {
            partner: seal(
                Instruction(
                    protocol=PROTOCOL_VERSION,
                    run=self.proposal.run,
                    proposal=self.proposal.digest,
                    round=round_number,
                    operation=operation,
                    operation_version=version,
                    sender=self.centre,
                    recipient=partner,
                    nonce=secrets.token_bytes(NONCE_BYTES),
                    sent_at=self.clock(),
                    parameters=msgspec.Raw(parameters),
                ),
                key=self.key,
            )
            for partner in partners
        }
        replies = self.transport.exchange(
            letters,
            accept=lambda partner, reply: self._is_genuine(partner, reply, letters[partner]),
            timeout_s=timeout_s,
        )
        answers, faults = {}, []
        for partner, letter in letters.items():
            try:
                answers[partner] = self._open(partner, replies.get(partner), letter)
            except HanseError as error:
                faults.append(f"{partner}: {error.what}")
        if faults:
            where = f"round {round_number}" if round_number else "the admission"
            raise RunFailedError(
                f"Run {self.proposal.run} ended in {where}, for it needs all of {len(self.proposal.roster)} vaults. "
                + " ".join(faults),
                "Mend what is named, then propose the run again. What vaults paid for so far stays paid.",
            )
        return answers

    def _is_genuine(self, partner: str, reply: bytes, letter: bytes) -> bool:
        try:
            answer = decode(reply, CourierReply).answer
            open_answer(answer, key=self.proposal.key_of(partner), instruction_letter=letter)
        except HanseError:
            return False
        return True

    def _open(self, partner: str, reply: bytes | None, letter: bytes) -> Answer:
        if reply is None:
            raise RunFailedError("no answer in time.", "Look whether its node is running.")
        received = decode(reply, CourierReply)
        if not received.answer:
            raise RunFailedError(
                f"no answer from its vault (the courier says {received.failure}: {received.explanation})",
                "Look whether its vault is running.",
            )
        answer = open_answer(received.answer, key=self.proposal.key_of(partner), instruction_letter=letter)
        if answer.outcome is Outcome.REFUSED:
            raise RunFailedError(f"refused, {answer.reason}: {answer.explanation}", "Mend what it names.")
        return answer


def _vector(answer: Answer, layout: ReleaseLayout, *, partner: str) -> NDArray[np.int64]:
    data = decode(answer.result, ReleaseResult).vector
    if len(data) != 8 * layout.size:
        raise LetterMalformedError(
            f"{partner} released {len(data)} bytes, not {8 * layout.size}.", "Both ends must run the same Hanse."
        )
    vector = np.frombuffer(data, dtype="<i8").astype(np.int64)
    if (vector > _LARGEST_ENTRY).any() or (vector < -_LARGEST_ENTRY).any():
        raise LetterMalformedError(
            f"{partner} released a value that no number of customers could add up to.", "Speak with the partner."
        )
    return vector
