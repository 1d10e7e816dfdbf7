"""What this room asks of the database: transactions, of one controller or across all of them."""

from contextlib import AbstractContextManager
from typing import Protocol

from sqlmodel import Session

from hanse_consent.storage.statements import Statements


class Transactions(Protocol):
    """Hands out transactions; :class:`hanse_consent.storage.database.Database` is one.

    A writing transaction is durable once its context ends, and rolled back on any error inside.
    Every method raises StoreUnavailableError if the database cannot be used.
    """

    def writing(self, *, controller: str) -> AbstractContextManager[Session]:
        """A transaction that writes one controller's rows."""

    def reading(self, *, controller: str) -> AbstractContextManager[Session]:
        """A transaction that reads one controller's rows."""

    def plain_writing(self, *, controller: str) -> AbstractContextManager[Statements]:
        """As :meth:`writing`, for statements that are written as text."""

    def writing_across_controllers(self) -> AbstractContextManager[Session]:
        """A transaction for the service's own duties over all controllers."""

    def reading_across_controllers(self) -> AbstractContextManager[Session]:
        """A read transaction for the service's own duties over all controllers."""
