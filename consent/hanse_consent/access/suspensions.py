"""Nodes that are suspended: known everywhere within half a second, and unknown means suspended."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from hanse_consent.access.errors import NodeSuspendedError
from hanse_consent.access.tables import AccessEventRow, NodeSuspensionRow
from hanse_consent.access.transactions import Transactions
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_privacy.validation import require_positive

VIEW_MAX_AGE_S = 0.5
"""Seconds that a process may go on without reading the table again."""


@dataclass(frozen=True, kw_only=True)
class Suspension:
    """Since when and why a node is out."""

    node: str
    since: datetime
    suspended_by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _View:
    by_node: Mapping[str, Suspension]
    read_at_s: float


class Suspensions:
    """Suspends and resumes nodes, each time with a reason that is kept. May be used from several threads.

    Args:
        transactions: The database.
        now: The service's clock.
        clock: Monotonic seconds.
        max_age_s: How old the view of the table may be.

    Raises:
        StoreUnavailableError: From any method, if the database cannot be used.
    """

    def __init__(
        self,
        transactions: Transactions,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        max_age_s: float = VIEW_MAX_AGE_S,
    ) -> None:
        require_positive(max_age_s=max_age_s)
        self._transactions = transactions
        self._now = now
        self._clock = clock
        self._max_age_s = max_age_s
        self._reading = threading.Lock()
        self._view: _View | None = None

    def is_fresh(self) -> bool:
        """Whether :meth:`require_in` would answer without the database."""
        return self._fresh_view() is not None

    def require_in(self, node: str) -> None:
        """Let a node pass that is not suspended.

        Raises:
            NodeSuspendedError: If it is.
        """
        if node in self.current():
            raise NodeSuspendedError(
                f"The node {node} is suspended.",
                "Ask the controller's compliance officer to resume it.",
            )

    def current(self) -> Mapping[str, Suspension]:
        """The suspended nodes, at most ``max_age_s`` seconds old."""
        view = self._fresh_view()
        if view is None:
            with self._reading:
                view = self._fresh_view() or self._read()
        return view.by_node

    def suspend(self, node: str, *, actor: str, reason: str) -> Suspension:
        """Put a node out; one that is out stays so under its first reason."""
        at = self._now()
        at_us = to_microseconds(at)
        with self._transactions.writing_across_controllers() as session:
            row = NodeSuspensionRow(node=node, since_us=at_us, suspended_by=actor, reason=reason)
            try:
                with session.begin_nested():
                    session.add(row)
            except IntegrityError:  # it is out already, perhaps since a moment ago
                row = session.get_one(NodeSuspensionRow, node)
            session.add(AccessEventRow(at_us=at_us, actor=actor, action="node-suspended", subject=node, reason=reason))
            suspension = _suspension(row)
        self._read_anew()
        return suspension

    def resume(self, node: str, *, actor: str, reason: str) -> None:
        """Let a node in again; one that is not out stays in."""
        with self._transactions.writing_across_controllers() as session:
            found = session.get(NodeSuspensionRow, node)
            if found is not None:
                session.delete(found)
                at_us = to_microseconds(self._now())
                session.add(
                    AccessEventRow(at_us=at_us, actor=actor, action="node-resumed", subject=node, reason=reason)
                )
        self._read_anew()

    def _fresh_view(self) -> _View | None:
        view = self._view
        return view if view is not None and self._clock() - view.read_at_s < self._max_age_s else None

    def _read_anew(self) -> None:
        with self._reading:  # a reading that began before the change must not be kept after it
            self._view = None

    def _read(self) -> _View:
        read_at_s = self._clock()  # before reading: the view is at least as new as this
        with self._transactions.reading_across_controllers() as session:
            rows = session.exec(select(NodeSuspensionRow)).all()
            by_node = {row.node: _suspension(row) for row in rows}
        self._view = _View(by_node=MappingProxyType(by_node), read_at_s=read_at_s)
        return self._view


def _suspension(row: NodeSuspensionRow) -> Suspension:
    return Suspension(
        node=row.node, since=from_microseconds(row.since_us), suspended_by=row.suspended_by, reason=row.reason
    )
