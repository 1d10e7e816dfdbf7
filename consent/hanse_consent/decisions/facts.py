"""What is known of one customer, and which of two sayings counts.

Every act puts one *fact* on one or more *topics*. For each topic one fact prevails: the one said last; of two said at
the same moment the one that protects the customer, then the one that allows less. So what prevails never depends on
the order of arrival.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from types import MappingProxyType

import msgspec

from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_consent.domain.moments import NO_END, to_day_number, to_microseconds
from hanse_consent.domain.registry import Registry

RESIDENCE = "residence"
AGE = "age"
RESTRICTION = "restriction"
ERASURE = "erasure"
AUTOMATED = "automated"


def consent_topic(purpose: str) -> str:
    """Topic of grants, refusals and withdrawals of a purpose."""
    return f"consent/{purpose}"


def objection_topic(purpose: str) -> str:
    """Topic of objections to a purpose."""
    return f"objection/{purpose}"


OBJECTION_TO_ALL = "objection/*"
"""Topic of objections to everything: they reach purposes that are registered later, too."""


def guardian_topic(purpose: str) -> str:
    """Topic of a guardian's consent to a purpose."""
    return f"guardian/{purpose}"


class FactState(IntEnum):
    """What a fact says of its topic. Stored as a number: never renumber."""

    GIVEN = 1
    """Granted, or stated."""
    WITHDRAWN = 2
    REFUSED = 3
    IN_FORCE = 4
    """An objection, restriction, opt-out or erasure that stands."""
    LIFTED = 5


