"""Sets of customers compiled to SQL.

Every customer of a set in normal form has a fact on each of the set's required topics. So the statement walks along
the rarest of these, in the order of customer numbers, and looks up the other topics of those it meets: a rare topic
by a list made once, a common one by a join. At most one fact of a topic and customer is in force at a position;
therefore the joins never repeat anybody.

Counting never walks along all customers. Of a set *S* and one of its topics *T*, let *S'* be the set as it reads for
somebody without a fact on *T*. Then *S* has as many customers as *S'*, plus those with a fact on *T* in *S*, less
those with a fact on *T* in *S'*; and *S'* has a topic less.

A customer without a fact on a joined topic meets no condition on it. SQL would say NULL there, and NULL again of its
opposite; hence every condition is asked whether it *is true*.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, and_, false, func, literal, not_, or_, select, true
from sqlalchemy.sql.selectable import NamedFromClause

from hanse_consent.decisions.facts import ERASURE
from hanse_consent.decisions.sets import (
    EVERYONE,
    NOBODY,
    Complement,
    CustomerSet,
    Everyone,
    Having,
    Intersection,
    Nobody,
    Union,
    topics_of,
)
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.normal_form import conjuncts, normal_form, required_topics
from hanse_consent.storage.tables import Customer, FactRow

_FACT = table_of(FactRow)
_CUSTOMER = table_of(Customer)


RARE = 20_000
"""A topic with fewer facts is rare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountTerm:
    """Of the customers with a fact on the rarest of the topics: those inside one set, less those inside another.

    Args:
        topics: Every topic that the first set reads; none for the count of everyone.
        inside: The set, in normal form.
        without: The same set as it reads for somebody without a fact on the rarest topic.
    """

    topics: frozenset[str]
    inside: CustomerSet
    without: CustomerSet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    number: ColumnElement[int]
    joined: FromClause
    in_force: ColumnElement[bool]
    facts: Mapping[str, NamedFromClause]


