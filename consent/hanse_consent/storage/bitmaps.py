"""Who may be used, from memory: every condition a bitmap of customer numbers, every rule algebra over bitmaps.

The third reading of a plan, beside :func:`hanse_consent.decisions.sets.contains` for one customer and SQL. It
answers for a controller's latest position only, and asks the store before every answer whether it is still there: so
an answer holds every act that was acknowledged before the question, whichever process recorded it.

Loaded when first needed, and never before: per topic the facts, per condition its members.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from hanse_consent.decisions.plan import Plan
from hanse_consent.decisions.sets import (
    Complement,
    CustomerSet,
    Everyone,
    Having,
    Intersection,
    Nobody,
    Union,
    topics_of,
)
from hanse_consent.storage.bitmap_columns import TopicFacts
from hanse_consent.storage.bitmap_feed import FactFeed
from hanse_consent.storage.bitmap_leaves import Leaf, bitmap_of
from hanse_consent.storage.feeds import Changes
from hanse_privacy.errors import InvalidValueError

_MAX_TOPICS = 512
"""Topics held per controller; a league has about 20."""
_MAX_LEAVES = 512
"""Conditions kept per controller; the one not asked about for longest goes first. A plan has about 30."""
_FAR = 100_000
"""Acts that are followed one by one."""
_READ_TOGETHER = 2
"""Topics that are read at once when they are needed for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CachedAnswer:
    """Who may be used, and how many each reason excludes.

    Args:
        position: The controller's position that the answer is true at.
        customers: Numbers of the customers whom no rule excludes.
        excluded_by_reason: Per reason code of the plan, how many customers it excludes, 0 included; one customer may
            count under several codes.
    """

    position: int
    customers: BitMap
    excluded_by_reason: Mapping[str, int]

    @property
    def numbers(self) -> NDArray[np.uint32]:
        """The customers' numbers, ascending."""
        return np.frombuffer(self.customers.to_array(), dtype=np.uint32)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedReasons:
    """Reason codes of some customers.

    Args:
        position: The controller's position that the answer is true at.
        by_customer: Per known customer, the codes that exclude it, in the plan's order; none means permitted.
    """

    position: int
    by_customer: Mapping[int, tuple[str, ...]]


class BitmapCache:
    """Answers from memory what :meth:`ConsentStore.eligible` answers from the database, for the latest position.

    Threads may share it. Questions about one controller wait for each other; those about different ones do not.

    Args:
        feed: Where facts and changes are read.
    """

    def __init__(self, feed: FactFeed) -> None:
        self._feed = feed
        self._lock = threading.Lock()
        self._by_controller: dict[str, _ControllerCache] = {}

    def eligible(self, plan: Plan, *, at_us: int) -> CachedAnswer:
        """Enumerate the customers whom no rule of a plan excludes.

        Args:
            plan: The question made ready.
            at_us: The moment asked about, microseconds since 1970; the plan must hold then.

        Raises:
            InvalidValueError: If the plan does not hold at that moment.
        """
        _require_holding(plan, at_us)
        excluded = [(exclusion.reason.code, exclusion.excluded) for exclusion in plan.exclusions]
        return self._of(plan.question.controller).eligible(excluded, at_us=at_us)

    def reasons(self, plan: Plan, numbers: NDArray[np.uint32], *, at_us: int) -> "CachedReasons":
        """Find out which reasons exclude each of some customers.

        Args:
            plan: The question made ready.
            numbers: The customers; one who is not known, or was erased, has no entry in the answer.
            at_us: The moment asked about, microseconds since 1970; the plan must hold then.

        Raises:
            InvalidValueError: If the plan does not hold at that moment.
        """
        _require_holding(plan, at_us)
        excluded = [(exclusion.reason.code, exclusion.excluded) for exclusion in plan.exclusions]
        return self._of(plan.question.controller).reasons(excluded, BitMap(numbers), at_us=at_us)

    def notices(self, controller: str, topic: str, numbers: NDArray[np.uint32]) -> frozenset[int]:
        """Numbers of the notices under which some customers' facts on a topic were said."""
        return self._of(controller).notices(topic, numbers)

    def forget(self, controller: str) -> None:
        """Let go of all that is held of a controller; the next question reads it again."""
        with self._lock:
            self._by_controller.pop(controller, None)

    def nbytes(self, controller: str) -> int:
        """Bytes held for a controller, without the bookkeeping around them."""
        return self._of(controller).nbytes()

    def _of(self, controller: str) -> "_ControllerCache":
        with self._lock:
            if (held := self._by_controller.get(controller)) is None:
                held = self._by_controller[controller] = _ControllerCache(self._feed, controller)
            return held


