"""A centre that asks one vault, north; the south is played, so that north's vector can be seen without its mask."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from faults_of_a_run.league_under_fire import LeagueUnderFire
from hanse_privacy.aggregation.centre_side import Collection
from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.session_keys import SessionKey, verified_keys
from hanse_privacy.protocol.letters import (
    NONCE_BYTES,
    PROTOCOL_VERSION,
    AdmitParameters,
    Answer,
    Instruction,
    KeyResult,
    MaskedResult,
    NoParameters,
    Outcome,
    WeightsParameters,
    decode,
    seal,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import PopularityStep

ASKED, PLAYED = "north", "south"


@dataclass
class PlayedRun:
    """One run of the two, driven letter by letter.

    Args:
        league: The league.
        proposal: The run, approved.
    """

    league: LeagueUnderFire
    proposal: RunProposal
    south: SessionKey = field(default_factory=SessionKey.generate)
    messages: list[bytes] = field(default_factory=list)

    def admit(self) -> None:
        """Have north admit the run; its key message is the same however often it is asked.

        Raises:
            RuntimeError: If it does not, or sends another key than before.
        """
        parameters = AdmitParameters(signed_proposal=self.proposal.sign(self.league.centre), ledger_statement=b"")
        answer = self._sent(0, 0, "admit", msgspec.msgpack.encode(parameters), [])
        if answer is None or answer.outcome is not Outcome.DONE:
            raise RuntimeError(f"north does not admit the run: {answer}")
        ours = decode(answer.result, KeyResult).session_key
        theirs = self.south.message(self.proposal.identity, partner=PLAYED, key=self.league.lasting[PLAYED])
        messages = [ours, theirs]
        if self.messages and self.messages != messages:
            raise RuntimeError("north has made a second key for one run")
        self.messages = messages

    def ask(self, round_number: int, attempt: int = 1, *, weight: float = 0.0) -> Answer | None:
        """Ask for an attempt; none if nobody answered."""
        step = self.proposal.step_of(round_number)
        if step is None:
            raise RuntimeError(f"there is no round {round_number}")
        parameters = (
            msgspec.msgpack.encode(NoParameters())
            if isinstance(step, PopularityStep)
            else msgspec.msgpack.encode(WeightsParameters(weights=[weight] * step.weights))
        )
        return self._sent(round_number, attempt, step.operation, parameters, self.messages)

    def unmasked(self, answer: Answer, *, sent_by_south: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum of both vaults' vectors of round 1, attempt 1, as a centre computes it, less the south's."""
        step, identity, ring = self.proposal.steps[0], self.proposal.identity, self.proposal.ring
        attempt = Attempt(round=1, step=0, attempt=1)
        keys = verified_keys(self.messages, identity)
        masked = mask(
            sent_by_south,
            ring=ring,
            identity=identity,
            attempt=attempt,
            partner=PLAYED,
            pair_secrets=self.south.pair_secrets(identity, keys, partner=PLAYED),
        )
        size = self.proposal.layout(step).size
        collection = Collection(partners=self.proposal.partners(), attempt=attempt, ring=ring, size=size)
        collection = collection.receive(ASKED, decode(answer.result, MaskedResult).masked)
        total: NDArray[np.int64] = collection.receive(PLAYED, masked.tobytes()).total()
        return total - sent_by_south

    def _sent(
        self, round_number: int, attempt: int, operation: str, parameters: bytes, keys: list[bytes]
    ) -> Answer | None:
        instruction = Instruction(
            protocol=PROTOCOL_VERSION,
            run=self.proposal.run,
            proposal=self.proposal.digest,
            round=round_number,
            attempt=attempt,
            session_keys=keys,
            operation=operation,
            operation_version=1,
            sender="centre",
            recipient=ASKED,
            nonce=secrets.token_bytes(NONCE_BYTES),
            sent_at=datetime.now(tz=UTC),
            parameters=msgspec.Raw(parameters),
        )
        letter = seal(instruction, key=self.league.centre)
        courier = self.league.courier
        return courier.opened(ASKED, letter, courier.carry(ASKED, letter))


def new_run(league: LeagueUnderFire, draft: str) -> PlayedRun:
    """An approved run, not yet admitted."""
    return PlayedRun(league=league, proposal=league.approve(league.propose(draft)))
