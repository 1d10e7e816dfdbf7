"""The consent store: who said what, where they stand now, and who may be used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import col, delete, select

from hanse_consent.acts import ConsentAct
from hanse_consent.catalogue import Catalogue, Notice, Purpose
from hanse_consent.decision import to_microseconds
from hanse_consent.errors import PurposeUnknownError, RequestReplayedError, TierNotOfferedError
from hanse_consent.recording import ActChecker, highest_position, record_batch
from hanse_consent.registration import (
    active_purposes,
    refuse_changes,
    register,
    registered_notices,
    registered_purposes,
)
from hanse_consent.storage.database import Database
from hanse_consent.tables import ConsentState, SeenNonce
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE
from hanse_privacy.protocol.vocabulary import Tier

# A request may be dated one tolerance ahead and is then good for one more.
_NONCE_MEMORY = 2 * TIME_TOLERANCE


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Who may be used, at one moment.

    Args:
        position: The last act that the answer has seen.
        customers: Sorted pseudonyms, each once.
        notices: Notices under which they granted, ``name@version``, sorted.
    """

    position: int
    customers: tuple[str, ...]
    notices: tuple[str, ...]


class ConsentStore:
    """Default deny: who never granted, or withdrew, is in no cohort.

    Args:
        database: The SQLite file, made if missing.
        now: The service's clock.

    Raises:
        StoreUnavailableError: From any method, if the file cannot be used.
    """

    def __init__(self, *, database: Path, now: Callable[[], datetime]) -> None:
        self._database = Database(database)
        self._now = now

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def register(self, catalogue: Catalogue) -> None:
        """Make the files' purposes and notices those in force.

        Raises:
            NoticeChangedError: If a registered notice has another text or purposes under the same version.
            PurposeWidenedError: If a registered purpose asks for more data.
        """
        with self._database.writing() as session:
            register(session, catalogue)

    def compare(self, catalogue: Catalogue) -> None:
        """Raise as :meth:`register` would, and change nothing."""
        with self._database.reading() as session:
            refuse_changes(catalogue, purposes=registered_purposes(session), notices=registered_notices(session))

    def purposes(self) -> tuple[Purpose, ...]:
        """The purposes in force, by name."""
        with self._database.reading() as session:
            active = active_purposes(session)
            return tuple(p for p in registered_purposes(session).values() if p.name in active)

    def notices(self) -> tuple[Notice, ...]:
        """Every notice ever registered."""
        with self._database.reading() as session:
            return tuple(registered_notices(session))

    def position(self) -> int:
        """The last act's position; 0 in an empty store."""
        with self._database.reading() as session:
            return highest_position(session)

    def record(self, *, partner: str, acts: Sequence[ConsentAct]) -> int:
        """Record a partner's acts, all or none, durably; return the position they stand at.

        An act sent again under its key counts once and has its first position.

        Raises:
            ConsentRefusal: Of the class that says why; nothing was recorded.
        """
        with self._database.writing() as session:
            explained = {n.reference: frozenset(n.purposes) for n in registered_notices(session)}
            checker = ActChecker(
                purposes=registered_purposes(session),
                active=active_purposes(session),
                explained=explained,
                recorded_us=to_microseconds(self._now()),
            )
            return record_batch(session, partner=partner, acts=acts, checker=checker)

    def cohort(self, *, partner: str, purpose: str, tier: Tier) -> Cohort:
        """Enumerate a partner's customers who may be used, in one read transaction.

        Raises:
            PurposeUnknownError: If the purpose is not in force.
            TierNotOfferedError: If the purpose does not exist at this tier.
        """
        with self._database.reading() as session:
            offered = registered_purposes(session).get(purpose)
            if offered is None or purpose not in active_purposes(session):
                raise PurposeUnknownError(
                    f"The purpose {purpose} is not in force.", "Use a purpose that /v1/purposes lists."
                )
            if tier not in offered.tiers:
                raise TierNotOfferedError(
                    f"The purpose {purpose} does not exist at tier {tier}.",
                    f"Its tiers are: {', '.join(offered.tiers)}.",
                )
            # The same rule as decision.may_be_used, in SQL.
            query = (
                select(ConsentState.customer, ConsentState.notice)
                .where(
                    ConsentState.partner == partner,
                    ConsentState.purpose == purpose,
                    col(ConsentState.granted).is_(True),
                    col(ConsentState.tier_rank) >= tier.rank,
                )
                .order_by(col(ConsentState.customer))
            )
            rows = session.exec(query).all()
            position = highest_position(session)
        return Cohort(
            position=position,
            customers=tuple(customer for customer, _ in rows),
            notices=tuple(sorted({notice for _, notice in rows if notice is not None})),
        )

    def remember_nonce(self, *, party: str, nonce: str) -> None:
        """Accept a signed request's nonce once, durably, for as long as its signature could be valid.

        Raises:
            RequestReplayedError: If it was seen before.
        """
        now_us = to_microseconds(self._now())
        with self._database.writing() as session:
            oldest = now_us - _NONCE_MEMORY.seconds * 1_000_000
            session.exec(delete(SeenNonce).where(col(SeenNonce.seen_us) < oldest))
            if session.get(SeenNonce, (party, nonce)) is not None:
                raise RequestReplayedError(
                    "This signed request was received before.", "Sign every request anew, also a repeated one."
                )
            session.add(SeenNonce(party=party, nonce=nonce, seen_us=now_us))