class _ControllerCache:
    """What is held of one controller: the state of the store at one position."""

    def __init__(self, feed: FactFeed, controller: str) -> None:
        self._feed = feed
        self._controller = controller
        self._lock = threading.Lock()
        self._start_over()

    def _start_over(self) -> None:
        self._position: int | None = None
        self._customers = BitMap()
        self._last_number = 0
        self._facts: dict[str, TopicFacts] = {}
        self._leaves: OrderedDict[Having, Leaf] = OrderedDict()

    def eligible(self, excluded: list[tuple[str, CustomerSet]], *, at_us: int) -> CachedAnswer:
        with self._held(excluded) as position:
            everyone = self._customers
            by_code = self._by_code(excluded, at_us=at_us, within=everyone)
            return CachedAnswer(
                position=position,
                customers=everyone - BitMap().union(*by_code.values()),
                excluded_by_reason=MappingProxyType({code: len(members) for code, members in by_code.items()}),
            )

    def reasons(self, excluded: list[tuple[str, CustomerSet]], numbers: BitMap, *, at_us: int) -> CachedReasons:
        with self._held(excluded) as position:
            within = self._customers & numbers
            by_code = self._by_code(excluded, at_us=at_us, within=within)
        found: dict[int, list[str]] = {number: [] for number in within}
        for code, members in by_code.items():
            for number in members:
                found[number].append(code)
        by_customer = {number: tuple(codes) for number, codes in found.items()}
        return CachedReasons(position=position, by_customer=MappingProxyType(by_customer))

    def notices(self, topic: str, numbers: NDArray[np.uint32]) -> frozenset[int]:
        with self._lock:
            facts = self._facts.get(topic)
            return frozenset() if facts is None else facts.notices(numbers)

    @contextmanager
    def _held(self, excluded: list[tuple[str, CustomerSet]]) -> Iterator[int]:
        """The state, as of the latest position, for as long as the context lasts."""
        topics = frozenset[str]().union(*(topics_of(part) for _, part in excluded))
        with self._lock:
            try:
                yield self._catch_up(topics)
            except BaseException:
                # Half a change taken in would be a wrong answer later.
                self._start_over()
                raise

    def _by_code(self, excluded: list[tuple[str, CustomerSet]], *, at_us: int, within: BitMap) -> dict[str, BitMap]:
        by_code: dict[str, BitMap] = defaultdict(BitMap)
        for code, part in excluded:
            by_code[code] |= self._members(part, at_us, within)
        return by_code

    def _catch_up(self, topics: frozenset[str]) -> int:
        """Hold these topics' facts, all as of one position: the latest when this was called, or a later one."""
        latest = self._feed.position(self._controller)
        if self._position is not None and not 0 <= latest - self._position <= _FAR:
            # An older copy of the store was put back; or so much was recorded that reading all is faster.
            self._start_over()
        if self._position is None:
            known = self._feed.customer_numbers(self._controller)
            self._know(known.last, known.erased)
            self._position = known.position
        missing = topics - self._facts.keys()
        if missing and len(self._facts) + len(missing) > _MAX_TOPICS:
            # Whoever asks about ever other recipients gets slow answers and no more memory.
            self._facts = {topic: facts for topic, facts in self._facts.items() if topic in topics}
            kept = [condition for condition in self._leaves if condition.topic in self._facts]
            self._leaves = OrderedDict((condition, self._leaves[condition]) for condition in kept)
        if missing:
            with ThreadPoolExecutor(_READ_TOGETHER) as threads:
                for rows in threads.map(partial(self._feed.fact_rows, self._controller), sorted(missing)):
                    self._facts[rows.topic] = TopicFacts()
                    self._facts[rows.topic].put(rows)
        # Topics just read may be ahead of the rest. A change says what prevails now, so taking one in twice does no
        # harm, and afterwards all topics are as of one position.
        if missing or latest > self._position:
            self._take_in(self._feed.changes_since(self._controller, self._position, self._facts.keys()))
        return self._position

    def _take_in(self, changes: Changes) -> None:
        self._know(changes.last, changes.erased)
        for rows in changes.facts:
            facts = self._facts.get(rows.topic)
            if facts is None:
                continue
            facts.put(rows)
            for condition, leaf in self._leaves.items():
                if condition.topic == rows.topic:
                    leaf.refresh(rows.customers)
        self._position = changes.position

    def _know(self, last: int, erased: NDArray[np.uint32]) -> None:
        if last > self._last_number:
            self._customers.add_range(self._last_number + 1, last + 1)
            self._last_number = last
        self._customers -= bitmap_of(erased)

    def _members(self, of: CustomerSet, at_us: int, within: BitMap) -> BitMap:
        """Those of ``within`` who belong to a set; may be ``within`` itself."""
        match of:
            case Everyone():
                return within
            case Nobody():
                return BitMap()
            case Having():
                return self._leaf(of).members(at_us) & within
            case Complement(of=inner):
                return within - self._members(inner, at_us, within)
            case Union(of=parts):
                return BitMap().union(*(self._members(part, at_us, within) for part in parts))
            case Intersection(of=parts):
                return within.intersection(*(self._members(part, at_us, within) for part in parts))

    def _leaf(self, condition: Having) -> Leaf:
        leaf = self._leaves.get(condition)
        if leaf is None:
            leaf = Leaf(condition, self._facts[condition.topic], self._feed.notice_numbers)
            self._leaves[condition] = leaf
            if len(self._leaves) > _MAX_LEAVES:
                self._leaves.popitem(last=False)
        else:
            self._leaves.move_to_end(condition)
        return leaf

    def nbytes(self) -> int:
        """Bytes of facts and bitmaps."""
        with self._lock:
            facts = sum(topic.nbytes for topic in self._facts.values())
            return facts + sum(leaf.nbytes for leaf in self._leaves.values())


def _require_holding(plan: Plan, at_us: int) -> None:
    if not plan.from_us <= at_us < plan.until_us:
        raise InvalidValueError(
            f"at_us is {at_us}; the plan holds from {plan.from_us} up to, not at, {plan.until_us}.",
            "Make a plan for the moment that you ask about.",
        )
