"""What benchmarks of computations share: processor seconds, and one JSON object of figures."""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from machine import machine


class Observations:
    """Every single measurement, by what was measured; medians are read from it."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def note(self, what: str, value: float) -> None:
        """Keep one measurement."""
        self.values.setdefault(what, []).append(value)

    def time(self, what: str, call: Callable[[], object]) -> None:
        """Keep the processor seconds, user and system, that all threads of this process spend in a call."""
        before = time.process_time()
        call()
        self.note(what, time.process_time() - before)

    def median(self, what: str) -> float:
        """The median of what was kept."""
        return median(self.values[what])


def destination(description: str, *, default: str) -> Path:
    """Read ``--json FILE`` from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, default=Path(default), help="where figures go")
    path: Path = parser.parse_args().json
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def report(
    path: Path,
    *,
    benchmark: str,
    packages: Iterable[str],
    draws: Mapping[str, Any],
    units: Mapping[str, str],
    figures: Mapping[str, float],
    observations: Mapping[str, Sequence[float]],
) -> None:
    """Write and print the figures, to five digits; write the observations beside them."""
    beside = path.with_suffix(".observations.json")
    beside.write_text(json.dumps({"version": 1, "observations": observations}, indent=1) + "\n", encoding="utf-8")
    found = {
        "benchmark": benchmark,
        "version": 1,
        "machine": machine(packages) | {"load_average_at_the_end": round(os.getloadavg()[0], 2)},
        "draws": draws,
        "units": units,
        "figures": {name: float(f"{value:.5g}") for name, value in figures.items()},
        "observations": beside.name,
    }
    text = json.dumps(found, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    print(text)
