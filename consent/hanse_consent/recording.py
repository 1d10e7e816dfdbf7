"""Recording a batch of acts: checked, appended and applied inside one transaction."""

from collections.abc import Iterator, Sequence
from itertools import islice

from sqlmodel import Session, col, func, insert, select, update

from hanse_consent.acts import ActKind, ConsentAct
from hanse_consent.catalogue import Purpose
from hanse_consent.decision import SAID_AHEAD_TOLERANCE, Standing, effective_us, prevailing, to_microseconds
from hanse_consent.errors import (
    KeyReusedError,
    NoticeDoesNotExplainError,
    NoticeUnknownError,
    PreselectedConsentError,
    PurposeUnknownError,
    SaidInFutureError,
    TierNotOfferedError,
)
from hanse_consent.tables import ConsentEvent, ConsentState
from hanse_privacy.protocol.vocabulary import Tier

_TIERS = tuple(Tier)
_KEYS_PER_QUERY = 500
_AHEAD_US = SAID_AHEAD_TOLERANCE.seconds * 1_000_000


class ActChecker:
    """What one transaction knows about purposes and notices, to accept or refuse acts.

    Args:
        purposes: Every purpose ever registered.
        active: Names of those now in force: only they can be granted.
        explained: Per notice reference, the purposes it explains.
        recorded_us: The service's time for this batch, microseconds since 1970.
    """

    def __init__(
        self,
        *,
        purposes: dict[str, Purpose],
        active: frozenset[str],
        explained: dict[str, frozenset[str]],
        recorded_us: int,
    ) -> None:
        self._purposes = purposes
        self._active = active
        self._explained = explained
        self.recorded_us = recorded_us

    def check(self, act: ConsentAct, *, place: str) -> None:
        """Accept an act or refuse it, naming its place in the batch and never its customer.

        Raises:
            ConsentRefusal: Of the class that says why.
        """
        if to_microseconds(act.said_at) > self.recorded_us + _AHEAD_US:
            raise SaidInFutureError(
                f"{place} was said more than {SAID_AHEAD_TOLERANCE.seconds} seconds in the future.",
                "Set the clock right where consent is taken (NTP).",
            )
        purpose = self._purposes.get(act.purpose)
        if purpose is None:
            raise PurposeUnknownError(
                f"{place} names the purpose {act.purpose}, which is not registered.",
                "Use a purpose that /v1/purposes lists.",
            )
        # A withdrawal needs nothing more: it must go through even for a purpose no longer in force.
        if act.kind is ActKind.GRANT and act.tier is not None and act.notice is not None:
            self._check_grant(purpose, act.tier, act.notice, place=place)

    def _check_grant(self, purpose: Purpose, tier: Tier, notice: str, *, place: str) -> None:
        if purpose.name not in self._active:
            raise PurposeUnknownError(
                f"{place} grants the purpose {purpose.name}, which is no longer in force.",
                "Use a purpose that /v1/purposes lists.",
            )
        if tier not in purpose.tiers:
            raise TierNotOfferedError(
                f"{place} grants {purpose.name} at tier {tier}, which does not exist.",
                f"Its tiers are: {', '.join(purpose.tiers)}.",
            )
        explained = self._explained.get(notice)
        if explained is None:
            raise NoticeUnknownError(
                f"{place} cites the notice {notice}, which is not registered.",
                "Cite a notice that /v1/notices lists.",
            )
        if purpose.name not in explained:
            raise NoticeDoesNotExplainError(
                f"{place} grants {purpose.name} under the notice {notice}, which does not explain it.",
                f"Cite a notice that explains {purpose.name}.",
            )


def record_batch(session: Session, *, partner: str, acts: Sequence[ConsentAct], checker: ActChecker) -> int:
    """Append the acts that are new, update where the customers stand, return the batch's position.

    Must run in a transaction that holds the write lock; the caller commits.

    Raises:
        ConsentRefusal: If any act is refused; the caller rolls back.
    """
    for index, act in enumerate(acts):
        if act.preselected:
            raise PreselectedConsentError(
                f"acts.{index} was ticked before the customer saw it.", "Ask the customer, with the box empty."
            )
    recorded = _recorded(session, partner=partner, keys=[act.key for act in acts])
    last = highest_position(session)
    position = 0
    fresh: dict[str, ConsentEvent] = {}
    for index, act in enumerate(acts):
        place = f"acts.{index}"
        earlier = recorded.get(act.key) or fresh.get(act.key)
        if earlier is not None:
            _require_same(act, earlier, place=place)
            position = max(position, earlier.position)
            continue
        checker.check(act, place=place)
        last += 1
        position = last
        fresh[act.key] = ConsentEvent(
            position=last,
            partner=partner,
            customer=act.customer,
            purpose=act.purpose,
            kind=act.kind,
            tier=act.tier,
            notice=act.notice,
            said_us=to_microseconds(act.said_at),
            recorded_us=checker.recorded_us,
            key=act.key,
        )
    if fresh:
        session.exec(insert(ConsentEvent), params=[event.model_dump() for event in fresh.values()])
        _apply(session, partner=partner, events=list(fresh.values()))
    return position


