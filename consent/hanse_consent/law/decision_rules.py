"""Rules about decisions: when the law forbids a use, and what it asks of whoever makes one.

A rule holds data only: its condition names a kind of check and the ages, countries, thresholds and mechanisms to check
with. What each check means is written in :mod:`hanse_consent.decisions`, one function per condition.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.names import CategoryTerm, ReasonCode
from hanse_consent.domain.parties import AssessmentKind, TransferMechanism
from hanse_consent.domain.purposes import LegalBasis, PurposeKind
from hanse_consent.law.rules import Rule
from hanse_privacy.protocol.vocabulary import CountryCode

Bases = Annotated[frozenset[LegalBasis], Field(min_length=1)]
Categories = Annotated[frozenset[CategoryTerm], Field(min_length=1)]
Mechanisms = Annotated[frozenset[TransferMechanism], Field(min_length=1)]
Years = Annotated[int, Field(ge=1, le=30)]


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# --- What is registered -----------------------------------------------------------------------------------------------


class ControllerUnknown(_Condition):
    """The controller asked about is not registered."""

    name: Literal["controller-unknown"]


class PurposeUnknown(_Condition):
    """The purpose asked about is not registered, or no longer in force."""

    name: Literal["purpose-unknown"]


class TierNotOffered(_Condition):
    """The purpose does not exist at the tier asked for."""

    name: Literal["tier-not-offered"]


class RecipientUnknown(_Condition):
    """A recipient is registered neither as a recipient nor as a controller."""

    name: Literal["recipient-unknown"]


class CategoriesNotCovered(_Condition):
    """A kind of data is asked for that the purpose does not hold at that tier."""

    name: Literal["categories-not-covered"]


class BasisNotAccepted(_Condition):
    """The purpose's legal basis under this pack is none of those that the pack knows."""

    name: Literal["basis-not-accepted"]
    accepted: Bases


class LeagueRunWithoutConsent(_Condition):
    """A league run rests on another ground than consent, under any pack that governs the customer."""

    name: Literal["league-run-without-consent"]


class KindNotForLeague(_Condition):
    """A league run is asked for with a kind of purpose that is a partner's own business."""

    name: Literal["kind-not-for-league"]
    kinds: Annotated[frozenset[PurposeKind], Field(min_length=1)]


class JointAgreementMissing(_Condition):
    """A joint controller without an agreement in force that names the purpose."""

    name: Literal["joint-agreement-missing"]
    league_runs_only: bool = False


class RecipientAgreementMissing(_Condition):
    """A recipient (or its principal, for a sub-processor) without an agreement in force that names the purpose."""

    name: Literal["recipient-agreement-missing"]


class AssessmentMissing(_Condition):
    """An approved assessment is not in date, though something about the use demands it.

    Each flag is one such thing; a flag left out does not matter to the rule.
    """

    name: Literal["assessment-missing"]
    kind: AssessmentKind
    if_high_risk: bool = False
    if_automated: bool = False
    if_sets_prices: bool = False
    if_published: bool = False
    if_received: bool = False
    """Anybody beside the controller receives the outcome."""
    if_abroad: bool = False
    """A recipient is outside the pack's territory."""
    if_categories: frozenset[CategoryTerm] = frozenset()
    """One of these kinds of data is read."""
    if_below_age: Years | None = None
    """The customer is younger: then only such customers are excluded."""


# --- What the customer said -------------------------------------------------------------------------------------------


class ResidenceNotCovered(_Condition):
    """The customer lives where no pack in force applies."""

    name: Literal["residence-not-covered"]


class ConsentMissing(_Condition):
    """Consent is the ground, and nothing was ever said."""

    name: Literal["consent-missing"]


class ConsentRefused(_Condition):
    """Consent is the ground, and the customer said no."""

    name: Literal["consent-refused"]


class ConsentWithdrawn(_Condition):
    """Consent is the ground, and was withdrawn."""

    name: Literal["consent-withdrawn"]


class ConsentEnded(_Condition):
    """Consent is the ground, and its time is over."""

    name: Literal["consent-ended"]


class TierTooLow(_Condition):
    """Consent is the ground, and reaches less deep than the use."""

    name: Literal["tier-too-low"]


class NoticeUnfit(_Condition):
    """The grant's notice is unknown, not yet published, or does not explain the purpose."""

    name: Literal["notice-unfit"]


class NoticeSuperseded(_Condition):
    """A later version of the grant's notice brought a material change."""

    name: Literal["notice-superseded"]


class RecipientNotDisclosed(_Condition):
    """A recipient is not named in the grant's notice."""

    name: Literal["recipient-not-disclosed"]


class ControllerNotDisclosed(_Condition):
    """The grant's notice does not name the controller, or not every joint controller."""

    name: Literal["controller-not-disclosed"]
    joint_controllers: bool = False
    """Whether joint controllers have to be named, too."""


