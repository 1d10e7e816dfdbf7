"""What a person sees while a demo runs: the steps done, the one under way, and the time."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text


class Display:
    """A context that shows steps as they pass; without a terminal it prints a line per finished step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._started = time.monotonic()
        self._step_started = self._started
        self._step = ""

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the finished steps on the screen."""
        if error is None:
            self._finish()
        if self._console.is_terminal:
            self._live.stop()

    def step(self, title: str) -> None:
        """Finish the step under way and begin another."""
        self._finish()
        self._step, self._step_started = title, time.monotonic()
        self.detail("")

    def detail(self, text: str) -> None:
        """Say how far the step under way is."""
        shown = f"{self._step}{' · ' if text else ''}{text}"
        if self._console.is_terminal:
            self._live.update(Spinner("dots", Text(shown)))

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(f"      {text}", style="dim"), soft_wrap=True)

    def _finish(self) -> None:
        if self._step:
            seconds = time.monotonic() - self._step_started
            self._console.print(Text.assemble((f"{seconds:5.1f}s ", "dim"), self._step), soft_wrap=True)
            self._step = ""
