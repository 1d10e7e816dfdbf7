"""For each rule about time limits, a story that fails if the rule is not kept."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hanse_consent.law.clock_rules import ClockMatter
from hanse_consent.law.clocks import Clock, start_clocks
from hanse_consent.law.errors import ClockRefusedError
from hanse_consent.law.packs import LawPacks

SECTION = "clocks"
"""The packs' section that these scenarios need."""

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def the_clock(
    packs: LawPacks, law: str, matter: ClockMatter, started_at: datetime, *, rule: str, persons: int = 0
) -> Clock:
    """The one clock that a rule starts."""
    pack = packs.pack(law, at=started_at)
    assert pack is not None
    zone = BERLIN if law == "gdpr" else SHANGHAI
    clocks = start_clocks(matter, pack=pack, started_at=started_at, zone=zone, persons=persons)
    found = [clock for clock in clocks if clock.rule.id == rule]
    assert len(found) == 1, f"{rule} starts no clock for {matter}"
    return found[0]


def none_started(packs: LawPacks, law: str, matter: ClockMatter, started_at: datetime, *, persons: int) -> bool:
    pack = packs.pack(law, at=started_at)
    assert pack is not None
    return not start_clocks(matter, pack=pack, started_at=started_at, zone=SHANGHAI, persons=persons)


def scenario_g_12(packs: LawPacks) -> None:
    received = datetime(2026, 1, 31, 15, 0, tzinfo=BERLIN)
    clock = the_clock(packs, "gdpr", ClockMatter.ACCESS, received, rule="G-12")
    due = clock.due(received)
    assert due.last_day == date(2026, 2, 28)
    assert due.moment == datetime(2026, 3, 1, 0, 0, tzinfo=BERLIN)
    leap = datetime(2028, 1, 31, 15, 0, tzinfo=BERLIN)
    in_leap_year = the_clock(packs, "gdpr", ClockMatter.ACCESS, leap, rule="G-12")
    assert in_leap_year.due(leap).last_day == date(2028, 2, 29)
    told = due.moment - timedelta(microseconds=1)
    assert clock.extend(told, reason="many requests").due(told).last_day == date(2026, 4, 30)
    try:
        clock.extend(due.moment, reason="many requests")
    except ClockRefusedError:
        return
    raise AssertionError("extended though the person was told too late")


def scenario_g_12_6(packs: LawPacks) -> None:
    # Without G-12 there would be no clock to pause; what is shown is only that this one may stand still.
    received = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
    pack = packs.pack("gdpr", at=received)
    assert pack is not None
    for clock in start_clocks(ClockMatter.DELETION, pack=pack, started_at=received, zone=BERLIN):
        try:
            paused = clock.pause(received + timedelta(days=2), reason="identity in doubt")
        except ClockRefusedError as error:
            raise AssertionError("it may not stand still") from error
        resumed = paused.resume(received + timedelta(days=7))
        moved = resumed.due(received + timedelta(days=7)).moment.astimezone(BERLIN)
        before = clock.due(received).moment.astimezone(BERLIN)
        assert moved.date() - before.date() == timedelta(days=5)
        assert resumed.pauses[0].reason == "identity in doubt"


def scenario_g_33(packs: LawPacks) -> None:
    # Across the night in which clocks go forward: hours are hours.
    aware = datetime(2026, 3, 27, 20, 0, tzinfo=BERLIN)
    due = the_clock(packs, "gdpr", ClockMatter.BREACH, aware, rule="G-33").due(aware)
    assert due.moment == aware.astimezone(UTC) + timedelta(hours=72)
    assert due.last_day is None
    assert not due.missed(due.moment - timedelta(microseconds=1))
    assert due.missed(due.moment)


def scenario_p_54(packs: LawPacks) -> None:
    audited = datetime(2024, 2, 29, 12, 0, tzinfo=SHANGHAI)
    clock = the_clock(packs, "pipl", ClockMatter.COMPLIANCE_AUDIT, audited, rule="P-54", persons=10_000_001)
    assert clock.due(audited).last_day == date(2026, 2, 28)
    assert none_started(packs, "pipl", ClockMatter.COMPLIANCE_AUDIT, audited, persons=10_000_000)


def scenario_p_57(packs: LawPacks) -> None:
    aware = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
    due = the_clock(packs, "pipl", ClockMatter.BREACH, aware, rule="P-57").due(aware)
    assert due.missed(aware), "at once is now"


def _report_within(rule: str, matter: ClockMatter, hours: int) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        found = datetime(2026, 6, 5, 23, 30, tzinfo=SHANGHAI)
        clock = the_clock(packs, "pipl", matter, found, rule=rule, persons=1_000_000)
        assert clock.due(found).moment == found + timedelta(hours=hours)
        assert none_started(packs, "pipl", matter, found, persons=999_999)

    return scenario


def scenario_p_57d(packs: LawPacks) -> None:
    over = datetime(2026, 2, 10, 23, 59, tzinfo=SHANGHAI)
    due = the_clock(packs, "pipl", ClockMatter.INCIDENT_SUMMARY, over, rule="P-57d").due(over)
    assert due.last_day == date(2026, 3, 12)
    assert due.moment == datetime(2026, 3, 13, 0, 0, tzinfo=SHANGHAI)


def scenario_p_clock(packs: LawPacks) -> None:
    for matter in (ClockMatter.CORRECTION, ClockMatter.DELETION, ClockMatter.WITHDRAWAL, ClockMatter.COMPLAINT):
        # Counted by hand: 1 to 8 October 2025 off, 28 September and 11 October worked.
        received = datetime(2025, 9, 22, 9, 0, tzinfo=SHANGHAI)
        due = the_clock(packs, "pipl", matter, received, rule="P-clock").due(received)
        assert due.last_day == date(2025, 10, 17)
        assert not due.provisional
        # 20 December 2026 and 15 Mondays to Fridays: the arrangement of 2027 may move it.
        late = datetime(2026, 12, 20, 9, 0, tzinfo=SHANGHAI)
        crossing = the_clock(packs, "pipl", matter, late, rule="P-clock").due(late)
        assert crossing.last_day is not None
        assert crossing.last_day >= date(2027, 1, 8)


def scenario_p_clock_30(packs: LawPacks) -> None:
    # Half an hour after midnight in Shanghai is still the day before in Greenwich; Shanghai's day counts.
    received = datetime(2026, 5, 31, 16, 30, tzinfo=UTC)
    for matter in (ClockMatter.ACCESS, ClockMatter.PORTABILITY, ClockMatter.HUMAN_REVIEW):
        due = the_clock(packs, "pipl", matter, received, rule="P-clock.30").due(received)
        assert due.last_day == date(2026, 7, 1)


SCENARIOS: dict[str, Callable[[LawPacks], None]] = {
    "G-12": scenario_g_12,
    "G-12.6": scenario_g_12_6,
    "G-33": scenario_g_33,
    "P-54": scenario_p_54,
    "P-57": scenario_p_57,
    "P-57b": _report_within("P-57b", ClockMatter.SECURITY_INCIDENT, 4),
    "P-57c": _report_within("P-57c", ClockMatter.SECURITY_INCIDENT_CRITICAL, 1),
    "P-57d": scenario_p_57d,
    "P-clock": scenario_p_clock,
    "P-clock.30": scenario_p_clock_30,
}
