"""Moments as whole microseconds since 1970 (UTC): exact, and ordered as time is."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)

NO_END = 2**63 - 1
"""Stands for no end, both for moments and for positions: larger than any."""


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The moment, in UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def in_words(moment: datetime) -> str:
    """For people, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def to_day_number(day: date) -> int:
    """Days since 1970."""
    return (day - _EPOCH_DAY).days


def from_day_number(number: int) -> date:
    """The day."""
    return _EPOCH_DAY + timedelta(days=number)


def _moment(value: object) -> datetime:
    # A bare number is refused, also as text: nobody can tell seconds from milliseconds.
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("a time must be written as ISO 8601") from error
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("a time must be written as ISO 8601 with its time zone")
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        # Stored as microseconds, it could never be read again.
        raise ValueError("a time must lie in the years 1 to 9999 (UTC)") from error
    return moment


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A moment with its time zone."""
