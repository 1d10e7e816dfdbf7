"""Working days of China: holidays, and the weekends that are worked to make up for them.

The State Council publishes each year's arrangement in the autumn before. Until then only weekends are known: every
answer says whether it rests on a published arrangement or is provisional.
"""

from dataclasses import dataclass
from datetime import date, timedelta

# The library publishes no type information.
import chinese_calendar  # type: ignore[import-untyped]

from hanse_privacy.errors import InvalidValueError

_ONE_DAY = timedelta(days=1)
_NEW_YEAR_REACHES_BACK_TO = (12, 20)
"""The arrangement of a year may move working days of the last days of December before it (as for 2017 and 2023)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDay:
    """A day that was found by counting.

    Args:
        day: The day.
        provisional: Whether a day on the way is not covered by a published arrangement.
    """

    day: date
    provisional: bool


def works_in_china(day: date) -> bool:
    """Whether China works on this day; where no arrangement is published, whether it is Monday to Friday."""
    if _published(day.year):
        return bool(chinese_calendar.is_workday(day))
    return day.weekday() < 5


def is_provisional(day: date) -> bool:
    """Whether an arrangement not yet published may still move this day."""
    if not _published(day.year):
        return True
    return (day.month, day.day) >= _NEW_YEAR_REACHES_BACK_TO and not _published(day.year + 1)


def add_working_days(day: date, count: int) -> CountedDay:
    """The so-manieth working day after a day, which itself is not counted (Civil Code of China, Art. 201).

    Args:
        day: The day of the event.
        count: How many working days, at least 1.

    Raises:
        InvalidValueError: If ``count`` is below 1.
    """
    if count < 1:
        raise InvalidValueError(f"count is {count}; it must be at least 1.", "Count forward from the day of the event.")
    provisional = False
    left = count
    while left:
        day += _ONE_DAY
        provisional = provisional or is_provisional(day)
        left -= works_in_china(day)
    return CountedDay(day=day, provisional=provisional)


def _published(year: int) -> bool:
    try:
        chinese_calendar.is_workday(date(year, 1, 1))
    except NotImplementedError:  # the library's answer for a year that it has no holidays of yet
        return False
    return True
