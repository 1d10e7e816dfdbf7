"""The centre's side of a sum: collect every vault's masked vector of one attempt, then add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.ring import Ring
from hanse_privacy.errors import HanseError


class SumIncompleteError(HanseError):
    """A sum was asked for before every vault's vector was there, or with one that does not belong."""

    code = "SUM_INCOMPLETE"


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Masked vectors of one attempt.

    Args:
        partners: The full roster.
        attempt: What they are for.
        ring: Where they are added.
        size: Words in each.
        vectors: Those that came, by partner.
    """

    partners: tuple[str, ...]
    attempt: Attempt
    ring: Ring
    size: int
    vectors: Mapping[str, bytes] = field(default_factory=dict)

    def receive(self, partner: str, data: bytes) -> "Collection":
        """Take a vault's masked vector; the same bytes again change nothing.

        Raises:
            SumIncompleteError: If the partner is not in the roster or sent other bytes before.
            InvalidValueError: If it has the wrong length.
        """
        if partner not in self.partners:
            raise SumIncompleteError(f"{partner} is not in the roster.", "A sum is over the roster of its run.")
        if self.vectors.get(partner, data) != data:
            raise SumIncompleteError(
                f"{partner} sent two different vectors for one attempt.",
                "Its sum would be of neither; start a new run.",
            )
        self.ring.read(data, size=self.size)
        return replace(self, vectors={**self.vectors, partner: data})

    @property
    def missing(self) -> tuple[str, ...]:
        """Partners whose vector has not come."""
        return tuple(partner for partner in self.partners if partner not in self.vectors)

    def total(self) -> NDArray[np.int64]:
        """Add up; the masks cancel.

        Raises:
            SumIncompleteError: If a vector is missing: without it the sum would be noise.
        """
        if self.missing:
            raise SumIncompleteError(
                f"The vectors of {', '.join(self.missing)} are missing.", "A sum needs every vault of the roster."
            )
        total = np.zeros(self.size, dtype=self.ring.dtype)
        for partner in self.partners:
            np.add(total, self.ring.read(self.vectors[partner], size=self.size), out=total)
        return self.ring.decode(total)
