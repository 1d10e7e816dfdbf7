"""Withdrawals among checks and manifests: after the acknowledgement nobody may still be told yes.

Two services run over one store. Several writers withdraw one customer after the other at one of them and, once that
is acknowledged, ask the other or the same one. Meanwhile manifests are asked for, and each must be without everybody
whose withdrawal had been acknowledged when it was asked for.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from consent.acts import abroad, batch_body, face, grant, profile, withdrawal
from consent.approved_run import approve_run, ask_for_cohort
from consent.customers import pseudonym
from consent.observations import Observations, load_average
from consent.serving import served
from consent.signed_posts import Answer, Node, bulk_body, check_body
from consent.workplace import Workplace, utc_now
from consent.world import RETAILER
from hanse_consent.cohorts.issuing import MANIFESTS_PER_ROUND
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.protocol.cohort import MEMBER_BYTES, SALT_BYTES, decode_answer
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest

_TRIALS = 10_000
_WRITERS = 8
_EVERY_TENTH = 10
_PER_BATCH = 200
_BETWEEN_MANIFESTS_S = 0.2


@dataclass
class _Found:
    trials: int = 0
    stale: int = 0
    permitted_before: int = 0
    manifests: int = 0
    stale_in_manifests: int = 0
    delays_s: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def measure_staleness(workplace: Workplace, *, scale: float, observations: Observations) -> dict[str, Any]:
    """Try ten thousand times, in a store of its own.

    Raises:
        RuntimeError: If the service refuses something.
    """
    trials = max(_WRITERS * _EVERY_TENTH, round(_TRIALS * min(1.0, scale)))
    customers = [pseudonym(number) for number in range(1, trials + 1)]
    _prepare(workplace, customers)
    found, load, began = _Found(), load_average(), time.perf_counter()
    with served(workplace) as first, served(workplace) as second:
        ports = (first.port, second.port)
        stop = threading.Event()
        acknowledged: set[str] = set()
        with ThreadPoolExecutor(1 + _WRITERS) as pool:
            asking = pool.submit(_ask_for_manifests, workplace, ports, acknowledged, found, stop)
            writing = [
                pool.submit(_withdraw, workplace, ports, customers[index::_WRITERS], index, acknowledged, found)
                for index in range(_WRITERS)
            ]
            try:
                for done in writing:
                    done.result()
            finally:
                stop.set()
            asking.result()
    wall_s = time.perf_counter() - began
    observations.note_all("withdrawal_to_answer_s", engine=workplace.store.engine.value, values=found.delays_s)
    if found.permitted_before * _EVERY_TENTH < found.trials // 2:
        raise RuntimeError("hardly anybody could be used before the withdrawal: nothing was tried")
    return {
        "trials": found.trials,
        "stale_answers": found.stale + found.stale_in_manifests,
        "trials_writers": _WRITERS,
        "trials_manifests": found.manifests,
        "trials_checked_before_and_permitted": found.permitted_before,
        "trials_per_s": round(found.trials / wall_s, 1),
        "trials_load": load,
    }


def _prepare(workplace: Workplace, customers: Sequence[str]) -> None:
    began_at = workplace.world.began_at
    acts = [make(one, began_at) for one in customers for make in (profile, grant, abroad, face)]
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=load_shipped_packs(), now=utc_now)
        for start in range(0, len(acts), _PER_BATCH * 10):
            store.record(RETAILER, acts[start : start + _PER_BATCH * 10])


def _withdraw(
    workplace: Workplace,
    ports: Sequence[int],
    mine: Sequence[str],
    writer: int,
    acknowledged: set[str],
    found: _Found,
) -> None:
    keys = workplace.world.keys
    nodes = [Node(port, key=keys.retailer, service=keys.service.public) for port in ports]
    for index, customer in enumerate(mine):
        writes_at, asks = nodes[(writer + index) % 2], nodes[(writer + index // 2) % 2]
        before = index % _EVERY_TENTH == 0 and _ok(asks.post("/v1/checks", check_body(customer))).json["permitted"]
        acted = writes_at.post("/v1/acts", batch_body([withdrawal(customer, utc_now())]))
        position = _ok(acted).json["position"]
        acknowledged.add(customer)
        at = time.perf_counter()
        if index % _EVERY_TENTH == 1:
            answer = _ok(asks.post("/v1/bulk-checks", bulk_body([customer]))).json
            permitted = answer["answers"][0]["permitted"]
        else:
            answer = _ok(asks.post("/v1/checks", check_body(customer))).json
            permitted = answer["permitted"]
        stale = permitted or answer["position"] < position
        with found.lock:
            found.trials += 1
            found.stale += stale
            found.permitted_before += bool(before)
            found.delays_s.append(time.perf_counter() - at)
    for node in nodes:
        node.close()


def _ask_for_manifests(
    workplace: Workplace,
    ports: Sequence[int],
    acknowledged: set[str],
    found: _Found,
    stop: threading.Event,
) -> None:
    keys = workplace.world.keys
    nodes = [Node(port, key=keys.retailer, service=keys.service.public) for port in ports]
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=load_shipped_packs(), now=utc_now)
        while not stop.is_set():
            if found.manifests % MANIFESTS_PER_ROUND == 0:  # a round gets no more
                name = f"offers-{1 + found.manifests // MANIFESTS_PER_ROUND}"
                proposal = approve_run(database, store, world=workplace.world, now=utc_now, run=name)
                known = NO_PREVIOUS
            withdrawn = frozenset(acknowledged.copy())
            body = ask_for_cohort(proposal, known=known).model_dump_json(exclude_none=True).encode()
            parts = decode_answer(_ok(nodes[found.manifests % 2].post("/v1/cohort-manifests", body)).body)
            known = CohortManifest.verify(parts.manifest, key=keys.service.public).digest
            found.manifests += 1
            found.stale_in_manifests += len(_named(parts.members) & withdrawn)
            stop.wait(_BETWEEN_MANIFESTS_S)
    for node in nodes:
        node.close()


def _named(members: bytes) -> set[str]:
    return {members[start + SALT_BYTES : start + MEMBER_BYTES].hex() for start in range(0, len(members), MEMBER_BYTES)}


def _ok(answer: Answer) -> Answer:
    if answer.status != 200:
        raise RuntimeError(f"the service answered {answer.status}: {answer.body[:500]!r}")
    return answer
