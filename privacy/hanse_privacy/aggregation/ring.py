"""Integers modulo 2^32 or 2^64: in which vectors are masked, and when a sum fits without wrapping."""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.validation import require

Words = NDArray[np.unsignedinteger[Any]]
"""Unsigned integers of 32 or of 64 bits."""


class Ring(IntEnum):
    """Integers modulo 2 to the number of bits."""

    BITS_32 = 32
    BITS_64 = 64

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Of a vector in memory; on the way it is little-endian."""
        return np.dtype("<u4") if self is Ring.BITS_32 else np.dtype("<u8")

    @property
    def largest(self) -> int:
        """The largest magnitude that comes back as it was."""
        return (1 << (self.value - 1)) - 1

    def encode(self, vector: NDArray[np.int64]) -> Words:
        """Put a vector of signed integers into the ring.

        Raises:
            InvalidValueError: If it is no vector, holds other numbers than integers, or an entry does not fit; nothing
                wraps and nothing is rounded.
        """
        require(vector.ndim == 1, name="dimensions", value=vector.ndim, bound="1: each word has a mask of its own")
        require(vector.dtype == np.int64, name="type of entries", value=vector.dtype.name, bound="int64")
        if vector.size:
            extreme = max(int(vector.max()), -int(vector.min()))
            require(
                extreme <= self.largest, name="largest entry", value="its magnitude", bound=f"at most {self.largest}"
            )
        return vector.astype(self.dtype)

    def decode(self, words: Words) -> NDArray[np.int64]:
        """Read words of the ring as signed integers."""
        signed = np.int32 if self is Ring.BITS_32 else np.int64
        return words.view(signed).astype(np.int64)

    def read(self, data: bytes, *, size: int) -> Words:
        """Read a vector of ``size`` words from its bytes.

        Raises:
            InvalidValueError: If it has another length.
        """
        expected = size * self.value // 8
        require(len(data) == expected, name="length of a masked vector", value=len(data), bound=f"{expected} bytes")
        return np.frombuffer(data, dtype=self.dtype)


def require_sum_fits(ring: Ring, *, vaults: int, largest_entry: int) -> None:
    """Refuse, before anything is computed, a sum that could wrap.

    Args:
        ring: The ring.
        vaults: How many vectors are added.
        largest_entry: The largest magnitude that one vault's entry can have, its noise included.

    Raises:
        InvalidValueError: If they do not fit.
    """
    require(
        vaults * largest_entry <= ring.largest,
        name="largest possible entry of the sum",
        value=vaults * largest_entry,
        bound=f"at most {ring.largest}, for words of {ring.value} bits",
    )
