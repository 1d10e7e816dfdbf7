"""What the bitmap cache asks of the store; :class:`~hanse_consent.storage.store.ConsentStore` has it all."""

from collections.abc import Collection, Iterable
from typing import Protocol

from hanse_consent.storage.feeds import Changes, CustomerNumbers, FactRows


class FactFeed(Protocol):
    """Where the cache reads from. Each answer is of one moment: what was committed before the call, or later."""

    def position(self, controller: str) -> int:
        """The controller's latest position; 0 before its first act."""
        ...

    def customer_numbers(self, controller: str) -> CustomerNumbers:
        """Which customers are known at the latest position."""
        ...

    def fact_rows(self, controller: str, topic: str) -> FactRows:
        """Every fact of a topic that prevails at the latest position."""
        ...

    def changes_since(self, controller: str, position: int, topics: Collection[str]) -> Changes:
        """What changed on some topics after a position, as it is at the latest."""
        ...

    def notice_numbers(self, references: Iterable[str]) -> frozenset[int]:
        """Numbers that stand for notices in :class:`FactRows`; unknown notices are left out."""
        ...
