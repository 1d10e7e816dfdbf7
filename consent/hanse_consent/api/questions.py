"""What is asked about customers over HTTP, and what is answered."""

from datetime import datetime
from functools import lru_cache
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.access.look_ups import Reason
from hanse_consent.decision_service import BulkDecision
from hanse_consent.decisions import plan
from hanse_consent.decisions.decide import Decision
from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import CategoryTerm
from hanse_privacy.protocol.vocabulary import PartyName, Pseudonym, PurposeName, Tier

MAX_CUSTOMERS_PER_CHECK = 1_000


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Use(_Body):
    """A use that customers may or may not be put to."""

    purpose: PurposeName
    tier: Tier
    categories: tuple[CategoryTerm, ...] | None = Field(default=None, min_length=1, max_length=50)
    """Kinds of data that will be read; left out, all that the purpose has at the tier."""
    recipients: tuple[PartyName, ...] = Field(default=(), max_length=50)
    joint_controllers: tuple[PartyName, ...] = Field(default=(), max_length=128)
    league_run: bool = False


class Check(_Body):
    """May this customer be used, and why (not)?"""

    use: Use
    customer: Pseudonym
    reason: Reason
    """Why somebody looks; kept with the look-up."""
    at_least: int | None = Field(default=None, ge=0)
    """A position that the answer must have seen: the one that a write returned."""
    at: Moment | None = None
    """A past moment: the answer is what was recorded and in force then."""

    @model_validator(mode="after")
    def _now_or_then(self) -> Self:
        if self.at is not None and self.at_least is not None:
            raise ValueError("name at or at_least, not both")
        return self


class BulkCheck(_Body):
    """May these customers be used, now?"""

    use: Use
    customers: tuple[Pseudonym, ...] = Field(min_length=1, max_length=MAX_CUSTOMERS_PER_CHECK)
    reason: Reason
    at_least: int | None = Field(default=None, ge=0)


class ReasonAnswer(_Body):
    """One rule that excludes the customer."""

    rule: str
    article: str
    code: str

    @classmethod
    def of(cls, reason: plan.Reason) -> Self:
        """As it is sent."""
        return cls(rule=reason.rule, article=reason.article, code=reason.code)


class ObligationAnswer(_Body):
    """What whoever uses the customer must do."""

    rule: str
    article: str
    code: str
    text: str

    @classmethod
    def of(cls, obligation: plan.Obligation) -> Self:
        """As it is sent."""
        return cls(rule=obligation.rule, article=obligation.article, code=obligation.code, text=obligation.text)


class CheckAnswer(_Body):
    """A decision with all its reasons and everything needed to repeat it."""

    permitted: bool
    reasons: tuple[ReasonAnswer, ...]
    obligations: tuple[ObligationAnswer, ...]
    decided_for: datetime
    """The moment that the answer is about."""
    position: int
    registry_version: int
    pack_versions: dict[str, str]

    @classmethod
    def of(cls, decision: Decision, *, decided_for: datetime) -> Self:
        """As it is sent."""
        return cls(
            permitted=decision.permitted,
            reasons=tuple(map(ReasonAnswer.of, decision.reasons)),
            obligations=_obligations(decision.obligations),
            decided_for=decided_for,
            position=decision.position,
            registry_version=decision.registry_version,
            pack_versions=dict(decision.pack_versions),
        )


class CustomerAnswer(_Body):
    """One customer of a bulk check, in the order asked."""

    permitted: bool
    codes: tuple[str, ...]
    """Reason codes; the single check names rules and articles."""


class BulkAnswer(_Body):
    """Answers to a bulk check, all of one position."""

    answers: tuple[CustomerAnswer, ...]
    decided_for: datetime
    position: int
    registry_version: int
    pack_versions: dict[str, str]

    @classmethod
    def of(cls, bulk: BulkDecision) -> Self:
        """As it is sent."""
        # Many customers share their codes: each combination is made once.
        answers = {codes: CustomerAnswer(permitted=not codes, codes=codes) for codes in frozenset(bulk.codes)}
        return cls(
            answers=tuple(map(answers.__getitem__, bulk.codes)),
            decided_for=bulk.decided_for,
            position=bulk.position,
            registry_version=bulk.plan.registry_version,
            pack_versions=dict(bulk.plan.pack_versions),
        )


@lru_cache(maxsize=256)
def _obligations(due: tuple[plan.Obligation, ...]) -> tuple[ObligationAnswer, ...]:
    # The same for every customer of a question: made once.
    return tuple(map(ObligationAnswer.of, due))
