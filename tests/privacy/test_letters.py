"""Letters: whoever carries one can lose it, and can neither alter, swap, repeat nor forge it."""

import hashlib
import struct
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol import letters
from hanse_privacy.protocol.letters import (
    ANSWER_CONTEXT,
    INSTRUCTION_CONTEXT,
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    LetterMalformedError,
    MaskedResult,
    NoParameters,
    Outcome,
    WeightsParameters,
    decode,
    open_answer,
    open_instruction,
    seal,
)
from hanse_privacy.signed_records import SignedRecord

CENTRE = SigningKey.generate()
VAULT = SigningKey.generate()
REFUSALS = (LetterMalformedError, SignatureInvalidError)
RECORDS = (
    SignedRecord,
    Instruction,
    Answer,
    AdmitParameters,
    NoParameters,
    WeightsParameters,
    MaskedResult,
    CourierReply,
)


def instruction(**changes: Any) -> Instruction:
    fields: dict[str, Any] = {
        "protocol": 2,
        "run": "churn-1",
        "proposal": "ab" * 32,
        "round": 3,
        "attempt": 1,
        "session_keys": [b"north's", b"south's"],
        "operation": "churn-gradient",
        "operation_version": 1,
        "sender": "centre",
        "recipient": "north",
        "nonce": bytes(range(16)),
        "sent_at": datetime(2026, 5, 4, 12, 0, tzinfo=UTC),
        "parameters": msgspec.Raw(msgspec.msgpack.encode(WeightsParameters(weights=[0.5, -1.0]))),
    }
    return Instruction(**{**fields, **changes})


def answer_to(letter: bytes, **changes: Any) -> Answer:
    asked, digest = open_instruction(letter, key=CENTRE.public)
    fields: dict[str, Any] = {
        "protocol": 2,
        "run": asked.run,
        "proposal": asked.proposal,
        "round": asked.round,
        "operation": asked.operation,
        "operation_version": asked.operation_version,
        "sender": asked.recipient,
        "recipient": asked.sender,
        "instruction": digest,
        "outcome": Outcome.DONE,
        "reason": "",
        "explanation": "",
        "result": b"\x01\x02",
    }
    return Answer(**{**fields, **changes})


LETTER = seal(instruction(), key=CENTRE)
ANSWER = seal(answer_to(LETTER), key=VAULT)


def signed(body: bytes, *, context: str = INSTRUCTION_CONTEXT, key: SigningKey = CENTRE) -> bytes:
    """A correctly signed letter around any bytes."""
    return msgspec.msgpack.encode(SignedRecord(body=body, signature=key.sign(context=context, message=body)))


def body_with(changes: dict[str, Any], *, without: tuple[str, ...] = ()) -> bytes:
    """A body as an honest sender would encode it, then changed field by field."""
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(instruction()))
    return msgspec.msgpack.encode({key: value for key, value in (plain | changes).items() if key not in without})


def test_a_letter_arrives_as_it_was_sent() -> None:
    received, digest = open_instruction(LETTER, key=CENTRE.public)
    assert msgspec.structs.replace(received, parameters=instruction().parameters) == instruction()
    assert bytes(received.parameters) == bytes(instruction().parameters)
    assert digest == hashlib.sha256(decode(LETTER, SignedRecord).body).digest()
    assert open_answer(ANSWER, key=VAULT.public, instruction_letter=LETTER) == answer_to(LETTER)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_changed_byte_of_an_instruction_is_refused(flip: int) -> None:
    for place in range(len(LETTER)):
        altered = bytearray(LETTER)
        altered[place] ^= flip
        with pytest.raises(REFUSALS):
            open_instruction(bytes(altered), key=CENTRE.public)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_changed_byte_of_an_answer_is_refused(flip: int) -> None:
    for place in range(len(ANSWER)):
        altered = bytearray(ANSWER)
        altered[place] ^= flip
        with pytest.raises(REFUSALS):
            open_answer(bytes(altered), key=VAULT.public, instruction_letter=LETTER)


def test_every_shortened_or_lengthened_letter_is_refused() -> None:
    for end in range(len(LETTER)):
        with pytest.raises(REFUSALS):
            open_instruction(LETTER[:end], key=CENTRE.public)
    for tail in (b"\x00", b"\xc0", LETTER):
        with pytest.raises(REFUSALS):
            open_instruction(LETTER + tail, key=CENTRE.public)


