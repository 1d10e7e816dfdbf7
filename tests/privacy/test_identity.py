"""Keys: what is signed in one context is valid nowhere else, and a key file that others could use is refused."""

import base64
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError, KeyFileError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey

KEY = SigningKey.generate()
OTHER = SigningKey.generate()
CONTEXTS = ("instruction/1", "answer/1", "run-proposal/2", "cohort-manifest/1", "http-request/2")
CURVE_ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032, section 5.1


def pem(key: object, *, password: bytes | None = None) -> bytes:
    wrapping = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, wrapping)  # type: ignore[attr-defined]


@given(message=st.binary(max_size=200), context=st.sampled_from(CONTEXTS))
def test_a_signature_is_valid_for_its_key_context_and_message_only(message: bytes, context: str) -> None:
    signature = KEY.sign(context=context, message=message)
    assert len(signature) == 64
    KEY.public.verify(context=context, message=message, signature=signature)
    wrong = [
        (OTHER.public, context, message),
        (KEY.public, context, message + b"\x00"),
        *((KEY.public, another, message) for another in CONTEXTS if another != context),
    ]
    for key, where, what in wrong:
        with pytest.raises(SignatureInvalidError):
            key.verify(context=where, message=what, signature=signature)


@given(context=st.text(min_size=1, max_size=20), message=st.binary(max_size=20), cut=st.integers(1, 5))
def test_bytes_cannot_move_between_context_and_message(context: str, message: bytes, cut: int) -> None:
    longer = context + message[:cut].decode("latin-1")
    signature = KEY.sign(context=context, message=message)
    if longer != context:
        with pytest.raises(SignatureInvalidError):
            KEY.public.verify(context=longer, message=message[cut:], signature=signature)


def test_every_changed_bit_of_a_signature_is_refused() -> None:
    signature = KEY.sign(context="answer/1", message=b"m")
    for place in range(64 * 8):
        broken = bytearray(signature)
        broken[place // 8] ^= 1 << place % 8
        with pytest.raises(SignatureInvalidError):
            KEY.public.verify(context="answer/1", message=b"m", signature=bytes(broken))
    for wrong in (b"", signature[:-1], signature + b"\x00", signature * 2):
        with pytest.raises(SignatureInvalidError):
            KEY.public.verify(context="answer/1", message=b"m", signature=wrong)


def test_a_signature_has_no_second_form() -> None:
    signature = KEY.sign(context="answer/1", message=b"m")
    # s + L verifies wherever s is not held below the group's order.
    second = int.from_bytes(signature[32:], "little") + CURVE_ORDER
    with pytest.raises(SignatureInvalidError):
        KEY.public.verify(context="answer/1", message=b"m", signature=signature[:32] + second.to_bytes(32, "little"))


def test_the_signed_bytes_are_as_documented() -> None:
    # An independent construction: prefix, length of the context in two bytes, context, message.
    signed = b"hanse/v1\x00" + b"\x00\x08" + b"answer/1" + b"m"
    Ed25519PublicKey.from_public_bytes(KEY.public.raw).verify(KEY.sign(context="answer/1", message=b"m"), signed)


def test_text_form_round_trips() -> None:
    assert PublicKey.from_text(KEY.public.text) == KEY.public
    assert KEY.public.fingerprint.startswith("SHA256:")
    assert KEY.public.fingerprint != OTHER.public.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hanse-ed25519:",
        "ssh-ed25519:" + base64.b64encode(bytes(32)).decode(),
        "hanse-ed25519:" + base64.b64encode(bytes(31)).decode(),
        "hanse-ed25519:" + base64.b64encode(bytes(33)).decode(),
        "hanse-ed25519:not base64 at all",
        "hanse-ed25519:äöü",
        " " + KEY.public.text,
        KEY.public.text + "\n",
        KEY.public.text.replace("=", ""),
    ],
    ids=range(10),
)
def test_other_texts_are_no_key(text: str) -> None:
    with pytest.raises(InvalidValueError):
        PublicKey.from_text(text)


def test_a_key_has_one_spelling_only() -> None:
    # 32 bytes leave two spare bits in base64: three more texts decode to the same key, and each is refused.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = KEY.public.text
    twins = [text[:-2] + letter + "=" for letter in alphabet if letter != text[-2]]
    same = [twin for twin in twins if base64.b64decode(twin.removeprefix("hanse-ed25519:")) == KEY.public.raw]
    assert len(same) == 3
    for twin in same:
        with pytest.raises(InvalidValueError, match="canonical"):
            PublicKey.from_text(twin)


def test_a_saved_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    previous = os.umask(0)
    try:
        KEY.save(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path).public == KEY.public
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never overwritten"):
        OTHER.save(path)
    assert path.read_bytes() == before


def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (tmp_path / "node.key").symlink_to(target)
    with pytest.raises(KeyFileError):
        KEY.save(tmp_path / "node.key")
    assert not target.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "node.key"
    KEY.save(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        SigningKey.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----\n",
        pem(KEY._private)[:-40],
        pem(KEY._private, password=b"secret"),
        pem(x25519.X25519PrivateKey.generate()),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    ],
    ids=["empty", "noise", "no-key", "cut-short", "encrypted", "x25519", "rsa"],
)
def test_other_files_are_no_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "node.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as refused:
        SigningKey.load(path)
    assert refused.value.exit_code == 2
    if len(content) > 3:
        assert content.decode(errors="replace").splitlines()[1] not in str(refused.value)


def test_a_missing_key_or_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.key", tmp_path):
        with pytest.raises(KeyFileError, match="cannot be read"):
            SigningKey.load(path)


def test_a_private_key_is_never_shown() -> None:
    key = Ed25519PrivateKey.generate()
    shown = repr(SigningKey(_private=key)) + str(SigningKey(_private=key))
    raw = key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    assert raw.hex() not in shown
    assert base64.b64encode(raw).decode() not in shown
    assert SigningKey(_private=key).public.fingerprint in shown
