"""What the store asks of the law packs."""

from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from hanse_consent.domain.acts import ConsentAct
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks


class Checker(Protocol):
    """Accepts or refuses acts, made for one batch."""

    def check(self, act: ConsentAct, place: str, bundled_with: frozenset[str] = frozenset()) -> None:
        """Accept an act or raise the refusal."""


class MakeChecker(Protocol):
    """Makes the checker of one batch; :class:`hanse_consent.law.writing.ActChecker` is one."""

    def __call__(self, *, registry: Registry, packs: LawPacks, recorded_at: datetime) -> Checker:
        """A checker under this registry at this moment."""


class CheckRegistry(Protocol):
    """Accepts or refuses a registry; :func:`hanse_consent.law.publishing.check_registry` is one."""

    def __call__(self, new: Registry, *, before: Registry, packs: LawPacks, at: datetime) -> None:
        """Raise where the new registry breaks a rule."""


class BeforeForgetting(Protocol):
    """What a higher room does in the transaction of an erasure, while the customer's key is still there."""

    def __call__(self, session: Session, /, *, controller: str, number: int, pseudonym: bytes, key: bytes) -> object:
        """Keep what can be kept of the customer without the key."""


def nothing_kept(_session: Session, /, *, controller: str, number: int, pseudonym: bytes, key: bytes) -> None:
    """For stores above which nothing was made from customers' keys."""
