"""Rules about decisions: when the law forbids a use, and what it asks of whoever makes one.

A rule holds data only: its condition names a kind of check and the ages, countries, thresholds and mechanisms to check
with. What each check means is written in :mod:`hanse_consent.decisions`, one function per condition.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.names import ReasonCode
from hanse_consent.law.customer_conditions import (
    AutomatedOptOut,
    AutomatedWithoutExplicitConsent,
    ChildWithoutGuardian,
    ConsentEnded,
    ConsentMissing,
    ConsentRefused,
    ConsentWithdrawn,
    ControllerNotDisclosed,
    Erasure,
    ExplicitConsentForCategories,
    NoticeSuperseded,
    NoticeUnfit,
    Objection,
    RecipientNotDisclosed,
    ResidenceNotCovered,
    Restriction,
    TierTooLow,
)
from hanse_consent.law.rules import Rule
from hanse_consent.law.sharing_conditions import (
    CriticalOperatorExport,
    ExportThreshold,
    SeparateConsentAbroad,
    SeparateConsentForCategories,
    SeparateConsentForImagery,
    SeparateConsentForPublication,
    SeparateConsentForRecipients,
    TransferAssessmentMissing,
    TransferMechanismMissing,
    TransferNeedsExplicitConsent,
)
from hanse_consent.law.use_conditions import (
    AssessmentMissing,
    BasisNotAccepted,
    CategoriesNotCovered,
    ControllerUnknown,
    EveryUse,
    JointAgreementMissing,
    KindNotForLeague,
    LeagueRunWithoutConsent,
    PurposeUnknown,
    Received,
    ReceivedByProcessor,
    RecipientAgreementMissing,
    RecipientUnknown,
    TierNotOffered,
    UseOnConsent,
)

DecisionCondition = Annotated[
    ControllerUnknown
    | PurposeUnknown
    | TierNotOffered
    | RecipientUnknown
    | CategoriesNotCovered
    | BasisNotAccepted
    | LeagueRunWithoutConsent
    | KindNotForLeague
    | JointAgreementMissing
    | RecipientAgreementMissing
    | AssessmentMissing
    | ResidenceNotCovered
    | ConsentMissing
    | ConsentRefused
    | ConsentWithdrawn
    | ConsentEnded
    | TierTooLow
    | NoticeUnfit
    | NoticeSuperseded
    | RecipientNotDisclosed
    | ControllerNotDisclosed
    | Objection
    | Restriction
    | Erasure
    | AutomatedOptOut
    | AutomatedWithoutExplicitConsent
    | ExplicitConsentForCategories
    | ChildWithoutGuardian
    | SeparateConsentForCategories
    | SeparateConsentForRecipients
    | SeparateConsentAbroad
    | SeparateConsentForPublication
    | SeparateConsentForImagery
    | TransferMechanismMissing
    | TransferAssessmentMissing
    | TransferNeedsExplicitConsent
    | ExportThreshold
    | CriticalOperatorExport
    | EveryUse
    | UseOnConsent
    | Received
    | ReceivedByProcessor,
    Field(discriminator="name"),
]
"""What a rule about decisions checks, with its figures."""

OBLIGING_ONLY = (EveryUse, UseOnConsent, Received, ReceivedByProcessor)
"""Conditions that exclude nobody."""


class ObligationText(BaseModel):
    """What a rule asks of whoever uses the customers that it lets pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: ReasonCode
    text: str = Field(min_length=1, max_length=500)
    """One or two sentences; ``{retention_days}`` stands for the purpose's own figure."""


class DecisionRule(Rule):
    """A rule about decisions: excludes customers for a reason, or obliges, or both."""

    condition: DecisionCondition
    code: ReasonCode | None = None
    """Why a customer is excluded; none for a rule that only obliges."""
    obligation: ObligationText | None = None

    @model_validator(mode="after")
    def _has_an_outcome(self) -> Self:
        obliging_only = isinstance(self.condition, OBLIGING_ONLY)
        if obliging_only != (self.code is None):
            raise ValueError(f"rule {self.id}: condition {self.condition.name} and code do not fit together")
        if obliging_only and self.obligation is None:
            raise ValueError(f"rule {self.id} has no outcome: name a code or an obligation")
        return self
