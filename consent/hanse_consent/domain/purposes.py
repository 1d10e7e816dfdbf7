"""Purposes: what data may be used for, in a tree, each with what the law asks about it."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.names import CategoryTerm, PackName
from hanse_privacy.protocol.vocabulary import PurposeName, Tier


class PurposeKind(StrEnum):
    """What is done; each is a purpose of its own, never implied by another."""

    TRAINING = "training"
    STATISTICS = "statistics"
    EVALUATION = "evaluation"
    FAIRNESS = "fairness"
    MATCHING = "matching"
    SERVING = "serving"
    OPERATIONS = "operations"
    """A partner's own business, such as delivering an order; never a league run."""


class LegalBasis(StrEnum):
    """On what ground data may be processed: GDPR 6(1) and PIPL 13, each pack naming those it knows."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal-obligation"
    VITAL_INTERESTS = "vital-interests"
    PUBLIC_TASK = "public-task"
    LEGITIMATE_INTERESTS = "legitimate-interests"
    HUMAN_RESOURCES = "human-resources"
    PUBLIC_HEALTH_EMERGENCY = "public-health-emergency"
    NEWS_REPORTING = "news-reporting"
    ALREADY_PUBLIC = "already-public"


class Purpose(BaseModel):
    """What data may be used for, and which kinds of data at each tier it exists at.

    A tier is a ceiling on how deeply the purpose may look; it never grants another purpose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PurposeName
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=2000)
    kind: PurposeKind
    parent: PurposeName | None = None
    """A withdrawal or an objection at the parent reaches this purpose, too; a grant there does not."""
    data_categories: dict[Tier, tuple[CategoryTerm, ...]] = Field(min_length=1)
    """Per tier offered. A higher tier holds at least what the lower ones hold."""
    legal_basis: dict[PackName, LegalBasis] = Field(default_factory=dict)
    """Per law pack; where a pack is not named, the basis is consent."""
    retention_days: int = Field(ge=1, le=36_500)
    """How long data may be kept for it: obligation of every use."""
    consent_lasts_days: int = Field(ge=1, le=3_650)
    """A grant that names no earlier end ends after so many days."""
    automated_decision: bool = False
    """Whether it decides about a customer without a person (GDPR 22, PIPL 24)."""
    sets_prices: bool = False
    direct_marketing: bool = False
    publishes: bool = False
    """Whether it makes personal data known to the public (PIPL 25)."""
    high_risk: bool = False
    """Whether a data protection impact assessment found it likely to be of high risk (GDPR 35)."""

    @model_validator(mode="after")
    def _each_tier_holds_the_lower_ones(self) -> Self:
        below: frozenset[str] = frozenset()
        for tier in self.tiers:
            categories = frozenset(self.data_categories[tier])
            if not categories:
                raise ValueError(f"data_categories.{tier} must name at least one kind of data")
            if missing := sorted(below - categories):
                raise ValueError(f"data_categories.{tier} lacks {missing} of the tier below it")
            below = categories
        if self.parent == self.name:
            raise ValueError("a purpose cannot be its own parent")
        return self

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers at which the purpose is offered, lowest first: the first is its minimum tier."""
        return tuple(tier for tier in Tier if tier in self.data_categories)

    def basis(self, pack: str) -> LegalBasis:
        """The legal basis under one law pack."""
        return self.legal_basis.get(pack, LegalBasis.CONSENT)
