"""The customers that meet one condition, kept up to date fact by fact and moment by moment."""

import heapq
from array import array
from collections.abc import Callable
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from hanse_consent.decisions.sets import Having
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bitmap_columns import ALL_ROWS, Rows, TopicFacts

_LOOK_AHEAD_US = timedelta(days=1) // timedelta(microseconds=1)
"""Endings so far ahead are sorted when a leaf is built; past them it is built anew."""

NoticeNumbers = Callable[[frozenset[str]], frozenset[int]]
"""Turns notices, ``name@version``, into numbers; leaves those out that no fact has named yet."""

_BEGINNING = -(2**63)
"""A moment before every other."""


def bitmap_of(numbers: NDArray[np.integer]) -> BitMap:
    """The numbers as a bitmap."""
    # array.array is read in bulk, a numpy array one number at a time (8 times slower).
    return BitMap(array("I", numbers.astype(np.uint32, copy=False).tobytes()))


class Leaf:
    """The members of one :class:`~hanse_consent.decisions.sets.Having`.

    Facts end by themselves, so membership may depend on the moment. A leaf holds the members as of one stretch of
    time, from the last ending up to the next: asked about a later moment it goes on ending by ending; asked about an
    earlier one it is built anew.

    Args:
        condition: The condition.
        facts: Facts of its topic.
        notice_numbers: Finds the numbers that stand for notices in facts.
    """

    def __init__(self, condition: Having, facts: TopicFacts, notice_numbers: NoticeNumbers) -> None:
        self._condition = condition
        self._facts = facts
        self._notice_numbers = notice_numbers
        self._notices: frozenset[int] = frozenset()
        self._members = BitMap()
        # Members are those of every moment in [_from_us, _next_us); an empty stretch means: not built.
        self._from_us = self._next_us = _BEGINNING
        # All endings from _from_us on and before _horizon_us are ahead: those known when built, in order; later ones.
        self._horizon_us = _BEGINNING
        self._ahead_us = np.empty(0, dtype=np.int64)
        self._ahead = np.empty(0, dtype=np.uint32)
        self._later_ahead: list[tuple[int, int]] = []

    def members(self, at_us: int) -> BitMap:
        """Those who meet the condition at a moment; the leaf's own bitmap, not to be changed or kept."""
        if not self._from_us <= at_us < self._next_us:
            if self._next_us <= at_us < self._horizon_us:
                self._advance(at_us)
            else:
                self._build(at_us)
        return self._members

    def refresh(self, numbers: NDArray[np.uint32]) -> None:
        """Take in that these customers' facts on the topic have changed."""
        if self._from_us < self._next_us:
            self._decide_again(numbers)

    def _build(self, at_us: int) -> None:
        meets = self._meeting(ALL_ROWS)
        if self._condition.ended is None:
            self._from_us, self._next_us = _BEGINNING, NO_END
        else:
            until_us = self._facts.until_us(ALL_ROWS)
            ended = until_us <= at_us
            past = meets & ended
            self._from_us = int(until_us[past].max(initial=_BEGINNING))
            self._horizon_us = min(at_us + _LOOK_AHEAD_US, NO_END)
            soon = np.flatnonzero(meets & ~ended & (until_us < self._horizon_us)).astype(np.uint32)
            order = np.argsort(until_us[soon], kind="stable")
            self._ahead, self._ahead_us = soon[order], until_us[soon][order]
            self._later_ahead = []
            self._find_next()
            meets = past if self._condition.ended else meets & ~ended
        self._members = bitmap_of(np.flatnonzero(meets))

    def _advance(self, at_us: int) -> None:
        reached = int(np.searchsorted(self._ahead_us, at_us, side="right"))
        numbers = self._ahead[:reached].tolist()
        last_us = int(self._ahead_us[reached - 1]) if reached else self._from_us
        self._ahead, self._ahead_us = self._ahead[reached:], self._ahead_us[reached:]
        while self._later_ahead and self._later_ahead[0][0] <= at_us:
            until_us, number = heapq.heappop(self._later_ahead)
            numbers.append(number)
            last_us = max(last_us, until_us)
        self._from_us = last_us
        self._decide_again(np.unique(np.array(numbers, dtype=np.uint32)))

    def _decide_again(self, numbers: NDArray[np.uint32]) -> None:
        meets = self._meeting(numbers)
        if self._condition.ended is not None:
            until_us = self._facts.until_us(numbers)
            ended = until_us <= self._from_us
            soon = meets & ~ended & (until_us < self._horizon_us)
            for ending in zip(until_us[soon].tolist(), numbers[soon].tolist(), strict=True):
                heapq.heappush(self._later_ahead, ending)
            self._find_next()
            meets &= ended == self._condition.ended
        self._members |= bitmap_of(numbers[meets])
        self._members -= bitmap_of(numbers[~meets])

    def _meeting(self, rows: Rows) -> NDArray[np.bool_]:
        wanted = self._condition.notices
        if wanted is not None and len(self._notices) < len(wanted):
            # A notice gets its number at the latest with the first fact that names it, which is one of these rows.
            self._notices = self._notice_numbers(wanted)
        return self._facts.meeting(self._condition, self._notices, rows)

    def _find_next(self) -> None:
        known = int(self._ahead_us[0]) if len(self._ahead_us) else self._horizon_us
        later = self._later_ahead[0][0] if self._later_ahead else self._horizon_us
        self._next_us = min(known, later)

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        sizes = self._members.get_statistics()
        held = sizes["n_bytes_array_containers"] + sizes["n_bytes_run_containers"] + sizes["n_bytes_bitset_containers"]
        return held + self._ahead.nbytes + self._ahead_us.nbytes
