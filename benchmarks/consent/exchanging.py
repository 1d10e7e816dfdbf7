"""Files of acts in and out through the command line, as an operator moves them."""

from typing import Any

from consent.customers import ActsFile, Part
from consent.observations import Observations, load_average
from consent.processes import Finished, run_hanse
from consent.workplace import Workplace
from consent.world import RETAILER


def measure_exchange(
    workplace: Workplace, files: dict[Part, ActsFile], *, observations: Observations
) -> dict[str, Any]:
    """Bring three files in, and write out what the first one brought.

    The first file holds the grants of people who are not known yet: its rate is the figure for the import.
    """
    figures: dict[str, Any] = {}
    peak = 0.0
    for part, file in files.items():
        figures[f"import_{part.value}_load"] = load_average()
        done = run_hanse("consent", "import", str(file.path), *_whose(workplace))
        _note(observations, workplace, f"import {part.value}", done, rows=file.rows)
        name = "import_rows_per_s" if part is Part.GRANTS else f"import_{part.value}_rows_per_s"
        figures[name] = round(file.rows / done.wall_s)
        figures[f"{name}_cpu"] = round(file.rows / done.cpu_s)
        peak = max(peak, done.peak_pss_mb)
        if part is Part.GRANTS:
            figures |= _measure_export(workplace, rows=file.rows, observations=observations)
    workplace.store.gather_statistics()
    return figures | {"import_pss_mb": round(peak, 1)}


def _measure_export(workplace: Workplace, *, rows: int, observations: Observations) -> dict[str, Any]:
    load = load_average()
    out = workplace.folder / "export.csv"
    done = run_hanse("consent", "export", *_whose(workplace), "--format", "csv", "--out", str(out))
    with out.open("rb") as file:
        written = sum(1 for _ in file) - 1
    out.unlink()
    if written != rows:
        raise RuntimeError(f"{written} acts were written out, {rows} brought in")
    _note(observations, workplace, "export csv", done, rows=written)
    return {
        "export_rows_per_s": round(written / done.wall_s),
        "export_rows_per_s_cpu": round(written / done.cpu_s),
        "export_pss_mb": round(done.peak_pss_mb, 1),
        # A quarter of the way in: what comes later must not need more.
        "export_pss_mb_at_a_quarter": round(done.pss_mb[len(done.pss_mb) // 4] if done.pss_mb else 0.0, 1),
        "export_load": load,
    }


def _whose(workplace: Workplace) -> tuple[str, ...]:
    return ("--controller", RETAILER, "--config", str(workplace.configuration))


def _note(observations: Observations, workplace: Workplace, what: str, done: Finished, *, rows: int) -> None:
    observations.note(
        what,
        engine=workplace.store.engine.value,
        rows=rows,
        wall_s=round(done.wall_s, 3),
        cpu_s=round(done.cpu_s, 3),
        pss_mb=[round(value, 1) for value in done.pss_mb],
    )
