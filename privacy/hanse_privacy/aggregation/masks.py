"""Pairwise masks: what a vault adds to its vector, so that it tells nothing until all vectors are added."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from numpy.typing import NDArray

from hanse_privacy.aggregation.ring import Ring, Words
from hanse_privacy.aggregation.session_keys import RunIdentity
from hanse_privacy.validation import require_at_least

_MASK_INFO = b"hanse mask/1"
_CHUNK_BYTES = 1 << 18
"""Keystream is made and added in pieces that stay in the processor's cache."""
_ZEROS = bytes(_CHUNK_BYTES)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at one round: a vault masks one vector for it, ever.

    Args:
        round: From 1.
        step: Index of the proposal's step.
        attempt: From 1.
    """

    round: int
    step: int
    attempt: int

    def __post_init__(self) -> None:
        require_at_least(1, round=self.round, attempt=self.attempt)
        require_at_least(0, step=self.step)


def mask(
    vector: NDArray[np.int64],
    *,
    ring: Ring,
    identity: RunIdentity,
    attempt: Attempt,
    partner: str,
    pair_secrets: Mapping[str, bytes],
) -> Words:
    """Return the vector in the ring, plus a mask for each later partner of the roster, minus one for each earlier.

    Guarantee: to whoever lacks at least one pair's secret, the masked vectors of both are uniform but for their sum
    (AES-256 in counter mode under a key that is used for this mask alone being a pseudorandom generator). An attempt is
    masked once: a second vector under the same masks would show its difference from the first.

    Args:
        vector: Signed integers; each must fit.
        ring: Where sums are computed.
        identity: The run.
        attempt: What the masks are for.
        partner: Whose vector it is.
        pair_secrets: One for each other partner, from :meth:`.session_keys.SessionKey.pair_secrets`.

    Raises:
        InvalidValueError: If an entry does not fit the ring.
    """
    masked = ring.encode(vector)
    place = identity.partners.index(partner)
    for other_place, other in enumerate(identity.partners):
        if other == partner:
            continue
        adder, subtractor = (partner, other) if place < other_place else (other, partner)
        key = _mask_key(pair_secrets[other], identity, attempt, adder=adder, subtractor=subtractor)
        _add_keystream(masked, key, subtract=partner == subtractor)
    return masked


def _mask_key(secret: bytes, identity: RunIdentity, attempt: Attempt, *, adder: str, subtractor: str) -> bytes:
    info = msgspec.msgpack.encode(
        (
            _MASK_INFO,
            identity.proposal,
            identity.roster_digest,
            attempt.round,
            attempt.step,
            attempt.attempt,
            adder,
            subtractor,
        )
    )
    return HKDFExpand(algorithm=hashes.SHA256(), length=32, info=info).derive(secret)


def _add_keystream(words: Words, key: bytes, *, subtract: bool) -> None:
    # Each key is used for one stream only, so the counter may start at zero.
    encryptor = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor()
    buffer = bytearray(_CHUNK_BYTES)
    stream = np.frombuffer(buffer, dtype=words.dtype)
    zeros = memoryview(_ZEROS)
    operation = np.subtract if subtract else np.add
    for start in range(0, len(words), len(stream)):
        part = words[start : start + len(stream)]
        encryptor.update_into(zeros[: part.nbytes], buffer)
        operation(part, stream[: len(part)], out=part)
