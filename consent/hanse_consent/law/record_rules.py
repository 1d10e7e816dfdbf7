"""Rules about what is kept: what a record must hold, how long it stays, in which form it goes out."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.names import ReasonCode
from hanse_consent.law.rules import Rule

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
"""A field of a record, as ISO/IEC TS 27560 names it where it does."""


class RecordKind(StrEnum):
    """What kinds of record there are."""

    CONSENT = "consent"
    """One customer's consent, with what was shown (ISO/IEC TS 27560)."""
    DECISION = "decision"
    """Who was found usable for one question."""
    ACCESS_PACKAGE = "access-package"
    """What a person is given who asks what is known of them."""
    REFUSED_REQUEST = "refused-request"
    """The answer to a person whose request is refused."""
    ERASURE_PROOF = "erasure-proof"
    """What stays after an erasure."""
    PROCESSING_ACTIVITY = "processing-activity"
    """One line of the record of processing activities."""
    BREACH = "breach"
    INCIDENT_NOTICE = "incident-notice"
    """What authority and persons are told of an incident."""
    IMPACT_ASSESSMENT = "impact-assessment"
    PROVISION = "provision"
    """Personal data was given to another handler, or entrusted to a processor."""


class ExportFormat(StrEnum):
    """Forms in which a record can be handed out."""

    JSON = "json"
    JSON_LD = "json-ld"
    CSV = "csv"
    PDF = "pdf"


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ClassVar[str]
    record: RecordKind


class MustHold(_Condition):
    """Every record of the kind holds these fields."""

    code = "RECORD_INCOMPLETE"
    name: Literal["record-must-hold"]
    fields: tuple[FieldName, ...] = Field(min_length=1)
    """None of them empty."""
    may_be_none: tuple[FieldName, ...] = ()
    """To be there, too; an empty list says that there are none, such as no recipients."""


class MayHoldOnly(_Condition):
    """No record of the kind holds any other field."""

    code = "RECORD_HOLDS_TOO_MUCH"
    name: Literal["record-may-hold-only"]
    fields: tuple[FieldName, ...] = Field(min_length=1)


class KeepAtLeast(_Condition):
    """Records of the kind are kept so many calendar months, at least."""

    code = "RECORD_MUST_BE_KEPT"
    name: Literal["keep-at-least"]
    months: int = Field(ge=1, le=1200)


class ExportForms(_Condition):
    """Records of the kind are handed out in one of these forms."""

    code = "EXPORT_FORMAT_NOT_PORTABLE"
    name: Literal["export-forms"]
    formats: tuple[ExportFormat, ...] = Field(min_length=1)


RecordCondition = Annotated[MustHold | MayHoldOnly | KeepAtLeast | ExportForms, Field(discriminator="name")]


class RecordRule(Rule):
    """A rule about what is kept or handed out."""

    condition: RecordCondition
    code: ReasonCode
    """What a breach of it is called; each condition has its own."""

    @model_validator(mode="after")
    def _code_is_that_of_the_condition(self) -> Self:
        if self.code != self.condition.code:
            raise ValueError(f"code must be {self.condition.code} for the condition {self.condition.name}")
        return self
