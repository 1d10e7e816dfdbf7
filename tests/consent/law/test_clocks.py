"""Time limits against counts made another way: dateutil for months, one day after the other for working days."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_consent.law.clock_rules import ClockMatter
from hanse_consent.law.clocks import Clock, add_months, start_clocks
from hanse_consent.law.errors import ClockRefusedError
from hanse_consent.law.packs import LawPack, load_shipped_packs
from hanse_consent.law.working_days import add_working_days, is_provisional, works_in_china
from hanse_privacy.errors import InvalidValueError

PACKS = load_shipped_packs()
BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
LAST_PUBLISHED = 2026
"""The last year whose arrangement the installed library knows; a newer library moves it."""

days = st.dates(min_value=date(2004, 1, 1), max_value=date(2040, 12, 31))
moments = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis wants it bare, and adds the zone itself
    max_value=datetime(2035, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def pack(name: str) -> LawPack:
    found = PACKS.pack(name, at=datetime(2026, 5, 4, tzinfo=UTC))
    assert found is not None
    return found


def one(matter: ClockMatter, started_at: datetime, *, law: str = "gdpr", zone: ZoneInfo = BERLIN) -> Clock:
    (clock,) = start_clocks(matter, pack=pack(law), started_at=started_at, zone=zone)
    return clock


@given(day=days, months=st.integers(min_value=0, max_value=60))
def test_months_are_those_of_dateutil(day: date, months: int) -> None:
    assert add_months(day, months) == day + relativedelta(months=months)


@given(started_at=moments, extended=st.booleans())
def test_a_request_is_due_at_the_end_of_the_same_date(started_at: datetime, extended: bool) -> None:
    clock = one(ClockMatter.ACCESS, started_at)
    if extended:
        clock = clock.extend(started_at, reason="many requests")
    due = clock.due(started_at)
    last = started_at.astimezone(BERLIN).date() + relativedelta(months=3 if extended else 1)
    assert due.last_day == last
    # The last moment in time is still that day in Berlin, and the next one is not.
    assert (due.moment - timedelta(microseconds=1)).astimezone(BERLIN).date() == last
    assert due.moment.astimezone(BERLIN).date() == last + timedelta(days=1)
    assert due.moment.tzinfo is UTC
    assert not due.provisional


def slowly(day: date, count: int) -> date:
    """One day after the other, over the sets that the library holds; beyond them, Monday to Friday."""
    holidays, worked = set(chinese_calendar.constants.holidays), set(chinese_calendar.constants.workdays)
    while count:
        day = date.fromordinal(day.toordinal() + 1)
        rests = day in holidays or (day.isoweekday() in (6, 7) and day not in worked)
        count -= 0 if rests else 1
    return day


@given(day=days, count=st.integers(min_value=1, max_value=60))
@settings(max_examples=200)
def test_working_days_are_those_of_a_slow_count(day: date, count: int) -> None:
    counted = add_working_days(day, count)
    assert counted.day == slowly(day, count)
    on_the_way = [day + timedelta(days=step) for step in range(1, (counted.day - day).days + 1)]
    assert counted.provisional == any(map(is_provisional, on_the_way))
    assert works_in_china(counted.day)


@given(day=days, count=st.integers(min_value=1, max_value=30))
def test_one_working_day_more_is_never_earlier(day: date, count: int) -> None:
    assert add_working_days(day, count).day < add_working_days(day, count + 1).day
    assert add_working_days(day, count).day <= add_working_days(day + timedelta(days=1), count).day


def test_what_no_arrangement_covers_yet_is_provisional() -> None:
    published = max(chinese_calendar.constants.holidays).year
    assert not is_provisional(date(published, 12, 19))
    assert is_provisional(date(published, 12, 20)), "the next year's arrangement may move it"
    assert not is_provisional(date(published - 1, 12, 31))
    assert is_provisional(date(published + 1, 1, 1))
    assert is_provisional(date(2003, 6, 2))
    assert works_in_china(date(published + 1, 1, 1)) == (date(published + 1, 1, 1).weekday() < 5)


def test_a_clock_that_crosses_into_such_a_year_says_so() -> None:
    published = max(chinese_calendar.constants.holidays).year
    received = datetime(published, 12, 20, 9, 0, tzinfo=SHANGHAI)
    clock = one(ClockMatter.DELETION, received, law="pipl", zone=SHANGHAI)
    due = clock.due(received)
    assert due.provisional
    # Mondays to Fridays only: three weeks of five.
    assert due.last_day == slowly(received.date(), 15)


@pytest.mark.parametrize("count", [0, -1])
def test_no_working_days_are_not_counted(count: int) -> None:
    with pytest.raises(InvalidValueError, match="count"):
        add_working_days(date(2026, 1, 1), count)


@given(
    started_at=moments,
    before=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=20)),
    still=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=90)),
)
def test_a_pause_moves_the_due_day_by_its_whole_days(started_at: datetime, before: timedelta, still: timedelta) -> None:
    clock = one(ClockMatter.ACCESS, started_at)
    paused = clock.pause(started_at + before, reason="identity in doubt")
    now = started_at + before + still
    resumed = paused.resume(now)
    was, standing, moved = clock.due(now), paused.due(now), resumed.due(now)
    assert moved.last_day == standing.last_day
    assert moved.last_day is not None
    assert was.last_day is not None
    assert (moved.last_day - was.last_day).days == still.days
    assert standing.provisional
    assert not moved.provisional


def test_pauses_add_up_and_an_extension_counts_from_the_start() -> None:
    start = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    hours = timedelta(hours=1)
    clock = one(ClockMatter.ACCESS, start)
    for day in (1, 4):
        # Twice twelve hours are one day.
        clock = clock.pause(start + timedelta(days=day), reason="identity in doubt")
        clock = clock.resume(start + timedelta(days=day) + 12 * hours)
    assert clock.due(start).last_day == date(2026, 3, 1)
    extended = clock.extend(start + timedelta(days=10), reason="many requests")
    assert extended.due(start).last_day == date(2026, 5, 1)


def test_a_clock_refuses_what_cannot_have_happened() -> None:
    start = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    hour = timedelta(hours=1)
    clock = one(ClockMatter.ACCESS, start)
    paused = clock.pause(start + hour, reason="identity in doubt")
    for refused in (
        lambda: clock.pause(start - hour, reason="identity in doubt"),
        lambda: clock.pause(start + hour, reason="  "),
        lambda: clock.pause(start + timedelta(days=40), reason="identity in doubt"),
        lambda: clock.resume(start + hour),
        lambda: paused.pause(start + 2 * hour, reason="identity in doubt"),
        lambda: paused.resume(start),
        lambda: clock.extend(start - hour, reason="many requests"),
        lambda: clock.extend(start + hour, reason=""),
        lambda: clock.extend(start + hour, reason="many").extend(start + hour, reason="many"),
        lambda: one(ClockMatter.BREACH, start).extend(start, reason="many requests"),
        lambda: one(ClockMatter.BREACH, start).pause(start, reason="identity in doubt"),
        lambda: one(ClockMatter.DELETION, start, law="pipl", zone=SHANGHAI).pause(start, reason="identity in doubt"),
    ):
        with pytest.raises(ClockRefusedError):
            refused()
    with pytest.raises(InvalidValueError, match="time zone"):
        one(ClockMatter.ACCESS, start.replace(tzinfo=None))


def test_hours_are_hours_when_the_clocks_change() -> None:
    aware = datetime(2026, 10, 24, 20, 0, tzinfo=BERLIN)
    due = one(ClockMatter.BREACH, aware).due(aware)
    assert due.moment.timestamp() - aware.timestamp() == 72 * 3600


def test_whoever_counts_in_another_zone_gets_that_zone_s_day() -> None:
    # A quarter to midnight in Berlin is already tomorrow in Helsinki.
    received = datetime(2026, 3, 9, 23, 45, tzinfo=BERLIN)
    assert one(ClockMatter.ACCESS, received).due(received).last_day == date(2026, 4, 9)
    in_helsinki = one(ClockMatter.ACCESS, received, zone=ZoneInfo("Europe/Helsinki"))
    assert in_helsinki.due(received).last_day == date(2026, 4, 10)
