"""What a customer said, as it travels from a partner to the consent service.

One act speaks for one customer and one purpose: a bundle of purposes cannot be written down.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from hanse_privacy.protocol.vocabulary import Pseudonym, PurposeName, Tier

MAX_ACTS_PER_BATCH = 10_000
"""Acts that one request may carry; they are recorded all together or not at all."""

NoticeReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}@[0-9]{1,4}(\.[0-9]{1,4}){0,2}$")]
"""The notice that the customer was shown: ``name@version``, in whatever language."""

ActKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""A name for the act, unique at its partner: sent again under the same key, an act counts once."""


def _moment(value: object) -> datetime:
    # A bare number is refused, also as text: nobody can tell seconds from milliseconds.
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("a time must be written as ISO 8601") from error
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("a time must be written as ISO 8601 with its time zone")
    return moment


SaidAt = Annotated[datetime, BeforeValidator(_moment)]
"""When the customer said it, with its time zone."""


class ActKind(StrEnum):
    """What the customer did."""

    GRANT = "grant"
    WITHDRAWAL = "withdrawal"


class ConsentAct(BaseModel):
    """One customer's yes or no to one purpose.

    A grant names its tier and the notice it was given under. A withdrawal ends the purpose at every
    tier; it may repeat tier and notice, and needs neither, because withdrawing must be as easy as
    granting (GDPR 7(3), PIPL 15). To step down a tier, send a grant at the lower one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ActKind
    customer: Pseudonym
    purpose: PurposeName
    tier: Tier | None = None
    notice: NoticeReference | None = None
    said_at: SaidAt
    preselected: bool = False
    """Whether the box was ticked before the customer saw it: such a grant is refused."""
    key: ActKey

    @model_validator(mode="after")
    def _grant_is_complete(self) -> Self:
        if self.kind is ActKind.GRANT and (self.tier is None or self.notice is None):
            raise ValueError("a grant must name its tier and its notice")
        return self


class ActBatch(BaseModel):
    """Acts recorded in one transaction. Whose they are is said by the request's signature, never here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    acts: tuple[ConsentAct, ...] = Field(min_length=1, max_length=MAX_ACTS_PER_BATCH)


class ActReceipt(BaseModel):
    """The service's acknowledgement: durable, and seen by every manifest asked for from now on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int = Field(ge=1)
    """The store's position at which all acts of the batch stand; the same when the batch is sent again."""
