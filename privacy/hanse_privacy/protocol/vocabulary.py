"""Names that travel: who is who, what a run may do, how deeply it may look."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

PartyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""A partner, the centre or a service: lower-case letters, digits and hyphens."""

PurposeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
"""A purpose as the consent service registers it, such as ``recommendation-statistics``."""

RunId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,80}$")]
"""A run: proposal name, date and a random tail."""

Pseudonym = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""A customer under one partner's own key: 16 bytes in hexadecimal."""

CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class Tier(StrEnum):
    """A ceiling on processing intensity, per purpose; never a bundle of purposes."""

    BASIC = "basic"
    STANDARD = "standard"
    ADVANCED = "advanced"

    @property
    def rank(self) -> int:
        """Order of intensity: a grant at a tier covers that tier and those below it."""
        return _RANKS[self]


_RANKS = {tier: rank for rank, tier in enumerate(Tier)}
