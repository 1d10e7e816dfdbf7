"""Which runs used customers who had already said no, as it travels. Names acts by position, and no customer."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.names import Sha256
from hanse_privacy.protocol.vocabulary import PurposeName, RunId


class UseOfCustomer(BaseModel):
    """One manifest that held the customer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: RunId
    round: int = Field(ge=1)
    manifest: Sha256
    """Its digest."""
    issued_at: datetime
    purpose: PurposeName


class AffectedAct(BaseModel):
    """An act that protects a customer and was recorded after manifests had been issued that it speaks against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int = Field(ge=1)
    """Of the act, in the controller's order."""
    kind: ActKind
    purpose: PurposeName | None
    """As the act names it."""
    said_at: datetime
    recorded_at: datetime
    uses: tuple[UseOfCustomer, ...] = Field(min_length=1)
    """In the order in which they were issued."""


class AffectedRunPage(BaseModel):
    """Such acts of one controller, by position."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    affected: tuple[AffectedAct, ...]
    next_after: int | None
    """Ask again with this as ``after`` for more; none if there are no more. A page may be short, or empty, before."""
