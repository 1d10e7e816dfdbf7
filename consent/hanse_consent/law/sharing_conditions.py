"""Conditions on separate consents and on sending data out of a law's territory."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.parties import TransferMechanism
from hanse_consent.law.condition_parts import Bases, Categories, Condition, Mechanisms, Years
from hanse_privacy.protocol.vocabulary import CountryCode


class SeparateConsentForCategories(Condition):
    """A sensitive kind of data is read without the separate consent to it; below an age, any kind is sensitive."""

    name: Literal["separate-consent-for-categories"]
    bases: Bases
    categories: Categories
    all_below_age: Years


class SeparateConsentForRecipients(Condition):
    """A recipient that is no processor under an agreement, without the separate consent to it."""

    name: Literal["separate-consent-for-recipients"]
    bases: Bases


class SeparateConsentAbroad(Condition):
    """A recipient outside the pack's territory, without the separate consent to it."""

    name: Literal["separate-consent-abroad"]
    bases: Bases


class SeparateConsentForPublication(Condition):
    """The purpose publishes personal data without the separate consent to it."""

    name: Literal["separate-consent-for-publication"]


class SeparateConsentForImagery(Condition):
    """Images from public places are used without the separate consent to it."""

    name: Literal["separate-consent-for-imagery"]
    categories: Categories


class TransferMechanismMissing(Condition):
    """A recipient abroad, and no accepted mechanism in force."""

    name: Literal["transfer-mechanism-missing"]
    mechanisms: Mechanisms
    adequate: frozenset[CountryCode] = frozenset()
    """Countries to which data may go without one."""


class TransferAssessmentMissing(Condition):
    """A mechanism that needs a transfer assessment, and none is in date."""

    name: Literal["transfer-assessment-missing"]
    mechanisms: Mechanisms
    """Those that need one."""
    adequate: frozenset[CountryCode] = frozenset()


class TransferNeedsExplicitConsent(Condition):
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


class ExportThreshold(Condition):
    """More persons' data goes abroad in a year than the mechanism in force allows."""

    name: Literal["export-threshold"]
    levels: Annotated[tuple[ExportLevel, ...], Field(min_length=1)]


class CriticalOperatorExport(Condition):
    """An operator of critical infrastructure sends data abroad, and no accepted mechanism is in force."""

    name: Literal["critical-operator-export"]
    mechanisms: Mechanisms
