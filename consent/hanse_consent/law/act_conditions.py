"""What an act must satisfy to be recorded: rules as data, enforced by :mod:`hanse_consent.law.writing`."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.acts import ActKind, SeparateMatter


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ClassVar[str]
    """The outcome that a rule with this condition must declare."""


class AlwaysAccepted(_Condition):
    """Acts of these kinds are accepted whatever they lack or name; only the clock binds them."""

    code = "ALWAYS_ACCEPTED"
    name: Literal["always-accepted"]
    kinds: tuple[ActKind, ...] = Field(min_length=1)


class NotSaidAhead(_Condition):
    """No act, of whatever kind, was said later than now."""

    code = "SAID_IN_FUTURE"
    name: Literal["not-said-ahead"]
    tolerance_seconds: int = Field(ge=0, le=3600)
    """By how much the clock where consent is taken may be ahead."""


class NotPreselected(_Condition):
    """The customer ticked the box, nobody before."""

    code = "PRESELECTED_CONSENT"
    name: Literal["not-preselected"]
    kinds: tuple[ActKind, ...] = Field(min_length=1)


class OneThingPerInteraction(_Condition):
    """One gesture of a customer says yes to one thing."""

    code = "BUNDLED_CONSENT"
    name: Literal["one-thing-per-interaction"]
    kinds: tuple[ActKind, ...] = Field(min_length=1)


class PurposeInForce(_Condition):
    """The purpose that an act names is registered and in force."""

    code = "PURPOSE_UNKNOWN"
    name: Literal["purpose-in-force"]


class TierOffered(_Condition):
    """The purpose exists at the tier named."""

    code = "TIER_NOT_OFFERED"
    name: Literal["tier-offered"]


class NoticeRegistered(_Condition):
    """The notice that an act cites is registered."""

    code = "NOTICE_UNKNOWN"
    name: Literal["notice-registered"]


class NoticeExplainsPurpose(_Condition):
    """The notice cited explains the purpose."""

    code = "NOTICE_DOES_NOT_EXPLAIN"
    name: Literal["notice-explains-purpose"]


class NoticeExplainsMatter(_Condition):
    """The notice of a separate consent is about it.

    It names the recipient; for one abroad, its country, too; for a kind of data, a purpose that uses it.
    """

    code = "NOTICE_DOES_NOT_EXPLAIN"
    name: Literal["notice-explains-matter"]
    matters: tuple[SeparateMatter, ...] = Field(min_length=1)


class NoticePublished(_Condition):
    """The notice had been published when the act was said."""

    code = "NOTICE_NOT_PUBLISHED"
    name: Literal["notice-published"]


class NoticeLanguageKnown(_Condition):
    """The notice exists in the language named; where there are several, one is named."""

    code = "NOTICE_LANGUAGE_UNKNOWN"
    name: Literal["notice-language-known"]


class RecipientRegistered(_Condition):
    """The recipient of a separate consent is registered, so that its name and contact are known."""

    code = "RECIPIENT_UNKNOWN"
    name: Literal["recipient-registered"]


class CategoryRegistered(_Condition):
    """The kind of data of a separate consent is one that some purpose uses."""

    code = "CATEGORY_UNKNOWN"
    name: Literal["category-registered"]


ActCondition = (
    AlwaysAccepted
    | NotSaidAhead
    | NotPreselected
    | OneThingPerInteraction
    | PurposeInForce
    | TierOffered
    | NoticeRegistered
    | NoticeExplainsPurpose
    | NoticeExplainsMatter
    | NoticePublished
    | NoticeLanguageKnown
    | RecipientRegistered
    | CategoryRegistered
)
"""What one act must satisfy."""
