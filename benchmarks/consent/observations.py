"""What was observed: one line of JSON per observation, compressed, beside the figures."""

import gzip
import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np


class Observations:
    """A file of raw observations; every line says what, on which engine, when, and how busy the machine was.

    Args:
        path: The file, ending in ``.jsonl.gz``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Open the file."""
        self._file = gzip.open(self._path, "wt", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._file.close()

    def note(self, what: str, *, engine: str, **values: Any) -> None:
        """Write one observation."""
        head = {
            "what": what,
            "engine": engine,
            "at_s": round(time.monotonic() - self._began, 3),
            "load": load_average(),
        }
        self._file.write(json.dumps(head | values, separators=(",", ":")) + "\n")

    def note_all(self, what: str, *, engine: str, values: Iterable[float]) -> None:
        """Write many values of one kind, in their order, as one observation."""
        self.note(what, engine=engine, values=[round(value, 6) for value in values])


def load_average() -> float:
    """Processes that ran or waited, over the last minute."""
    return round(os.getloadavg()[0], 2)


def median(values: Sequence[float]) -> float:
    """The median."""
    return float(np.median(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which such a share of all lies, never interpolated downwards."""
    return float(np.percentile(values, share, method="higher"))
