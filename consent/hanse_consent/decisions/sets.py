"""Sets of customers as expressions over their facts: written once by the rules, read in three ways.

:func:`contains` tells of one customer, :mod:`hanse_consent.storage.enumeration` compiles to SQL,
:mod:`hanse_consent.storage.bitmaps` computes with bitmaps. Property tests hold the three equal.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hanse_consent.decisions.facts import CustomerFacts, Fact, FactState


@dataclass(frozen=True, slots=True)
class Everyone:
    """All customers of the controller."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """No customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Having:
    """Customers for whom a fact prevails on ``topic`` that meets every condition given.

    Args:
        topic: See :mod:`hanse_consent.decisions.facts`.
        states: The fact says one of these.
        below_tier: The fact has a tier and its rank is lower than this.
        notices: The fact names a notice and it is one of these.
        explicit: The fact is, or is not, an express statement.
        ended: The fact has, or has not, ended by itself at the moment asked about; it has once ``until`` is reached.
        countries: The fact names a country and it is one of these.
        born_after: The fact names a birthday and it is later than this day (days since 1970).
    """

    topic: str
    states: frozenset[FactState] | None = None
    below_tier: int | None = None
    notices: frozenset[str] | None = None
    explicit: bool | None = None
    ended: bool | None = None
    countries: frozenset[str] | None = None
    born_after: int | None = None


@dataclass(frozen=True, slots=True)
class Complement:
    """All customers but those of ``of``."""

    of: "CustomerSet"


@dataclass(frozen=True, slots=True)
class Union:
    """Customers of any of the sets."""

    of: tuple["CustomerSet", ...]


@dataclass(frozen=True, slots=True)
class Intersection:
    """Customers of all of the sets."""

    of: tuple["CustomerSet", ...]


CustomerSet = Everyone | Nobody | Having | Complement | Union | Intersection

EVERYONE = Everyone()
NOBODY = Nobody()


def complement(of: CustomerSet) -> CustomerSet:
    """All but ``of``, simplified."""
    match of:
        case Everyone():
            return NOBODY
        case Nobody():
            return EVERYONE
        case Complement(of=inner):
            return inner
        case _:
            return Complement(of)


def union(sets: Iterable[CustomerSet]) -> CustomerSet:
    """Customers of any of the sets, simplified."""
    parts = dict.fromkeys(part for part in sets if part != NOBODY)
    if EVERYONE in parts:
        return EVERYONE
    if not parts:
        return NOBODY
    return next(iter(parts)) if len(parts) == 1 else Union(tuple(parts))


def intersection(sets: Iterable[CustomerSet]) -> CustomerSet:
    """Customers of all of the sets, simplified."""
    parts = dict.fromkeys(part for part in sets if part != EVERYONE)
    if NOBODY in parts:
        return NOBODY
    if not parts:
        return EVERYONE
    return next(iter(parts)) if len(parts) == 1 else Intersection(tuple(parts))


Test = Callable[[CustomerFacts, int], bool]
"""Whether a customer belongs to a set at a moment (microseconds since 1970)."""


def contains(of: CustomerSet) -> Test:
    """Compile a set to a test of one customer: the meaning that every other reading must agree with."""
    match of:
        case Everyone():
            return lambda _facts, _at_us: True
        case Nobody():
            return lambda _facts, _at_us: False
        case Having():
            return _having(of)
        case Complement(of=inner):
            test = contains(inner)
            return lambda facts, at_us: not test(facts, at_us)
        case Union(of=parts):
            tests = tuple(map(contains, parts))
            return lambda facts, at_us: any(test(facts, at_us) for test in tests)
        case Intersection(of=parts):
            tests = tuple(map(contains, parts))
            return lambda facts, at_us: all(test(facts, at_us) for test in tests)


def _having(of: Having) -> Test:
    topic = of.topic
    checks = tuple(_checks(of))

    def test(facts: CustomerFacts, at_us: int) -> bool:
        fact = facts.by_topic.get(topic)
        if fact is None:
            return False
        for check in checks:  # noqa: SIM110 - the hot path: all() with a generator costs twice as much
            if not check(fact, at_us):
                return False
        return True

    return test


def _checks(of: Having) -> Iterable[Callable[[Fact, int], bool]]:
    if (states := of.states) is not None:
        yield lambda fact, _: fact.state in states
    if (below := of.below_tier) is not None:
        yield lambda fact, _: fact.tier_rank is not None and fact.tier_rank < below
    if (notices := of.notices) is not None:
        yield lambda fact, _: fact.notice in notices
    if (explicit := of.explicit) is not None:
        yield lambda fact, _: fact.explicit == explicit
    if (ended := of.ended) is not None:
        yield lambda fact, at_us: (fact.until_us <= at_us) == ended
    if (countries := of.countries) is not None:
        yield lambda fact, _: fact.country in countries
    if (born_after := of.born_after) is not None:
        yield lambda fact, _: fact.born_on is not None and fact.born_on > born_after


def topics_of(of: CustomerSet) -> frozenset[str]:
    """Every topic that a set reads."""
    match of:
        case Having(topic=topic):
            return frozenset({topic})
        case Complement(of=inner):
            return topics_of(inner)
        case Union(of=parts) | Intersection(of=parts):
            return frozenset().union(*map(topics_of, parts))
        case _:
            return frozenset()
