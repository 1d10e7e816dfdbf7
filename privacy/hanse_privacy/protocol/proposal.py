"""The run proposal: everything a run will do, signed by the centre before it starts.

A vault admits a run by its proposal and then executes exactly the steps written there; nothing that
bears on privacy can be changed by a later message.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.aggregation.ring import Ring
from hanse_privacy.aggregation.session_keys import RunIdentity
from hanse_privacy.caps import Charge
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.guarantee import Guarantee
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.question_steps import CountQuestion, HistogramQuestion, QuantileQuestion
from hanse_privacy.protocol.steps import (
    MAXIMUM_ROUNDS,
    ChurnEvaluationStep,
    ChurnGradientStep,
    Part,
    PopularityStep,
)
from hanse_privacy.protocol.vocabulary import CountryCode, PartyName, RunId
from hanse_privacy.protocol.vouchers import VoucherText
from hanse_privacy.protocol.written_units import Unit
from hanse_privacy.release import ReleaseLayout
from hanse_privacy.roster_size import LARGEST_ROSTER
from hanse_privacy.units import PrivacyBudget

LEAST_UNITS_OF_ONE = 64
"""Integer units that a customer who counts one must be: rounding then changes a count by less than one in a hundred."""

Step = Annotated[
    PopularityStep | ChurnGradientStep | ChurnEvaluationStep | CountQuestion | HistogramQuestion | QuantileQuestion,
    Field(discriminator="operation"),
]
READS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {kind.model_fields["operation"].default: kind.reads for kind in get_args(get_args(Step)[0])}
)
"""What each operation reads of a customer, in W3C DPV terms."""


class RosterEntry(Part):
    """One vault of the run and the key its answers are signed with."""

    partner: PartyName
    public_key: str
    vouchers: tuple[VoucherText, ...] = Field(default=(), max_length=128, exclude_if=lambda texts: not texts)
    """Other partners' word that the key is this one's, for vaults that have not pinned it; left out where empty."""

    @field_validator("public_key")
    @classmethod
    def _key_parses(cls, text: str) -> str:
        try:
            PublicKey.from_text(text)
        except InvalidValueError as error:
            raise ValueError(str(error)) from error
        return text

    @property
    def key(self) -> PublicKey:
        """The vault's key, parsed."""
        return PublicKey.from_text(self.public_key)


class Recipient(Part):
    """Who receives what the run releases."""

    name: PartyName
    country: CountryCode


