"""What was observed, and the figures recounted from it: the file says everything that a figure needs."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from statistics import fmean, median

_FIRST_COUNTED_ROUND = 2
_LAST_COUNTED_ROUND = 5


class Side(StrEnum):
    """Who took a round."""

    HANSE = "hanse"
    FLOWER = "flower"
    """Bare Flower with PyTorch."""
    FLOWER_NUMPY = "flower_numpy"
    FLOWER_NUMPY_SHORT_POLL = "flower_numpy_short_poll"
    """As the one before, and its centre looks for replies as often as Hanse's does."""
    FLOWER_DEFAULT_POLL = "flower_default_poll"
    """Bare Flower with PyTorch, its executors looking for work as seldom as Flower's default has it."""


@dataclass(frozen=True, kw_only=True)
class RunObserved:
    """One run: its rounds' seconds and its messages' processor times."""

    side: Side
    repeat: int
    load_average_before: float
    """Of one minute, when the run was submitted: what others (and the run before) kept busy."""
    round_s: tuple[float, ...]
    """Wall seconds of training rounds 1, 2, ..."""
    message_cpu_s: tuple[float, ...]
    message_wall_s: tuple[float, ...]
    messages_not_seen_ending: int
    vaults_cpu_s: float
    """Of all vaults together, from the first message on; 0 where there are none."""


def write(path: Path, runs: Sequence[RunObserved]) -> None:
    """Write the observations."""
    path.write_text(json.dumps({"version": 1, "runs": [asdict(run) for run in runs]}, indent=1), encoding="utf-8")


def read(path: Path) -> tuple[RunObserved, ...]:
    """Read observations back."""
    sequences = ("round_s", "message_cpu_s", "message_wall_s")
    return tuple(
        RunObserved(**{**run, "side": Side(run["side"])} | {name: tuple(run[name]) for name in sequences})
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]
    )


def figures(runs: Sequence[RunObserved]) -> dict[str, float]:
    """Recount every figure: medians of rounds 2 to 5 over all runs of a side, means over its messages."""
    counted: dict[str, float] = {}
    present = [side for side in Side if any(run.side is side for run in runs)]
    for side in present:
        rounds = _gather(runs, side, lambda run: run.round_s[_FIRST_COUNTED_ROUND - 1 : _LAST_COUNTED_ROUND])
        messages = _gather(runs, side, lambda run: run.message_cpu_s)
        counted[f"{side}_round_s"] = median(rounds)
        cpu_name = "courier_cpu_s_per_message" if side is Side.HANSE else f"{side}_cpu_s_per_message"
        counted[cpu_name] = fmean(messages)
        if side is Side.HANSE:
            vaults_s = sum(run.vaults_cpu_s for run in runs if run.side is side)
            counted["vault_cpu_s_per_message"] = vaults_s / len(messages)
    for side in present:
        if side is not Side.HANSE and Side.HANSE in present:
            counted[f"hanse_vs_{side}_ratio"] = counted["hanse_round_s"] / counted[f"{side}_round_s"]
    return {name: round(value, 3) for name, value in counted.items()}


def _gather(runs: Sequence[RunObserved], side: Side, values: Callable[[RunObserved], Sequence[float]]) -> list[float]:
    return [value for run in runs if run.side is side for value in values(run)]