class Objection(_Condition):
    """The customer objects, and the law gives the objection weight."""

    name: Literal["objection"]
    bases: Bases
    """Grounds on which an objection counts; against direct marketing it always does."""


class Restriction(_Condition):
    """The customer's data may be stored and nothing else."""

    name: Literal["restriction"]


class Erasure(_Condition):
    """The customer was erased."""

    name: Literal["erasure"]


class AutomatedOptOut(_Condition):
    """The purpose decides without a person, and the customer opted out of that."""

    name: Literal["automated-opt-out"]


class AutomatedWithoutExplicitConsent(_Condition):
    """The purpose decides without a person, and rests neither on an express grant nor on an accepted ground."""

    name: Literal["automated-without-explicit-consent"]
    other_bases: frozenset[LegalBasis]


class ExplicitConsentForCategories(_Condition):
    """A special kind of data is read, with neither an express consent to just that kind nor an accepted ground."""

    name: Literal["explicit-consent-for-categories"]
    categories: Categories
    other_bases: frozenset[LegalBasis]


class AgeGroup(BaseModel):
    """Countries in which children consent for themselves from the same age on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    age: Years
    countries: Annotated[frozenset[CountryCode], Field(min_length=1)]


class ChildWithoutGuardian(_Condition):
    """The customer is a child, and no guardian said yes to the purpose."""

    name: Literal["child-without-guardian"]
    bases: Bases
    """Grounds on which a guardian is needed."""
    default_age: Years
    """Where no group names the country."""
    groups: tuple[AgeGroup, ...] = ()

    @model_validator(mode="after")
    def _each_country_once(self) -> Self:
        named = [country for group in self.groups for country in group.countries]
        if repeated := sorted({country for country in named if named.count(country) > 1}):
            raise ValueError(f"groups names {', '.join(repeated)} twice")
        return self


# --- Separate consents ------------------------------------------------------------------------------------------------


class SeparateConsentForCategories(_Condition):
    """A sensitive kind of data is read without the separate consent to it; below an age, any kind is sensitive."""

    name: Literal["separate-consent-for-categories"]
    bases: Bases
    categories: Categories
    all_below_age: Years


class SeparateConsentForRecipients(_Condition):
    """A recipient that is no processor under an agreement, without the separate consent to it."""

    name: Literal["separate-consent-for-recipients"]
    bases: Bases


class SeparateConsentAbroad(_Condition):
    """A recipient outside the pack's territory, without the separate consent to it."""

    name: Literal["separate-consent-abroad"]
    bases: Bases


class SeparateConsentForPublication(_Condition):
    """The purpose publishes personal data without the separate consent to it."""

    name: Literal["separate-consent-for-publication"]


class SeparateConsentForImagery(_Condition):
    """Images from public places are used without the separate consent to it."""

    name: Literal["separate-consent-for-imagery"]
    categories: Categories


# --- Transfers --------------------------------------------------------------------------------------------------------


class TransferMechanismMissing(_Condition):
    """A recipient abroad, and no accepted mechanism in force."""

    name: Literal["transfer-mechanism-missing"]
    mechanisms: Mechanisms
    adequate: frozenset[CountryCode] = frozenset()
    """Countries to which data may go without one."""


class TransferAssessmentMissing(_Condition):
    """A mechanism that needs a transfer assessment, and none is in date."""

    name: Literal["transfer-assessment-missing"]
    mechanisms: Mechanisms
    """Those that need one."""
    adequate: frozenset[CountryCode] = frozenset()


class TransferNeedsExplicitConsent(_Condition):
    """The only ground of a transfer is express consent, and the customer has not given it."""

    name: Literal["transfer-needs-explicit-consent"]
    mechanism: TransferMechanism
    adequate: frozenset[CountryCode] = frozenset()


class ExportLevel(BaseModel):
    """From so many persons on, only these mechanisms will do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    persons_from: int = Field(ge=1)
    sensitive_persons_from: int = Field(ge=1)
    """Either figure is enough."""
    mechanisms: Mechanisms


class ExportThreshold(_Condition):
    """More persons' data goes abroad in a year than the mechanism in force allows."""

    name: Literal["export-threshold"]
    levels: Annotated[tuple[ExportLevel, ...], Field(min_length=1)]


class CriticalOperatorExport(_Condition):
    """An operator of critical infrastructure sends data abroad, and no accepted mechanism is in force."""

    name: Literal["critical-operator-export"]
    mechanisms: Mechanisms


# --- Rules that only oblige -------------------------------------------------------------------------------------------


class EveryUse(_Condition):
    """Every use under this pack."""

    name: Literal["every-use"]


class UseOnConsent(_Condition):
    """Every use whose ground is consent."""

    name: Literal["use-on-consent"]


class Received(_Condition):
    """Somebody beside the controller is among the recipients."""

    name: Literal["received"]


class ReceivedByProcessor(_Condition):
    """A processor under an agreement is among the recipients."""

    name: Literal["received-by-processor"]


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
