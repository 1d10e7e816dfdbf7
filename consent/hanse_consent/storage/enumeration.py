"""Who may be used, told by the database: one statement for the customers, and counts for the reasons."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlmodel import Session

from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.sets import NOBODY, CustomerSet, topics_of, union
from hanse_consent.storage.fetching import fetch
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.set_compiler import CountTerm, SetCompiler, notices_of, some_of_topic

_NUMBER = np.dtype([("number", "<u4")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """Who may be used.

    Args:
        position: The controller's position that the answer is of.
        customers: Numbers of those whom no rule excludes, sorted.
        excluded_by_reason: For each reason code of the plan, how many of the controller's customers a rule with that
            code excludes; erased customers count nowhere.
    """

    position: int
    customers: NDArray[np.uint32]
    excluded_by_reason: Mapping[str, int]


def enumerate_plan(
    session: Session,
    plan: Plan,
    *,
    at_us: int,
    controller_no: int,
    position: int,
    is_latest: bool,
    names: NameNumbers,
) -> Enumeration:
    """Answer a plan from one controller's facts.

    Args:
        session: One that reads; all its statements see the same moment.
        plan: The question made ready.
        at_us: The moment asked about, microseconds since 1970.
        controller_no: The controller's number.
        position: Which facts count: those in force at this position.
        is_latest: Whether no act stands after it.
        names: Numbers of topics and notices.
    """
    by_code: dict[str, list[CustomerSet]] = {}
    for exclusion in plan.exclusions:
        by_code.setdefault(exclusion.reason.code, []).append(exclusion.excluded)
    codes = {code: union(sets) for code, sets in by_code.items()}
    compiler = _compiler(
        session,
        codes.values(),
        at_us=at_us,
        controller_no=controller_no,
        position=None if is_latest else position,
        names=names,
    )
    eligible = compiler.normal_form(plan.eligible)
    if eligible == NOBODY:
        customers = np.empty(0, np.uint32)
    else:
        customers = fetch(session, compiler.members(eligible), _NUMBER, order=("number",))["number"]
    return Enumeration(
        position=position,
        customers=customers,
        excluded_by_reason=MappingProxyType(_counts(session, compiler, codes)),
    )


def _compiler(
    session: Session,
    sets: Iterable[CustomerSet],
    *,
    at_us: int,
    controller_no: int,
    position: int | None,
    names: NameNumbers,
) -> SetCompiler:
    read = tuple(sets)
    topics = names.known(session, frozenset[str]().union(*map(topics_of, read)))
    sizes = _sizes(session, controller_no, topics)
    return SetCompiler(
        controller_no=controller_no,
        position=position,
        at_us=at_us,
        topic_numbers={topic: number for topic, number in topics.items() if sizes[topic]},
        topic_sizes=sizes,
        notice_numbers=names.known(session, frozenset[str]().union(*map(notices_of, read))),
    )


def _sizes(session: Session, controller_no: int, topics: Mapping[str, int]) -> dict[str, int]:
    if not topics:
        return {}
    counts = [
        select(func.count()).select_from(some_of_topic(controller_no, number)).scalar_subquery()
        for number in topics.values()
    ]
    return dict(zip(topics, session.connection().execute(select(*counts)).one(), strict=True))


def _counts(session: Session, compiler: SetCompiler, codes: Mapping[str, CustomerSet]) -> dict[str, int]:
    """How many customers each set has; terms over the same topics are counted together."""
    found = dict.fromkeys(codes, 0)
    together: dict[frozenset[str], list[tuple[str, CountTerm]]] = {}
    for code, of in codes.items():
        for term in compiler.terms(compiler.normal_form(of)):
            together.setdefault(term.topics, []).append((code, term))
    connection = session.connection()
    for topics, terms in together.items():
        if topics:
            values = list(connection.execute(compiler.counts(topics, [term for _, term in terms])).one())
        else:
            values = [connection.execute(compiler.everyone()).scalar_one()] * len(terms)
        for (code, _), value in zip(terms, values, strict=True):
            found[code] += value
    return found
