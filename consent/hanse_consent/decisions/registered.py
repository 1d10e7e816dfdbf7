"""Conditions that read what is registered and agreed: they concern everyone alike, or nobody."""

from hanse_consent.decisions.people import younger_than
from hanse_consent.decisions.sets import EVERYONE, NOBODY, CustomerSet, union
from hanse_consent.decisions.situation import Situation
from hanse_consent.domain.parties import AgreementRole
from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.law.use_conditions import (
    AssessmentMissing,
    BasisNotAccepted,
    CategoriesNotCovered,
    ControllerUnknown,
    JointAgreementMissing,
    KindNotForLeague,
    LeagueRunWithoutConsent,
    PurposeUnknown,
    RecipientAgreementMissing,
    RecipientUnknown,
    TierNotOffered,
)


def _everyone_if(fires: bool) -> CustomerSet:  # noqa: FBT001 - one truth value, made into a set
    return EVERYONE if fires else NOBODY


def controller_unknown(_: ControllerUnknown, situation: Situation) -> CustomerSet:
    """Everyone, if the controller is not registered."""
    return _everyone_if(situation.controller is None)


def purpose_unknown(_: PurposeUnknown, situation: Situation) -> CustomerSet:
    """Everyone, if the purpose is not registered."""
    return _everyone_if(situation.purpose is None)


def tier_not_offered(_: TierNotOffered, situation: Situation) -> CustomerSet:
    """Everyone, if the purpose does not exist at the tier."""
    purpose = situation.purpose
    return _everyone_if(purpose is not None and situation.question.tier not in purpose.data_categories)


def recipient_unknown(_: RecipientUnknown, situation: Situation) -> CustomerSet:
    """Everyone, if a recipient is not registered."""
    return _everyone_if(any(situation.country_of(party) is None for party in situation.recipients))


def categories_not_covered(_: CategoriesNotCovered, situation: Situation) -> CustomerSet:
    """Everyone, if a kind of data is not among the purpose's at that tier; at a tier not offered, none is."""
    if situation.purpose is None:
        return NOBODY
    held = situation.purpose.data_categories.get(situation.question.tier, ())
    return _everyone_if(not set(situation.question.categories) <= set(held))


def basis_not_accepted(condition: BasisNotAccepted, situation: Situation) -> CustomerSet:
    """Everyone, if the pack does not know the purpose's legal basis."""
    return _everyone_if(situation.basis not in condition.accepted)


def league_run_without_consent(_: LeagueRunWithoutConsent, situation: Situation) -> CustomerSet:
    """Of a league run: those governed by a pack under which the purpose rests on another ground."""
    if not situation.question.league_run:
        return NOBODY
    return union(
        governed
        for pack, governed in situation.governed.items()
        if situation.basis_under(pack) is not LegalBasis.CONSENT
    )


def kind_not_for_league(condition: KindNotForLeague, situation: Situation) -> CustomerSet:
    """Everyone, if a league run has a purpose of such a kind."""
    purpose = situation.purpose
    return _everyone_if(situation.question.league_run and purpose is not None and purpose.kind in condition.kinds)


def joint_agreement_missing(condition: JointAgreementMissing, situation: Situation) -> CustomerSet:
    """Everyone, if a joint controller has no such agreement."""
    if condition.league_runs_only and not situation.question.league_run:
        return NOBODY
    return _everyone_if(
        not all(situation.agreed_with(party, AgreementRole.JOINT_CONTROLLER) for party in situation.joint_controllers)
    )


def recipient_agreement_missing(_: RecipientAgreementMissing, situation: Situation) -> CustomerSet:
    """Everyone, if a recipient has no agreement of any role."""
    return _everyone_if(not all(situation.agreed_with(party, *AgreementRole) for party in situation.recipients))


def assessment_missing(condition: AssessmentMissing, situation: Situation) -> CustomerSet:
    """Everyone, or all below an age, if the assessment is demanded and none is in date."""
    purpose = situation.purpose
    if purpose is None or any(assessment.kind is condition.kind for assessment in situation.assessments):
        return NOBODY
    demanded = (
        (condition.if_high_risk and purpose.high_risk)
        or (condition.if_automated and purpose.automated_decision)
        or (condition.if_sets_prices and purpose.sets_prices)
        or (condition.if_published and purpose.publishes)
        or (condition.if_received and bool(situation.recipients))
        or (condition.if_abroad and bool(situation.abroad()))
        or not condition.if_categories.isdisjoint(situation.question.categories)
    )
    if demanded or condition.if_below_age is None:
        return _everyone_if(demanded)
    return younger_than(condition.if_below_age, today=situation.today, controller=situation.controller)
