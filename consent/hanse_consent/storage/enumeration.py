"""Who may be used, told by the database.

SQL tells of every fact of the topics that a plan reads what the plan's conditions can tell of it
(:mod:`hanse_consent.storage.likeness`): one pass along each topic. The sets of the rules are then computed from these,
one truth value per customer: customers by reason cost next to nothing beside the passes.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Integer, and_, cast, select
from sqlmodel import Session

from hanse_consent.decisions.facts import ERASURE
from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.sets import Complement, CustomerSet, Everyone, Having, Intersection, Nobody, Union
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bulk import table_of
from hanse_consent.storage.feeds import all_erased
from hanse_consent.storage.fetching import fetch
from hanse_consent.storage.likeness import Likeness
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.stands import Stand, customers_at
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import FactRow

_FACT = table_of(FactRow)

_Customers = NDArray[np.bool_]
"""One truth value per customer number, from 0, which nobody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """Who may be used.

    Args:
        position: The controller's position that the answer is of.
        customers: Numbers of those whom no rule excludes, sorted.
        excluded_by_reason: For each reason code of the plan, how many of the controller's customers a rule with that
            code excludes; erased customers count nowhere.
    """

    position: int
    customers: NDArray[np.uint32]
    excluded_by_reason: Mapping[str, int]


def enumerate_plan(
    sessions: Sequence[Session], plan: Plan, *, at_us: int, stand: Stand, position: int, names: NameNumbers
) -> Enumeration:
    """Answer a plan from one controller's facts.

    Args:
        sessions: Those that read, all of one moment; topics are divided among as many threads.
        plan: The question made ready.
        at_us: The moment asked about, microseconds since 1970.
        stand: How far the controller's record goes.
        position: Which facts count: those in force at this position.
        names: Numbers of topics and notices.
    """
    reading = _Reading(sessions, stand=stand, position=position, at_us=at_us, names=names)
    reading.read(condition for exclusion in plan.exclusions for condition in conditions_of(exclusion.excluded))
    eligible = reading.everyone.copy()
    by_code: dict[str, _Customers] = {}
    for exclusion in plan.exclusions:
        excluded = reading.members(exclusion.excluded)
        code = exclusion.reason.code
        by_code[code] = by_code[code] | excluded if code in by_code else excluded
        eligible &= ~excluded
    return Enumeration(
        position=position,
        customers=np.flatnonzero(eligible).astype(np.uint32),
        excluded_by_reason=MappingProxyType(
            {code: int(np.count_nonzero(excluded & reading.everyone)) for code, excluded in by_code.items()}
        ),
    )


def count_members(
    session: Session,
    of: CustomerSet,
    *,
    at_us: int,
    stand: Stand,
    names: NameNumbers,
    among: NDArray[np.uint32] | None = None,
) -> int:
    """How many customers belong to a set now, without those erased.

    Args:
        session: One that reads.
        of: The set.
        at_us: The moment asked about, microseconds since 1970.
        stand: How far the controller's record goes.
        names: Numbers of topics and notices.
        among: Numbers of the only customers that count; none for all.
    """
    reading = _Reading([session], stand=stand, position=stand.position, at_us=at_us, names=names)
    reading.read(conditions_of(of))
    members = reading.members(of) & reading.everyone
    return int(np.count_nonzero(members if among is None else members[among]))


def conditions_of(of: CustomerSet) -> frozenset[Having]:
    """Every condition in a set."""
    match of:
        case Having():
            return frozenset({of})
        case Complement(of=inner):
            return conditions_of(inner)
        case Union(of=parts) | Intersection(of=parts):
            return frozenset[Having]().union(*map(conditions_of, parts))
        case _:
            return frozenset()