def test_only_the_pinned_key_opens_a_letter() -> None:
    with pytest.raises(SignatureInvalidError):
        open_instruction(seal(instruction(), key=VAULT), key=CENTRE.public)
    with pytest.raises(SignatureInvalidError):
        open_answer(seal(answer_to(LETTER), key=CENTRE), key=VAULT.public, instruction_letter=LETTER)


@pytest.mark.parametrize(
    "context", [ANSWER_CONTEXT, "run-proposal/2", "cohort-manifest/1", "cohort-request/1", "http-request/2", ""]
)
def test_a_signature_in_another_context_signs_no_instruction(context: str) -> None:
    body = decode(LETTER, SignedRecord).body
    with pytest.raises(SignatureInvalidError):
        open_instruction(signed(body, context=context), key=CENTRE.public)


def test_instruction_and_answer_cannot_take_each_others_place() -> None:
    # Even where one key signs both (a league of one account), neither stands for the other.
    with pytest.raises(SignatureInvalidError):
        open_answer(LETTER, key=CENTRE.public, instruction_letter=LETTER)
    with pytest.raises(SignatureInvalidError):
        open_instruction(seal(answer_to(LETTER), key=CENTRE), key=CENTRE.public)


def test_an_unsigned_letter_is_refused() -> None:
    body = decode(LETTER, SignedRecord).body
    for signature in (b"", bytes(64), bytes(63), bytes(65), decode(ANSWER, SignedRecord).signature):
        with pytest.raises(SignatureInvalidError):
            open_instruction(msgspec.msgpack.encode(SignedRecord(body=body, signature=signature)), key=CENTRE.public)


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": 1},
        {"protocol": 1},
        {"protocol": 3},
        {"protocol": 0},
        {"protocol": "1"},
        {"protocol": 1.5},
        {"protocol": True},
        {"round": "3"},
        {"round": 3.5},
        {"round": None},
        {"run": 7},
        {"run": None},
        {"nonce": b""},
        {"nonce": bytes(15)},
        {"nonce": bytes(17)},
        {"nonce": "0123456789abcdef"},
        {"sent_at": 0},
        {"sent_at": "yesterday"},
        {"recipient": ["north"]},
        {"operation": {"churn-gradient": 1}},
    ],
)
def test_a_signed_instruction_with_a_wrong_field_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(LetterMalformedError):
        open_instruction(signed(body_with(changes)), key=CENTRE.public)


@pytest.mark.parametrize("field", [field.name for field in msgspec.structs.fields(Instruction)])
def test_a_signed_instruction_that_lacks_a_field_is_refused(field: str) -> None:
    with pytest.raises(LetterMalformedError, match=field):
        open_instruction(signed(body_with({}, without=(field,))), key=CENTRE.public)


def test_text_that_is_no_utf8_is_malformed_and_not_an_accident() -> None:
    for data in (b"\x81\xa1\xff\xa1\xff", b"\x82\xa4bod\xff\xc4\x00\xa9signature\xc4\x00"):
        with pytest.raises(LetterMalformedError):
            open_instruction(data, key=CENTRE.public)
    text = msgspec.msgpack.encode("churn-1")
    broken = decode(LETTER, SignedRecord).body.replace(text, text[:-1] + b"\xff")
    with pytest.raises(LetterMalformedError):
        open_instruction(signed(broken), key=CENTRE.public)


@pytest.mark.parametrize("seconds", [253_402_300_800, -62_135_596_801, 2**63 - 1, -(2**63)])
def test_a_time_outside_the_calendar_is_malformed(seconds: int) -> None:
    outside = msgspec.msgpack.Ext(-1, struct.pack(">Iq", 0, seconds))
    with pytest.raises(LetterMalformedError):
        open_instruction(signed(body_with({"sent_at": outside})), key=CENTRE.public)


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91" * 200_000,  # lists in lists
        b"\x81\xa1a" * 100_000,  # maps in maps
        b"\xdd\xff\xff\xff\xff",  # a list of 4,294,967,295
        b"\xdf\xff\xff\xff\xff",  # a map of as many
        b"\xc6\xff\xff\xff\xff",  # as many bytes
        b"\xdb\xff\xff\xff\xff",  # as long a text
        b"\x81\xa7weights\xdd\xff\xff\xff\xff",
        b"\x81\xa6vector\xc6\xff\xff\xff\xff",
        b"\xc0",
        b"\x90",
    ],
)
def test_hostile_encodings_are_refused_without_building_them(kind: type[Any], data: bytes) -> None:
    with pytest.raises(LetterMalformedError):
        decode(data, kind)


