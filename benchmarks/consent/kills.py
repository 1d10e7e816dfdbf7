"""Killing the service while it records: what was acknowledged is there, and nothing is there by halves.

Three nodes send batches of acts. Half of the deaths come at named points of a transaction
(:mod:`consent.dying_service`), half at random moments. Before the service is killed at random it is stopped (SIGSTOP),
so that the state it dies in can be looked at from outside: on SQLite the transaction is open if the file's write
lock is taken (``BEGIN IMMEDIATE`` of another connection is refused at once), on PostgreSQL if a connection of the
service's role has a transaction that has written (``pg_stat_activity.backend_xid``).
"""

import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Any

from consent.aftermath import Sent, look_after
from consent.dying_service import FaultPoint, serve_until_killed
from consent.node_under_fire import send_batches
from consent.observations import Observations, load_average
from consent.serving import port_in
from consent.stores import Engine, MeasuredStore
from consent.workplace import Workplace

_KILLS = 50
_NODES = 3
_STARTS_WITHIN_S = 60
_HOLDS_OUT_S = 30
_LATEST_S = 0.6
_MODULES = ["hanse_consent.commands", "cedarpy", "rich.console"]


@dataclass(frozen=True, kw_only=True)
class _Death:
    point: str
    in_transaction: bool
    acknowledged: int
    unanswered: int


def measure_kills(workplace: Workplace, *, scale: float, observations: Observations) -> dict[str, Any]:
    """Kill fifty times at named points and fifty times at random, look after the store each time.

    Raises:
        RuntimeError: If the service does not start again, or does not die where it should.
    """
    kills = max(len(FaultPoint), round(_KILLS * min(1.0, scale * 2)))
    points = [list(FaultPoint)[index % len(FaultPoint)] for index in range(kills)] + [None] * kills
    chance = random.Random(20260504)  # noqa: S311 - moments of death
    load, lost, halves, position = load_average(), 0, 0, 0
    deaths = []
    for point in points:
        sent: list[Sent] = []
        death = _die(workplace, point, sent, chance)
        found = look_after(workplace, sent, after=position)
        position = found.position
        lost += found.lost
        halves += found.halves
        deaths.append(death)
        observations.note(
            "kill",
            engine=workplace.store.engine.value,
            point=death.point,
            in_transaction=death.in_transaction,
            acknowledged=death.acknowledged,
            unanswered=death.unanswered,
            unanswered_but_there=found.unanswered_but_there,
            lost=found.lost,
            halves=found.halves,
        )
    at_random = [death for death in deaths if death.point == "random"]
    return {
        "kills": len(deaths),
        "kills_at_random": len(at_random),
        "kills_in_transaction": sum(death.in_transaction for death in at_random),
        "kills_in_transaction_share": round(sum(death.in_transaction for death in at_random) / len(at_random), 2),
        "kills_batches_acknowledged": sum(death.acknowledged for death in deaths),
        "lost_writes": lost,
        "half_writes": halves,
        "kills_load": load,
    }


def _die(workplace: Workplace, point: FaultPoint | None, sent: list[Sent], chance: random.Random) -> _Death:
    nth = chance.randint(2, 12)
    with _service(workplace, point, nth) as (process, port):
        stop = threading.Event()
        with ThreadPoolExecutor(_NODES) as pool:
            nodes = [pool.submit(send_batches, workplace, port, sent, stop) for _ in range(_NODES)]
            try:
                in_transaction = _kill(process, point, workplace.store, sent, chance)
                process.join(_HOLDS_OUT_S)
            finally:
                stop.set()
        for node in nodes:
            node.result()
        if process.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"the service ended with {process.exitcode} instead of being killed at {point}")
    _await_rollback(workplace.store)
    acknowledged = sum(one.position is not None for one in sent)
    return _Death(
        point="random" if point is None else point.value,
        in_transaction=in_transaction,
        acknowledged=acknowledged,
        unanswered=len(sent) - acknowledged,
    )


def _kill(
    process: ForkServerProcess, point: FaultPoint | None, store: MeasuredStore, sent: list[Sent], chance: random.Random
) -> bool:
    """Kill at random, or leave it to the named point; returns whether a transaction was open."""
    if point is not None:
        return point is not FaultPoint.AFTER_COMMIT
    _await_first(sent)
    time.sleep(chance.uniform(0, _LATEST_S))
    os.kill(_id(process), signal.SIGSTOP)
    in_transaction = _writes_are_open(store)
    os.kill(_id(process), signal.SIGKILL)
    return in_transaction


@contextmanager
def _service(workplace: Workplace, point: FaultPoint | None, nth: int) -> Iterator[tuple[ForkServerProcess, int]]:
    """The service, forked from a process that has imported it already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    # A pipe through which the ready line comes.
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(
        target=serve_until_killed, args=(workplace.configuration, writing, point, nth), daemon=True
    )
    process.start()
    writing.close()
    try:
        with open(os.dup(reading.fileno()), encoding="utf-8") as lines:  # noqa: PTH123 - a descriptor, no path
            yield process, port_in(lines.readline())
    finally:
        process.kill()
        process.join()
        reading.close()


def _id(process: ForkServerProcess) -> int:
    if process.pid is None:
        raise RuntimeError("the service has no process")
    return process.pid


def _await_first(sent: list[Sent]) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while not any(one.position is not None for one in tuple(sent)):
        if time.monotonic() > until:
            raise RuntimeError("the service acknowledges nothing")
        time.sleep(0.005)


def _writes_are_open(store: MeasuredStore) -> bool:
    if store.engine is Engine.SQLITE:
        with closing(sqlite3.connect(store.location.path, timeout=0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            connection.execute("ROLLBACK")
            return False
    return bool(_backends(store, "backend_xid IS NOT NULL"))


def _await_rollback(store: MeasuredStore) -> None:
    """Wait until PostgreSQL has noticed: only then is decided what became of the last transactions."""
    until = time.monotonic() + _HOLDS_OUT_S
    while store.engine is Engine.POSTGRESQL and _backends(store, "true"):
        if time.monotonic() > until:
            raise RuntimeError("the killed service's connections live on")
        time.sleep(0.01)


def _backends(store: MeasuredStore, condition: str) -> int:
    with store.administrator() as admin:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND {condition}"  # noqa: S608 - own text
        row = admin.execute(query, (store.location.url.username,)).fetchone()
        return int(str(row[0])) if row is not None else 0
