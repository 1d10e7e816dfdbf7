"""Rules about time limits: what starts a clock, and how long it runs.

How days are counted is said in :mod:`hanse_consent.law.clocks`, which reads these rules.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.names import ReasonCode
from hanse_consent.law.rules import Rule


class ClockMatter(StrEnum):
    """What a clock is about; the comment says what starts it."""

    ACCESS = "access"
    """A person asks what is known of them."""
    PORTABILITY = "portability"
    CORRECTION = "correction"
    DELETION = "deletion"
    RESTRICTION = "restriction"
    OBJECTION = "objection"
    HUMAN_REVIEW = "human-review"
    """A person asks that somebody looks at an automated decision, or explains it."""
    WITHDRAWAL = "withdrawal"
    """What is left to do after a withdrawal, such as deleting; the withdrawal itself counts at once."""
    COMPLAINT = "complaint"
    BREACH = "breach"
    """The controller learns that personal data was lost, altered, seen or taken."""
    SECURITY_INCIDENT = "security-incident"
    """The operator of a network learns of a security incident."""
    SECURITY_INCIDENT_CRITICAL = "security-incident-critical"
    """The same, at an operator of critical information infrastructure."""
    INCIDENT_SUMMARY = "incident-summary"
    """The handling of an incident is over."""
    COMPLIANCE_AUDIT = "compliance-audit"
    """The last audit was finished; before the first, processing began."""


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ClassVar[str] = "CLOCK_OVERDUE"


class _Period(_Condition):
    from_persons: int = Field(default=0, ge=0)
    """The clock starts only where at least so many persons are concerned."""


class AtOnce(_Period):
    """Due when it starts."""

    name: Literal["at-once"]


class Hours(_Period):
    """So many hours of sixty minutes, weekends and holidays among them."""

    name: Literal["hours"]
    hours: int = Field(ge=1, le=10_000)


class Days(_Period):
    """So many days by the calendar."""

    name: Literal["days"]
    days: int = Field(ge=1, le=10_000)


class WorkingDaysOfChina(_Period):
    """So many days on which China works, holidays and the weekends worked for them included."""

    name: Literal["working-days-of-china"]
    days: int = Field(ge=1, le=250)


class Months(_Period):
    """So many calendar months, to the same date or the month's last day; may be extended once."""

    name: Literal["months"]
    months: int = Field(ge=1, le=1200)
    extension_months: int = Field(default=0, ge=0, le=1200)
    """By how much more, if the person is told, with the reason, before the clock has run out."""


class PauseAllowed(_Condition):
    """Clocks of the pack about these matters stand still while the person's identity is in doubt."""

    code = "CLOCK_PAUSED"
    name: Literal["pause-allowed"]


Period = AtOnce | Hours | Days | WorkingDaysOfChina | Months
"""How long a clock runs."""

ClockCondition = Annotated[Period | PauseAllowed, Field(discriminator="name")]


class ClockRule(Rule):
    """A rule about a time limit."""

    matters: tuple[ClockMatter, ...] = Field(min_length=1)
    condition: ClockCondition
    code: ReasonCode
    """What it is called that the limit is missed, or that the clock stands still."""

    @model_validator(mode="after")
    def _code_is_that_of_the_condition(self) -> Self:
        if self.code != self.condition.code:
            raise ValueError(f"code must be {self.condition.code} for the condition {self.condition.name}")
        return self
