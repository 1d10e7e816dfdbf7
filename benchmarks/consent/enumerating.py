"""Who may be used, of all customers: from the database, from memory, and as it was at an earlier position."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np

from consent.observations import Observations, load_average, median
from consent.workplace import Workplace, utc_now
from consent.world import RETAILER
from hanse_consent.decisions.decide import Decider
from hanse_consent.decisions.planning import make_plan
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.store import ConsentStore

_TIMES = 5
_SPOT_CHECKS = 200


def measure_enumeration(workplace: Workplace, *, observations: Observations) -> dict[str, Any]:
    """Ask in each way, five times; all ways must agree, and with the decision about single customers.

    Raises:
        RuntimeError: If two ways give two answers.
    """
    packs = load_shipped_packs()
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=packs, now=utc_now)
        at = utc_now()
        at_us = to_microseconds(at)
        plan = make_plan(workplace.world.question, registry=store.registry(), packs=packs, at=at)
        timed = _Timed(observations, workplace.store.engine.value)
        latest = store.position(RETAILER)
        load = load_average()
        from_sql = timed.median("enumerate_sql", lambda: store.eligible(plan, at_us=at_us))
        past_s = timed.median("enumerate_past", lambda: store.eligible(plan, at_us=at_us, position=latest * 5 // 6))[1]
        cache = BitmapCache(store)
        began = time.perf_counter()
        cached = cache.eligible(plan, at_us=at_us)
        cold_s = time.perf_counter() - began
        observations.note("enumerate_cold_cache", engine=workplace.store.engine.value, wall_s=round(cold_s, 4))
        warm_s = timed.median("enumerate_cache", lambda: cache.eligible(plan, at_us=at_us).numbers)[1]
        answer, sql_s = from_sql
        if not np.array_equal(answer.customers, cached.numbers):
            raise RuntimeError("the database and the cache enumerate different customers")
        if dict(answer.excluded_by_reason) != dict(cached.excluded_by_reason):
            raise RuntimeError("the database and the cache count reasons differently")
        _spot_check(store, Decider(plan), answer.customers, at_us=at_us)
        return {
            "enumerate_sql_s": round(sql_s, 3),
            "enumerate_cache_s": round(warm_s, 4),
            "enumerate_past_s": round(past_s, 3),
            "enumerate_cold_cache_s": round(cold_s, 3),
            "enumerate_load": load,
            "customers": store.customer_count(RETAILER),
            "acts": latest,
            "eligible": len(answer.customers),
            "rules_that_exclude": len(plan.exclusions),
            "excluded_by_reason": dict(sorted(answer.excluded_by_reason.items())),
            "cache_mb": round(cache.nbytes(RETAILER) / 1e6, 1),
        }


class _Timed:
    def __init__(self, observations: Observations, engine: str) -> None:
        self._observations = observations
        self._engine = engine

    def median(self, what: str, ask: Callable[[], Any]) -> tuple[Any, float]:
        ask()  # connections, statements and pages that any running service has
        walls = []
        for _ in range(_TIMES):
            began = time.perf_counter()
            answer = ask()
            walls.append(time.perf_counter() - began)
        self._observations.note_all(what, engine=self._engine, values=walls)
        return answer, median(walls)


def _spot_check(store: ConsentStore, decider: Decider, eligible: Any, *, at_us: int) -> None:
    last = store.customer_numbers(RETAILER).last
    numbers = np.linspace(1, last, min(_SPOT_CHECKS, last), dtype=np.uint32)
    found = store.members(RETAILER, numbers)
    named = set(eligible.tolist())
    for number, member in zip(found.numbers.tolist(), found.pseudonyms, strict=True):
        facts = store.facts(RETAILER, member.tobytes().hex()).facts
        if (number in named) == bool(decider.reasons(facts, at_us)):
            raise RuntimeError("a single decision differs from the enumeration")
