"""What a training round costs: the league as shipped against the same training step on bare Flower.

Real processes on loopback, four partners of the Complete Journey league, in turns: Hanse, bare Flower,
Hanse, bare Flower. A round of Hanse has consent, signatures, ledger and noise; a round of bare Flower
has none of them, on the same flags, intervals and machine. Several peers, because more than one thing differs:

- ``flower``: what most Flower apps do, PyTorch in Flower's own process per message.
- ``flower_numpy``: the same without PyTorch, which a vault does not need either.
- ``flower_numpy_short_poll``: also with Hanse's habit of looking for replies every quarter of a second
  (Flower's own ``send_and_receive`` looks every three seconds), once. What is left is the price of Hanse itself.
- ``flower_default_poll``: ``flower`` with Flower's default interval of its executors, once, if asked for.

Figures: ``*_round_s`` is the median of rounds 2 to 5 over all repeats (the first one starts things up);
``*_cpu_s_per_message`` the mean processor time, user and system, of the process that Flower starts per
message (:mod:`overhead.processor_time` says how it is counted); ``vault_cpu_s_per_message`` what a resident
vault adds. Raw observations are written beside; ``--recount`` reads every figure from them again.

Run it on a quiet machine: each run's load average is among the observations.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from machine import machine
from overhead.flower_league import flower_league
from overhead.hanse_league import TRAINING_ROUNDS, run_hanse
from overhead.observations import RunObserved, Side, figures, read, write
from rich.console import Console

_EVERY_TIME = (Side.FLOWER, Side.FLOWER_NUMPY)
_ONCE = (Side.FLOWER_NUMPY_SHORT_POLL,)


def main() -> None:
    """Measure (or recount), print the figures as JSON and write them."""
    options = _options()
    if options.recount is not None:
        print(json.dumps(figures(read(options.recount)), indent=1))
        return
    observations: Path = options.json.with_suffix(".observations.json")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    runs = _measure(repeats=options.repeats, default_poll=options.default_poll, console=Console(stderr=True))
    write(observations, runs)
    report = json.dumps(_report(runs, observations=observations, repeats=options.repeats), indent=1)
    options.json.write_text(report + "\n", encoding="utf-8")
    print(report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A training round of Hanse against bare Flower.")
    parser.add_argument("--json", type=Path, default=Path("build/round_overhead.json"), help="where figures go")
    parser.add_argument("--repeats", type=int, default=2, choices=range(1, 11), help="how often both take turns")
    parser.add_argument("--default-poll", action="store_true", help="also time bare Flower on its default interval")
    parser.add_argument("--recount", type=Path, help="an observations file: print its figures and measure nothing")
    return parser.parse_args()


def _measure(*, repeats: int, default_poll: bool, console: Console) -> list[RunObserved]:
    runs: list[RunObserved] = []

    def note(observed: RunObserved) -> None:
        runs.append(observed)
        seconds = " ".join(f"{one:.2f}" for one in observed.round_s)
        console.print(f"{observed.side}: rounds of {seconds} s (load before: {observed.load_average_before:.2f})")

    folder = Path(tempfile.mkdtemp(prefix="hanse-overhead-"))
    try:
        for repeat in range(1, repeats + 1):
            hanse = run_hanse(folder / f"hanse-{repeat}", repeat=repeat, console=console)
            note(hanse.observed)
            with flower_league(folder / f"flower-{repeat}", hanse.features, default_poll=False) as league:
                for side in _EVERY_TIME + (_ONCE if repeat == 1 else ()):
                    note(league.take_run(side, repeat=repeat, rounds=TRAINING_ROUNDS))
        if default_poll:
            with flower_league(folder / "flower-default", hanse.features, default_poll=True) as league:
                note(league.take_run(Side.FLOWER_DEFAULT_POLL, repeat=1, rounds=TRAINING_ROUNDS))
    except BaseException:
        console.print(f"The logs are in {folder}.")
        raise
    shutil.rmtree(folder)
    return runs


def _report(runs: list[RunObserved], *, observations: Path, repeats: int) -> dict[str, Any]:
    return {
        "benchmark": "round_overhead",
        "version": 1,
        "machine": machine(("flwr", "torch", "numpy")),
        "draws": {
            "repeats": repeats,
            "rounds_per_run": TRAINING_ROUNDS,
            "rounds_counted": "2 to 5",
            "load_average_before": {f"{run.side}-{run.repeat}": run.load_average_before for run in runs},
            "messages_not_seen_ending": sum(run.messages_not_seen_ending for run in runs),
        },
        "units": {
            "*_round_s": "wall seconds per training round over four nodes, median",
            "*_cpu_s_per_message": "processor seconds (user and system) per message, mean",
            "hanse_vs_*_ratio": "hanse_round_s divided by the peer's",
        },
        "figures": figures(runs),
        "observations": observations.name,
    }


if __name__ == "__main__":
    main()
