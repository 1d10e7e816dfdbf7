"""Where customers live and how old they are, where it is recorded and where it is not."""

from collections.abc import Collection
from datetime import date

from hanse_consent.decisions.facts import AGE, RESIDENCE
from hanse_consent.decisions.sets import (
    EVERYONE,
    NOBODY,
    Complement,
    CustomerSet,
    Having,
    Intersection,
    Union,
    complement,
    union,
)
from hanse_consent.domain.moments import to_day_number
from hanse_consent.domain.parties import Controller
from hanse_consent.law.packs import LawPack

RESIDENCE_UNRECORDED = complement(Having(topic=RESIDENCE))
"""Customers of whom no residence is recorded."""


def living_in(countries: Collection[str], controller: Controller | None) -> CustomerSet:
    """Customers recorded, or else presumed, to live in one of the countries."""
    if not countries:
        return NOBODY
    presumed = controller.presumed if controller is not None else None
    recorded = Having(topic=RESIDENCE, countries=frozenset(countries))
    return union([recorded, RESIDENCE_UNRECORDED if presumed is not None and presumed.country in countries else NOBODY])


def residence_unknown(controller: Controller | None) -> CustomerSet:
    """Customers of whom no residence is recorded or presumed."""
    return NOBODY if controller is not None and controller.presumed is not None else RESIDENCE_UNRECORDED


def governed_by(pack: LawPack, controller: Controller | None) -> CustomerSet:
    """Customers to whom a pack in force applies.

    All those of a controller established in its territory (GDPR 3(1), PIPL 3), those who live there (GDPR 3(2),
    PIPL 3), and those who may.
    """
    if pack.governs_everybody or controller is None or controller.country in pack.territories:
        return EVERYONE
    return union([living_in(pack.territories, controller), residence_unknown(controller)])


def youngest_grown(years: int, *, today: date) -> int:
    """The latest birthday of anybody who is that old, in days since 1970.

    A birthday begins at midnight UTC. Who was born on 29 February has it on 1 March in other years.
    """
    # The last day of February of a common year stands for the 29th: the birthday then is still to come.
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return to_day_number(date(today.year - years, today.month, day))


def younger_than(years: int, *, today: date, controller: Controller | None) -> CustomerSet:
    """Customers who have not had that birthday, or may not have had it."""
    recorded = Having(topic=AGE, born_after=youngest_grown(years, today=today))
    presumed = controller.presumed if controller is not None else None
    known_adults = presumed is not None and presumed.adult
    return union([recorded, NOBODY if known_adults else complement(Having(topic=AGE))])


def reads_birthdays(of: CustomerSet) -> bool:
    """Whether a set changes as customers grow older: then it holds for one day."""
    match of:
        case Having():
            return of.born_after is not None
        case Complement(of=inner):
            return reads_birthdays(inner)
        case Union(of=parts) | Intersection(of=parts):
            return any(map(reads_birthdays, parts))
        case _:
            return False
