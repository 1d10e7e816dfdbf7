"""What each condition of a rule means: whom it excludes, and whether its obligation is due."""

from functools import singledispatch

from hanse_consent.decisions import grants, registered, rights, separate_consents, transfers
from hanse_consent.decisions.sets import EVERYONE, NOBODY, CustomerSet
from hanse_consent.decisions.situation import Situation
from hanse_consent.law.decision_rules import OBLIGING_ONLY


@singledispatch
def excluded(condition: object, situation: Situation) -> CustomerSet:  # noqa: ARG001 - the signature of all of them
    """Customers whom a condition excludes, among those whom its pack governs.

    A condition without a meaning of its own excludes everyone, unless it only obliges.
    """
    return NOBODY if isinstance(condition, OBLIGING_ONLY) else EVERYONE


excluded.register(registered.controller_unknown)
excluded.register(registered.purpose_unknown)
excluded.register(registered.tier_not_offered)
excluded.register(registered.recipient_unknown)
excluded.register(registered.categories_not_covered)
excluded.register(registered.basis_not_accepted)
excluded.register(registered.league_run_without_consent)
excluded.register(registered.kind_not_for_league)
excluded.register(registered.joint_agreement_missing)
excluded.register(registered.recipient_agreement_missing)
excluded.register(registered.assessment_missing)
excluded.register(grants.consent_missing)
excluded.register(grants.consent_refused)
excluded.register(grants.consent_withdrawn)
excluded.register(grants.consent_ended)
excluded.register(grants.tier_too_low)
excluded.register(grants.notice_unfit)
excluded.register(grants.notice_superseded)
excluded.register(grants.recipient_not_disclosed)
excluded.register(grants.controller_not_disclosed)
excluded.register(grants.automated_without_explicit_consent)
excluded.register(separate_consents.explicit_consent_for_categories)
excluded.register(rights.restriction)
excluded.register(rights.erasure)
excluded.register(rights.objection)
excluded.register(rights.automated_opt_out)
excluded.register(rights.residence_not_covered)
excluded.register(rights.child_without_guardian)
excluded.register(separate_consents.separate_consent_for_categories)
excluded.register(separate_consents.separate_consent_for_recipients)
excluded.register(separate_consents.separate_consent_abroad)
excluded.register(separate_consents.separate_consent_for_publication)
excluded.register(separate_consents.separate_consent_for_imagery)
excluded.register(transfers.transfer_mechanism_missing)
excluded.register(transfers.transfer_assessment_missing)
excluded.register(transfers.transfer_needs_explicit_consent)
excluded.register(transfers.export_threshold)
excluded.register(transfers.critical_operator_export)


@singledispatch
def obliges(condition: object, situation: Situation) -> bool:  # noqa: ARG001 - the signature of all of them
    """Whether an obligation is due for the use asked about; it is, unless its condition says when."""
    return True


obliges.register(grants.use_rests_on_consent)
obliges.register(rights.decides_without_a_person)
obliges.register(separate_consents.received)
obliges.register(separate_consents.received_by_processor)