@given(data=st.binary(max_size=300), kind=st.sampled_from(RECORDS))
def test_random_bytes_raise_nothing_but_the_documented_error(data: bytes, kind: type[Any]) -> None:
    try:
        decode(data, kind)
    except HanseError as error:
        assert error.code == "LETTER_MALFORMED"


@given(data=st.data())
def test_random_changes_of_a_signed_body_raise_nothing_but_the_documented_errors(data: st.DataObject) -> None:
    # A sender with the right key and a broken program: the signature holds, the content does not.
    body = bytearray(decode(LETTER, SignedRecord).body)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        received, _ = open_instruction(signed(bytes(body)), key=CENTRE.public)
        decode(received.parameters, WeightsParameters)
    except HanseError as error:
        assert error.code in {"LETTER_MALFORMED", "SIGNATURE_INVALID"}


def test_deep_nesting_in_the_parameters_is_refused() -> None:
    deep = msgspec.Raw(b"\x91" * 200_000 + b"\xc0")
    body = msgspec.msgpack.encode(instruction(parameters=deep))
    with pytest.raises(LetterMalformedError):
        received, _ = open_instruction(signed(body), key=CENTRE.public)
        decode(received.parameters, WeightsParameters)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (NoParameters, {"weights": [1.0]}),
        (WeightsParameters, {}),
        (WeightsParameters, {"weights": [1.0], "noise": 0.0}),
        (WeightsParameters, {"weights": ["1.0"]}),
        (WeightsParameters, {"weights": [None]}),
        (WeightsParameters, {"weights": [True]}),
        (WeightsParameters, {"weights": 1.0}),
        (AdmitParameters, {"signed_proposal": "text"}),
        (AdmitParameters, {"signed_proposal": b"", "force": True}),
    ],
)
def test_parameters_are_decoded_strictly(kind: type[Any], parameters: dict[str, Any]) -> None:
    with pytest.raises(LetterMalformedError):
        decode(msgspec.msgpack.encode(parameters), kind)


def test_a_letter_that_is_too_large_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "MAXIMUM_LETTER_BYTES", len(LETTER) - 1)
    with pytest.raises(LetterMalformedError, match=f"{len(LETTER)} bytes"):
        open_instruction(LETTER, key=CENTRE.public)


def test_an_answer_to_another_instruction_is_refused() -> None:
    # The same question in every field but the nonce: what a recorded answer would be replayed for.
    again = seal(instruction(nonce=bytes(16)), key=CENTRE)
    with pytest.raises(LetterMalformedError, match="another instruction"):
        open_answer(ANSWER, key=VAULT.public, instruction_letter=again)


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "churn-2"},
        {"proposal": "cd" * 32},
        {"round": 4},
        {"operation": "churn-evaluation"},
        {"operation_version": 2},
        {"sender": "south"},
        {"recipient": "north"},
        {"instruction": bytes(32)},
        {"instruction": b""},
    ],
)
def test_an_answer_that_differs_in_any_bound_field_is_refused(changes: dict[str, Any]) -> None:
    swapped = seal(answer_to(LETTER, **changes), key=VAULT)
    with pytest.raises(LetterMalformedError, match="another instruction"):
        open_answer(swapped, key=VAULT.public, instruction_letter=LETTER)


def test_an_answer_with_another_version_or_outcome_is_refused() -> None:
    with pytest.raises(LetterMalformedError, match="version 1"):
        open_answer(seal(answer_to(LETTER, protocol=1), key=VAULT), key=VAULT.public, instruction_letter=LETTER)
    plain = msgspec.msgpack.decode(decode(ANSWER, SignedRecord).body)
    for change in ({"outcome": "perhaps"}, {"outcome": 1}, {"weight": 1}):
        body = msgspec.msgpack.encode(plain | change)
        with pytest.raises(LetterMalformedError):
            open_answer(signed(body, context=ANSWER_CONTEXT, key=VAULT), key=VAULT.public, instruction_letter=LETTER)
