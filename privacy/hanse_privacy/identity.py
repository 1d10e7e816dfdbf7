"""Ed25519 identities (RFC 8032): who signed a letter, a manifest, a request.

Every signature is made over a *context* (what kind of thing is signed) and the exact bytes, so
that a signature on one kind of message is never valid for another.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hanse_privacy.errors import InvalidValueError, KeyFileError, SignatureInvalidError
from hanse_privacy.key_files import read_key_file, write_key_file

_TEXT_PREFIX = "hanse-ed25519:"


def _to_sign(context: str, message: bytes) -> bytes:
    head = context.encode()
    return b"hanse/v1\x00" + len(head).to_bytes(2, "big") + head + message


@lru_cache(maxsize=1024)
def _loaded(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """Somebody's public key: 32 raw Ed25519 bytes, pinned by whoever trusts it."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise InvalidValueError(f"A public key has {len(self.raw)} bytes.", "An Ed25519 public key has exactly 32.")

    @classmethod
    def from_text(cls, text: str) -> "PublicKey":
        """Read the form that policies and rosters carry: ``hanse-ed25519:`` and base64."""
        if not text.startswith(_TEXT_PREFIX):
            raise InvalidValueError(
                "A public key does not start with 'hanse-ed25519:'.",
                "Copy the whole line that 'keygen' printed.",
            )
        try:
            raw = base64.b64decode(text.removeprefix(_TEXT_PREFIX), validate=True)
        except ValueError as error:
            raise InvalidValueError(
                "A public key is not valid base64.", "Copy the whole line that 'keygen' printed."
            ) from error
        key = cls(raw=raw)
        if key.text != text:
            # Base64 has spare bits at its end: a key must not have two spellings.
            raise InvalidValueError(
                "A public key is not in its one canonical form.", "Copy the whole line that 'keygen' printed."
            )
        return key

    @property
    def text(self) -> str:
        """The key as it stands in policies and rosters."""
        return _TEXT_PREFIX + base64.b64encode(self.raw).decode()

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and the base64 digest, for people to compare over the telephone."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.raw).digest()).decode().rstrip("=")

    def verify(self, *, context: str, message: bytes, signature: bytes) -> None:
        """Accept the signature or raise.

        Raises:
            SignatureInvalidError: If the signature is not this key's over this context and message.
        """
        try:
            _loaded(self.raw).verify(signature, _to_sign(context, message))
        except InvalidSignature as error:
            raise SignatureInvalidError(
                f"The signature on a {context} does not match.",
                "It was altered on the way, or signed by another key than the pinned one.",
            ) from error


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One party's private key. Its representation never shows it."""

    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.public.fingerprint})"

    @classmethod
    def generate(cls) -> "SigningKey":
        """Draw a new key from the operating system's generator."""
        return cls(_private=Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> "SigningKey":
        """Read a key written by :meth:`save`.

        Raises:
            KeyFileError: If the file is missing, is no Ed25519 key, or others may read it.
        """
        data = read_key_file(path, what="key file", absent="Make one with 'keygen', or name the right folder.")
        try:
            private = serialization.load_pem_private_key(data, password=None)
        except TypeError as error:
            raise KeyFileError(
                f"The key file {path.name} is encrypted.",
                "Hanse asks for no password: store it without one (mode 0600).",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFileError(f"The key file {path.name} is damaged.", "Restore it or make a new one.") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"The key file {path.name} holds no Ed25519 key.", "Make one with 'keygen'.")
        return cls(_private=private)

    def save(self, path: Path) -> None:
        """Write the key for its owner alone (mode 0600); never over an existing file.

        Raises:
            KeyFileError: If the file exists or cannot be written.
        """
        data = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_key_file(path, data, what="key file")

    @property
    def public(self) -> PublicKey:
        """The key that others pin."""
        raw = self._private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return PublicKey(raw=raw)

    def sign(self, *, context: str, message: bytes) -> bytes:
        """Sign exact bytes in a context; 64 bytes."""
        return self._private.sign(_to_sign(context, message))
