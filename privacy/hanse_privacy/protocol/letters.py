"""Letters between the centre and a vault: signed end to end, bound to run, round, operation, node and nonce.

Whoever carries a letter (SuperLink, SuperNode, courier) can read its address and nothing else of use:
it can lose a letter, not alter or repeat one.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.signed_records import SignedRecord, decode_record, sign_record, verified_body

PROTOCOL_VERSION = 2
MAXIMUM_LETTER_BYTES = 64 * 1024 * 1024
NONCE_BYTES = 16
LETTER_TOLERANCE = timedelta(minutes=15)
"""How long a letter may be on its way, and how far the clocks of both ends may differ."""

INSTRUCTION_CONTEXT = "instruction/1"
ANSWER_CONTEXT = "answer/1"


class LetterMalformedError(HanseError):
    """What was received is no letter of this protocol: an unknown field, a wrong type, a wrong version."""

    code = "LETTER_MALFORMED"


class LetterStaleError(HanseError):
    """A letter was held back on its way, or a clock is wrong."""

    code = "LETTER_STALE"


class Instruction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the centre asks of one vault."""

    protocol: int
    run: str
    proposal: str
    """Digest of the proposal that both ends hold."""
    round: int
    """0 before the first round (admission)."""
    attempt: int
    """Attempt at the round, from 1; 0 before the first round."""
    session_keys: list[bytes]
    """Every vault's signed ephemeral key, in the roster's order; none before the first round."""
    operation: str
    operation_version: int
    sender: str
    recipient: str
    nonce: bytes
    sent_at: datetime
    parameters: msgspec.Raw
    """Decoded, strictly, once the operation is known."""


class Outcome(StrEnum):
    """How a vault answers."""

    DONE = "done"
    WAITING = "waiting"
    """A person at the partner has to approve first."""
    REFUSED = "refused"


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one vault answers, bound to the exact instruction by its digest."""

    protocol: int
    run: str
    proposal: str
    round: int
    operation: str
    operation_version: int
    sender: str
    recipient: str
    instruction: bytes
    """SHA-256 of the instruction's signed bytes."""
    outcome: Outcome
    reason: str
    """Stable code where refused or waiting; empty otherwise."""
    explanation: str
    """For people; empty where done."""
    result: bytes
    """Where done: of an admission a :class:`KeyResult`, of a round a :class:`MaskedResult`."""


class AdmitParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``admit``, version 1."""

    signed_proposal: bytes
    ledger_statement: bytes
    """The vault's own last statement of its ledger that the centre has; empty if it has none."""


class NoParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``popularity-statistics``, version 1: all is in the proposal."""


class WeightsParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``churn-gradient`` and ``churn-evaluation``, version 1."""

    weights: list[float]


class KeyResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The vault's ephemeral key for the run, signed."""

    session_key: bytes
    ledger_statement: bytes


class MaskedResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One noised and masked vector, in little-endian words of the proposal's ring."""

    masked: bytes
    ledger_statement: bytes


class CourierReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What comes back over the transport: a sealed answer, or an unsigned word on why there is none."""

    answer: bytes = b""
    failure: str = ""
    """Stable code; nobody vouches for it, so it explains a failure and proves nothing."""
    explanation: str = ""


_Body = TypeVar("_Body", Instruction, Answer)
_Record = TypeVar("_Record")


def seal(body: Instruction | Answer, *, key: SigningKey) -> bytes:
    """Encode and sign a body; the result is what couriers carry."""
    context = INSTRUCTION_CONTEXT if isinstance(body, Instruction) else ANSWER_CONTEXT
    return sign_record(body, context=context, key=key)


def open_instruction(letter: bytes, *, key: PublicKey) -> tuple[Instruction, bytes]:
    """Verify and decode an instruction; also return its digest, to which the answer is bound.

    Raises:
        LetterMalformedError: If it does not decode strictly, or speaks another protocol version.
        SignatureInvalidError: If it was not signed by ``key``.
    """
    body = _verified_body(letter, context=INSTRUCTION_CONTEXT, key=key)
    instruction = _decode_versioned(body, Instruction)
    if len(instruction.nonce) != NONCE_BYTES:
        raise LetterMalformedError("An instruction's nonce has the wrong length.", "Update the centre's Hanse.")
    return instruction, hashlib.sha256(body).digest()


def require_fresh(instruction: Instruction, *, now: datetime) -> None:
    """Refuse a letter that was held back.

    Raises:
        LetterStaleError: If it was not sent about now, or does not name its time zone.
    """
    sent_at = instruction.sent_at
    if sent_at.tzinfo is None or abs(now - sent_at) > LETTER_TOLERANCE:
        raise LetterStaleError(
            f"The letter was not sent within the last {LETTER_TOLERANCE.seconds // 60} minutes.",
            "Set the clocks of both ends right (NTP); a letter that was held back is not answered.",
        )


def open_answer(letter: bytes, *, key: PublicKey, instruction_letter: bytes) -> Answer:
    """Verify, decode and match an answer with the instruction it must answer.

    Raises:
        LetterMalformedError: If it does not decode strictly, or answers something else.
        SignatureInvalidError: If it was not signed by ``key``.
    """
    answer = _decode_versioned(_verified_body(letter, context=ANSWER_CONTEXT, key=key), Answer)
    asked_body = decode(instruction_letter, SignedRecord).body
    asked = decode(asked_body, Instruction)
    bound = (answer.run, answer.proposal, answer.round, answer.operation, answer.operation_version)
    expected = (asked.run, asked.proposal, asked.round, asked.operation, asked.operation_version)
    parties = (answer.sender, answer.recipient) == (asked.recipient, asked.sender)
    if bound != expected or not parties or answer.instruction != hashlib.sha256(asked_body).digest():
        raise LetterMalformedError(
            f"{asked.recipient} answered another instruction than the one of round {asked.round}.",
            "An old answer was sent again, or answers were swapped on the way; start a new run.",
        )
    return answer


def decode(data: bytes | msgspec.Raw, kind: type[_Record]) -> _Record:
    """Decode MessagePack strictly into ``kind``.

    Raises:
        LetterMalformedError: Naming the field and the fault, never a value.
    """
    return decode_record(data, kind, error=LetterMalformedError)


def _verified_body(letter: bytes, *, context: str, key: PublicKey) -> bytes:
    if len(letter) > MAXIMUM_LETTER_BYTES:
        raise LetterMalformedError(
            f"A letter has {len(letter)} bytes.", f"At most {MAXIMUM_LETTER_BYTES} are accepted."
        )
    return verified_body(letter, context=context, key=key, error=LetterMalformedError)


def _decode_versioned(body: bytes, kind: type[_Body]) -> _Body:
    record = decode(body, kind)
    if record.protocol != PROTOCOL_VERSION:
        raise LetterMalformedError(
            f"A letter speaks protocol version {record.protocol}.",
            f"This installation speaks version {PROTOCOL_VERSION}: install the same Hanse at both ends.",
        )
    return record
