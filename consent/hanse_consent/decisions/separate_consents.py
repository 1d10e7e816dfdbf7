"""Conditions that ask for a consent of its own: for sensitive data, other recipients, abroad, the public, images."""

from collections.abc import Iterable

from hanse_consent.decisions.grants import lacking, lacking_explicit
from hanse_consent.decisions.people import younger_than
from hanse_consent.decisions.sets import NOBODY, CustomerSet, intersection, union
from hanse_consent.decisions.situation import Situation
from hanse_consent.domain.acts import SeparateConsent, SeparateMatter
from hanse_consent.domain.parties import AgreementRole
from hanse_consent.law.customer_conditions import ExplicitConsentForCategories
from hanse_consent.law.sharing_conditions import (
    SeparateConsentAbroad,
    SeparateConsentForCategories,
    SeparateConsentForImagery,
    SeparateConsentForPublication,
    SeparateConsentForRecipients,
)
from hanse_consent.law.use_conditions import Received, ReceivedByProcessor


def _lacking_any(matter: SeparateMatter, subjects: Iterable[str]) -> CustomerSet:
    return union(lacking(SeparateConsent(matter=matter, subject=subject).topic) for subject in subjects)


def explicit_consent_for_categories(condition: ExplicitConsentForCategories, situation: Situation) -> CustomerSet:
    """Where a special kind of data is read: those without an express consent to just that kind.

    An act of its own, apart from the grant of the purpose: whoever agrees to a purpose has not by that expressly
    agreed to the use of health data for it.
    """
    if situation.basis in condition.other_bases:
        return NOBODY
    special = sorted(condition.categories & frozenset(situation.question.categories))
    return union(
        lacking_explicit(SeparateConsent(matter=SeparateMatter.SENSITIVE_CATEGORY, subject=category).topic)
        for category in special
    )


def separate_consent_for_categories(condition: SeparateConsentForCategories, situation: Situation) -> CustomerSet:
    """Those without it for a sensitive kind of data; the young without it for any kind."""
    if situation.basis not in condition.bases:
        return NOBODY
    asked = sorted(set(situation.question.categories))
    sensitive = [category for category in asked if category in condition.categories]
    others = [category for category in asked if category not in condition.categories]
    young = younger_than(condition.all_below_age, today=situation.today, controller=situation.controller)
    return union(
        [
            _lacking_any(SeparateMatter.SENSITIVE_CATEGORY, sensitive),
            intersection([young, _lacking_any(SeparateMatter.SENSITIVE_CATEGORY, others)]),
        ]
    )


def separate_consent_for_recipients(condition: SeparateConsentForRecipients, situation: Situation) -> CustomerSet:
    """Those without it for a recipient that is no processor."""
    if situation.basis not in condition.bases:
        return NOBODY
    others = (party for party in situation.recipients if not situation.agreed_with(party, AgreementRole.PROCESSOR))
    return _lacking_any(SeparateMatter.RECIPIENT, others)


def separate_consent_abroad(condition: SeparateConsentAbroad, situation: Situation) -> CustomerSet:
    """Those without it for a recipient abroad."""
    return _lacking_any(SeparateMatter.ABROAD, situation.abroad()) if situation.basis in condition.bases else NOBODY


def separate_consent_for_publication(_: SeparateConsentForPublication, situation: Situation) -> CustomerSet:
    """Those without it, if the purpose publishes."""
    if situation.purpose is None or not situation.purpose.publishes:
        return NOBODY
    return _lacking_any(SeparateMatter.PUBLIC_DISCLOSURE, [situation.purpose.name])


def separate_consent_for_imagery(condition: SeparateConsentForImagery, situation: Situation) -> CustomerSet:
    """Those without it, if images from public places are used."""
    if condition.categories.isdisjoint(situation.question.categories):
        return NOBODY
    return _lacking_any(SeparateMatter.PUBLIC_PLACE_IMAGERY, [situation.question.purpose])


def received(_: Received, situation: Situation) -> bool:
    """Whether anybody beside the controller receives the outcome."""
    return bool(situation.recipients)


def received_by_processor(_: ReceivedByProcessor, situation: Situation) -> bool:
    """Whether a processor is among the recipients."""
    return any(situation.agreed_with(party, AgreementRole.PROCESSOR) for party in situation.recipients)
