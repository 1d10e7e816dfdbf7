"""Conditions that read what a customer demanded, and whether a child has somebody who speaks for it."""

from hanse_consent.decisions.facts import (
    AUTOMATED,
    ERASURE,
    OBJECTION_TO_ALL,
    RESIDENCE,
    RESTRICTION,
    FactState,
    guardian_topic,
    objection_topic,
)
from hanse_consent.decisions.grants import lacking
from hanse_consent.decisions.people import RESIDENCE_UNRECORDED, living_in, residence_unknown, younger_than
from hanse_consent.decisions.sets import NOBODY, CustomerSet, Having, complement, intersection, union
from hanse_consent.decisions.situation import Situation
from hanse_consent.law.customer_conditions import (
    AutomatedOptOut,
    ChildWithoutGuardian,
    Erasure,
    Objection,
    ResidenceNotCovered,
    Restriction,
)

_STANDS = frozenset({FactState.IN_FORCE})


def restriction(_: Restriction, _situation: Situation) -> CustomerSet:
    """Those under a restriction."""
    return Having(topic=RESTRICTION, states=_STANDS)


def erasure(_: Erasure, _situation: Situation) -> CustomerSet:
    """Those who were erased."""
    return Having(topic=ERASURE, states=_STANDS)


def objection(condition: Objection, situation: Situation) -> CustomerSet:
    """Those who object, where it counts."""
    marketing = situation.purpose is not None and situation.purpose.direct_marketing
    if not marketing and situation.basis not in condition.bases:
        return NOBODY
    # An objection outlasts the purposes there were when it was made: where nothing was said about the purpose itself,
    # what was said about the next above it counts, and last what was said about all.
    lineage = situation.registry.with_ancestors(situation.question.purpose)
    objecting: CustomerSet = Having(topic=OBJECTION_TO_ALL, states=_STANDS)
    for name in reversed(lineage):
        own = objection_topic(name)
        silent = complement(Having(topic=own))
        objecting = union([Having(topic=own, states=_STANDS), intersection([silent, objecting])])
    return objecting


def automated_opt_out(condition: AutomatedOptOut, situation: Situation) -> CustomerSet:
    """Of a purpose that decides without a person: those who opted out."""
    return Having(topic=AUTOMATED, states=_STANDS) if decides_without_a_person(condition, situation) else NOBODY


def decides_without_a_person(_: AutomatedOptOut, situation: Situation) -> bool:
    """Whether the purpose does."""
    return situation.purpose is not None and situation.purpose.automated_decision


def residence_not_covered(_: ResidenceNotCovered, situation: Situation) -> CustomerSet:
    """Those who live, or are presumed to live, where no pack in force applies; all unknown if none is in force."""
    elsewhere = complement(Having(topic=RESIDENCE, countries=situation.covered))
    recorded = intersection([Having(topic=RESIDENCE), elsewhere]) if situation.covered else Having(topic=RESIDENCE)
    presumed = situation.controller.presumed if situation.controller is not None else None
    near = bool(situation.covered) and (presumed is None or presumed.country in situation.covered)
    return union([recorded, NOBODY if near else RESIDENCE_UNRECORDED])


def child_without_guardian(condition: ChildWithoutGuardian, situation: Situation) -> CustomerSet:
    """Children of whom no guardian has said yes; how long one is a child depends on where one lives."""
    if situation.basis not in condition.bases:
        return NOBODY
    controller, today = situation.controller, situation.today
    alone = lacking(guardian_topic(situation.question.purpose))
    ages = {condition.default_age, *(group.age for group in condition.groups)}
    below = {age: younger_than(age, today=today, controller=controller) for age in ages}
    youngest = below[max(ages)]
    if not condition.groups:
        return intersection([youngest, alone])
    named = frozenset(country for group in condition.groups for country in group.countries)
    elsewhere = complement(union([living_in(named, controller), residence_unknown(controller)]))
    children = [intersection([living_in(group.countries, controller), below[group.age]]) for group in condition.groups]
    children.append(intersection([elsewhere, below[condition.default_age]]))
    # Where the residence is unknown, the highest age counts.
    children.append(intersection([residence_unknown(controller), youngest]))
    # Nearly everyone is older: asked first, that settles it.
    return intersection([youngest, alone, union(children)])
