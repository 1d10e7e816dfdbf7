"""What a customer said, as it travels from a partner to the consent service.

One act speaks for one customer, and a grant for one purpose: a bundle of purposes cannot be written down.
Which acts a law refuses is decided by the law packs (:mod:`hanse_consent.law`), not here.
"""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import ActKey, LanguageTag, NoticeReference
from hanse_privacy.protocol.vocabulary import CountryCode, Pseudonym, PurposeName, Tier

MAX_ACTS_PER_BATCH = 10_000
"""Acts that one request may carry; they are recorded all together or not at all."""


class ActKind(StrEnum):
    """What the customer did, or had done."""

    NOTICE_SERVED = "notice-served"
    """A notice was shown; evidence only."""
    GRANT = "grant"
    RENEWAL = "renewal"
    """A grant given again, under the same or a newer notice."""
    REFUSAL = "refusal"
    DEFERRAL = "deferral"
    """Asked, and put off: changes nothing, counts when the rate of yes is measured."""
    WITHDRAWAL = "withdrawal"
    """Ends a purpose and all below it at every tier; without a purpose, all of them."""
    OBJECTION = "objection"
    """GDPR 21; without a purpose, to all."""
    OBJECTION_LIFTED = "objection-lifted"
    RESTRICTION = "restriction"
    """GDPR 18: nothing but storage."""
    RESTRICTION_LIFTED = "restriction-lifted"
    SEPARATE_GRANT = "separate-grant"
    """A consent that no other consent implies (GDPR 9; PIPL 23, 25, 26, 29, 39)."""
    SEPARATE_WITHDRAWAL = "separate-withdrawal"
    GUARDIAN_GRANT = "guardian-grant"
    """A verified parent or guardian says yes to a purpose for a child (GDPR 8, PIPL 31)."""
    GUARDIAN_WITHDRAWAL = "guardian-withdrawal"
    AUTOMATED_OPT_OUT = "automated-opt-out"
    """No decisions without a person (GDPR 22, PIPL 24)."""
    AUTOMATED_OPT_IN = "automated-opt-in"
    PROFILE = "profile"
    """Where the customer lives and when a minor was born."""
    ERASURE = "erasure"
    """GDPR 17, PIPL 47: the link to the person is destroyed; final."""


class SeparateMatter(StrEnum):
    """What a separate consent is about."""

    SENSITIVE_CATEGORY = "sensitive-category"
    """Subject: the category's term."""
    RECIPIENT = "recipient"
    """Subject: the recipient's name."""
    ABROAD = "abroad"
    """Subject: the recipient's name."""
    PUBLIC_DISCLOSURE = "public-disclosure"
    """Subject: the purpose."""
    PUBLIC_PLACE_IMAGERY = "public-place-imagery"
    """Subject: the purpose."""


class SeparateConsent(BaseModel):
    """The matter and the subject of a separate consent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    matter: SeparateMatter
    subject: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9:-]{0,79}$")

    @property
    def topic(self) -> str:
        """The topic of its facts."""
        return f"separate/{self.matter.value}/{self.subject}"


class Age(BaseModel):
    """Whether a customer is an adult; a minor's birthday, because rights change with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adult: bool
    born_on: date | None = None

    @model_validator(mode="after")
    def _a_minor_has_a_birthday(self) -> Self:
        if self.adult == (self.born_on is not None):
            raise ValueError("name born_on for a minor, and for a minor only")
        return self


_NAMES_PURPOSE = frozenset(
    {
        ActKind.GRANT,
        ActKind.RENEWAL,
        ActKind.REFUSAL,
        ActKind.DEFERRAL,
        ActKind.GUARDIAN_GRANT,
        ActKind.GUARDIAN_WITHDRAWAL,
    }
)
_MAY_NAME_PURPOSE = _NAMES_PURPOSE | {ActKind.WITHDRAWAL, ActKind.OBJECTION, ActKind.OBJECTION_LIFTED}
_SEPARATE = frozenset({ActKind.SEPARATE_GRANT, ActKind.SEPARATE_WITHDRAWAL})
_NAMES_NOTICE = frozenset(
    {ActKind.NOTICE_SERVED, ActKind.GRANT, ActKind.RENEWAL, ActKind.SEPARATE_GRANT, ActKind.GUARDIAN_GRANT}
)


class ConsentAct(BaseModel):
    """One customer's act.

    A grant names its tier and the notice it was given under. A withdrawal needs neither, because withdrawing must be
    as easy as granting (GDPR 7(3), PIPL 15). To step down a tier, send a grant at the lower one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ActKind
    customer: Pseudonym
    said_at: Moment
    key: ActKey
    purpose: PurposeName | None = None
    tier: Tier | None = None
    notice: NoticeReference | None = None
    language: LanguageTag | None = None
    """In which the notice was shown."""
    explicit: bool = False
    """Whether it was an express statement (GDPR 9(2)(a) and 22(2)(c)), not only a clear action."""
    ends_at: Moment | None = None
    """An end that the customer set; otherwise the purpose's own period ends a grant."""
    separate: SeparateConsent | None = None
    country: CountryCode | None = None
    age: Age | None = None
    interaction: ActKey | None = None
    """The one gesture (click, signature) by which it was said; purposes granted by one gesture are a bundle."""
    preselected: bool = False
    """Whether the box was ticked before the customer saw it."""
    channel: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]{0,39}$")
    """Where it was said, such as ``app`` or ``till``."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        kind = self.kind
        _require(self, "purpose", needed=kind in _NAMES_PURPOSE, allowed=kind in _MAY_NAME_PURPOSE)
        grants = kind in (ActKind.GRANT, ActKind.RENEWAL)
        _require(self, "tier", needed=grants, allowed=grants or kind is ActKind.WITHDRAWAL)
        _require(self, "notice", needed=kind in _NAMES_NOTICE, allowed=True)
        _require(self, "separate", needed=kind in _SEPARATE, allowed=kind in _SEPARATE)
        _require(self, "country", needed=False, allowed=kind is ActKind.PROFILE)
        _require(self, "age", needed=False, allowed=kind is ActKind.PROFILE)
        if kind is ActKind.PROFILE and self.country is None and self.age is None:
            raise ValueError("a profile must name country or age")
        if self.ends_at is not None and self.ends_at <= self.said_at:
            raise ValueError("ends_at must be after said_at")
        return self


def _require(act: ConsentAct, field: str, *, needed: bool, allowed: bool) -> None:
    given = getattr(act, field) is not None
    if needed and not given:
        raise ValueError(f"a {act.kind.value} must name its {field}")
    if given and not allowed:
        raise ValueError(f"a {act.kind.value} has no {field}")


class ActBatch(BaseModel):
    """Acts recorded in one transaction. Whose they are is said by the request's signature, never here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    acts: tuple[ConsentAct, ...] = Field(min_length=1, max_length=MAX_ACTS_PER_BATCH)


class ActEffect(StrEnum):
    """What an act changed."""

    EFFECTIVE = "effective"
    SUPERSEDED = "superseded"
    """Something said later, or something that protects said at the same time, counts instead."""
    EVIDENCE = "evidence"
    """Kept as evidence; changes nobody's standing."""
    REPEATED = "repeated"
    """Recorded before under the same key."""


class ActReceipt(BaseModel):
    """The service's acknowledgement: durable, and seen by every decision that begins from now on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int = Field(ge=1)
    """The controller's position at which all acts of the batch stand; the same when the batch is sent again."""
    effects: tuple[ActEffect, ...]
    """In the order of the acts."""
