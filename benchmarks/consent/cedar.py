"""Decisions per second, held against Cedar: the same customers, the same question, in one run.

Either side gets its inputs ready: Cedar its parsed policies, requests and entities, the decider the customers' facts.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import cedarpy
import numpy as np

from consent.observations import Observations, load_average, median
from consent.workplace import Workplace, utc_now
from consent.world import RETAILER
from hanse_consent.decisions.decide import Decider, decide
from hanse_consent.decisions.facts import CustomerFacts
from hanse_consent.decisions.planning import make_plan
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.record_service import recorded_act
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.store import ConsentStore

sys.path.append(str(Path(__file__).parents[2] / "tests" / "consent" / "oracle"))
from cedar_oracle import POLICIES, laid_out, verdicts
from oracle_worlds import Case
from oracle_worlds import World as OracleWorld

_CASES = 5_000
_TIMES = 5
_SHORTER_LISTS = frozenset({"G-9", "P-26", "P-28"})
"""Rules with lists of categories; the oracle's lists are short ones, without that of a face."""


def measure_against_cedar(workplace: Workplace, *, scale: float, observations: Observations) -> dict[str, Any]:
    """Decide about customers of the store three ways and through Cedar.

    Raises:
        RuntimeError: If Cedar names other rules for a customer.
    """
    packs, world = load_shipped_packs(), workplace.world
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=packs, now=utc_now)
        registry, at = store.registry(), utc_now()
        at_us = to_microseconds(at)
        plan = make_plan(world.question, registry=registry, packs=packs, at=at)
        cases, facts = _drawn(
            store,
            OracleWorld(registry=registry, question=world.question, at=at),
            max(200, round(_CASES * min(1.0, scale * 10))),
        )
        cache = BitmapCache(store)
        cache.eligible(plan, at_us=at_us)

        def ours() -> object:
            decider = Decider(plan)
            return [decider.decide(one, at=at, position=1) for one in facts]

        def alone() -> object:
            return [
                decide(world.question, facts=one, registry=registry, packs=packs, at=at, position=1)
                for one in facts[:_ALONE]
            ]

        requests, entities = laid_out(cases)
        policies = cedarpy.PolicySet.from_str(POLICIES.read_text())
        timed = _Timed(observations, workplace.store.engine.value)
        load = load_average()
        theirs_s = timed.median("cedar", lambda: cedarpy.is_authorized_batch(requests, policies, entities))
        ours_s = timed.median("decide", ours)
        alone_s = timed.median("decide_with_plan_each", alone)
        eligible_s = timed.median("eligible_of_all", lambda: cache.eligible(plan, at_us=at_us).numbers)
        everybody = store.customer_count(RETAILER)
        _require_agreement(cases, facts, Decider(plan), at_us=at_us)
    cedar_per_s = len(cases) / theirs_s
    return {
        "cedar_per_s": round(cedar_per_s),
        "decide_per_s": round(len(cases) / ours_s),
        "decide_vs_cedar_ratio": round(len(cases) / ours_s / cedar_per_s, 1),
        "decide_with_plan_each_vs_cedar_ratio": round(min(_ALONE, len(facts)) / alone_s / cedar_per_s, 3),
        "eligible_vs_cedar_ratio": round(everybody / eligible_s / cedar_per_s),
        "cedar_cases": len(cases),
        "cedar_load": load,
    }


_ALONE = 100


class _Timed:
    def __init__(self, observations: Observations, engine: str) -> None:
        self._observations = observations
        self._engine = engine

    def median(self, what: str, run: Any) -> float:
        run()
        seconds = []
        for _ in range(_TIMES):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
        self._observations.note_all(what, engine=self._engine, values=seconds)
        return median(seconds)


def _drawn(store: ConsentStore, world: OracleWorld, count: int) -> tuple[list[Case], list[CustomerFacts]]:
    last = store.customer_numbers(RETAILER).last
    members = store.members(RETAILER, np.unique(np.linspace(1, last, count, dtype=np.uint32)))
    cases, facts = [], []
    for member in members.pseudonyms:
        customer = member.tobytes().hex()
        acts = tuple(recorded_act(stored).act for stored in store.history(RETAILER, customer))
        cases.append(Case(world=world, acts=acts))
        facts.append(store.facts(RETAILER, customer).facts)
    return cases, facts


def _require_agreement(cases: Sequence[Case], facts: Sequence[CustomerFacts], decider: Decider, *, at_us: int) -> None:
    for one, verdict in zip(facts, verdicts(cases), strict=True):
        rules = {reason.rule for reason in decider.reasons(one, at_us)}
        if (rules ^ verdict.forbidden_by) - _SHORTER_LISTS:
            raise RuntimeError(f"Cedar and the decisions differ in {sorted(rules ^ verdict.forbidden_by)}")
