"""The consent service with a million customers: how fast it answers, and what it keeps when it is killed.

Everything as shipped: acts come in and go out through ``hanse consent import`` and ``export``, checks go to an
installed ``hanse consent serve`` on loopback with signed requests, every write is durable, every look-up recorded. Each
measurement runs on SQLite and on PostgreSQL (127.0.0.1:5432, as ``postgres``, without a password), in databases of its
own that are dropped at the end.

Measurements, by the names that ``--only`` takes:

- ``exchange``: import of three files of a million acts each, export of the first one's.
- ``enumerate``: who may be used, from the database, from memory, at an earlier position; the whole rule set.
- ``manifest``: a signed manifest of about 400,000 customers.
- ``cedar``: decisions per second against Cedar.
- ``restart``: until the service over all of it is ready.
- ``checks``: 300 single checks a second, and a thousand customers at once.
- ``staleness``: withdrawals among checks and manifests.
- ``kills``: SIGKILL at named points and at random.

``*_load`` among the figures is the load average when a measurement began; where it is far above the number of cores,
times tell more about the neighbours than about the service. Raw observations are written beside the figures.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from consent.cedar import measure_against_cedar
from consent.checking import measure_checks
from consent.customers import ActsFile, Part, write_files
from consent.enumerating import measure_enumeration
from consent.exchanging import measure_exchange
from consent.kills import measure_kills
from consent.manifests import measure_manifest
from consent.observations import Observations, load_average
from consent.serving import measure_restart
from consent.staleness import measure_staleness
from consent.stores import Engine, new_store
from consent.workplace import Workplace, lay_out
from consent.world import World
from machine import machine
from rich.console import Console

_CUSTOMERS = 1_000_000
_UNITS = {
    "*_s": "wall seconds; the median where there are several draws",
    "*_ms": "wall milliseconds, from when the request was due until its answer was read",
    "*_rows_per_s": "acts per wall second of the whole command, its start included",
    "*_rows_per_s_cpu": "acts per processor second of the command; without the database server's on PostgreSQL",
    "*_mb": "millions of bytes (proportional set size)",
    "*_vs_cedar_ratio": "decisions per second, divided by Cedar's",
    "*_load": "load average of one minute when the measurement began",
}
_DRAWS = {
    "enumerate_*": 5,
    "manifest_400k_s": 3,
    "restart_s": 3,
    "cedar": 5,
    "checks": "figures.*.checks single and figures.*.bulk_checks bulk requests",
    "import, export": 1,
}


class Measurement(StrEnum):
    """What is measured."""

    EXCHANGE = "exchange"
    ENUMERATE = "enumerate"
    MANIFEST = "manifest"
    CEDAR = "cedar"
    RESTART = "restart"
    CHECKS = "checks"
    STALENESS = "staleness"
    KILLS = "kills"


_OVER_EVERYBODY = frozenset(Measurement) - {Measurement.STALENESS, Measurement.KILLS}


def main() -> None:
    """Measure, print the figures as JSON and write them."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # databases and services are taken away then, too
    options.json.parent.mkdir(parents=True, exist_ok=True)
    observations = options.json.with_suffix(".observations.jsonl.gz")
    engines = [Engine(options.engine)] if options.engine else list(Engine)
    only = frozenset(map(Measurement, options.only or Measurement))
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="hanse-consent-scale-"))
    began = time.monotonic()
    figures: dict[str, dict[str, Any]] = {engine.value: {} for engine in engines}
    try:
        with Observations(observations) as notes:
            for engine, found in _measure(folder, engines, only, scale=options.scale, notes=notes):
                figures[engine.value] |= found
                console.print(f"{engine.value}: {found}")
    except BaseException:
        console.print(f"Settings and logs are in {folder}.")
        raise
    shutil.rmtree(folder)
    report = _report(figures, scale=options.scale, observations=observations, wall_s=time.monotonic() - began)
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The consent service with a million customers.")
    parser.add_argument("--json", type=Path, default=Path("build/consent_scale.json"), help="where figures go")
    parser.add_argument("--scale", type=float, default=1.0, help="share of a million customers, and of the draws")
    parser.add_argument("--only", nargs="+", choices=[one.value for one in Measurement], help="measure only these")
    parser.add_argument("--engine", choices=[one.value for one in Engine], help="on this engine only")
    return parser.parse_args()


def _measure(
    folder: Path, engines: list[Engine], only: frozenset[Measurement], *, scale: float, notes: Observations
) -> Iterator[tuple[Engine, dict[str, Any]]]:
    world = World()
    customers = max(1_000, round(_CUSTOMERS * scale))
    needs_everybody = bool(only & _OVER_EVERYBODY)
    files = write_files(folder, customers=customers, began_at=world.began_at) if needs_everybody else {}
    for engine in engines:
        if needs_everybody:
            with new_store(engine, folder) as store:
                workplace = lay_out(folder / f"{engine.value}-everybody", store=store, world=world)
                for found in _of_everybody(workplace, files, only, customers=customers, scale=scale, notes=notes):
                    yield engine, found
        for one in (Measurement.STALENESS, Measurement.KILLS):
            if one in only:
                with new_store(engine, folder) as store:
                    workplace = lay_out(folder / f"{engine.value}-{one.value}", store=store, world=world)
                    yield engine, _of_its_own(one, workplace, scale=scale, notes=notes)


def _of_everybody(
    workplace: Workplace,
    files: dict[Part, ActsFile],
    only: frozenset[Measurement],
    *,
    customers: int,
    scale: float,
    notes: Observations,
) -> Iterator[dict[str, Any]]:
    """Measurements over all customers, one after the other."""
    yield measure_exchange(workplace, files, observations=notes)
    if Measurement.ENUMERATE in only:
        yield measure_enumeration(workplace, observations=notes)
    if Measurement.MANIFEST in only:
        yield measure_manifest(workplace, observations=notes)
    if Measurement.CEDAR in only:
        yield measure_against_cedar(workplace, scale=scale, observations=notes)
    if Measurement.RESTART in only:
        yield measure_restart(workplace, observations=notes)
    if Measurement.CHECKS in only:
        yield measure_checks(workplace, customers=customers, scale=scale, observations=notes)


def _of_its_own(one: Measurement, workplace: Workplace, *, scale: float, notes: Observations) -> dict[str, Any]:

    if one is Measurement.STALENESS:
        return measure_staleness(workplace, scale=scale, observations=notes)
    return measure_kills(workplace, scale=scale, observations=notes)


def _report(figures: dict[str, dict[str, Any]], *, scale: float, observations: Path, wall_s: float) -> dict[str, Any]:
    return {
        "benchmark": "consent_scale",
        "version": 1,
        "machine": machine(("numpy", "pyroaring", "sqlalchemy", "psycopg", "cedarpy"))
        | {"load_average_at_the_end": load_average()},
        "scale": scale,
        "wall_s": round(wall_s),
        "draws": _DRAWS,
        "units": _UNITS,
        "figures": figures,
        "observations": observations.name,
    }


if __name__ == "__main__":
    main()
