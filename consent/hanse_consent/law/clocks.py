"""Time limits as pure state: a clock starts, may stand still or be extended, and says when it is due.

How time is counted:

- Days, working days and months are days of the calendar where the law applies: the caller names the time zone. The
  day of the event is not counted (Regulation (EEC, Euratom) 1182/71, Art. 3(1); Civil Code of China, Art. 201). A
  month ends on the same date of a later month, or on that month's last day if it has no such date (Art. 3(2)(c)).
  The last day counts whole: due is the midnight that ends it.
- Hours are sixty minutes each from the event itself, which is never later than the Regulation's count.
- Where the last day is a holiday or a weekend the law may give more time (Art. 3(4); Civil Code of China, Art. 203).
  That is not applied, for no country: clocks here are due on that day itself, never later than the law's.
- Working days of China whose arrangement is not published yet count as Monday to Friday, and the answer is
  provisional.
"""

import calendar
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from hanse_consent.law.clock_rules import AtOnce, ClockMatter, ClockRule, Days, Hours, Months, PauseAllowed, Period
from hanse_consent.law.errors import ClockRefusedError
from hanse_consent.law.packs import LawPack
from hanse_consent.law.working_days import CountedDay, add_working_days
from hanse_privacy.errors import InvalidValueError

_ONE_DAY = timedelta(days=1)
_NOTHING = timedelta()


def add_months(day: date, months: int) -> date:
    """The same date so many months later, or the last day of that month if it has no such date."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When a clock runs out.

    Args:
        moment: First moment that is too late, in UTC; what is done before it is in time.
        last_day: The last day on which it can be done, where the clock counts days; none where it counts hours.
        provisional: Whether it may still move: the clock stands still, or a holiday arrangement is not published.
        rule: The rule that says so.
    """

    moment: datetime
    last_day: date | None
    provisional: bool
    rule: ClockRule

    def missed(self, now: datetime) -> bool:
        """Whether it is too late."""
        return now >= self.moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A time in which the clock stands still, with its reason; open while nobody has resumed it."""

    from_moment: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """More time, of which the person was told, with the reason."""

    told_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One time limit under one rule. Every change gives a new clock; the old one stays as it was.

    Args:
        rule: Says how long it runs.
        period: The rule's condition.
        matter: What it is about.
        pause_rule: The rule under which it may stand still; none if it may not.
        started_at: When the event happened, in UTC.
        zone: Whose calendar counts.
        pauses: In order of time; only the last may be open.
        extension: At most one.
    """

    rule: ClockRule
    period: Period
    matter: ClockMatter
    pause_rule: ClockRule | None
    started_at: datetime
    zone: ZoneInfo
    pauses: tuple[Pause, ...] = ()
    extension: Extension | None = None

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return bool(self.pauses) and self.pauses[-1].until is None

    def due(self, now: datetime) -> Due:
        """When it runs out; while it stands still, as if it were resumed now."""
        return self._due(_in_utc(now), extended=self.extension is not None)

    def pause(self, at: datetime, *, reason: str) -> Self:
        """Let it stand still while the person's identity is in doubt (GDPR 12(6)).

        Raises:
            ClockRefusedError: If no rule allows it, the clock stands still already or has run out, or time goes back.
        """
        if self.pause_rule is None:
            raise ClockRefusedError(
                f"A clock of {self.rule.article} about {self.matter.value} cannot stand still.", "Let it run."
            )
        at = _in_utc(at)
        self._require_running(at)
        return replace(self, pauses=(*self.pauses, Pause(from_moment=at, until=None, reason=_stated(reason))))

    def resume(self, at: datetime) -> Self:
        """Let it run on.

        Raises:
            ClockRefusedError: If it does not stand still, or time goes back.
        """
        if not self.paused:
            raise ClockRefusedError("The clock is running already.", "Resume only a clock that stands still.")
        at = _in_utc(at)
        self._require_forward(at)
        return replace(self, pauses=(*self.pauses[:-1], replace(self.pauses[-1], until=at)))

    def extend(self, told_at: datetime, *, reason: str) -> Self:
        """Extend it, once, because the person was told before it ran out (GDPR 12(3)).

        Raises:
            ClockRefusedError: If the rule knows no extension, it is extended already, or the person was told too late.
        """
        if not isinstance(self.period, Months) or not self.period.extension_months:
            raise ClockRefusedError(f"{self.rule.article} knows no extension.", "Answer in time.")
        if self.extension is not None:
            raise ClockRefusedError("The clock is extended already.", "It can be extended once only.")
        told_at = _in_utc(told_at)
        if told_at < self.started_at:
            raise ClockRefusedError("The person was told before the clock started.", "Give the right moment.")
        limit = self._due(told_at, extended=False)
        if limit.missed(told_at):
            raise ClockRefusedError(
                f"The person had to be told before {limit.moment.isoformat()}; it was {told_at.isoformat()}.",
                "The extension does not count: answer at once.",
            )
        return replace(self, extension=Extension(told_at=told_at, reason=_stated(reason)))

    def _require_running(self, at: datetime) -> None:
        if self.paused:
            raise ClockRefusedError("The clock stands still already.", "Resume it first.")
        self._require_forward(at)
        if self.due(at).missed(at):
            raise ClockRefusedError("The clock has run out.", "A limit that is missed cannot be put off.")

    def _require_forward(self, at: datetime) -> None:
        latest = self.started_at
        if self.pauses:
            latest = self.pauses[-1].until or self.pauses[-1].from_moment
        if at < latest:
            raise ClockRefusedError(
                f"{at.isoformat()} is before {latest.isoformat()}, when the clock last changed.",
                "Give moments in the order in which they happened.",
            )

    def _due(self, now: datetime, *, extended: bool) -> Due:
        stood_still = sum(
            ((pause.until or max(now, pause.from_moment)) - pause.from_moment for pause in self.pauses), start=_NOTHING
        )
        match self.period:
            case AtOnce():
                return self._due_at(self.started_at + stood_still)
            case Hours(hours=hours):
                return self._due_at(self.started_at + timedelta(hours=hours) + stood_still)
            case Days(days=days):
                last = CountedDay(day=self._first_day + timedelta(days=days), provisional=False)
            case Months(months=months, extension_months=more):
                day = add_months(self._first_day, months + more if extended else months)
                last = CountedDay(day=day, provisional=False)
            case _:
                last = add_working_days(self._first_day, self.period.days)
        # Whole days only: a pause of some hours moves no day.
        day = last.day + stood_still // _ONE_DAY * _ONE_DAY
        midnight = datetime.combine(day + _ONE_DAY, datetime.min.time(), tzinfo=self.zone)
        return Due(
            moment=midnight.astimezone(UTC),
            last_day=day,
            provisional=last.provisional or self.paused,
            rule=self.rule,
        )

    @property
    def _first_day(self) -> date:
        return self.started_at.astimezone(self.zone).date()

    def _due_at(self, moment: datetime) -> Due:
        return Due(moment=moment, last_day=None, provisional=self.paused, rule=self.rule)