_ADULT = -(2**31)
_DAY_US = timedelta(days=1) // timedelta(microseconds=1)
_PROTECTIVE = frozenset({FactState.WITHDRAWN, FactState.REFUSED, FactState.IN_FORCE})


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What prevails on one topic for one customer; made by the million, hence no dataclass.

    Args:
        state: What it says.
        effective_us: When it counts from, microseconds since 1970.
        until_us: When it ends by itself; ``NO_END`` for most.
        tier_rank: Rank of a grant's tier, else none.
        notice: Notice it was said under, ``name@version``, if any.
        explicit: Whether it was an express statement.
        country: On the topic of residence: where the customer lives.
        born_on: On the topic of age: a minor's birthday in days since 1970; none for an adult.
    """

    state: FactState
    effective_us: int
    until_us: int = NO_END
    tier_rank: int | None = None
    notice: str | None = None
    explicit: bool = False
    country: str | None = None
    born_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFacts:
    """All that prevails for one customer, by topic."""

    by_topic: Mapping[str, Fact]


NOBODY_KNOWN = CustomerFacts(by_topic=MappingProxyType({}))
"""A customer of whom nothing is recorded."""


def _precedence(fact: Fact) -> tuple[int, bool, int, bool, int, str, int, str]:
    # Later, then protective, then lower tier, not express, younger; the rest only makes the order total.
    return (
        fact.effective_us,
        fact.state in _PROTECTIVE,
        -(fact.tier_rank or 0),
        not fact.explicit,
        fact.born_on if fact.born_on is not None else _ADULT,
        fact.notice or "",
        -fact.until_us,
        fact.country or "",
    )


def prevailing(current: Fact | None, arriving: Fact) -> Fact:
    """Return which of the two counts; the current one where they say the same."""
    if current is None or _precedence(arriving) > _precedence(current):
        return arriving
    return current


def facts_of(act: ConsentAct, *, registry: Registry, recorded_us: int) -> dict[str, Fact]:
    """The facts that an act puts down, by topic; none for an act that is evidence only.

    A grant said by a clock that is ahead counts from its recording, so that it cannot outlast a withdrawal spoken
    right after it. What protects keeps its time: in doubt it lasts longer.

    Args:
        act: An act that the law packs have accepted.
        registry: As of the recording: names the purposes below the act's own, and how long grants last.
        recorded_us: The service's time.
    """
    said_us = to_microseconds(act.said_at)
    # What protects keeps its time, what permits begins with its recording at the earliest.
    permitted_us = min(said_us, recorded_us)
    match act.kind:
        case ActKind.GRANT | ActKind.RENEWAL:
            facts = _grant(act, registry=registry, effective_us=permitted_us)
        case ActKind.REFUSAL:
            facts = {consent_topic(str(act.purpose)): Fact(state=FactState.REFUSED, effective_us=said_us)}
        case ActKind.WITHDRAWAL:
            withdrawn = Fact(state=FactState.WITHDRAWN, effective_us=said_us)
            facts = dict.fromkeys(map(consent_topic, _reached(act, registry)), withdrawn)
        case ActKind.OBJECTION:
            standing = Fact(state=FactState.IN_FORCE, effective_us=said_us)
            facts = dict.fromkeys(_objected_topics(act, registry), standing)
        case ActKind.OBJECTION_LIFTED:
            lifted = Fact(state=FactState.LIFTED, effective_us=permitted_us)
            facts = dict.fromkeys(_objected_topics(act, registry), lifted)
        case ActKind.PROFILE:
            facts = _profile(act, effective_us=permitted_us)
        case ActKind.NOTICE_SERVED | ActKind.DEFERRAL:
            facts = {}
        case _:
            facts = {_own_topic(act): _own_fact(act, said_us=said_us, permitted_us=permitted_us)}
    return facts


def _grant(act: ConsentAct, *, registry: Registry, effective_us: int) -> dict[str, Fact]:
    purpose = registry.purpose(str(act.purpose))
    until_us = to_microseconds(act.ends_at) if act.ends_at is not None else NO_END
    if purpose is not None:
        until_us = min(until_us, effective_us + purpose.consent_lasts_days * _DAY_US)
    fact = Fact(
        state=FactState.GIVEN,
        effective_us=effective_us,
        until_us=until_us,
        tier_rank=act.tier.rank if act.tier is not None else None,
        notice=act.notice,
        explicit=act.explicit,
    )
    return {consent_topic(str(act.purpose)): fact}


def _reached(act: ConsentAct, registry: Registry) -> tuple[str, ...]:
    if act.purpose is None:
        return tuple(sorted(purpose.name for purpose in registry.purposes))
    return registry.with_descendants(act.purpose)


def _objected_topics(act: ConsentAct, registry: Registry) -> tuple[str, ...]:
    named = tuple(map(objection_topic, _reached(act, registry)))
    return named if act.purpose is not None else (OBJECTION_TO_ALL, *named)


def _profile(act: ConsentAct, *, effective_us: int) -> dict[str, Fact]:
    facts = {}
    if act.country is not None:
        facts[RESIDENCE] = Fact(state=FactState.GIVEN, effective_us=effective_us, country=act.country)
    if act.age is not None:
        born_on = to_day_number(act.age.born_on) if act.age.born_on is not None else None
        facts[AGE] = Fact(state=FactState.GIVEN, effective_us=effective_us, born_on=born_on)
    return facts


_FLAGS = {
    ActKind.RESTRICTION: (RESTRICTION, FactState.IN_FORCE),
    ActKind.RESTRICTION_LIFTED: (RESTRICTION, FactState.LIFTED),
    ActKind.AUTOMATED_OPT_OUT: (AUTOMATED, FactState.IN_FORCE),
    ActKind.AUTOMATED_OPT_IN: (AUTOMATED, FactState.LIFTED),
    ActKind.ERASURE: (ERASURE, FactState.IN_FORCE),
}
_GIVEN_OR_WITHDRAWN = {
    ActKind.SEPARATE_GRANT: FactState.GIVEN,
    ActKind.SEPARATE_WITHDRAWAL: FactState.WITHDRAWN,
    ActKind.GUARDIAN_GRANT: FactState.GIVEN,
    ActKind.GUARDIAN_WITHDRAWAL: FactState.WITHDRAWN,
}


def _own_topic(act: ConsentAct) -> str:
    if act.separate is not None:
        return act.separate.topic
    if act.kind in _GIVEN_OR_WITHDRAWN:
        return guardian_topic(str(act.purpose))
    return _FLAGS[act.kind][0]


def _own_fact(act: ConsentAct, *, said_us: int, permitted_us: int) -> Fact:
    state = _GIVEN_OR_WITHDRAWN[act.kind] if act.kind in _GIVEN_OR_WITHDRAWN else _FLAGS[act.kind][1]
    given = state is FactState.GIVEN
    return Fact(
        state=state,
        effective_us=said_us if state in _PROTECTIVE else permitted_us,
        until_us=to_microseconds(act.ends_at) if given and act.ends_at is not None else NO_END,
        notice=act.notice if given else None,
        explicit=given and act.explicit,
    )
