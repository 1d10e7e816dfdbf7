"""Sets of customers made ready for SQL: negations at the leaves, and which topics everybody in a set has."""

from collections.abc import Callable

from hanse_consent.decisions.sets import (
    EVERYONE,
    NOBODY,
    Complement,
    CustomerSet,
    Having,
    Intersection,
    Union,
    complement,
    intersection,
    union,
)


def normal_form(of: CustomerSet, *, is_used: Callable[[str], bool]) -> CustomerSet:
    """The same set, with only facts complemented, and without topics that no customer has.

    Args:
        of: A set.
        is_used: Whether any customer has a fact on a topic.
    """
    match of:
        case Having(topic=topic):
            return of if is_used(topic) else NOBODY
        case Complement(of=inner):
            return _negated(inner, is_used)
        case Union(of=parts):
            return union(normal_form(part, is_used=is_used) for part in parts)
        case Intersection(of=parts):
            return intersection(normal_form(part, is_used=is_used) for part in parts)
        case _:
            return of


def _negated(of: CustomerSet, is_used: Callable[[str], bool]) -> CustomerSet:
    match of:
        case Having(topic=topic):
            return Complement(of) if is_used(topic) else EVERYONE
        case Complement(of=inner):
            return normal_form(inner, is_used=is_used)
        case Union(of=parts):
            return intersection(_negated(part, is_used) for part in parts)
        case Intersection(of=parts):
            return union(_negated(part, is_used) for part in parts)
        case _:
            return complement(of)


def required_topics(of: CustomerSet) -> frozenset[str]:
    """Topics on which every customer of a set in normal form has a fact."""
    match of:
        case Having(topic=topic):
            return frozenset({topic})
        case Intersection(of=parts):
            return frozenset().union(*map(required_topics, parts))
        case Union(of=parts):
            return frozenset.intersection(*map(required_topics, parts))
        case _:
            return frozenset()


def conjuncts(of: CustomerSet) -> tuple[CustomerSet, ...]:
    """Sets whose intersection a set in normal form is; nested intersections taken apart."""
    if isinstance(of, Intersection):
        return tuple(inner for part in of.of for inner in conjuncts(part))
    return (of,)
