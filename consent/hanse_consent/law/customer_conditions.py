"""Conditions that read what a customer said, and what is known of the customer."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.law.condition_parts import Bases, Categories, Condition, Years
from hanse_privacy.protocol.vocabulary import CountryCode


class ResidenceNotCovered(Condition):
    """The customer lives where no pack in force applies."""

    name: Literal["residence-not-covered"]


class ConsentMissing(Condition):
    """Consent is the ground, and nothing was ever said."""

    name: Literal["consent-missing"]


class ConsentRefused(Condition):
    """Consent is the ground, and the customer said no."""

    name: Literal["consent-refused"]


class ConsentWithdrawn(Condition):
    """Consent is the ground, and was withdrawn."""

    name: Literal["consent-withdrawn"]


class ConsentEnded(Condition):
    """Consent is the ground, and its time is over."""

    name: Literal["consent-ended"]


class TierTooLow(Condition):
    """Consent is the ground, and reaches less deep than the use."""

    name: Literal["tier-too-low"]


class NoticeUnfit(Condition):
    """The grant's notice is unknown, not yet published, or does not explain the purpose."""

    name: Literal["notice-unfit"]


class NoticeSuperseded(Condition):
    """A later version of the grant's notice brought a material change."""

    name: Literal["notice-superseded"]


class RecipientNotDisclosed(Condition):
    """A recipient is not named in the grant's notice."""

    name: Literal["recipient-not-disclosed"]


class ControllerNotDisclosed(Condition):
    """The grant's notice does not name the controller, or not every joint controller."""

    name: Literal["controller-not-disclosed"]
    joint_controllers: bool = False
    """Whether joint controllers have to be named, too."""


class Objection(Condition):
    """The customer objects, and the law gives the objection weight."""

    name: Literal["objection"]
    bases: Bases
    """Grounds on which an objection counts; against direct marketing it always does."""


class Restriction(Condition):
    """The customer's data may be stored and nothing else."""

    name: Literal["restriction"]


class Erasure(Condition):
    """The customer was erased."""

    name: Literal["erasure"]


class AutomatedOptOut(Condition):
    """The purpose decides without a person, and the customer opted out of that."""

    name: Literal["automated-opt-out"]


class AutomatedWithoutExplicitConsent(Condition):
    """The purpose decides without a person, and rests neither on an express grant nor on an accepted ground."""

    name: Literal["automated-without-explicit-consent"]
    other_bases: frozenset[LegalBasis]


class ExplicitConsentForCategories(Condition):
    """A special kind of data is read, with neither an express consent to just that kind nor an accepted ground."""

    name: Literal["explicit-consent-for-categories"]
    categories: Categories
    other_bases: frozenset[LegalBasis]


class AgeGroup(BaseModel):
    """Countries in which children consent for themselves from the same age on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    age: Years
    countries: Annotated[frozenset[CountryCode], Field(min_length=1)]


class ChildWithoutGuardian(Condition):
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
