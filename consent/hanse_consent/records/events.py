"""The consent events of a record: who said what, when, how, and for how long it counts."""

from collections.abc import Sequence

from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.domain.registry import Registry
from hanse_consent.records.document import Duration, EventNode, iso_moment
from hanse_consent.records.history import CONSENT_EXPIRED, STATES, RecordedAct, Standing, grant_end
from hanse_consent.records.laws import RecordLaw
from hanse_consent.records.names import notice_iri

EXPRESSED = "dpv:ExpressedConsent"
EXPLICIT = "dpv:ExplicitlyExpressedConsent"

_GUARDIAN = "dpv:GuardianOfDataSubject"
_BY_GUARDIAN = frozenset({ActKind.GUARDIAN_GRANT, ActKind.GUARDIAN_WITHDRAWAL})
_LASTING = frozenset({ActKind.GRANT, ActKind.RENEWAL, ActKind.GUARDIAN_GRANT, ActKind.SEPARATE_GRANT})
_UNTIL_NEXT = Duration(types=("dpv:UntilEventDuration",), value="until a later act of the customer")
_UNTIL_WITHDRAWN = Duration(types=("dpv:UntilEventDuration",), value="until it is withdrawn")


def event_nodes(
    acts: Sequence[RecordedAct],
    *,
    separate: Sequence[RecordedAct],
    now: Standing,
    laws: Sequence[RecordLaw],
    registry: Registry,
    subject: str,
    controller: str,
) -> tuple[EventNode, ...]:
    """The events in the order of recording; an expiry, which nobody says, comes last."""
    ordered = sorted((*acts, *separate), key=lambda recorded: recorded.position)
    events = [
        _event(recorded, laws=laws, registry=registry, subject=subject, controller=controller) for recorded in ordered
    ]
    if now.state == CONSENT_EXPIRED and now.ends_at is not None:
        events.append(
            EventNode(
                types=(CONSENT_EXPIRED,),
                consent_types=(EXPRESSED,),
                indicated_at=now.ends_at,
                durations=(_UNTIL_NEXT,),
                indicated_by=(controller,),
            )
        )
    return tuple(events)


def separate_bases(recorded: RecordedAct, laws: Sequence[RecordLaw]) -> tuple[str, ...]:
    """The legal bases that a separate consent gives under the laws that ask for it."""
    if recorded.act.separate is None:
        return ()
    matter = recorded.act.separate.matter
    return tuple(law.separate[matter] for law in laws if matter in law.separate)


def _event(
    recorded: RecordedAct, *, laws: Sequence[RecordLaw], registry: Registry, subject: str, controller: str
) -> EventNode:
    act = recorded.act
    by = subject
    if act.kind is ActKind.NOTICE_SERVED:
        by = controller
    elif act.kind in _BY_GUARDIAN:
        by = _GUARDIAN
    return EventNode(
        types=(STATES[act.kind],),
        consent_types=_consent_types(recorded, laws),
        indicated_at=act.said_at,
        durations=(_duration(recorded, registry),),
        indicated_by=(by,),
        methods=(act.channel,) if act.channel is not None else (),
        notices=_cited(recorded, registry),
        recorded_at=recorded.recorded_at,
        position=recorded.position,
        tier=act.tier.value if act.tier is not None else None,
        separate_matter=act.separate.matter.value if act.separate is not None else None,
        separate_subject=act.separate.subject if act.separate is not None else None,
    )


def _consent_types(recorded: RecordedAct, laws: Sequence[RecordLaw]) -> tuple[str, ...]:
    act = recorded.act
    if act.separate is not None:
        return (EXPLICIT, *separate_bases(recorded, laws))
    if act.kind in _BY_GUARDIAN:
        return (EXPLICIT, *(law.guardian for law in laws))
    return (EXPLICIT if act.explicit else EXPRESSED, *(law.bases[LegalBasis.CONSENT] for law in laws))


def _duration(recorded: RecordedAct, registry: Registry) -> Duration:
    if recorded.act.kind not in _LASTING:
        return _UNTIL_NEXT
    end = grant_end(recorded, registry=registry)
    if end is None:
        return _UNTIL_WITHDRAWN
    return Duration(types=("dpv:UntilTimeDuration",), value=iso_moment(end))


def _cited(recorded: RecordedAct, registry: Registry) -> tuple[str, ...]:
    act = recorded.act
    if act.notice is None:
        return ()
    return tuple(
        notice_iri(notice.reference, notice.language)
        for notice in registry.notices_of(act.notice)
        if act.language is None or notice.language == act.language
    )
