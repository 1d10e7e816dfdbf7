"""The protocol's weeks: whole weeks of local days, numbered from 1."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from hanse_privacy.validation import require


class Weekday(IntEnum):
    """Days of the week with the numbers of :meth:`datetime.date.weekday`."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Numbers a league's weeks.

    Week 1 is the week that holds ``origin``; it is cut short where ``origin`` is not its first day.
    Days are the shop's local days: a purchase at eleven in the evening belongs to that evening. The
    Complete Journey's ``week`` column is reproduced exactly, on all 1,469,307 lines, by
    ``Calendar(origin=date(2017, 1, 1))`` over days in America/New_York (its timestamps are in UTC).

    Args:
        origin: The first day of the league's data.
        week_starts_on: The weekday on which a new week begins.
    """

    origin: date
    week_starts_on: Weekday = Weekday.MONDAY

    @property
    def anchor(self) -> date:
        """The first day of week 1 as if it were whole: week = floor((day - anchor) / 7 days) + 1."""
        return self.origin - timedelta(days=(self.origin.weekday() - self.week_starts_on) % 7)

    def week_of(self, day: date) -> int:
        """Return the week of a local day, from 1.

        Raises:
            InvalidValueError: If ``day`` lies before the origin.
        """
        require(
            day >= self.origin,
            name="day",
            value=day.isoformat(),
            bound=f"{self.origin.isoformat()} (the calendar's origin) or later",
        )
        return (day - self.anchor).days // 7 + 1
