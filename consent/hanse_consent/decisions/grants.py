"""Conditions that read the customer's own consent to the purpose: does it exist, does it reach, was it informed?"""

from hanse_consent.decisions.facts import FactState
from hanse_consent.decisions.sets import EVERYONE, NOBODY, CustomerSet, Having, complement, intersection
from hanse_consent.decisions.situation import Situation
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.notices import NoticeEntry
from hanse_consent.law.customer_conditions import (
    AutomatedWithoutExplicitConsent,
    ConsentEnded,
    ConsentMissing,
    ConsentRefused,
    ConsentWithdrawn,
    ControllerNotDisclosed,
    NoticeSuperseded,
    NoticeUnfit,
    RecipientNotDisclosed,
    TierTooLow,
)
from hanse_consent.law.use_conditions import UseOnConsent

GIVEN = frozenset({FactState.GIVEN})


def lacking(topic: str) -> CustomerSet:
    """Customers who have not given, or no longer give, what the topic is about."""
    return complement(Having(topic=topic, states=GIVEN, ended=False))


def lacking_explicit(topic: str) -> CustomerSet:
    """Customers who have not given it by an express statement."""
    return complement(Having(topic=topic, states=GIVEN, explicit=True, ended=False))


def _where_consent_is_the_ground(excluded: CustomerSet, situation: Situation) -> CustomerSet:
    ground = situation.on_consent
    return excluded if ground is EVERYONE else intersection([excluded, ground])


def consent_missing(_: ConsentMissing, situation: Situation) -> CustomerSet:
    """Those of whom nothing is recorded on the purpose."""
    return _where_consent_is_the_ground(complement(Having(topic=situation.consent)), situation)


def consent_refused(_: ConsentRefused, situation: Situation) -> CustomerSet:
    """Those who said no."""
    refused = Having(topic=situation.consent, states=frozenset({FactState.REFUSED}))
    return _where_consent_is_the_ground(refused, situation)


def consent_withdrawn(_: ConsentWithdrawn, situation: Situation) -> CustomerSet:
    """Those who withdrew."""
    withdrawn = Having(topic=situation.consent, states=frozenset({FactState.WITHDRAWN}))
    return _where_consent_is_the_ground(withdrawn, situation)


def consent_ended(_: ConsentEnded, situation: Situation) -> CustomerSet:
    """Those whose grant has ended by itself; its last moment is the one before the end."""
    return _where_consent_is_the_ground(Having(topic=situation.consent, states=GIVEN, ended=True), situation)


def tier_too_low(_: TierTooLow, situation: Situation) -> CustomerSet:
    """Those whose grant stops below the tier asked for."""
    below = Having(topic=situation.consent, states=GIVEN, below_tier=situation.question.tier.rank)
    return _where_consent_is_the_ground(below if situation.question.tier.rank > 0 else NOBODY, situation)


def _given_under_others_than(fit: frozenset[str], situation: Situation) -> CustomerSet:
    given = Having(topic=situation.consent, states=GIVEN)
    unfit = complement(Having(topic=situation.consent, notices=fit)) if fit else EVERYONE
    return _where_consent_is_the_ground(intersection([given, unfit]), situation)


def _published(situation: Situation) -> tuple[NoticeEntry, ...]:
    return tuple(
        notice for notice in situation.registry.notices if to_microseconds(notice.published_at) <= situation.at_us
    )


def notice_unfit(_: NoticeUnfit, situation: Situation) -> CustomerSet:
    """Those whose grant names no notice, or one that is unknown, unpublished or about something else."""
    purpose = situation.question.purpose
    fit = frozenset(notice.reference for notice in _published(situation) if purpose in notice.purposes)
    return _given_under_others_than(fit, situation)


def notice_superseded(_: NoticeSuperseded, situation: Situation) -> CustomerSet:
    """Those whose grant cites a version before one that brought a material change."""
    latest: dict[str, tuple[int, ...]] = {}
    for notice in _published(situation):
        if notice.material_change:
            latest[notice.name] = max(latest.get(notice.name, ()), notice.order)
    superseded = frozenset(
        notice.reference for notice in situation.registry.notices if notice.order < latest.get(notice.name, ())
    )
    if not superseded:
        return NOBODY
    return _where_consent_is_the_ground(Having(topic=situation.consent, states=GIVEN, notices=superseded), situation)


def _disclosing(
    situation: Situation, *, recipients: tuple[str, ...] = (), controllers: tuple[str, ...] = ()
) -> frozenset[str]:
    # A notice discloses what it says in every language it exists in.
    notices = situation.registry.notices
    silent = {
        notice.reference
        for notice in notices
        if not set(recipients) <= set(notice.statements.recipients)
        or not set(controllers) <= set(notice.statements.controllers)
    }
    return frozenset(notice.reference for notice in notices) - silent


def recipient_not_disclosed(_: RecipientNotDisclosed, situation: Situation) -> CustomerSet:
    """Those whose grant's notice does not name every recipient."""
    if not situation.recipients:
        return NOBODY
    return _given_under_others_than(_disclosing(situation, recipients=situation.recipients), situation)


def controller_not_disclosed(condition: ControllerNotDisclosed, situation: Situation) -> CustomerSet:
    """Those whose grant's notice does not name the controller, or those who decide with it."""
    named = (situation.question.controller, *(situation.joint_controllers if condition.joint_controllers else ()))
    return _given_under_others_than(_disclosing(situation, controllers=named), situation)


def automated_without_explicit_consent(condition: AutomatedWithoutExplicitConsent, situation: Situation) -> CustomerSet:
    """Of a purpose that decides without a person: those who did not expressly agree to it."""
    purpose = situation.purpose
    if purpose is None or not purpose.automated_decision or situation.basis in condition.other_bases:
        return NOBODY
    return lacking_explicit(situation.consent)


def use_rests_on_consent(_: UseOnConsent, situation: Situation) -> bool:
    """Whether consent is the ground for anybody."""
    return situation.on_consent != NOBODY
