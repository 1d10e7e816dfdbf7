"""The facts that prevail: read for a batch, superseded, opened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlmodel import Session

from hanse_consent.decisions.facts import Fact, FactState, prevailing
from hanse_consent.domain.moments import NO_END
from hanse_consent.storage.bulk import close_facts, insert_rows, look_up, table_of
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.statements import Statements
from hanse_consent.storage.tables import FactRow

_FACT = table_of(FactRow)
_NOTICE = list(_FACT.c.keys()).index("notice_no")

_Place = tuple[int, int]
"""Topic number and customer number."""


@dataclass(slots=True)
class _Opened:
    fact: Fact
    since: int
    until: int = NO_END


@dataclass(slots=True, kw_only=True)
class FactChanges:
    """What a batch does to the facts of one controller, worked out in memory and written at once.

    Args:
        controller_no: The controller's number.
        stored: What prevails in the store, for every topic and customer that the batch touches.
    """

    controller_no: int
    stored: Mapping[_Place, Fact]
    _opened: dict[_Place, list[_Opened]] = field(default_factory=dict)
    _closed: dict[_Place, int] = field(default_factory=dict)

    def put(self, place: _Place, fact: Fact, *, position: int) -> bool:
        """Let a fact arrive; return whether it prevails."""
        opened = self._opened.get(place)
        current = opened[-1].fact if opened else self.stored.get(place)
        if prevailing(current, fact) is not fact:
            return False
        if opened:
            opened[-1].until = position
            opened.append(_Opened(fact, position))
        else:
            if current is not None:
                self._closed[place] = position
            self._opened[place] = [_Opened(fact, position)]
        return True

    def write(self, session: Session, *, notice_numbers: Mapping[str, int]) -> None:
        """Close what is superseded, then open what prevails."""
        closed = [
            (until, self.controller_no, topic, customer, NO_END) for (topic, customer), until in self._closed.items()
        ]
        close_facts(session, FactRow, sorted(closed, key=itemgetter(2, 3)))
        rows = [
            _fact_row(self.controller_no, place, opened, notice_numbers)
            for place in sorted(self._opened)
            for opened in self._opened[place]
        ]
        insert_rows(session, FactRow, rows)


def _fact_row(controller_no: int, place: _Place, opened: _Opened, notice_numbers: Mapping[str, int]) -> tuple[Any, ...]:
    fact = opened.fact
    return (
        controller_no,
        place[0],
        place[1],
        opened.until,
        opened.since,
        int(fact.state),
        fact.explicit,
        fact.tier_rank,
        notice_numbers[fact.notice] if fact.notice is not None else None,
        fact.effective_us,
        fact.until_us,
        fact.country,
        fact.born_on,
    )


def current_facts(
    session: Session,
    *,
    controller_no: int,
    places: Iterable[_Place],
    names: NameNumbers,
    added_names: Mapping[str, int],
) -> dict[_Place, Fact]:
    """What prevails now on these topics for these customers.

    Args:
        session: One that writes.
        controller_no: The controller's number.
        places: Topic and customer numbers.
        names: Names of notices.
        added_names: Numbers given to names in this transaction.
    """
    rows: list[Sequence[Any]] = []
    for topic, group in groupby(sorted(places), key=itemgetter(0)):
        rows += look_up(
            session,
            list(_FACT.c),
            fixed={_FACT.c.controller_no: controller_no, _FACT.c.topic_no: topic, _FACT.c.until: NO_END},
            by=_FACT.c.customer_no,
            values=(customer for _, customer in group),
        )
    return facts_in(Statements.of(session), rows, names, added_names)


def facts_in(
    statements: Statements, rows: Sequence[Sequence[Any]], names: NameNumbers, added_names: Mapping[str, int]
) -> dict[_Place, Fact]:
    """Rows of the table of facts, all columns in its order, as facts.

    Args:
        statements: Of the transaction.
        rows: As read.
        names: Names of notices.
        added_names: Numbers given to names in this transaction.
    """
    numbers = (row[_NOTICE] for row in rows if row[_NOTICE] is not None)
    notices = names.names(statements, numbers, added=added_names)
    facts = {}
    for _, topic, customer, _, _, state, explicit, tier_rank, notice, effective_us, until_us, country, born_on in rows:
        facts[topic, customer] = Fact(
            state=FactState(state),
            effective_us=effective_us,
            until_us=until_us,
            tier_rank=tier_rank,
            notice=notices[notice] if notice is not None else None,
            explicit=bool(explicit),
            country=country,
            born_on=born_on,
        )
    return facts
