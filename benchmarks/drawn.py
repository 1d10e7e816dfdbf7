"""What benchmarks of whole runs share: so many draws, what was observed beside them, and figures counted from that."""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from machine import machine


def report_draws(
    description: str,
    *,
    benchmark: str,
    packages: Iterable[str],
    units: str,
    draws: int,
    observe: Callable[[int], Mapping[str, Any]],
    recount: Callable[[Mapping[str, Any]], Mapping[str, float]],
) -> None:
    """Observe as often as ``--draws`` says, write the observations, count the figures from them, write and print both.

    Args:
        description: For ``--help``.
        benchmark: Its name.
        packages: Whose versions are stated.
        units: Of the figures.
        draws: How many, if nothing else is said.
        observe: Makes so many draws; returns JSON values.
        recount: Counts every figure from what was observed.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=draws)
    arguments = parser.parse_args()
    started = time.monotonic()
    observations = observe(arguments.draws)
    raw: Path = arguments.json.with_suffix(".observations.json")
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(json.dumps(observations), encoding="utf-8")
    result = {
        "benchmark": benchmark,
        "version": 1,
        "machine": machine(packages),
        "draws": arguments.draws,
        "seconds": time.monotonic() - started,
        "units": units,
        "figures": recount(observations),
        "observations": raw.name,
    }
    text = json.dumps(result, indent=1)
    arguments.json.write_text(text, encoding="utf-8")
    print(text)
