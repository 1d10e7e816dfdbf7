"""Caps on what may ever be spent: one for a lifetime, and narrower ones below it.

A cap counts events and recomposes them; it is never a sum of ε. The lifetime cap counts every event and is never
renewed. A sub-cap counts the events of one purpose, of one operation, of one kind of data, of the current period, or of
any of these together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction

from hanse_privacy.accounting import ReleaseEvent, epsilon_as_shown, epsilon_from_rho, rho_for, total_rho
from hanse_privacy.errors import HanseError
from hanse_privacy.units import PrivacyBudget
from hanse_privacy.validation import require, require_at_least

LIFETIME = "lifetime"
"""The name of the cap over everything."""


class BudgetExhaustedError(HanseError):
    """A release or a run would pass a cap; it is refused before anything leaves."""

    code = "BUDGET_EXHAUSTED"


@dataclass(frozen=True, kw_only=True)
class Charge:
    """One release, and what it is charged to.

    Args:
        run: The run.
        round: The round, from 1.
        attempt: The attempt at it, from 1.
        operation: What is computed.
        purpose: What its customers said yes to.
        data_categories: What was read of a customer, in W3C DPV terms; empty where it was not written down.
        event: What it costs.
    """

    run: str
    round: int
    attempt: int
    operation: str
    purpose: str
    data_categories: tuple[str, ...]
    event: ReleaseEvent

    def __post_init__(self) -> None:
        require_at_least(1, round=self.round, attempt=self.attempt)


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which charges a cap is over, apart from when they were made; what is none makes no difference.

    Args:
        purpose: Of this purpose only.
        operation: Of this operation only.
        data_category: Of what read this kind of data only (a W3C DPV term), by itself or with others.
    """

    purpose: str | None
    operation: str | None
    data_category: str | None

    def holds(self, charge: Charge) -> bool:
        """Whether a charge is in it.

        Edge case: a charge of which nobody wrote down what it read counts as having read everything.
        """
        return (
            self.purpose in (None, charge.purpose)
            and self.operation in (None, charge.operation)
            and (
                self.data_category is None or not charge.data_categories or self.data_category in charge.data_categories
            )
        )

    def __str__(self) -> str:
        parts = (self.purpose, self.operation, self.data_category)
        return ", ".join(part for part in parts if part is not None) or "everything"


_EVERYTHING = Scope(purpose=None, operation=None, data_category=None)


@dataclass(frozen=True, kw_only=True)
class Cap:
    """The most that some charges may cost together.

    Args:
        name: What people call it.
        budget: The most.
        purpose: Of this purpose only; none for all.
        operation: Of this operation only; none for all.
        data_category: Of what read this kind of data only; none for all.
        period_days: Renewed after so many days; none for never.
        first_day: Periods are counted from here.
    """

    name: str
    budget: PrivacyBudget
    purpose: str | None = None
    operation: str | None = None
    data_category: str | None = None
    period_days: int | None = None
    first_day: date = date(1970, 1, 1)

    def __post_init__(self) -> None:
        if self.period_days is not None:
            require_at_least(1, period_days=self.period_days)
        require(
            self.name != LIFETIME or (self.scope, self.period_days) == (_EVERYTHING, None),
            name="name",
            value=self.name,
            bound=f"another one than {LIFETIME!r} for a cap that does not count everything",
        )

    def counts(self, charge: Charge, *, at: datetime, now: datetime) -> bool:
        """Whether a charge of some moment counts against the cap now."""
        return self.scope.holds(charge) and self._period(at) == self._period(now)

    @property
    def scope(self) -> Scope:
        """What it is over."""
        return Scope(purpose=self.purpose, operation=self.operation, data_category=self.data_category)

    def ends(self, now: datetime) -> date | None:
        """The first day of the next period; none if the cap is never renewed."""
        if self.period_days is None:
            return None
        return date.fromordinal(self.first_day.toordinal() + (self._period(now) + 1) * self.period_days)

    def _period(self, at: datetime) -> int:
        if self.period_days is None:
            return 0
        return (at.astimezone(UTC).date() - self.first_day).days // self.period_days


@dataclass(frozen=True, kw_only=True)
class CapStatement:
    """How a cap stands.

    Args:
        cap: The cap.
        spent_epsilon: What the charges that count have cost together.
        remaining_epsilon: What one more run may cost, at the cap's δ. Not the difference of the two: losses compose.
        charges: How many count.
    """

    cap: Cap
    spent_epsilon: float
    remaining_epsilon: float
    charges: int


def state(cap: Cap, events: Iterable[ReleaseEvent]) -> CapStatement:
    """Compose the events that count against a cap."""
    counted = list(events)
    left = Fraction(rho_for(cap.budget)) - total_rho(counted)
    return CapStatement(
        cap=cap,
        spent_epsilon=epsilon_as_shown(counted, delta=cap.budget.delta),
        remaining_epsilon=epsilon_from_rho(max(left, Fraction(0)), delta=cap.budget.delta),
        charges=len(counted),
    )


@dataclass(frozen=True, kw_only=True)
class CapOwner:
    """Whose cap it is, as an error says it.

    Args:
        whose: Before the cap's name, such as "this vault's".
        of_whom: After ε, where it is not one customer of one partner.
        decides: Who may change it, after "or".
    """

    whose: str
    of_whom: str
    decides: str


def exhausted(
    cap: Cap, *, spent: Sequence[ReleaseEvent], asked: Sequence[ReleaseEvent], run: str, now: datetime, owner: CapOwner
) -> BudgetExhaustedError:
    """The refusal of what would pass a cap together with what was spent of it, with all numbers in it.

    Args:
        cap: The cap.
        spent: The events that count against it.
        asked: Those that would.
        run: Whose they are.
        now: Says when the cap is renewed.
        owner: Whose cap it is.
    """
    delta, stands = cap.budget.delta, state(cap, spent)
    renewed = f"; it is renewed on {cap.ends(now)}" if cap.period_days is not None else ""
    return BudgetExhaustedError(
        f"Run {run} asks for ε = {epsilon_as_shown(asked, delta=delta):.3f}{owner.of_whom}; ε ="
        f" {stands.spent_epsilon:.3f} is spent, and both together are ε ="
        f" {epsilon_as_shown([*spent, *asked], delta=delta):.3f}, above {owner.whose} {cap.name} cap of"
        f" {cap.budget.epsilon:.3f} (δ = {delta:g}), which leaves ε = {stands.remaining_epsilon:.3f} for one more"
        f" run{renewed}.",
        f"Ask for less, or {owner.decides}.",
    )
