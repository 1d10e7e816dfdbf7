"""The facts of one topic in memory: one array per property, indexed by customer number."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse_consent.decisions.facts import FactState
from hanse_consent.decisions.sets import Having
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.feeds import NO_BIRTHDAY, NO_NOTICE, NO_TIER, FactRows

_GROWTH = 1.25
"""Arrays grow by this factor, so that new customers one by one do not copy them each time."""

Rows = NDArray[np.uint32] | slice
"""Which customers: their numbers, or all."""

ALL_ROWS = slice(None)

_NO_FACT = 0
"""Stands for no fact in the column of states; every state is larger."""
_NO_COUNTRY = 0


def country_number(country: str) -> int:
    """The two letters read as one number, so that countries are compared as numbers."""
    return int(np.array([country], dtype="S2").view(np.uint16)[0])


class _Column:
    """One property of all customers; takes no memory while all have the same value."""

    def __init__(self, dtype: type[np.generic], absent: int) -> None:
        self._dtype = dtype
        self._absent = absent
        self._values: NDArray[Any] | None = None

    def put(self, numbers: NDArray[np.uint32], values: NDArray[Any], capacity: int) -> None:
        if self._values is None:
            if bool((values == self._absent).all()):
                return
            self._values = np.full(capacity, self._absent, dtype=self._dtype)
        self._values[numbers] = values

    def grow(self, capacity: int) -> None:
        if self._values is not None:
            grown = np.full(capacity, self._absent, dtype=self._dtype)
            grown[: len(self._values)] = self._values
            self._values = grown

    def at(self, rows: Rows, capacity: int) -> NDArray[Any]:
        if self._values is None:
            count = capacity if isinstance(rows, slice) else len(rows)
            return np.full(count, self._absent, dtype=self._dtype)
        return self._values[rows]

    @property
    def nbytes(self) -> int:
        return 0 if self._values is None else self._values.nbytes


class TopicFacts:
    """The facts that prevail on one topic, of all customers of a controller."""

    def __init__(self) -> None:
        self._capacity = 0
        self._states = _Column(np.uint8, _NO_FACT)
        self._tier_ranks = _Column(np.int8, NO_TIER)
        self._notices = _Column(np.int32, NO_NOTICE)
        self._explicit = _Column(np.bool_, 0)
        self._until_us = _Column(np.int64, NO_END)
        self._countries = _Column(np.uint16, _NO_COUNTRY)
        self._born_on = _Column(np.int32, NO_BIRTHDAY)

    def put(self, facts: FactRows) -> None:
        """Replace the facts of the customers named."""
        numbers = facts.customers
        if not len(numbers):
            return
        self._make_room(int(numbers.max()) + 1)
        room = self._capacity
        self._states.put(numbers, facts.states, room)
        self._tier_ranks.put(numbers, facts.tier_ranks, room)
        self._notices.put(numbers, facts.notices, room)
        self._explicit.put(numbers, facts.explicit, room)
        self._until_us.put(numbers, facts.until_us, room)
        self._countries.put(numbers, np.ascontiguousarray(facts.countries, dtype="S2").view(np.uint16), room)
        self._born_on.put(numbers, facts.born_on, room)

    def _make_room(self, size: int) -> None:
        if size <= self._capacity:
            return
        self._capacity = max(size, int(self._capacity * _GROWTH))
        for column in self._columns():
            column.grow(self._capacity)

    def _columns(self) -> Iterator[_Column]:
        yield from (self._states, self._tier_ranks, self._notices, self._explicit)
        yield from (self._until_us, self._countries, self._born_on)

    def meeting(self, condition: Having, notices: frozenset[int], rows: Rows) -> NDArray[np.bool_]:
        """Per row, whether a fact is there that meets every condition but ``ended``, which depends on the moment.

        Args:
            condition: The condition.
            notices: The numbers of ``condition.notices``.
            rows: Which customers.
        """
        states = np.zeros(256, dtype=np.bool_)
        states[list(FactState if condition.states is None else condition.states)] = True
        meets: NDArray[np.bool_] = states[self._states.at(rows, self._capacity)]
        if condition.below_tier is not None:
            ranks = self._tier_ranks.at(rows, self._capacity)
            meets &= (ranks != NO_TIER) & (ranks < condition.below_tier)
        if condition.notices is not None:
            meets &= np.isin(self._notices.at(rows, self._capacity), list(notices))
        if condition.explicit is not None:
            meets &= self._explicit.at(rows, self._capacity) == condition.explicit
        if condition.countries is not None:
            meets &= np.isin(self._countries.at(rows, self._capacity), [*map(country_number, condition.countries)])
        if condition.born_after is not None:
            born_on = self._born_on.at(rows, self._capacity)
            meets &= (born_on != NO_BIRTHDAY) & (born_on > condition.born_after)
        return meets

    def until_us(self, rows: Rows) -> NDArray[np.int64]:
        """Per row, when the fact ends by itself; ``NO_END`` where there is none."""
        return self._until_us.at(rows, self._capacity)

    def notices(self, numbers: NDArray[np.uint32]) -> frozenset[int]:
        """Numbers of the notices that these customers' facts name."""
        named = np.unique(self._notices.at(numbers[numbers < self._capacity], self._capacity))
        return frozenset(int(number) for number in named if number != NO_NOTICE)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(column.nbytes for column in self._columns())
