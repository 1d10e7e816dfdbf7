"""What a killed service left behind, read by a new one: nothing lost, nothing by halves."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from consent.workplace import Workplace, utc_now
from consent.world import RETAILER
from hanse_consent.decisions.facts import Fact, facts_of, prevailing
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.record_service import recorded_act
from hanse_consent.storage.store import ConsentStore

_PAGE = 5_000
_EVERY_FIFTH = 5
_LAST = 3
"""Batches whose customers' facts are looked at: as many as were under way."""


@dataclass(kw_only=True)
class Sent:
    """A batch of acts.

    Args:
        keys: Of its acts.
        customers: Whom it speaks for.
        position: Where it stands, once that was acknowledged.
    """

    keys: tuple[str, ...]
    customers: tuple[str, ...]
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What was found.

    Args:
        lost: Acknowledged batches that are not wholly there, where the acknowledgement said.
        halves: Batches there in part, customers whose facts are not those of their acts, gaps between positions.
        unanswered_but_there: Batches that were committed though nobody was told.
        position: The controller's last.
    """

    lost: int
    halves: int
    unanswered_but_there: int
    position: int


def look_after(workplace: Workplace, sent: Sequence[Sent], *, after: int) -> Aftermath:
    """Open the store as a new service does and hold it against what was sent.

    Args:
        workplace: The service's.
        sent: All batches since the last look.
        after: The controller's position at the last look.
    """
    lost = halves = surprises = 0
    with closing(workplace.open_database()) as database:
        store = ConsentStore(database, packs=load_shipped_packs(), now=utc_now)
        positions = _positions(store, after)
        halves += sorted(positions.values()) != list(range(after + 1, after + len(positions) + 1))
        for batch in sent:
            there = [positions[key] for key in batch.keys if key in positions]
            if batch.position is not None:
                lost += len(there) < len(batch.keys) or max(there) != batch.position
            elif there:
                halves += len(there) < len(batch.keys)
                surprises += len(there) == len(batch.keys)
        unanswered = [batch for batch in sent if batch.position is None]
        for batch in (unanswered or sent)[-_LAST:]:
            looked_at = batch.customers[::_EVERY_FIFTH]
            halves += sum(not _facts_follow_from_acts(store, customer) for customer in looked_at)
    return Aftermath(lost=lost, halves=halves, unanswered_but_there=surprises, position=after + len(positions))


def _positions(store: ConsentStore, last: int) -> dict[str, int]:
    found: dict[str, int] = {}
    while page := store.acts_after(RETAILER, last, limit=_PAGE):
        last = page[-1].position
        found.update((recorded.key, recorded.position) for recorded in page)
    return found


def _facts_follow_from_acts(store: ConsentStore, customer: str) -> bool:
    expected: dict[str, Fact] = {}
    for stored in store.history(RETAILER, customer):
        recorded = recorded_act(stored)
        registry = store.registry(version=stored.registry_version)
        at_us = to_microseconds(recorded.recorded_at)
        for topic, fact in facts_of(recorded.act, registry=registry, recorded_us=at_us).items():
            expected[topic] = prevailing(expected.get(topic), fact)
    return dict(store.facts(RETAILER, customer).facts.by_topic) == expected
