"""Counts of customers, in both engines."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

import pytest
from conftest import Clock, make_registry
from sayings import NOON, pseudonym, say

from hanse_consent.decisions.facts import RESIDENCE
from hanse_consent.decisions.people import governed_by
from hanse_consent.decisions.sets import EVERYONE, CustomerSet, Having, complement, contains
from hanse_consent.domain.acts import ActKind, Age, ConsentAct
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.parties import PresumedCustomer
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks
from hanse_consent.storage.counting import CustomerCounting
from hanse_consent.storage.database import Database
from hanse_consent.storage.store import ConsentStore

PURPOSES = tuple(f"purpose-{number}" for number in range(1, 7))
YES = (ActKind.GRANT, ActKind.RENEWAL, ActKind.GUARDIAN_GRANT)
SECOND = timedelta(seconds=1)


@pytest.fixture
def registry() -> Registry:
    return make_registry(*((name, None) for name in PURPOSES))


@pytest.fixture
def counting(database: Database, store: ConsentStore) -> CustomerCounting:
    return CustomerCounting(database)


def together(counting: CustomerCounting, controller: str = "alster", purposes_from: int = 5) -> int:
    return counting.said_together(controller, kinds=YES, purposes_from=purposes_from)


def ticked(customer: int, *purposes: str, apart: timedelta = timedelta(), **fields: object) -> list:
    """Grants of one customer, each under an interaction of its own, so much time apart."""
    return [
        say(customer=customer, purpose=name, said_at=NOON + apart * number, interaction=f"{customer}-{name}", **fields)
        for number, name in enumerate(purposes)
    ]


def test_who_says_yes_to_many_purposes_within_a_second_is_counted(
    store: ConsentStore, counting: CustomerCounting
) -> None:
    assert together(counting) == 0
    store.record("alster", ticked(1, *PURPOSES[:5]))
    assert together(counting) == 1
    store.record("alster", ticked(2, *PURPOSES[:4]))
    assert (together(counting), together(counting, purposes_from=4)) == (1, 2)
    # Within the second, and from one second to the next.
    store.record("alster", ticked(3, *PURPOSES[:5], apart=timedelta(milliseconds=200)))
    store.record("alster", ticked(4, *PURPOSES, apart=SECOND))
    assert together(counting) == 2
    # Twice at it is one customer.
    later = [act.model_copy(update={"said_at": NOON + 9 * SECOND}) for act in ticked(1, *PURPOSES[:5])]
    store.record("alster", later)
    assert together(counting) == 2


def test_only_different_purposes_count_and_only_what_says_yes(store: ConsentStore, counting: CustomerCounting) -> None:
    store.record("alster", ticked(1, *["purpose-1"] * 9))
    store.record("alster", [say(ActKind.REFUSAL, customer=2, purpose=name) for name in PURPOSES])
    store.record("alster", [say(ActKind.WITHDRAWAL, customer=2, purpose=name) for name in PURPOSES])
    assert together(counting) == 0
    # A guardian who ticks five boxes for a child.
    boxes = [say(ActKind.GUARDIAN_GRANT, customer=3, purpose=name, notice="all@1") for name in PURPOSES[:5]]
    store.record("alster", boxes)
    assert together(counting) == 1


def test_other_controllers_have_findings_of_their_own(store: ConsentStore, counting: CustomerCounting) -> None:
    store.record("elbe", ticked(1, *PURPOSES))
    store.record("alster", ticked(1, *PURPOSES[:3]))
    assert [together(counting, name) for name in ("alster", "elbe", "nobody")] == [0, 1, 0]


def test_a_bundle_is_still_found_when_its_customer_is_erased(store: ConsentStore, counting: CustomerCounting) -> None:
    store.record("alster", ticked(1, *PURPOSES))
    store.record("alster", [say(ActKind.ERASURE, customer=1, said_at=NOON + SECOND)])
    assert together(counting) == 1


@pytest.mark.parametrize("presumed", [None, PresumedCustomer(country="CN", adult=True)], ids=["unknown", "presumed"])
@pytest.mark.parametrize("country", ["DE", "CN"])
def test_whom_a_law_governs_is_counted_as_decisions_see_it(
    store: ConsentStore,
    counting: CustomerCounting,
    packs: LawPacks,
    registry: Registry,
    clock: Clock,
    country: str,
    presumed: PresumedCustomer | None,
    open_store: Callable[[Database], ConsentStore],
) -> None:
    dice = Random(f"{country}{presumed}")
    for customer in range(1, 60):
        acts = [say(customer=customer, purpose="purpose-1")]
        if (lives_in := dice.choice(("CN", "CN", "DE", "US", None))) is not None:
            acts.append(say(ActKind.PROFILE, customer=customer, country=lives_in))
        if dice.random() < 0.2:
            acts.append(say(ActKind.ERASURE, customer=customer, said_at=NOON + SECOND))
        store.record("alster", acts)
    shop = registry.controller("alster").model_copy(update={"country": country, "presumed": presumed})
    at_us = to_microseconds(clock())
    there = [number for number in range(1, 60) if store.history("alster", pseudonym(number))]
    assert 30 < len(there) < 59
    for pack in packs.packs:
        governed = governed_by(pack, shop)
        test = contains(governed)
        one_by_one = sum(test(store.facts("alster", pseudonym(number)).facts, at_us) for number in there)
        assert counting.members("alster", governed, at_us=at_us) == one_by_one, pack.name
    assert counting.members("elbe", governed, at_us=at_us) == 0


BIRTHDAY = date(2012, 5, 4)
"""Of whoever turns 14 at midnight before noon."""


def born(customer: int, on: date, **fields: object) -> ConsentAct:
    return say(ActKind.PROFILE, customer=customer, age=Age(adult=False, born_on=on), **fields)


def outgrown(counting: CustomerCounting, of: CustomerSet = EVERYONE, *, at: datetime = NOON) -> int:
    return counting.outgrown("alster", of, purposes=("purpose-1", "purpose-2", "unheard-of"), years=14, at=at)


def test_who_consented_as_a_child_and_no_longer_is_one_is_counted(
    store: ConsentStore, counting: CustomerCounting, clock: Clock
) -> None:
    clock.advance(days=1)
    day, before = timedelta(days=1), NOON - timedelta(days=2)
    for customer, on in ((1, BIRTHDAY), (2, BIRTHDAY + day), (3, BIRTHDAY)):
        store.record("alster", [born(customer, on), say(customer=customer, purpose="purpose-1", said_at=before)])
    assert outgrown(counting) == 2, "one is a child still"
    assert outgrown(counting, at=NOON - day) == 0
    assert outgrown(counting, at=NOON + day) == 3
    # Asked again on the day after, and a customer who withdrew: there is nothing left to ask.
    store.record("alster", [say(customer=1, purpose="purpose-1", said_at=NOON + day)])
    store.record("alster", [say(ActKind.WITHDRAWAL, customer=3, said_at=NOON)])
    assert outgrown(counting) == 0


def test_only_consents_that_count_of_customers_who_are_meant(
    store: ConsentStore, counting: CustomerCounting, clock: Clock
) -> None:
    early = NOON - timedelta(days=30)
    store.record("alster", [born(1, BIRTHDAY), say(customer=1, purpose="purpose-6", said_at=early)])
    ended = {"said_at": early, "ends_at": NOON}
    store.record("alster", [born(2, BIRTHDAY), say(customer=2, purpose="purpose-1", **ended)])
    adult = say(ActKind.PROFILE, customer=3, age=Age(adult=True))
    store.record("alster", [adult, say(customer=3, purpose="purpose-1", said_at=early)])
    assert outgrown(counting) == 0
    both = [say(customer=4, purpose=name, said_at=early) for name in PURPOSES]
    store.record("alster", [born(4, BIRTHDAY), say(ActKind.PROFILE, customer=4, country="CN"), *both])
    assert outgrown(counting) == 1, "a customer counts once"
    in_china = Having(topic=RESIDENCE, countries=frozenset({"CN"}))
    assert (outgrown(counting, in_china), outgrown(counting, complement(in_china))) == (1, 0)
    clock.advance(minutes=1)
    store.record("alster", [say(ActKind.ERASURE, customer=4)])
    assert outgrown(counting) == 0
