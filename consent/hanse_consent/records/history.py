"""What was said about one purpose, act by act, and what holds of it: the same reading as a decision's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from hanse_consent.decisions.facts import Fact, FactState, consent_topic, facts_of, guardian_topic, prevailing
from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateMatter
from hanse_consent.domain.moments import NO_END, from_microseconds, to_microseconds
from hanse_consent.domain.registry import Registry

CONSENT_GIVEN = "dpv:ConsentGiven"
CONSENT_RENEWED = "dpv:RenewedConsentGiven"
CONSENT_EXPIRED = "dpv:ConsentExpired"
CONSENT_WITHDRAWN = "dpv:ConsentWithdrawn"
CONSENT_REFUSED = "dpv:ConsentRefused"
CONSENT_DEFERRED = "dpv:ConsentRequestDeferred"
CONSENT_REQUESTED = "dpv:ConsentRequested"
CONSENT_UNKNOWN = "dpv:ConsentUnknown"

VALID_STATES = frozenset({CONSENT_GIVEN, CONSENT_RENEWED})
"""The states in which DPV counts consent as valid for processing."""

STATES = {
    ActKind.NOTICE_SERVED: CONSENT_REQUESTED,
    ActKind.GRANT: CONSENT_GIVEN,
    ActKind.RENEWAL: CONSENT_RENEWED,
    ActKind.REFUSAL: CONSENT_REFUSED,
    ActKind.DEFERRAL: CONSENT_DEFERRED,
    ActKind.WITHDRAWAL: CONSENT_WITHDRAWN,
    ActKind.SEPARATE_GRANT: CONSENT_GIVEN,
    ActKind.SEPARATE_WITHDRAWAL: CONSENT_WITHDRAWN,
    ActKind.GUARDIAN_GRANT: CONSENT_GIVEN,
    ActKind.GUARDIAN_WITHDRAWAL: CONSENT_WITHDRAWN,
    ActKind.ERASURE: CONSENT_WITHDRAWN,
}
"""The state that each kind of act brings about; other kinds say nothing about a consent."""

GIVING = frozenset({ActKind.GRANT, ActKind.RENEWAL, ActKind.GUARDIAN_GRANT})
_ABOUT_ONE_PURPOSE = GIVING | {ActKind.REFUSAL, ActKind.DEFERRAL, ActKind.GUARDIAN_WITHDRAWAL}
_OF_THE_PURPOSE = frozenset({SeparateMatter.PUBLIC_DISCLOSURE, SeparateMatter.PUBLIC_PLACE_IMAGERY})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAct:
    """An act as the service recorded it.

    Args:
        position: Its place in the order of the controller's acts.
        recorded_at: When.
        act: What was said.
        ends_us: When the grant ends by itself, as the store worked it out when it was recorded (microseconds since
            1970); without it, what the registry at hand says.
    """

    position: int
    recorded_at: datetime
    act: ConsentAct
    ends_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What holds of one customer's consent to one purpose.

    Args:
        state: DPV's name for it.
        ends_at: When a valid consent ends by itself, or an expired one ended; none otherwise.
        giving: The last act that gave the consent, if any did.
    """

    state: str
    ends_at: datetime | None
    giving: RecordedAct | None


def acts_about(history: Sequence[RecordedAct], *, purpose: str, registry: Registry) -> tuple[RecordedAct, ...]:
    """The acts that say something about the consent to a purpose, in the order of recording.

    Separate consents are left to :func:`separate_acts`, because only the processing says which of them matter.
    """
    return tuple(
        sorted((act for act in history if _is_about(act.act, purpose, registry)), key=lambda act: act.position)
    )


def separate_acts(
    history: Sequence[RecordedAct], *, purpose: str, categories: frozenset[str], recipients: frozenset[str]
) -> tuple[RecordedAct, ...]:
    """The separate consents that concern a purpose, its kinds of data or its recipients."""
    subjects = {
        SeparateMatter.SENSITIVE_CATEGORY: categories,
        SeparateMatter.RECIPIENT: recipients,
        SeparateMatter.ABROAD: recipients,
    } | dict.fromkeys(_OF_THE_PURPOSE, frozenset({purpose}))
    found = (
        recorded
        for recorded in history
        if recorded.act.separate is not None and recorded.act.separate.subject in subjects[recorded.act.separate.matter]
    )
    return tuple(sorted(found, key=lambda recorded: recorded.position))


