"""What was asked of vaults costs so much: each partner's customers, and a person who is a customer of every partner."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Self

from hanse_privacy.accounting import ReleaseEvent, epsilon_as_shown
from hanse_privacy.caps import Charge


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at one round of a run.

    Args:
        run: The run.
        round: The round, from 1.
        attempt: The attempt at it, from 1.
    """

    run: str
    round: int
    attempt: int

    @classmethod
    def of(cls, charge: Charge) -> Self:
        """The one that a charge is for."""
        return cls(run=charge.run, round=charge.round, attempt=charge.attempt)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An attempt that one partner was asked for.

    Args:
        partner: The partner.
        charge: What it costs a customer of this partner, at most.
        vaults_of_unit: At so many vaults one of the run's units may be.
        at: When.
        was_answered: Whether an answer came.
    """

    partner: str
    charge: Charge
    vaults_of_unit: int
    at: datetime
    was_answered: bool

    @property
    def attempt(self) -> Attempt:
        """Which one."""
        return Attempt.of(self.charge)


@dataclass(frozen=True, kw_only=True)
class PartnerSpending:
    """What was asked of one partner.

    Args:
        partner: Its name.
        run: The run; none for all of them together.
        asked: Attempts asked.
        answered: Attempts answered.
        epsilon: What all that was asked has cost one of its customers at most, together.
    """

    partner: str
    run: str | None
    asked: int
    answered: int
    epsilon: float


def spending(asked: Iterable[Asked], *, delta: float) -> tuple[PartnerSpending, ...]:
    """What was asked of each partner: each run in the order in which they began, then all of them, at one δ."""
    found: dict[tuple[str, str | None], list[Asked]] = {}
    for one in asked:
        for key in ((one.partner, one.charge.run), (one.partner, None)):
            found.setdefault(key, []).append(one)
    # Each partner's total after its runs.
    ordered = sorted(found, key=lambda key: (key[0], key[1] is None))
    return tuple(
        PartnerSpending(
            partner=partner,
            run=run,
            asked=len(found[(partner, run)]),
            answered=sum(one.was_answered for one in found[(partner, run)]),
            epsilon=epsilon_as_shown([one.charge.event for one in found[(partner, run)]], delta=delta),
        )
        for partner, run in ordered
    )


def events_of_a_person(asked: Sequence[Asked]) -> tuple[ReleaseEvent, ...]:
    """What each attempt costs a person who is a customer of every partner that was asked for it.

    Guarantee: an upper bound for whoever is one customer at each partner or at fewer. In an attempt with k partners
    whose unit may be at m, such a person weighs k/m times the unit.
    """
    attempts: dict[Attempt, list[Asked]] = {}
    for one in asked:
        attempts.setdefault(one.attempt, []).append(one)
    return tuple(
        of_one[0].charge.event.weighing(Fraction(len(of_one), of_one[0].vaults_of_unit)) for of_one in attempts.values()
    )
