"""Commands of the installed ``hanse`` program, timed, with the memory they take while they run."""

import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HANSE = Path(sys.executable).with_name("hanse")
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a command took.

    Args:
        wall_s: From start to end, the interpreter's start included.
        cpu_s: Processor time of the command, user and system: what it takes on a machine that others keep busy.
        peak_pss_mb: Largest proportional set size seen, in millions of bytes.
        pss_mb: All that were seen, a quarter of a second apart.
    """

    wall_s: float
    cpu_s: float
    peak_pss_mb: float
    pss_mb: tuple[float, ...]


def run_hanse(*arguments: str) -> Finished:
    """Run ``hanse`` with these arguments to its end.

    Raises:
        RuntimeError: If it fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen([HANSE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen: list[float] = []
    watcher = threading.Thread(target=_watch, args=(process, seen), daemon=True)
    watcher.start()
    output, _ = process.communicate()
    wall_s = time.perf_counter() - began
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode != 0:
        raise RuntimeError(f"hanse {' '.join(arguments[:2])} failed: {output[-2000:]}")
    return Finished(wall_s=wall_s, cpu_s=cpu_s, peak_pss_mb=max(seen, default=0.0), pss_mb=tuple(seen))


def pss_mb(process: int) -> float:
    """The proportional set size of a process: its own memory and its share of what is mapped by several."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024 / 1e6


def _watch(process: "subprocess.Popen[str]", seen: list[float]) -> None:
    while process.poll() is None:
        try:
            seen.append(pss_mb(process.pid))
        except (OSError, StopIteration):
            return
        time.sleep(_LOOK_EVERY_S)