def grant_end(recorded: RecordedAct, *, registry: Registry) -> datetime | None:
    """When a giving act ends by itself; none if it does not."""
    ends_us = next((fact.until_us for _, fact in _facts(recorded, registry=registry)), NO_END)
    return from_microseconds(ends_us) if ends_us != NO_END else None


def standing(acts: Sequence[RecordedAct], *, purpose: str, registry: Registry, at: datetime) -> Standing:
    """What holds at a moment, by the rule that decisions follow: later counts, and protection before permission."""
    own, own_act = _prevailing(acts, topic=consent_topic(purpose), registry=registry)
    guardian, guardian_act = _prevailing(acts, topic=guardian_topic(purpose), registry=registry)
    giving = next((recorded for recorded in reversed(acts) if recorded.act.kind in GIVING), None)
    fact, act = own, own_act
    if guardian is not None and (own is None or _ended_by_guardian(guardian, own)):
        fact, act = guardian, guardian_act
    if any(recorded.act.kind is ActKind.ERASURE for recorded in acts):
        return Standing(state=CONSENT_WITHDRAWN, ends_at=None, giving=giving)
    if fact is None or act is None:
        return Standing(state=STATES[acts[-1].act.kind] if acts else CONSENT_UNKNOWN, ends_at=None, giving=giving)
    if fact.state is not FactState.GIVEN:
        return Standing(state=STATES[act.act.kind], ends_at=None, giving=giving)
    ends_at = from_microseconds(fact.until_us) if fact.until_us != NO_END else None
    expired = fact.until_us <= to_microseconds(at)
    return Standing(state=CONSENT_EXPIRED if expired else STATES[act.act.kind], ends_at=ends_at, giving=act)


def in_force(separate: Sequence[RecordedAct], *, registry: Registry, at: datetime) -> tuple[RecordedAct, ...]:
    """Those separate consents that are given, not withdrawn and not ended at a moment."""
    found = []
    for topic in dict.fromkeys(recorded.act.separate.topic for recorded in separate if recorded.act.separate):
        fact, said = _prevailing(separate, topic=topic, registry=registry)
        given = fact is not None and fact.state is FactState.GIVEN and fact.until_us > to_microseconds(at)
        if given and said is not None:
            found.append(said)
    return tuple(found)


def _is_about(act: ConsentAct, purpose: str, registry: Registry) -> bool:
    if act.kind in _ABOUT_ONE_PURPOSE:
        return act.purpose == purpose
    if act.kind is ActKind.NOTICE_SERVED:
        return any(purpose in notice.purposes for notice in registry.notices_of(str(act.notice)))
    if act.kind is ActKind.WITHDRAWAL:
        return act.purpose is None or purpose in registry.with_descendants(act.purpose)
    return act.kind is ActKind.ERASURE


def _ended_by_guardian(guardian: Fact, own: Fact) -> bool:
    return guardian.state is FactState.WITHDRAWN and guardian.effective_us >= own.effective_us


def _prevailing(
    acts: Sequence[RecordedAct], *, topic: str, registry: Registry
) -> tuple[Fact | None, RecordedAct | None]:
    current: Fact | None = None
    said: RecordedAct | None = None
    for recorded in acts:
        for its_topic, fact in _facts(recorded, registry=registry):
            if its_topic == topic and (winner := prevailing(current, fact)) is not current:
                current, said = winner, recorded
    return current, said


def _facts(recorded: RecordedAct, *, registry: Registry) -> Iterator[tuple[str, Fact]]:
    facts = facts_of(recorded.act, registry=registry, recorded_us=to_microseconds(recorded.recorded_at))
    for topic, fact in facts.items():
        if recorded.ends_us is not None and fact.state is FactState.GIVEN:
            yield topic, replace(fact, until_us=recorded.ends_us)
        else:
            yield topic, fact
