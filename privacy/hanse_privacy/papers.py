"""Papers that a promise rests on: named by their digest, and believed only where a partner's officers accepted them."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from hanse_privacy.roster_size import SeveralPartners

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest in hexadecimal."""

OneLine = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\p{C}\p{Zl}\p{Zp}]+$")]
"""A name that people read: no control characters, no line breaks."""


class EnforcementProof(BaseModel):
    """The paper which shows that nobody's data enters a sum from more than so many vaults of the roster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: OneLine
    sha256: Sha256
    """Digest of the paper's bytes: officers accept this one and no other."""


class LinkageAssurance(BaseModel):
    """What is known about how well people's records were linked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: OneLine
    sha256: Sha256
    """Digest of the paper that states the method's error."""
    partners_at_most: SeveralPartners
    """Over so many partners records of one person are linked at most."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A paper that a unit's promise rests on.

    Args:
        role: What it is for, in words.
        name: Of the paper or the method.
        sha256: Of the paper's bytes.
        partners_at_most: What the promise takes from it: the number of partners that one unit may be at.
    """

    role: str
    name: str
    sha256: str
    partners_at_most: int

    def __str__(self) -> str:
        return f"{self.role} “{self.name}” (SHA-256 {self.sha256})"
