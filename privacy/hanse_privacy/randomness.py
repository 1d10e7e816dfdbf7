"""Where noise comes from: the operating system's cryptographic generator, injected.

A seeded source exists for benchmarks alone; its name says what it is, and a vault refuses it.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from hanse_privacy.validation import require

_BUFFER_BYTES = 4096


class RandomSource(Protocol):
    """Uniform integers; everything else in this room is built on them."""

    @property
    def is_secure(self) -> bool:
        """Whether noise from this source protects anybody."""

    def below(self, bound: int) -> int:
        """Return a uniform integer in [0, bound)."""

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` independent uniform 64-bit words."""


class _BufferedBytes(ABC):
    """Uniform integers by rejection from a stream of uniform bytes: exact, no modulo bias."""

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0

    @abstractmethod
    def _refill(self) -> bytes:
        """Return more uniform bytes, at least one."""

    def _take(self, count: int) -> bytes:
        if self._position + count > len(self._buffer):
            fresh = self._buffer[self._position :]
            while len(fresh) < count:
                fresh += self._refill()
            self._buffer, self._position = fresh, 0
        start, self._position = self._position, self._position + count
        return self._buffer[start : self._position]

    def below(self, bound: int) -> int:
        """Return a uniform integer in [0, bound)."""
        require(bound > 0, name="bound", value=bound, bound="1 or more")
        bits = (bound - 1).bit_length()
        if bits == 0:
            return 0
        count = (bits + 7) // 8
        excess = 8 * count - bits
        while True:
            candidate = int.from_bytes(self._take(count), "little") >> excess
            if candidate < bound:
                return candidate


class SystemRandomness(_BufferedBytes):
    """The operating system's generator: what every shipped path draws from.

    Many words at once come from AES-256 in counter mode under a key of the system's that is used for one call and
    forgotten: no state is kept that a fork could repeat or a later look at memory could run backwards.
    """

    is_secure = True

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return ``count`` independent uniform 64-bit words."""
        cipher = Cipher(algorithms.AES256(os.urandom(32)), modes.CTR(bytes(16)))
        return np.frombuffer(cipher.encryptor().update(bytes(8 * count)), dtype=np.uint64)

    def _refill(self) -> bytes:
        return os.urandom(_BUFFER_BYTES)


class UnsafeSeededRandomness(_BufferedBytes):
    """A reproducible stream for benchmarks and tests. It protects nobody: a vault refuses it."""

    is_secure = False

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = str(seed).encode()
        self._block = 0

    def words(self, count: int) -> NDArray[np.uint64]:
        """Return the stream's next ``count`` 64-bit words."""
        return np.frombuffer(self._take(8 * count), dtype="<u8").astype(np.uint64)

    def _refill(self) -> bytes:
        self._block += 1
        return hashlib.shake_256(self._seed + b"/" + str(self._block).encode()).digest(_BUFFER_BYTES)
