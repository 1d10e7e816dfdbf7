"""The keys of one run: each vault signs one ephemeral key, and each pair of vaults agrees on a secret.

A vault believes a key only under the signature of the partner's own key, the one in the run's roster, which it has
pinned or other partners vouch for (:mod:`hanse_privacy.protocol.vouchers`). Whoever carries
the messages can lose them, not replace them. The ephemeral key is made for one run and deleted after it, so what was
sent in the run stays closed when a partner's lasting key is stolen later.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.signed_records import decode_record, sign_record, verified_body

_CONTEXT = "session-key/1"
_PAIR_INFO = b"hanse pair secret/1"
_KEY_BYTES = 32


class SessionKeysError(HanseError):
    """The vaults' ephemeral keys are not complete, not genuine or not of this run."""

    code = "SESSION_KEYS_INVALID"


@dataclass(frozen=True, kw_only=True)
class RunIdentity:
    """What every key and mask of a run is bound to.

    Args:
        run: The run's name.
        proposal: Digest of its proposal, hexadecimal.
        roster: Each partner and its lasting key, in the proposal's order.
    """

    run: str
    proposal: str
    roster: tuple[tuple[str, PublicKey], ...]

    @property
    def partners(self) -> tuple[str, ...]:
        """Names, in the roster's order."""
        return tuple(partner for partner, _ in self.roster)

    @property
    def roster_digest(self) -> bytes:
        """SHA-256 of names and keys in their order."""
        entries = [(partner, key.raw) for partner, key in self.roster]
        return hashlib.sha256(msgspec.msgpack.encode(entries)).digest()

    @property
    def salt(self) -> bytes:
        """SHA-256 of all of it."""
        return hashlib.sha256(msgspec.msgpack.encode((self.run, self.proposal, self.roster_digest))).digest()


class SessionKeyMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vault's ephemeral public key, for one run."""

    run: str
    proposal: str
    roster: bytes
    partner: str
    public_key: bytes


class SessionKey:
    """A vault's ephemeral private key. Its representation never shows it.

    Args:
        private: 32 bytes of X25519 (RFC 7748).
    """

    def __init__(self, private: bytes) -> None:
        self._private = X25519PrivateKey.from_private_bytes(private)

    def __repr__(self) -> str:
        return "SessionKey(…)"

    @classmethod
    def generate(cls) -> "SessionKey":
        """Draw a new one from the operating system's generator."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    def private_bytes(self) -> bytes:
        """The secret itself, for the vault's own storage."""
        return self._private.private_bytes_raw()

    @property
    def public(self) -> bytes:
        """32 bytes, for the other vaults."""
        return self._private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def message(self, identity: RunIdentity, *, partner: str, key: SigningKey) -> bytes:
        """Sign the public key for a run."""
        message = SessionKeyMessage(
            run=identity.run,
            proposal=identity.proposal,
            roster=identity.roster_digest,
            partner=partner,
            public_key=self.public,
        )
        return sign_record(message, context=_CONTEXT, key=key)

    def pair_secrets(self, identity: RunIdentity, keys: Mapping[str, bytes], *, partner: str) -> dict[str, bytes]:
        """Agree with every other vault: X25519, then HKDF-SHA256 (RFC 5869) over the run and both public keys.

        Args:
            identity: The run.
            keys: Every vault's ephemeral public key, from :func:`verified_keys`.
            partner: Whose key this is.

        Returns:
            32 secret bytes for each other partner.

        Raises:
            SessionKeysError: If a key is one of the few that make any secret known (RFC 7748, section 6.1).
        """
        secrets = {}
        for other in identity.partners:
            if other == partner:
                continue
            try:
                shared = self._private.exchange(X25519PublicKey.from_public_bytes(keys[other]))
            except ValueError as error:
                raise SessionKeysError(
                    f"{other}'s ephemeral key is none that a secret can be agreed with.", "Speak with the partner."
                ) from error
            first, second = sorted((partner, other), key=identity.partners.index)
            info = msgspec.msgpack.encode((_PAIR_INFO, first, second, keys[first], keys[second]))
            kdf = HKDF(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=identity.salt, info=info)
            secrets[other] = kdf.derive(shared)
        return secrets


def verified_key(signed: bytes, identity: RunIdentity, *, partner: str) -> bytes:
    """Return a partner's ephemeral public key from its signed message.

    Raises:
        SessionKeysError: If it is malformed, another run's or another partner's.
        SignatureInvalidError: If the partner's lasting key did not sign it.
    """

    def malformed(what: str, mend: str) -> SessionKeysError:
        return SessionKeysError(f"The key message of {partner} cannot be used. {what}", mend)

    body = verified_body(signed, context=_CONTEXT, key=dict(identity.roster)[partner], error=malformed)
    message = decode_record(body, SessionKeyMessage, error=malformed)
    said = (message.run, message.proposal, message.roster, message.partner)
    if (
        said != (identity.run, identity.proposal, identity.roster_digest, partner)
        or len(message.public_key) != _KEY_BYTES
    ):
        raise SessionKeysError(
            f"The key message of {partner} is for another run, roster or partner.", "A key is good for one run only."
        )
    return message.public_key


def verified_keys(signed: Sequence[bytes], identity: RunIdentity) -> dict[str, bytes]:
    """Return every partner's ephemeral public key from the signed messages, one per partner in the roster's order.

    Raises:
        SessionKeysError: If one is missing or too many, malformed, another run's, or two partners have the same key.
        SignatureInvalidError: If a partner's lasting key did not sign its message.
    """
    if len(signed) != len(identity.roster):
        raise SessionKeysError(
            f"{len(signed)} key messages for a roster of {len(identity.roster)}.", "A round needs every vault's key."
        )
    keys = {
        partner: verified_key(message, identity, partner=partner)
        for partner, message in zip(identity.partners, signed, strict=True)
    }
    if len(set(keys.values())) != len(keys):
        raise SessionKeysError("Two partners of the roster sent the same ephemeral key.", "Speak with both.")
    return keys
