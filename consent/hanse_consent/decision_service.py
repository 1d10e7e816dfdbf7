"""Answers who may be used: plans made once, facts from the store, sets from memory. All readings of one decision.

Nothing here decides anything: the law packs do, through :mod:`hanse_consent.decisions`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from hanse_consent.decisions.decide import Decider, Decision, decide
from hanse_consent.decisions.facts import NOBODY_KNOWN, consent_topic
from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.planning import make_plan
from hanse_consent.decisions.question import Question
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.errors import MomentBeforeStartError, PositionNotReachedError
from hanse_consent.law.packs import LawPacks
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.store import ConsentStore

_DECIDERS_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedDecision:
    """A decision and the moment it is about."""

    decision: Decision
    decided_for: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkDecision:
    """Reason codes per customer, in the order asked; none means permitted."""

    codes: tuple[tuple[str, ...], ...]
    plan: Plan
    position: int
    decided_for: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EligibleCustomers:
    """Every customer who may be used.

    Args:
        numbers: Their numbers at the controller, sorted.
        notices: Under which their grants were given, ``name@version``, sorted.
        excluded_by_reason: How many customers each reason excludes.
        plan: The question made ready.
        position: The last act that was seen.
    """

    numbers: NDArray[np.uint32]
    notices: tuple[str, ...]
    excluded_by_reason: Mapping[str, int]
    plan: Plan
    position: int


class DecisionService:
    """Every question about customers goes through here.

    Args:
        store: The consent store.
        packs: The law packs in force.
        cache: Sets of customers in memory.
        now: The service's clock.
    """

    def __init__(
        self, *, store: ConsentStore, packs: LawPacks, cache: BitmapCache, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._packs = packs
        self._cache = cache
        self._now = now
        self._deciders: OrderedDict[Question, Decider] = OrderedDict()
        self._lock = threading.Lock()

    def registry(self) -> Registry:
        """The registry in force."""
        return self._store.registry()

    def check(self, question: Question, customer: str, *, at_least: int | None = None) -> DatedDecision:
        """Decide about one customer, now.

        Args:
            question: The use.
            customer: The pseudonym; an unknown one is denied as one that never said anything.
            at_least: A position that the answer must have seen.

        Raises:
            PositionNotReachedError: If the store is not that far.
        """
        at = self._now()
        known = self._store.facts(question.controller, customer)
        _require_reached(known.position, at_least)
        decider = self._decider(question, at, registry_version=known.registry_version)
        return DatedDecision(decision=decider.decide(known.facts, at=at, position=known.position), decided_for=at)

    def check_then(self, question: Question, customer: str, *, at: datetime) -> DatedDecision:
        """Decide about one customer as the service would have at a past moment: with what was recorded by then.

        Raises:
            MomentInFutureError: If the moment has not come.
            MomentBeforeStartError: If nothing was registered then: without purposes and rules nobody is excluded.
        """
        stand = self._store.moment_before(question.controller, at)
        if stand.registry_version == 0:
            raise MomentBeforeStartError(
                "Nothing was registered at the moment asked about.", "Ask about a moment since the service began."
            )
        registry = self._store.registry(version=stand.registry_version)
        known = self._store.facts(question.controller, customer, position=stand.position)
        decision = decide(
            question, facts=known.facts, registry=registry, packs=self._packs, at=at, position=stand.position
        )
        return DatedDecision(decision=decision, decided_for=at)

    def check_many(self, question: Question, customers: Sequence[str], *, at_least: int | None = None) -> BulkDecision:
        """Decide about many customers, now, all as of one position.

        Raises:
            PositionNotReachedError: If the store is not that far.
        """
        at = self._now()
        at_us = to_microseconds(at)
        decider = self._decider(question, at, registry_version=self._store.registry_version())
        pseudonyms = [bytes.fromhex(customer) for customer in customers]
        numbers = self._store.numbers(question.controller, pseudonyms)
        found = self._cache.reasons(decider.plan, np.fromiter(numbers.values(), dtype=np.uint32), at_us=at_us)
        _require_reached(found.position, at_least)
        unknown = tuple(dict.fromkeys(reason.code for reason in decider.reasons(NOBODY_KNOWN, at_us)))
        codes = tuple(
            found.by_customer.get(numbers[pseudonym], unknown) if pseudonym in numbers else unknown
            for pseudonym in pseudonyms
        )
        return BulkDecision(codes=codes, plan=decider.plan, position=found.position, decided_for=at)

    def enumerate_at(self, question: Question, *, at: datetime) -> EligibleCustomers:
        """Every customer who may be used at a moment (now, for all that callers do), from memory.

        Holds every act acknowledged before the call.
        """
        plan = self._decider(question, at, registry_version=self._store.registry_version()).plan
        answer = self._cache.eligible(plan, at_us=to_microseconds(at))
        numbers = answer.numbers
        cited = self._cache.notices(question.controller, consent_topic(question.purpose), numbers)
        return EligibleCustomers(
            numbers=numbers,
            notices=self._store.notice_names(cited),
            excluded_by_reason=answer.excluded_by_reason,
            plan=plan,
            position=answer.position,
        )

    def _decider(self, question: Question, at: datetime, *, registry_version: int) -> Decider:
        at_us = to_microseconds(at)
        with self._lock:
            known = self._deciders.get(question)
            if known is not None:
                self._deciders.move_to_end(question)
        if known is not None:
            plan = known.plan
            if plan.registry_version == registry_version and plan.from_us <= at_us < plan.until_us:
                return known
        registry = self._store.registry(version=registry_version)
        decider = Decider(make_plan(question, registry=registry, packs=self._packs, at=at))
        with self._lock:
            self._deciders[question] = decider
            while len(self._deciders) > _DECIDERS_KEPT:
                self._deciders.popitem(last=False)
        return decider


def _require_reached(position: int, at_least: int | None) -> None:
    if at_least is not None and position < at_least:
        raise PositionNotReachedError(
            f"The store is at position {position}, not yet at {at_least}.",
            "Ask the service that gave you this position.",
        )
