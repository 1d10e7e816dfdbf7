"""Requests sent at fixed times, whatever became of the ones before: an overloaded service cannot slow its measure down.

Runs in a process of its own. A latency is counted from the moment at which the request was due.
"""

import asyncio
import gc
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from consent.signed_posts import KEPT_S, TIMEOUT_S, as_sent
from hanse_privacy.identity import PublicKey, SigningKey

_LEAD_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent.

    Args:
        port: Of the service, on loopback.
        path: Where to.
        bodies: One request each, in order.
        per_s: Requests per second.
        key: File of the retailer's private key.
        service: The service's public key.
    """

    port: int
    path: str
    bodies: Sequence[bytes]
    per_s: float
    key: Path
    service: PublicKey


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """What came back.

    Args:
        seconds: From due to answered, in the order sent.
        late_s: How much later than due each was sent: the client's own delay, part of the above.
        failed: Answers other than 200, and connections that broke; their latency is the longest there is.
    """

    seconds: tuple[float, ...]
    late_s: tuple[float, ...]
    failed: int


def send(load: Load) -> Latencies:
    """Send it all from another process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_send_here, load).result()


def _send_here(load: Load) -> Latencies:
    key = SigningKey.load(load.key)
    # Signed before the first is due: the service takes signatures that are up to two minutes old.
    requests = [as_sent(load.path, body, key=key, service=load.service) for body in load.bodies]
    gc.disable()
    return asyncio.run(_run(load.port, requests, per_s=load.per_s))


async def _run(port: int, requests: Sequence[bytes], *, per_s: float) -> Latencies:
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
    began = time.perf_counter() + _LEAD_S
    seconds = [0.0] * len(requests)
    late_s = [0.0] * len(requests)
    failed = 0

    async def one(index: int, due: float) -> None:
        nonlocal failed
        late_s[index] = time.perf_counter() - due
        try:
            while idle and idle[-1][2] < time.perf_counter() - KEPT_S:
                idle.pop()[1].close()
            reader, writer = idle.pop()[:2] if idle else await asyncio.open_connection("127.0.0.1", port)
            writer.write(requests[index])
            status = await _read_answer(reader)
        except (OSError, EOFError):
            failed += 1
            seconds[index] = TIMEOUT_S
            return
        seconds[index] = time.perf_counter() - due if status == 200 else TIMEOUT_S
        failed += status != 200
        idle.append((reader, writer, time.perf_counter()))

    async with asyncio.timeout(len(requests) / per_s + TIMEOUT_S), asyncio.TaskGroup() as group:
        for index in range(len(requests)):
            due = began + index / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(index, due))
    for _, writer, _ in idle:
        writer.close()
    return Latencies(seconds=tuple(seconds), late_s=tuple(late_s), failed=failed)


async def _read_answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