@dataclass(frozen=True, kw_only=True)
class SetCompiler:
    """Compiles sets for one controller at one position.

    Args:
        controller_no: The controller's number.
        position: Facts in force at this position; none for those that prevail now.
        at_us: The moment asked about, for facts that end by themselves.
        topic_numbers: Number of every topic that any customer has a fact on.
        topic_sizes: How many facts each of these has, as far as they were counted.
        notice_numbers: Number of every notice that any fact names.
    """

    controller_no: int
    position: int | None
    at_us: int
    topic_numbers: Mapping[str, int]
    topic_sizes: Mapping[str, int]
    notice_numbers: Mapping[str, int]

    def normal_form(self, of: CustomerSet) -> CustomerSet:
        """The set in normal form, without topics that nobody has a fact on."""
        # Those with an erasure on record are no customers any more.
        return normal_form(of, is_used=lambda topic: topic in self.topic_numbers and topic != ERASURE)

    def members(self, of: CustomerSet) -> Select[*tuple[Any, ...]]:
        """Selects the numbers of a set in normal form."""
        required = required_topics(of)
        first = next((topic for topic in self._by_size(topics_of(of)) if topic in required), None)
        walk = self._walk(first, topics_of(of))
        return (
            select(walk.number)
            .select_from(walk.joined)
            .where(walk.in_force, *(self._test(part, walk) for part in conjuncts(of)))
        )

    def everyone(self) -> Select[*tuple[Any, ...]]:
        """Selects how many customers there are."""
        walk = self._walk(None, frozenset())
        return select(func.count()).select_from(walk.joined).where(walk.in_force)

    def terms(self, of: CustomerSet) -> Iterator[CountTerm]:
        """What to add up to count a set in normal form; ``EVERYONE`` counts what :meth:`everyone` does."""
        topics = topics_of(of)
        if of == EVERYONE:
            yield CountTerm(topics=topics, inside=EVERYONE, without=NOBODY)
        if not topics:
            return
        first = self._by_size(topics)[0]
        without = normal_form(of, is_used=lambda topic: topic != first)
        yield CountTerm(topics=topics, inside=of, without=without)
        yield from self.terms(without)

    def counts(self, topics: frozenset[str], terms: Sequence[CountTerm]) -> Select[*tuple[Any, ...]]:
        """Selects the value of terms over the same topics, one column each."""
        walk = self._walk(self._by_size(topics)[0], topics)
        return (
            select(*(self._count(term.inside, walk) - self._count(term.without, walk) for term in terms))
            .select_from(walk.joined)
            .where(walk.in_force)
        )

    def _count(self, of: CustomerSet, walk: _Walk) -> ColumnElement[int]:
        match of:
            case Nobody():
                return literal(0)
            case Everyone():
                return func.count()
            case _:
                return func.count().filter(self._test(of, walk))

    def _by_size(self, topics: Iterable[str]) -> list[str]:
        return sorted(topics, key=lambda topic: (self.topic_sizes[topic], topic))

    def _walk(self, first: str | None, topics: frozenset[str]) -> _Walk:
        common = [topic for topic in self._by_size(topics) if topic == first or self.topic_sizes[topic] >= RARE]
        facts = {topic: _FACT.alias(f"fact_{index}") for index, topic in enumerate(common)}
        joined: FromClause
        if first is None:
            number = _CUSTOMER.c.customer_no
            joined = _CUSTOMER
            in_force = and_(_CUSTOMER.c.controller_no == self.controller_no, _CUSTOMER.c.erased.is_(None))
            if self.position is not None:
                in_force = and_(in_force, _CUSTOMER.c.since <= self.position)
        else:
            number = facts[first].c.customer_no
            joined = facts[first]
            in_force = self._in_force(facts[first], first)
        for topic, fact in facts.items():
            if topic != first:
                joined = joined.outerjoin(fact, and_(self._in_force(fact, topic), fact.c.customer_no == number))
        return _Walk(number=number, joined=joined, in_force=in_force, facts=facts)

    def _in_force(self, fact: NamedFromClause, topic: str) -> ColumnElement[bool]:
        own = and_(fact.c.controller_no == self.controller_no, fact.c.topic_no == self.topic_numbers[topic])
        if self.position is None:
            return and_(own, fact.c.until == NO_END)
        return and_(own, fact.c.until > self.position, fact.c.since <= self.position)

    def _test(self, of: CustomerSet, walk: _Walk) -> ColumnElement[bool]:  # noqa: PLR0911 - one for each kind of set
        match of:
            case Everyone():
                return true()
            case Nobody():
                return false()
            case Having(topic=topic) if topic in walk.facts:
                return and_(*self._conditions(of, walk.facts[topic])).is_(true())
            case Having(topic=topic):
                rare = _FACT.alias()
                listed = select(rare.c.customer_no).where(self._in_force(rare, topic), *self._conditions(of, rare))
                return walk.number.in_(listed)
            case Complement(of=inner):
                return not_(self._test(inner, walk))
            case Union(of=parts):
                return or_(*(self._test(part, walk) for part in parts))
            case Intersection(of=parts):
                return and_(*(self._test(part, walk) for part in parts))

    def _conditions(self, of: Having, fact: NamedFromClause) -> Iterable[ColumnElement[bool]]:
        if of == Having(topic=of.topic):
            yield fact.c.customer_no.is_not(None)
        if of.states is not None:
            yield fact.c.state.in_(sorted(map(int, of.states)))
        if of.below_tier is not None:
            yield fact.c.tier_rank < of.below_tier
        if of.notices is not None:
            numbers = (self.notice_numbers[notice] for notice in of.notices if notice in self.notice_numbers)
            yield fact.c.notice_no.in_(sorted(numbers))
        if of.explicit is not None:
            yield fact.c.explicit.is_(of.explicit)
        if of.ended is not None:
            yield fact.c.until_us <= self.at_us if of.ended else fact.c.until_us > self.at_us
        if of.countries is not None:
            yield fact.c.country.in_(sorted(of.countries))
        if of.born_after is not None:
            yield fact.c.born_on > of.born_after


def notices_of(of: CustomerSet) -> frozenset[str]:
    """Every notice that a set names."""
    match of:
        case Having(notices=notices):
            return notices or frozenset()
        case Complement(of=inner):
            return notices_of(inner)
        case Union(of=parts) | Intersection(of=parts):
            return frozenset().union(*map(notices_of, parts))
        case _:
            return frozenset()


def some_of_topic(controller_no: int, topic_no: int) -> Subquery:
    """Selects facts of a topic until it is clear whether it is rare."""
    facts = select(_FACT.c.customer_no).where(_FACT.c.controller_no == controller_no, _FACT.c.topic_no == topic_no)
    return facts.limit(RARE).subquery()
