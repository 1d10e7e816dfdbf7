"""The rules: which of two acts counts, and who may be used. Pure functions, no clock and no store.

The latest act by the time it was said wins; at equal times a withdrawal beats a grant, and a lower
tier beats a higher one. So the outcome never depends on the order of arrival.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hanse_privacy.protocol.vocabulary import Tier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

SAID_AHEAD_TOLERANCE = timedelta(minutes=5)
"""How far ahead of the service's clock an act may claim to have been said."""


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 (UTC): exact, and ordered as time is."""
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one customer stands on one purpose after one act.

    Args:
        granted: Whether the act was a grant.
        tier: Ceiling of the grant; none after a withdrawal.
        notice: Notice of the grant; none after a withdrawal.
        effective_us: When the act counts from, microseconds since 1970.
        position: The act's place in the store's total order.
    """

    granted: bool
    tier: Tier | None
    notice: str | None
    effective_us: int
    position: int


def effective_us(*, granted: bool, said_us: int, recorded_us: int) -> int:
    """When an act counts from, in microseconds.

    A grant said by a clock that is ahead counts from its recording, so that it cannot outlast a
    withdrawal spoken right after it. A withdrawal keeps its time: in doubt it lasts longer.
    """
    return min(said_us, recorded_us) if granted else said_us


def _precedence(standing: Standing) -> tuple[int, bool, int, str]:
    rank = standing.tier.rank if standing.tier is not None else 0
    return standing.effective_us, not standing.granted, -rank, standing.notice or ""


def prevailing(current: Standing | None, arriving: Standing) -> Standing:
    """Return which of the two counts; the current one where they say the same."""
    if current is None or _precedence(arriving) > _precedence(current):
        return arriving
    return current


def may_be_used(standing: Standing | None, *, asked: Tier) -> bool:
    """Whether a customer may be used at a tier: only after a grant, and only up to its tier."""
    if standing is None or not standing.granted or standing.tier is None:
        return False
    return standing.tier.rank >= asked.rank
