"""Drives one run over a transport: admission, rounds, and a loud end if anybody is missing.

The transport is the only thing that differs between Flower and one process; letters, signatures,
checks and order are the same.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse_privacy.aggregation.centre_side import Collection
from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.session_keys import verified_key
from hanse_privacy.aggregation.vault_side import SumRefusal
from hanse_privacy.caps import Charge
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.letters import (
    NONCE_BYTES,
    PROTOCOL_VERSION,
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    KeyResult,
    MaskedResult,
    Outcome,
    decode,
    open_answer,
    seal,
)
from hanse_privacy.protocol.proposal import RunProposal, Step
from hanse_privacy.release import ReleaseLayout
from hanse_server.league import Deadlines
from hanse_server.league_ledger import LeagueLedger
from hanse_server.programmes import Programme

_APPROVAL_POLL_S = 1.0
_SENDS = 2
"""So often an attempt is sent to a vault that does not answer, before the run ends."""


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
    ledger: LeagueLedger
    deadlines: Deadlines
    journal: Callable[[dict[str, Any]], None]
    """Told of every event, as JSON values."""
    clock: Callable[[], datetime]

    def conduct(self, programme: Programme) -> dict[str, Any]:
        """Run from admission to result.

        Raises:
            RunFailedError: Naming every vault that was missing or refused, and the reason.
            BudgetExhaustedError: If a person would lose more than the league's cap.
        """
        expected = len(self.proposal.roster)
        connected = self.transport.wait_for(expected, timeout_s=self.deadlines.nodes_s)
        if connected < expected:
            raise RunFailedError(
                f"{connected} of {expected} nodes were connected after {self.deadlines.nodes_s:g} seconds.",
                "Start the missing nodes' couriers ('hanse node courier') and propose the run again.",
            )
        session_keys = self._admit()
        for round_number in range(1, self.proposal.rounds + 1):
            programme = self._round(programme, round_number, session_keys)
        return programme.result()

    def _admit(self) -> list[bytes]:
        """Have every vault admit the run; return their signed ephemeral keys, in the roster's order."""
        started = time.monotonic()
        waiting: Sequence[str] = self.proposal.partners()
        keys: dict[str, bytes] = {}
        while True:
            answers, faults = self._ask(
                waiting,
                round_number=0,
                operation="admit",
                version=1,
                parameters=self._admit_parameters,
                timeout_s=self.deadlines.admission_s,
            )
            waiting = tuple(partner for partner, answer in answers.items() if answer.outcome is Outcome.WAITING)
            for partner, answer in answers.items():
                if answer.outcome is Outcome.REFUSED:
                    faults[partner] = _refusal(answer)
                elif answer.outcome is Outcome.DONE:
                    with _noted(faults, partner):
                        keys[partner] = self._session_key(partner, answer)
            if faults:
                raise self._ended("the admission", faults)
            if not waiting:
                self.journal({"event": "admitted", "seconds": time.monotonic() - started})
                return [keys[partner] for partner in self.proposal.partners()]
            if time.monotonic() - started > self.deadlines.approval_s:
                raise RunFailedError(
                    f"Nobody approved the run at {', '.join(waiting)} in {self.deadlines.approval_s:g} seconds.",
                    f"There: hanse node approve {self.proposal.run}. Then propose the run again.",
                )
            self.journal({"event": "waiting-for-approval", "partners": list(waiting)})
            time.sleep(_APPROVAL_POLL_S)

    def _session_key(self, partner: str, answer: Answer) -> bytes:
        result = decode(answer.result, KeyResult)
        self._take_statement(partner, result.ledger_statement, answered=None)
        # Each vault looks again; found here, nobody has paid yet.
        verified_key(result.session_key, self.proposal.identity, partner=partner)
        return result.session_key

    def _take_statement(self, partner: str, signed: bytes, *, answered: Charge | None) -> None:
        key = self.proposal.key_of(partner)
        self.ledger.take_statement(signed, partner=partner, key=key, answered=answered)

    def _admit_parameters(self, partner: str) -> bytes:
        statement = self.ledger.statement_of(partner, key=self.proposal.key_of(partner))
        return msgspec.msgpack.encode(AdmitParameters(signed_proposal=self.signed_proposal, ledger_statement=statement))

    def _round(self, programme: Programme, round_number: int, session_keys: list[bytes]) -> Programme:
        step = self.proposal.step_of(round_number)
        if step is None:
            raise RunFailedError(f"The proposal has no round {round_number}.", "Propose the run again.")
        layout = self.proposal.layout(step)
        started = time.monotonic()
        self.journal({"event": "round-started", "round": round_number, "operation": step.operation})
        total = self._total(step, layout, programme.parameters(), round_number, session_keys)
        programme = programme.absorb(layout.decode(total), round_number=round_number)
        self.journal({"event": "round-finished", "round": round_number, "seconds": time.monotonic() - started})
        return programme

    def _total(
        self, step: Step, layout: ReleaseLayout, parameters: bytes, round_number: int, session_keys: list[bytes]
    ) -> NDArray[np.int64]:
        """Attempt the round until every vault has answered one and the same attempt."""
        number = 1
        while True:
            attempt = Attempt(round=round_number, step=self.proposal.steps.index(step), attempt=number)
            collection = Collection(
                partners=self.proposal.partners(), attempt=attempt, ring=self.proposal.ring, size=layout.size
            )
            total = self._attempt(collection, step, parameters, session_keys)
            if total is not None:
                return total
            self.journal({"event": "attempt-void", "round": round_number, "attempt": number})
            number += 1  # what a vault may spend in a run is bounded, and with it this loop

    def _attempt(
        self, collection: Collection, step: Step, parameters: bytes, session_keys: list[bytes]
    ) -> NDArray[np.int64] | None:
        """Collect every vault's masked vector and add up; none if a vault lost the attempt."""
        is_void, faults = False, dict.fromkeys(collection.partners, "")
        charge = self.proposal.charge(step, round_number=collection.attempt.round, attempt=collection.attempt.attempt)
        self.ledger.ask(collection.partners, charge, vaults_of_unit=self.proposal.unit.vaults)
        for _ in range(_SENDS):
            # Whoever answered before sends the same bytes again: nobody is asked for a second vector.
            answers, faults = self._ask(
                collection.missing,
                round_number=collection.attempt.round,
                attempt=collection.attempt.attempt,
                session_keys=session_keys,
                operation=step.operation,
                version=step.version,
                parameters=lambda _: parameters,
                timeout_s=self.deadlines.round_s,
            )
            refused: dict[str, str] = {}
            for partner, answer in answers.items():
                if answer.outcome is Outcome.DONE:
                    with _noted(refused, partner):
                        result = decode(answer.result, MaskedResult)
                        self._take_statement(partner, result.ledger_statement, answered=charge)
                        collection = collection.receive(partner, result.masked)
                elif answer.reason == SumRefusal.ATTEMPT_VOID:
                    is_void = True
                else:
                    refused[partner] = _refusal(answer)
            if refused:
                raise self._ended(f"round {collection.attempt.round}", faults | refused)
            if is_void:
                return None
            if not faults:
                return collection.total()
        raise self._ended(f"round {collection.attempt.round}", faults)

    def _ended(self, where: str, faults: Mapping[str, str]) -> RunFailedError:
        named = " ".join(f"{partner}: {fault}" for partner, fault in faults.items())
        return RunFailedError(
            f"Run {self.proposal.run} ended in {where}, for it needs all of {len(self.proposal.roster)} vaults."
            f" {named}",
            "Mend what is named, then propose the run again. What vaults paid for so far stays paid.",
        )

    def _ask(
        self,
        partners: Sequence[str],
        *,
        round_number: int,
        operation: str,
        version: int,
        parameters: Callable[[str], bytes],
        timeout_s: float,
        attempt: int = 0,
        session_keys: Sequence[bytes] = (),
    ) -> tuple[dict[str, Answer], dict[str, str]]:
        """Send each partner a letter; return the answers that came, and why there is none from the others."""
        letters = {
            partner: seal(
                Instruction(
                    protocol=PROTOCOL_VERSION,
                    run=self.proposal.run,
                    proposal=self.proposal.digest,
                    round=round_number,
                    attempt=attempt,
                    session_keys=list(session_keys),
                    operation=operation,
                    operation_version=version,
                    sender=self.centre,
                    recipient=partner,
                    nonce=secrets.token_bytes(NONCE_BYTES),
                    sent_at=self.clock(),
                    parameters=msgspec.Raw(parameters(partner)),
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
        answers, faults = {}, {}
        for partner, letter in letters.items():
            try:
                answers[partner] = self._open(partner, replies.get(partner), letter)
            except HanseError as error:
                faults[partner] = error.what
        return answers, faults

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
        return open_answer(received.answer, key=self.proposal.key_of(partner), instruction_letter=letter)


@contextmanager
def _noted(faults: dict[str, str], partner: str) -> Iterator[None]:
    """Note what is wrong with a partner's answer, under its name."""
    try:
        yield
    except HanseError as error:
        faults[partner] = f"{error.what} {error.mend} [{error.code}]"


def _refusal(answer: Answer) -> str:
    return f"refused, {answer.reason}: {answer.explanation}"