def start_clocks(
    matter: ClockMatter, *, pack: LawPack, started_at: datetime, zone: ZoneInfo, persons: int = 0
) -> tuple[Clock, ...]:
    """Start every clock that a law pack sets for a matter; none if it sets none.

    Args:
        matter: What happened.
        pack: The law's version in force when it happened; for several laws that apply, start the clocks of each.
        started_at: When it happened.
        zone: The legal time of the place where the pack applies, such as that of Berlin or Shanghai.
        persons: How many persons are concerned; some clocks start only from a number on.

    Raises:
        InvalidValueError: If a moment has no time zone.
    """
    pauses = [rule for rule in pack.clocks if isinstance(rule.condition, PauseAllowed) and matter in rule.matters]
    return tuple(
        Clock(
            rule=rule,
            period=rule.condition,
            matter=matter,
            pause_rule=pauses[0] if pauses else None,
            started_at=_in_utc(started_at),
            zone=zone,
        )
        for rule in pack.clocks
        if matter in rule.matters and not isinstance(rule.condition, PauseAllowed)
        if persons >= rule.condition.from_persons
    )


def _in_utc(moment: datetime) -> datetime:
    # Within one time zone Python adds and compares wall clocks, which jump twice a year.
    if moment.tzinfo is None:
        raise InvalidValueError(f"{moment.isoformat()} has no time zone.", "Say in which zone it is meant.")
    return moment.astimezone(UTC)


def _stated(reason: str) -> str:
    if not reason.strip():
        raise ClockRefusedError("No reason is given.", "State why: the person and the authority may ask.")
    return reason