def highest_position(session: Session) -> int:
    """The position of the last act recorded; 0 in an empty store."""
    return session.exec(select(func.max(ConsentEvent.position))).one() or 0


def _recorded(session: Session, *, partner: str, keys: Sequence[str]) -> dict[str, ConsentEvent]:
    found: dict[str, ConsentEvent] = {}
    for some in _batched(keys):
        query = select(ConsentEvent).where(ConsentEvent.partner == partner, col(ConsentEvent.key).in_(some))
        found.update({event.key: event for event in session.exec(query)})
    return found


def _require_same(act: ConsentAct, earlier: ConsentEvent, *, place: str) -> None:
    said = (act.kind, act.customer, act.purpose, act.tier, act.notice, to_microseconds(act.said_at))
    if said != (earlier.kind, earlier.customer, earlier.purpose, earlier.tier, earlier.notice, earlier.said_us):
        raise KeyReusedError(
            f"{place} has the key of another act.",
            "Give every act a key of its own; repeat it only to send the act again.",
        )


def _apply(session: Session, *, partner: str, events: Sequence[ConsentEvent]) -> None:
    """Update ``consent_state`` for the customers that ``events`` speak for."""
    current = _standings(session, partner=partner, events=events)
    changed: dict[tuple[str, str], Standing] = {}
    for event in events:
        place = event.purpose, event.customer
        before = changed.get(place) or current.get(place)
        after = prevailing(before, standing_of(event))
        if after is not before:
            changed[place] = after
    rows = [
        {
            "partner": partner,
            "purpose": purpose,
            "customer": customer,
            "granted": standing.granted,
            "tier_rank": standing.tier.rank if standing.tier is not None else None,
            "notice": standing.notice,
            "effective_us": standing.effective_us,
            "position": standing.position,
        }
        for (purpose, customer), standing in changed.items()
    ]
    known = [row for row in rows if (row["purpose"], row["customer"]) in current]
    new = [row for row in rows if (row["purpose"], row["customer"]) not in current]
    if new:
        session.exec(insert(ConsentState), params=new)
    if known:
        session.exec(update(ConsentState), params=known)


def standing_of(event: ConsentEvent) -> Standing:
    """Where an act puts its customer, were it the only one."""
    granted = event.kind == ActKind.GRANT
    return Standing(
        granted=granted,
        tier=Tier(event.tier) if granted and event.tier is not None else None,
        notice=event.notice if granted else None,
        effective_us=effective_us(granted=granted, said_us=event.said_us, recorded_us=event.recorded_us),
        position=event.position,
    )


def _standings(session: Session, *, partner: str, events: Sequence[ConsentEvent]) -> dict[tuple[str, str], Standing]:
    customers: dict[str, list[str]] = {}
    for event in events:
        customers.setdefault(event.purpose, []).append(event.customer)
    found: dict[tuple[str, str], Standing] = {}
    for purpose, all_customers in customers.items():
        for some in _batched(all_customers):
            query = select(ConsentState).where(
                ConsentState.partner == partner,
                ConsentState.purpose == purpose,
                col(ConsentState.customer).in_(some),
            )
            found.update({(purpose, state.customer): standing_from(state) for state in session.exec(query)})
    return found


def standing_from(state: ConsentState) -> Standing:
    """A state row as the rules read it."""
    return Standing(
        granted=state.granted,
        tier=_TIERS[state.tier_rank] if state.tier_rank is not None else None,
        notice=state.notice,
        effective_us=state.effective_us,
        position=state.position,
    )


def _batched(values: Sequence[str]) -> Iterator[list[str]]:
    remaining = iter(dict.fromkeys(values))
    while some := list(islice(remaining, _KEYS_PER_QUERY)):
        yield some
