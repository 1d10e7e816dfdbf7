"""A customer's own papers: what was ever said, records of it, and receipts to take home."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import numpy as np

from hanse_consent.decisions.facts import CustomerFacts, FactState, consent_topic
from hanse_consent.decisions.people import governed_by
from hanse_consent.decisions.sets import contains
from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_consent.domain.moments import from_microseconds, to_microseconds
from hanse_consent.errors import NothingRecordedError
from hanse_consent.law.packs import LawPacks
from hanse_consent.law.record_checks import required_fields
from hanse_consent.law.record_rules import RecordKind
from hanse_consent.records.document import ConsentRecord
from hanse_consent.records.history import RecordedAct
from hanse_consent.records.receipt import make_receipt
from hanse_consent.records.record import RecordSource, make_record, records_of
from hanse_consent.storage.store import ConsentStore
from hanse_consent.storage.stored_acts import StoredAct
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

_CUSTOMERS_PER_READ = 1_000


class RecordService:
    """Makes ISO/IEC TS 27560 records and receipts from the store.

    Args:
        store: The consent store.
        packs: The law packs in force.
        key: The service's key; it signs receipts.
        service: The service's name.
        now: The service's clock.
    """

    def __init__(
        self, *, store: ConsentStore, packs: LawPacks, key: SigningKey, service: str, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._packs = packs
        self._key = key
        self._service = service
        self._now = now

    def history(self, controller: str, customer: str) -> tuple[RecordedAct, ...]:
        """Everything recorded of a customer, in order; nothing of one who is not known."""
        facts = self._store.facts(controller, customer).facts
        return tuple(
            recorded_act(stored, ends_us=_end_of(stored, facts)) for stored in self._store.history(controller, customer)
        )

    def record(self, controller: str, customer: str, purpose: str) -> ConsentRecord:
        """The record of one customer's consent to one purpose, as of now.

        Raises:
            NothingRecordedError: If nothing was ever said.
            HanseError: If no complete record can be made.
        """
        history = self.history(controller, customer)
        if not history:
            raise NothingRecordedError(
                "Nothing is recorded of this customer here.", "Check the pseudonym and the controller."
            )
        source = self._source(controller, customer, history)
        return make_record(history, source, purpose=purpose, must_hold=self._must_hold(source.at))

    def records_of_everybody(self, controller: str) -> Iterator[ConsentRecord]:
        """Every record of every customer who was not erased, one customer in memory at a time."""
        last = self._store.customer_numbers(controller).last
        for first in range(1, last + 1, _CUSTOMERS_PER_READ):
            numbers = np.arange(first, min(first + _CUSTOMERS_PER_READ, last + 1), dtype=np.uint32)
            for pseudonym in self._store.members(controller, numbers).pseudonyms:
                customer = pseudonym.tobytes().hex()
                history = self.history(controller, customer)
                if history:
                    source = self._source(controller, customer, history)
                    yield from records_of(history, source, must_hold=self._must_hold(source.at))

    def _source(self, controller: str, customer: str, history: Sequence[RecordedAct]) -> RecordSource:
        at = self._now()
        registry = self._store.registry()
        facts = self._store.facts(controller, customer).facts
        asked, at_us = registry.controller(controller), to_microseconds(at)
        packs = tuple(
            pack.name
            for pack in self._packs.in_force(at)
            if not pack.governs_everybody and contains(governed_by(pack, asked))(facts, at_us)
        )
        return RecordSource(controller=controller, registry=registry, packs=packs, at=at, position=history[-1].position)

    def receipt(self, controller: str, customer: str, purpose: str) -> bytes:
        """A signed receipt of that record, for the customer to keep.

        Raises:
            NothingRecordedError: If nothing was ever said.
            HanseError: If no complete record can be made.
        """
        record, now = self.record(controller, customer, purpose), self._now()
        packs = tuple(pack.name for pack in self._packs.in_force(now) if not pack.governs_everybody)
        return make_receipt(record, packs=packs, service=self._service, now=now).sign(self._key)

    def _must_hold(self, at: datetime) -> tuple[str, ...]:
        """The fields that the laws in force want in a record."""
        return tuple(sorted(required_fields(RecordKind.CONSENT, packs=self._packs, at=at)))


def _end_of(stored: StoredAct, facts: CustomerFacts) -> int | None:
    """When a grant that still prevails ends by itself, as it was worked out when it was recorded."""
    fact = facts.by_topic.get(consent_topic(str(stored.purpose)))
    if stored.kind not in (ActKind.GRANT, ActKind.RENEWAL) or fact is None or fact.state is not FactState.GIVEN:
        return None
    return fact.until_us if fact.effective_us == min(stored.said_us, stored.recorded_us) else None


def recorded_act(stored: StoredAct, *, ends_us: int | None = None) -> RecordedAct:
    """An act from the store, of a customer who was not erased.

    Args:
        stored: As the store has it.
        ends_us: When the grant ends by itself, if that is known (microseconds since 1970).
    """
    act = ConsentAct(
        kind=ActKind(stored.kind),
        customer=str(stored.customer),
        said_at=stored.said_at,
        key=stored.key,
        purpose=stored.purpose,
        tier=Tier(stored.tier) if stored.tier is not None else None,
        notice=stored.notice,
        language=stored.language,
        explicit=bool(stored.explicit),
        ends_at=from_microseconds(stored.ends_us) if stored.ends_us is not None else None,
        separate=stored.separate,
        country=stored.country,
        age=stored.age,
        interaction=stored.interaction,
        preselected=bool(stored.preselected),
        channel=stored.channel,
    )
    return RecordedAct(position=stored.position, recorded_at=stored.recorded_at, act=act, ends_us=ends_us)
