"""What the conditions of a plan can tell of a fact, as one small number that SQL gives it.

Of a fact on a topic they read little: its state, whether it has ended, whether its tier is below two, which of thirty
countries it names. The number has one digit for each property that any of them reads. Facts of the same number meet
the same conditions; so each condition is decided once per number, not once per fact.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    bindparam,
    case,
    cast,
    func,
    literal,
    type_coerce,
)

from hanse_consent.decisions.facts import FactState
from hanse_consent.decisions.sets import Having

_STATES = max(FactState) + 1
_HASHED_FROM = 9
"""PostgreSQL looks a value up in a constant list by its hash if the list has so many entries, else it tries each."""
_BETWEEN = " "  # countries have two letters, so none is found across two others


@dataclass(frozen=True, slots=True, kw_only=True)
class _Property:
    """What some of the conditions read.

    Args:
        digit: SQL that gives a fact its digit.
        met: Per condition that reads it, the digits of facts that it accepts, as one truth value for each digit.
        base: Every digit is smaller.
    """

    digit: ColumnElement[int]
    met: Mapping[Having, NDArray[np.bool_]]
    base: int


class Likeness:
    """Numbers the facts of one topic.

    Args:
        conditions: All on one topic.
        fact: The table of facts.
        at_us: The moment asked about, microseconds since 1970.
        notice_numbers: Number of every notice that any fact names.
        dialect: Of SQL, by its name.
    """

    def __init__(
        self,
        conditions: Iterable[Having],
        fact: FromClause,
        *,
        at_us: int,
        notice_numbers: Mapping[str, int],
        dialect: str,
    ) -> None:
        self._conditions = tuple(conditions)
        self._fact = fact
        self._at_us = at_us
        self._notice_numbers = notice_numbers
        self._is_sqlite = dialect == "sqlite"
        self._properties = tuple(one for one in self._all() if one.met)
        self.count = int(np.prod([one.base for one in self._properties], dtype=np.int64))
        """Every number is smaller."""

    def number(self) -> ColumnElement[int]:
        """SQL that gives a fact its number, from 0."""
        number: ColumnElement[int] | None = None
        for one in self._properties:
            number = one.digit if number is None else number * one.base + one.digit
        return literal(0) if number is None else number

    def met(self, condition: Having) -> NDArray[np.bool_]:
        """Per number, whether a fact of that number meets a condition, one of those named at first."""
        met = np.ones(1, dtype=np.bool_)
        for one in self._properties:
            accepted = one.met.get(condition, np.ones(one.base, dtype=np.bool_))
            met = np.logical_and.outer(met, accepted).ravel()
        return met

    def _all(self) -> Iterator[_Property]:
        yield self._states()
        yield self._yes_or_no(self._fact.c.explicit, {c: c.explicit for c in self._conditions})
        yield self._yes_or_no(self._fact.c.until_us <= self._at_us, {c: c.ended for c in self._conditions})
        yield self._limits(self._fact.c.tier_rank, {c: c.below_tier for c in self._conditions}, below=True)
        # Later than a day is not below the next one.
        after = {c: c.born_after + 1 if c.born_after is not None else None for c in self._conditions}
        yield self._limits(self._fact.c.born_on, after, below=False)
        yield self._notices()
        yield self._countries()

    def _states(self) -> _Property:
        met = {
            c: np.isin(np.arange(_STATES), sorted(map(int, c.states))) for c in self._conditions if c.states is not None
        }
        return _Property(digit=self._fact.c.state, met=met, base=_STATES)

    def _yes_or_no(self, test: ColumnElement[bool], wanted: Mapping[Having, bool | None]) -> _Property:
        met = {c: np.array([False, True]) == yes for c, yes in wanted.items() if yes is not None}
        return _Property(digit=self._one_or_zero(test), met=met, base=2)

    def _one_or_zero(self, test: ColumnElement[bool]) -> ColumnElement[int]:
        """1 where a test holds, 0 where it does not, NULL where its column is: without a branch per row."""
        return type_coerce(test, Integer) if self._is_sqlite else cast(test, Integer)

    def _limits(self, column: ColumnElement[Any], limits: Mapping[Having, int | None], *, below: bool) -> _Property:
        """Digit 0 for no value, then one more for each limit that the value is not below."""
        ordered = sorted({limit for limit in limits.values() if limit is not None})
        digit = case(
            (column.is_(None), 0), *((column < limit, n) for n, limit in enumerate(ordered, 1)), else_=1 + len(ordered)
        )
        digits = np.arange(2 + len(ordered))
        met = {
            c: (digits > 0) & ((digits <= 1 + ordered.index(limit)) == below)
            for c, limit in limits.items()
            if limit is not None
        }
        return _Property(digit=digit, met=met, base=len(digits))

    def _notices(self) -> _Property:
        named = {
            c: sorted(self._notice_numbers[notice] for notice in c.notices if notice in self._notice_numbers)
            for c in self._conditions
            if c.notices is not None
        }
        last = max((number for numbers in named.values() for number in numbers), default=0)
        column = self._fact.c.notice_no
        met = {c: np.isin(np.arange(last + 1), numbers) for c, numbers in named.items()}
        return _Property(digit=case((column <= last, column), else_=0), met=met, base=last + 1)

    def _countries(self) -> _Property:
        named = {c: c.countries for c in self._conditions if c.countries is not None}
        ordered = sorted(frozenset[str]().union(*named.values()))
        return self._place(ordered, named) if self._is_sqlite else self._group(ordered, named)

    def _place(self, ordered: Sequence[str], named: Mapping[Having, frozenset[str]]) -> _Property:
        """Where in a text of all countries one is found tells which it is; nowhere is 0. SQLite's fastest way."""
        step = len("XX" + _BETWEEN)
        place = func.instr(literal(_BETWEEN.join(ordered)), self._fact.c.country, type_=Integer)
        met = {c: np.array([False, *(one in countries for one in ordered)]) for c, countries in named.items()}
        return _Property(digit=func.coalesce((place + (step - 1)) // step, 0), met=met, base=1 + len(ordered))

    def _group(self, ordered: Sequence[str], named: Mapping[Having, frozenset[str]]) -> _Property:
        """Countries that the same conditions name have one digit."""
        groups: dict[frozenset[Having], list[str]] = {}
        for one in ordered:
            groups.setdefault(frozenset(c for c, countries in named.items() if one in countries), []).append(one)
        # Every list is written at least so often that it is long enough to be hashed.
        lists: list[BindParameter[list[str]]] = [
            bindparam(None, group * (1 + _HASHED_FROM // len(group)), expanding=True, literal_execute=True)
            for group in groups.values()
        ]
        tests = [(self._fact.c.country.in_(countries), n) for n, countries in enumerate(lists, 1)]
        met = {c: np.array([False, *(c in naming for naming in groups)]) for c in named}
        return _Property(digit=case(*tests, else_=0) if tests else literal(0), met=met, base=1 + len(groups))
