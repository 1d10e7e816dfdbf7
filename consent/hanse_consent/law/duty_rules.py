"""Rules about what a controller has to have in order: not a decision about one customer, but what an officer must see.

Each is evaluated by :mod:`hanse_consent.law.duties` over what is registered and over counts of customers.
"""

from typing import Annotated, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.names import ReasonCode
from hanse_consent.law.clock_rules import ClockMatter
from hanse_consent.law.rules import Rule


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ClassVar[str]
    """The outcome that a rule with this condition must declare."""


class ProtectionOfficerNamed(_Condition):
    """A controller with so many customers under the pack names who answers for protecting their data."""

    code = "PROTECTION_OFFICER_MISSING"
    name: Literal["protection-officer-named"]
    persons_from: int = Field(ge=1)


class AuditInTime(_Condition):
    """No clock of the pack about compliance audits has run out for the controller.

    From how many customers on one runs, and how long, is said by the clock.
    """

    code = "AUDIT_OVERDUE"
    name: Literal["audit-in-time"]
    matter: Literal[ClockMatter.COMPLIANCE_AUDIT]
    zone: str
    """Whose calendar counts, such as ``Asia/Shanghai``."""

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"zone is {name!r}; it must be a time zone such as Asia/Shanghai") from error
        return name


class EntrustedDataReturned(_Condition):
    """A processor whose agreement has ended attests that it returned or deleted the data."""

    code = "RETURN_NOT_ATTESTED"
    name: Literal["entrusted-data-returned"]


class ConsentsSaidApart(_Condition):
    """Nobody says yes to so many purposes within one second: that is one gesture, whatever it was called."""

    code = "BUNDLE_SUSPECTED"
    name: Literal["consents-said-apart"]
    kinds: tuple[ActKind, ...] = Field(min_length=1)
    """Acts that say yes to a purpose."""
    purposes_from: int = Field(ge=2)


class ConsentsNotOutgrown(_Condition):
    """Whoever has had this birthday said yes after it; before, the consent was a guardian's."""

    code = "CONSENT_OUTGROWN"
    name: Literal["consents-not-outgrown"]
    age: int = Field(ge=1, le=30)


class NoPaperEnded(_Condition):
    """No agreement, transfer or assessment has ended while a purpose in force needs it."""

    code = "PAPER_ENDED"
    name: Literal["no-paper-ended"]


class NoPaperEnding(_Condition):
    """None ends within so many days while a purpose in force needs it, and nothing follows it."""

    code = "PAPER_ENDS_SOON"
    name: Literal["no-paper-ending"]
    days: int = Field(ge=1, le=3650)


DutyCondition = Annotated[
    ProtectionOfficerNamed
    | AuditInTime
    | EntrustedDataReturned
    | ConsentsSaidApart
    | ConsentsNotOutgrown
    | NoPaperEnded
    | NoPaperEnding,
    Field(discriminator="name"),
]
"""What has to be in order, with its figures."""


class DutyRule(Rule):
    """A rule about what a controller has to have in order."""

    condition: DutyCondition
    code: ReasonCode
    """What it is called that it is not in order; each condition has its own."""

    @model_validator(mode="after")
    def _code_is_that_of_the_condition(self) -> Self:
        if self.code != self.condition.code:
            raise ValueError(f"code must be {self.condition.code} for the condition {self.condition.name}")
        return self
