"""The installed service as a process of its own, started with ``hanse consent serve``."""

import http.client
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from consent.observations import Observations, load_average, median
from consent.processes import HANSE
from consent.workplace import Workplace

_STOPS_WITHIN_S = 20
_RESTARTS = 3


@dataclass(frozen=True, kw_only=True)
class Served:
    """A service that is ready.

    Args:
        port: Where it listens, on loopback.
        process: Its process.
        ready_s: Seconds from its start to the first answer that it is ready.
    """

    port: int
    process: "subprocess.Popen[str]"
    ready_s: float


@contextmanager
def served(workplace: Workplace) -> Iterator[Served]:
    """Start the service, wait until it says over HTTP that it is ready, stop it in the end."""
    log = workplace.folder / "service.log"
    began = time.perf_counter()
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [HANSE, "consent", "serve", "--config", str(workplace.configuration)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        port = port_in(process.stdout.readline() if process.stdout is not None else "")
        _require_ready(port)
        yield Served(port=port, process=process, ready_s=time.perf_counter() - began)
    finally:
        process.terminate()
        try:
            process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def port_in(ready_line: str) -> int:
    """The port that a service's ready line names.

    Raises:
        RuntimeError: If it is no such line: the service ended; its log says why.
    """
    if "is ready on" not in ready_line:
        raise RuntimeError(f"the service did not start; it said {ready_line!r}")
    return int(ready_line.rstrip().rpartition(":")[2])


def _require_ready(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/v1/ready")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"the service is not ready (HTTP {status})")


def measure_restart(workplace: Workplace, *, observations: Observations) -> dict[str, Any]:
    """Start the service over its full store, three times."""
    load, seconds = load_average(), []
    for _ in range(_RESTARTS):
        with served(workplace) as service:
            seconds.append(service.ready_s)
    observations.note_all("restart", engine=workplace.store.engine.value, values=seconds)
    return {"restart_s": round(median(seconds), 2), "restart_draws": _RESTARTS, "restart_load": load}
