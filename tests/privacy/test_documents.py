"""Signed documents: verified in any layout, refused when anything changed."""

import base64
import json
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.documents import Document

KEY = SigningKey.generate()


class Note(Document):
    """A small document of a kind of its own."""

    kind: ClassVar[str] = "note/1"

    text: str
    number: int = 0
    share: float = 0.0


class OtherNote(Note):
    """The same fields under another kind."""

    kind: ClassVar[str] = "note/2"


def signed(payload: Any, *, kind: str = "note/1", key: SigningKey = KEY) -> bytes:
    """Sign a payload as a careless sender might: in its own layout, unchecked."""
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = key.sign(context=kind, message=canonical)
    return json.dumps({"signature": base64.b64encode(signature).decode(), "document": payload}, indent=4).encode()


@given(text=st.text(max_size=40), number=st.integers(-(2**53) + 1, 2**53 - 1), share=st.floats(-1e9, 1e9))
def test_a_document_survives_any_layout(text: str, number: int, share: float) -> None:
    note = Note(text=text, number=number, share=share)
    sealed = note.sign(KEY)
    for layout in (sealed, json.dumps(json.loads(sealed), indent=3, ensure_ascii=True).encode()):
        received = Note.verify(layout, key=KEY.public)
        assert received == note
        assert received.digest == note.digest


def test_every_changed_byte_is_refused_or_changes_nothing() -> None:
    note = Note(text="forty customers", number=40)
    sealed = note.sign(KEY)
    refused = 0
    for place in range(len(sealed)):
        for flip in (0x01, 0x20, 0x80):
            altered = bytearray(sealed)
            altered[place] ^= flip
            try:
                received = Note.verify(bytes(altered), key=KEY.public)
            except SignatureInvalidError:
                refused += 1
            else:
                # The signer's fingerprint is a hint outside the signature; nothing else may bend.
                assert received == note
                outer = json.loads(altered)
                assert outer["document"] == json.loads(sealed)["document"]
    assert refused > 2 * len(sealed)


def test_kind_and_key_are_bound() -> None:
    sealed = Note(text="a").sign(KEY)
    with pytest.raises(SignatureInvalidError):
        OtherNote.verify(sealed, key=KEY.public)
    with pytest.raises(SignatureInvalidError):
        Note.verify(sealed, key=SigningKey.generate().public)


def test_the_key_named_inside_is_never_believed() -> None:
    forger = SigningKey.generate()
    outer = json.loads(Note(text="a").sign(forger)) | {"key": KEY.public.fingerprint}
    with pytest.raises(SignatureInvalidError):
        Note.verify(json.dumps(outer).encode(), key=KEY.public)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"text": "a", "extra": 1},
        {"text": None},
        {"text": 5},
        {"text": "a", "number": "many"},
        {"text": "a", "number": 1.5},
        {"text": "a", "number": [1]},
        [],
        "text",
        None,
        5,
    ],
)
def test_signed_but_invalid_is_named_as_such(payload: Any) -> None:
    with pytest.raises(InvalidValueError):
        Note.verify(signed(payload), key=KEY.public)


def test_faults_name_fields_and_never_values() -> None:
    with pytest.raises(InvalidValueError) as refused:
        Note.parse({"text": {"customer": "4711-secret"}, "number": "4711-secret"})
    assert "text" in str(refused.value)
    assert "number" in str(refused.value)
    assert "4711-secret" not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"5",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{",
        b'{"document": {}}',
        b'{"signature": ""}',
        b'{"document": {}, "signature": 5}',
        b'{"document": {}, "signature": null}',
        b'{"document": {}, "signature": "\xc3\xa9"}',
        b'{"document": {}, "signature": "***"}',
        b'{"document": NaN, "signature": ""}',
        b'{"document": 1e999, "signature": ""}',
        b'{"document": "\\ud800", "signature": ""}',
        b'{"document": 9007199254740993, "signature": ""}',
        b'{"document": ' + b"9" * 5000 + b', "signature": ""}',
        b"[" * 100_000,
        b'{"document": ' + b"[" * 50_000 + b"]" * 50_000 + b', "signature": ""}',
        b'{"document": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b', "signature": ""}',
    ],
)
def test_what_is_no_signed_document_is_refused_in_one_way(data: bytes) -> None:
    with pytest.raises(SignatureInvalidError):
        Note.verify(data, key=KEY.public)


@given(data=st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_the_documented_error(data: bytes) -> None:
    with pytest.raises(SignatureInvalidError):
        Note.verify(data, key=KEY.public)


def test_a_repeated_name_cannot_show_one_thing_and_sign_another() -> None:
    sealed = Note(text="small").sign(KEY)
    for twice in (
        sealed.replace(b'"text":"small"', b'"text":"large","text":"small"'),
        sealed.replace(b'"text":"small"', b'"text":"small","text":"large"'),
    ):
        try:
            assert Note.verify(twice, key=KEY.public) == Note(text="small")
        except SignatureInvalidError:
            continue
