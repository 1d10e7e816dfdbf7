"""Whether one customer may be used, and why not: the meaning that every set is held against."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hanse_consent.decisions.facts import CustomerFacts
from hanse_consent.decisions.plan import Obligation, Plan, Reason
from hanse_consent.decisions.planning import make_plan
from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import (
    Complement,
    CustomerSet,
    Having,
    Intersection,
    Union,
    contains,
    topics_of,
)
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks

_MAX_LIKENESSES = 10_000
"""Different customers that a decider remembers before it starts afresh; a few hundred occur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An answer about one customer, with all that is needed to repeat it.

    Args:
        permitted: Whether no rule excludes the customer.
        reasons: Every rule that does, in order of rule id.
        obligations: What whoever uses the customer must do; stated for a refusal, too.
        position: The controller's position of the facts.
        registry_version: Version of the registry.
        pack_versions: Version of each law pack in force, by pack.
    """

    permitted: bool
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...]
    position: int
    registry_version: int
    pack_versions: Mapping[str, str]


class Decider:
    """A plan compiled for many customers.

    Sets read few things of a fact: its state, tier, notice, country, whether it is express, whether it has ended, and
    which of the plan's days a birthday is later than. Customers who agree in these have the same reasons, so the
    rules are tested once for each such likeness and remembered.

    Args:
        plan: Whose exclusions are tested.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        """What is asked, made ready."""
        self._tests = tuple((exclusion.reason, contains(exclusion.excluded)) for exclusion in plan.exclusions)
        self._topics = tuple(sorted(frozenset[str]().union(*(topics_of(each.excluded) for each in plan.exclusions))))
        self._days = sorted(frozenset[int]().union(*(_days_of(each.excluded) for each in plan.exclusions)))
        self._found: dict[tuple[object, ...], tuple[Reason, ...]] = {}

    def decide(self, facts: CustomerFacts, *, at: datetime, position: int) -> Decision:
        """Decide about one customer: default deny, and one reason is enough.

        Args:
            facts: What prevails for the customer.
            at: The moment asked about, with its time zone, within the plan's own interval.
            position: The controller's position of the facts, for the answer.
        """
        reasons = self.reasons(facts, to_microseconds(at))
        plan = self.plan
        return Decision(
            permitted=not reasons,
            reasons=reasons,
            obligations=plan.obligations,
            position=position,
            registry_version=plan.registry_version,
            pack_versions=plan.pack_versions,
        )

    def reasons(self, facts: CustomerFacts, at_us: int) -> tuple[Reason, ...]:
        """Every reason against a customer, in order of rule id; none means permitted.

        Args:
            facts: What prevails for the customer.
            at_us: The moment asked about, microseconds since 1970, within the plan's own interval.
        """
        known = facts.by_topic.get
        days = self._days
        likeness = tuple(
            [
                None
                if (fact := known(topic)) is None
                else (
                    fact.state,
                    fact.tier_rank,
                    fact.notice,
                    fact.explicit,
                    fact.until_us <= at_us,
                    fact.country,
                    None if fact.born_on is None else bisect_left(days, fact.born_on),
                )
                for topic in self._topics
            ]
        )
        found = self._found.get(likeness)
        if found is None:
            found = tuple([reason for reason, test in self._tests if test(facts, at_us)])
            if len(self._found) >= _MAX_LIKENESSES:
                self._found.clear()
            self._found[likeness] = found
        return found


def _days_of(of: CustomerSet) -> frozenset[int]:
    match of:
        case Having(born_after=int(day)):
            return frozenset({day})
        case Complement(of=inner):
            return _days_of(inner)
        case Union(of=parts) | Intersection(of=parts):
            return frozenset[int]().union(*map(_days_of, parts))
        case _:
            return frozenset()


def decide(
    question: Question, *, facts: CustomerFacts, registry: Registry, packs: LawPacks, at: datetime, position: int
) -> Decision:
    """Decide about one customer, and forget the plan: whoever decides about many keeps a :class:`Decider`.

    Args:
        question: What is asked.
        facts: What prevails for the customer.
        registry: What is registered.
        packs: The law packs.
        at: The moment asked about, with its time zone.
        position: The controller's position of the facts, for the answer.
    """
    return Decider(make_plan(question, registry=registry, packs=packs, at=at)).decide(facts, at=at, position=position)