class RunProposal(Document):
    """Signed by the centre, checked by every vault against its own policy."""

    kind: ClassVar[str] = "run-proposal/2"

    run: RunId
    title: str = Field(min_length=1, max_length=200)
    data_categories: tuple[str, ...] = Field(min_length=1)
    """W3C DPV terms of the personal data that the steps read."""
    recipients: tuple[Recipient, ...] = Field(min_length=1)
    roster: tuple[RosterEntry, ...] = Field(min_length=1, max_length=LARGEST_ROSTER)
    catalogue: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the league's public catalogue: every vault must have read its export with this one."""
    week_one: date
    """First day of league week 1; every week of the run is counted from it."""
    minimum_cohort: int = Field(ge=1)
    """A vault with fewer consenting customers in a round refuses that round."""
    honest_minimum: int = Field(ge=1)
    """h: vaults presumed honest. Each adds a share of noise so large that h shares keep the promise: ε holds against
    the centre together with all other vaults."""
    unit: Unit
    """Whom ε and δ speak of, and over how many vaults a step's clips are divided."""
    units_per_clip: int = Field(ge=16, le=2**24)
    """Integer units per unit of norm."""
    ring_bits: Literal[32, 64] = 64
    """Sums are computed modulo 2 to this: 32 makes letters half as long and leaves room for fewer customers."""
    epsilon: float = Field(gt=0, le=100)
    """The whole run's bound, metrics included, per privacy unit."""
    delta: float = Field(gt=0, lt=1e-3)
    steps: tuple[Step, ...] = Field(min_length=1)
    created_at: datetime
    expires_at: datetime

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        partners = [entry.partner for entry in self.roster]
        if len(set(partners)) != len(partners) or len({entry.public_key for entry in self.roster}) != len(partners):
            raise ValueError("the roster must name each partner and each key once")
        if self.honest_minimum > len(partners):
            raise ValueError("honest_minimum must be at most the number of partners in the roster")
        if self.created_at.tzinfo is None or self.expires_at.tzinfo is None:
            raise ValueError("created_at and expires_at must name their time zone")
        if self.rounds > MAXIMUM_ROUNDS:
            raise ValueError(f"the steps must have at most {MAXIMUM_ROUNDS} rounds together")
        unstated = {term for step in self.steps for term in step.reads} - set(self.data_categories)
        if unstated:
            raise ValueError(f"the steps read {', '.join(sorted(unstated))}, which data_categories does not state")
        if objection := self.unit.objection(roster=len(partners)):
            raise ValueError(objection)
        vaults, units = self.unit.vaults, self.units_per_clip
        if miscounted := [fault for step in self.steps for fault in _miscounts(step, vaults=vaults, units=units)]:
            raise ValueError("; ".join(miscounted))
        cost = self.cost_epsilon()
        if cost > self.epsilon * (1 + 1e-9):
            raise ValueError(f"the steps cost epsilon {cost:.6f}, more than the stated {self.epsilon}")
        return self

    @classmethod
    def stated_budget(cls, signed: bytes) -> PrivacyBudget | None:
        """ε and δ of a signed proposal of one's own keeping, whatever else an earlier Hanse let it say.

        Returns:
            None if it states none.

        Raises:
            SignatureInvalidError: If it is no signed proposal.
        """
        payload, _, _ = cls._opened(signed)
        try:
            return PrivacyBudget(epsilon=float(payload["epsilon"]), delta=float(payload["delta"]))
        except (KeyError, TypeError, ValueError, InvalidValueError):
            return None

    @property
    def budget(self) -> PrivacyBudget:
        """The stated bound."""
        return PrivacyBudget(epsilon=self.epsilon, delta=self.delta)

    @property
    def rounds(self) -> int:
        """Rounds in all steps together; they are numbered from 1."""
        return sum(step.rounds for step in self.steps)

    def step_of(self, round_number: int) -> Step | None:
        """The step that a round belongs to; none if the run has no such round."""
        first = 1
        for step in self.steps:
            if first <= round_number < first + step.rounds:
                return step
            first += step.rounds
        return None

    def layout(self, step: Step) -> ReleaseLayout:
        """The public layout of one round's release."""
        return ReleaseLayout(
            blocks=step.blocks(),
            units=self.units_per_clip,
            noise_multiplier=step.noise_multiplier,
            honest_shares=self.honest_minimum,
            unit=self.unit,
        )

    @property
    def ring(self) -> Ring:
        """Where sums are computed."""
        return Ring(self.ring_bits)

    @property
    def identity(self) -> RunIdentity:
        """What the run's keys and masks are bound to."""
        return RunIdentity(
            run=self.run, proposal=self.digest, roster=tuple((entry.partner, entry.key) for entry in self.roster)
        )

    def events(self) -> tuple[ReleaseEvent, ...]:
        """Every release that the run will make, in order, if no attempt fails."""
        return tuple(self.layout(step).event for step in self.steps for _ in range(step.rounds))

    def events_of_a_person(self) -> tuple[ReleaseEvent, ...]:
        """The same as they cost a person who is a customer of every partner of the roster."""
        part = Fraction(len(self.roster), self.unit.vaults)
        return tuple(event.weighing(part) for event in self.events())

    def charges(self) -> tuple[Charge, ...]:
        """What the run will be charged for at each vault, in order, if no attempt fails."""
        rounds = ((number, self.step_of(number)) for number in range(1, self.rounds + 1))
        return tuple(self.charge(step, round_number=number, attempt=1) for number, step in rounds if step is not None)

    def charge(self, step: Step, *, round_number: int, attempt: int) -> Charge:
        """What one attempt at a round of a step is charged for."""
        return Charge(
            run=self.run,
            round=round_number,
            attempt=attempt,
            operation=step.operation,
            purpose=step.purpose,
            data_categories=step.reads,
            event=self.layout(step).event,
        )

    @property
    def guarantee(self) -> Guarantee:
        """What the run promises, if no attempt fails."""
        return Guarantee.of(
            self.events(),
            unit=self.unit,
            budget=self.budget,
            partners=len(self.roster),
            honest_minimum=self.honest_minimum,
        )

    def cost_epsilon(self) -> float:
        """ε of all releases at the stated δ, recomputed from the steps."""
        return epsilon_of(self.events(), delta=self.delta)

    def metrics_share(self) -> float:
        """The part of the run's privacy loss (of ρ) that buys metrics rather than the model."""
        total = spent = 0.0
        for step in self.steps:
            cost = step.rounds * float(self.layout(step).event.rho)
            total += cost
            spent += cost * step.metrics_share()
        return spent / total

    def purposes(self) -> tuple[str, ...]:
        """The purposes of all steps, each once, in order."""
        return tuple(dict.fromkeys(step.purpose for step in self.steps))

    def partners(self) -> tuple[str, ...]:
        """Names in the roster, in order."""
        return tuple(entry.partner for entry in self.roster)

    def key_of(self, partner: str) -> PublicKey:
        """The key of one partner in the roster (KeyError if it is not there)."""
        keys = {entry.partner: entry.key for entry in self.roster}
        return keys[partner]


def _miscounts(step: Step, *, vaults: int, units: int) -> Iterator[str]:
    """Blocks in which a customer would not count for one, and the sum would tell fewer or more than there are."""
    longest = step.uncut()
    for block in step.blocks():
        if block.name in longest and block.clip < vaults * longest[block.name]:
            yield (
                f"{step.operation} counts customers in {block.name} with a clip of {block.clip:g}: it must be at least"
                f" {vaults * longest[block.name]:.17g}, {vaults} times a customer's longest vector, for one unit may be"
                f" at {vaults} partners and each vault clips to its part"
            )
        elif block.name in longest and math.sqrt(block.share) * units / block.clip < LEAST_UNITS_OF_ONE:
            yield (
                f"{step.operation} counts customers in {block.name}, where one is"
                f" {math.sqrt(block.share) * units / block.clip:.3g} integer units and would be rounded: it must be at"
                f" least {LEAST_UNITS_OF_ONE}; make units_per_clip or the block's share larger, or the clip smaller"
            )
