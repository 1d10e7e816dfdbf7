"""Lanes for work: each controller's questions wait for each other, and nobody's acts wait for questions."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

_Answer = TypeVar("_Answer")
_THREADS_PER_CONTROLLER = 4


class Lanes:
    """Runs blocking work in threads, at most a few at once for one controller.

    A partner that asks much, or whose sets are being loaded, holds up itself alone.
    """

    def __init__(self) -> None:
        self._limiters: dict[str, CapacityLimiter] = {}

    async def run(self, controller: str, work: Callable[[], _Answer]) -> _Answer:
        """Do the work in a thread when the controller's lane has room; return what it returns, raise what it raises."""
        limiter = self._limiters.setdefault(controller, CapacityLimiter(_THREADS_PER_CONTROLLER))
        return await to_thread.run_sync(work, limiter=limiter)
