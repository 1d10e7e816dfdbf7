"""The least that masking can cost: AES-256 in counter mode and an addition, written by hand as fast as they go."""

from collections.abc import Callable, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hanse_privacy.aggregation.ring import Ring, Words


def peer_by_peer(words: Words, keys: Sequence[bytes], *, ring: Ring, chunk_bytes: int) -> None:
    """Add each key's keystream to all words before the next one's."""
    zeros, buffer = memoryview(bytes(chunk_bytes)), bytearray(chunk_bytes)
    stream = np.frombuffer(buffer, dtype=ring.dtype)
    step = len(stream)
    for key in keys:
        update_into = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update_into
        for start in range(0, len(words), step):
            part = words[start : start + step]
            update_into(zeros[: part.nbytes], buffer)
            np.add(part, stream[: len(part)], out=part)


def piece_by_piece(words: Words, keys: Sequence[bytes], *, ring: Ring, chunk_bytes: int) -> None:
    """Add all keystreams to a few words before the next ones, which then never leave the cache."""
    zeros, buffer = memoryview(bytes(chunk_bytes)), bytearray(chunk_bytes)
    stream = np.frombuffer(buffer, dtype=ring.dtype)
    step = len(stream)
    streams = [Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update_into for key in keys]
    for start in range(0, len(words), step):
        part = words[start : start + step]
        source, addend = zeros[: part.nbytes], stream[: len(part)]
        for update_into in streams:
            update_into(source, buffer)
            np.add(part, addend, out=part)


Keystream = Callable[..., None]
WAYS: tuple[tuple[str, Keystream, int], ...] = tuple(
    (f"{way.__name__}_{chunk >> 10}_kib", way, chunk)
    for way in (peer_by_peer, piece_by_piece)
    for chunk in (1 << 16, 1 << 17, 1 << 18, 1 << 20)
)
"""What is tried; the fastest is what masking is compared with."""