class _Reading:
    """The customers that meet each condition, read from one controller's facts at one position."""

    def __init__(
        self, sessions: Sequence[Session], *, stand: Stand, position: int, at_us: int, names: NameNumbers
    ) -> None:
        self._sessions = sessions
        self._stand = stand
        self._position = position if position < stand.position else None
        self._at_us = at_us
        self._names = names
        self._meeting: dict[Having, _Customers] = {}
        self.everyone = self._everyone()

    def read(self, conditions: Iterable[Having]) -> None:
        """Read the facts that these conditions are about."""
        by_topic: dict[str, set[Having]] = {}
        for condition in conditions:
            by_topic.setdefault(condition.topic, set()).add(condition)
        statements = Statements.of(self._sessions[0])
        numbers = self._names.known(statements, by_topic)
        notices = frozenset[str]().union(*(c.notices or () for held in by_topic.values() for c in held))
        notice_numbers = self._names.known(statements, notices)
        # What is asked most is read first: the largest topics do not come last.
        waiting = sorted(
            (topic for topic in by_topic if topic in numbers and topic != ERASURE),
            key=lambda topic: len(by_topic[topic]),
        )

        def read_some(session: Session) -> None:
            while waiting:
                try:
                    topic = waiting.pop()
                except IndexError:  # another thread was faster
                    return
                self._read_topic(session, numbers[topic], by_topic[topic], notice_numbers)

        with ThreadPoolExecutor(len(self._sessions)) as threads:
            for done in [threads.submit(read_some, session) for session in self._sessions]:
                done.result()

    def members(self, of: CustomerSet) -> _Customers:
        """Those who belong to a set, among others that are not the controller's; not to be changed."""
        match of:
            case Everyone():
                return self.everyone
            case Nobody():
                return self._nobody()
            case Having():
                # Nobody has a fact on a topic that was never heard of.
                return self._meeting[of] if of in self._meeting else self._nobody()
            case Complement(of=inner):
                return ~self.members(inner)
            case Union(of=parts):
                return reduce(np.logical_or, map(self.members, parts), self._nobody())
            case Intersection(of=parts):
                return reduce(np.logical_and, map(self.members, parts), self.everyone)

    def _read_topic(
        self, session: Session, topic_no: int, conditions: Iterable[Having], notice_numbers: Mapping[str, int]
    ) -> None:
        likeness = Likeness(
            conditions,
            _FACT,
            at_us=self._at_us,
            notice_numbers=notice_numbers,
            dialect=session.get_bind().dialect.name,
        )
        # Customer and likeness travel as one number, a short one where it fits.
        count = likeness.count
        is_short = len(self.everyone) * count <= np.iinfo(np.int32).max
        packed = cast(_FACT.c.customer_no, Integer if is_short else BigInteger) * count + likeness.number()
        dtype = np.dtype([("packed", "<i4" if is_short else "<i8")])
        rows = fetch(session, select(packed).where(self._in_force(topic_no)), dtype, order=())["packed"]
        no_fact = count
        alike = np.full(len(self.everyone), no_fact, dtype=np.min_scalar_type(no_fact))
        customers, likenesses = np.divmod(rows, count)
        alike[customers] = likenesses
        for condition in conditions:
            self._meeting[condition] = np.append(likeness.met(condition), False)[alike]

    def _in_force(self, topic_no: int) -> ColumnElement[bool]:
        own = and_(_FACT.c.controller_no == self._stand.controller_no, _FACT.c.topic_no == topic_no)
        if self._position is None:
            return and_(own, _FACT.c.until == NO_END)
        return and_(own, _FACT.c.until > self._position, _FACT.c.since <= self._position)

    def _everyone(self) -> _Customers:
        everyone = np.ones(self._stand.customers + 1, dtype=np.bool_)
        everyone[0] = False
        session = self._sessions[0]
        if self._stand.erased:
            # Whoever was erased since is nobody at an earlier position, either.
            topic_no = self._names.known(Statements.of(session), [ERASURE])[ERASURE]
            everyone[all_erased(session, controller_no=self._stand.controller_no, topic_no=topic_no)] = False
        if self._position is not None:
            everyone[customers_at(session, self._stand, position=self._position) + 1 :] = False
        return everyone

    def _nobody(self) -> _Customers:
        return np.zeros(len(self.everyone), dtype=np.bool_)
