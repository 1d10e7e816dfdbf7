"""Conditions on a use that read what is registered, and those under which a use obliges."""

from typing import Annotated, Literal

from pydantic import Field

from hanse_consent.domain.names import CategoryTerm
from hanse_consent.domain.parties import AssessmentKind
from hanse_consent.domain.purposes import PurposeKind
from hanse_consent.law.condition_parts import Bases, Condition, Years


class ControllerUnknown(Condition):
    """The controller asked about is not registered."""

    name: Literal["controller-unknown"]


class PurposeUnknown(Condition):
    """The purpose asked about is not registered, or no longer in force."""

    name: Literal["purpose-unknown"]


class TierNotOffered(Condition):
    """The purpose does not exist at the tier asked for."""

    name: Literal["tier-not-offered"]


class RecipientUnknown(Condition):
    """A recipient is registered neither as a recipient nor as a controller."""

    name: Literal["recipient-unknown"]


class CategoriesNotCovered(Condition):
    """A kind of data is asked for that the purpose does not hold at that tier."""

    name: Literal["categories-not-covered"]


class BasisNotAccepted(Condition):
    """The purpose's legal basis under this pack is none of those that the pack knows."""

    name: Literal["basis-not-accepted"]
    accepted: Bases


class LeagueRunWithoutConsent(Condition):
    """A league run rests on another ground than consent, under any pack that governs the customer."""

    name: Literal["league-run-without-consent"]


class KindNotForLeague(Condition):
    """A league run is asked for with a kind of purpose that is a partner's own business."""

    name: Literal["kind-not-for-league"]
    kinds: Annotated[frozenset[PurposeKind], Field(min_length=1)]


class JointAgreementMissing(Condition):
    """A joint controller without an agreement in force that names the purpose."""

    name: Literal["joint-agreement-missing"]
    league_runs_only: bool = False


class RecipientAgreementMissing(Condition):
    """A recipient (or its principal, for a sub-processor) without an agreement in force that names the purpose."""

    name: Literal["recipient-agreement-missing"]


class AssessmentMissing(Condition):
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


class EveryUse(Condition):
    """Every use under this pack."""

    name: Literal["every-use"]


class UseOnConsent(Condition):
    """Every use whose ground is consent."""

    name: Literal["use-on-consent"]


class Received(Condition):
    """Somebody beside the controller is among the recipients."""

    name: Literal["received"]


class ReceivedByProcessor(Condition):
    """A processor under an agreement is among the recipients."""

    name: Literal["received-by-processor"]
