"""Signed documents, and the cohort manifest among them: verified in any layout, refused when anything changed."""

import base64
import hashlib
import json
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import HanseError, InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.manifest import CohortManifest, CohortRequest, cohort_root

KEY = SigningKey.generate()
CUSTOMERS = tuple(f"{number:032x}" for number in (1, 2, 0xABC))


class Note(Document):
    """A small document of a kind of its own."""

    kind: ClassVar[str] = "note/1"

    text: str
    number: int = 0
    share: float = 0.0


class OtherNote(Note):
    """The same fields under another kind."""

    kind: ClassVar[str] = "note/2"


def manifest(**changes: Any) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "partner": "north",
        "run": "churn-1",
        "round": 1,
        "purpose": "churn-training",
        "tier": "standard",
        "nonce": "0f" * 16,
        "position": 7,
        "notice_versions": ["churn-model@1"],
        "issued_at": "2026-05-04T12:00:00Z",
        "expires_at": "2026-05-04T12:05:00Z",
        "customers": list(CUSTOMERS),
        "count": 3,
        "root": cohort_root(CUSTOMERS),
    }
    return payload | changes


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


def test_the_root_is_the_documented_digest() -> None:
    hasher = hashlib.sha256(b"hanse/v1/cohort\x00" + b"".join(bytes.fromhex(customer) for customer in CUSTOMERS))
    assert cohort_root(CUSTOMERS) == cohort_root(CUSTOMERS[::-1]) == hasher.hexdigest()
    assert CohortManifest.parse(manifest()).customers == CUSTOMERS
    assert CohortManifest.parse(manifest(customers=[], count=0, root=cohort_root(()))).count == 0


@given(
    one=st.frozensets(st.integers(0, 20)),
    another=st.frozensets(st.integers(0, 20)),
)
def test_roots_are_equal_exactly_if_cohorts_are(one: frozenset[int], another: frozenset[int]) -> None:
    names = [tuple(f"{number:032x}" for number in cohort) for cohort in (one, another)]
    assert (cohort_root(names[0]) == cohort_root(names[1])) == (one == another)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 2},
        {"count": 4},
        {"count": -1},
        {"root": "0" * 64},
        {"root": cohort_root(CUSTOMERS).upper()},
        {"customers": list(CUSTOMERS[::-1])},
        {"customers": [*CUSTOMERS[:2], CUSTOMERS[1]]},
        {"customers": [*CUSTOMERS[:2], "A" * 32]},
        {"customers": [*CUSTOMERS[:2], "0" * 31]},
        {"customers": [*CUSTOMERS[:2], "0" * 32 + "\n"]},
        {"customers": CUSTOMERS[0]},
        {"round": 0},
        {"round": 100_001},
        {"tier": "everything"},
        {"partner": "North"},
        {"partner": "north\n"},
        {"nonce": "0f" * 15},
        {"position": -1},
        {"issued_at": "2026-05-04T12:00:00"},
        {"expires_at": "2026-05-04T12:05:00"},
        {"everyone": True},
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError) as refused:
        CohortManifest.verify(
            signed(manifest(**changes), kind=CohortManifest.kind),
            key=KEY.public,
        )
    assert CUSTOMERS[2] not in str(refused.value)


def test_question_and_manifest_cannot_take_each_others_place() -> None:
    names = ("partner", "run", "round", "purpose", "tier", "nonce")
    question = CohortRequest.parse({name: manifest()[name] for name in names})
    with pytest.raises(SignatureInvalidError):
        CohortManifest.verify(question.sign(KEY), key=KEY.public)
    with pytest.raises(HanseError):
        CohortRequest.verify(CohortManifest.parse(manifest()).sign(KEY), key=KEY.public)
