"""A vault's word on its budget: every cap, every run, and the ledger entry up to which this is said.

The vault signs it for its own controller's consent service, whose officers read it before they approve a run. The
service keeps the last one, and takes another only from a ledger that still has the entry which the last one ended with:
each report shows that entry. A vault that does not know which it is (it has just started, say) shows its own last one,
and is told which one is wanted.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from hanse_privacy.caps import Scope
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.steps import Part
from hanse_privacy.protocol.vocabulary import PartyName, RunId

MOST_RUNS_REPORTED = 2_000
"""The newest runs are listed; how many came before is said."""
MOST_CAPS_REPORTED = 200
SMALLEST_DELTA = 1e-30
"""Below it, what the samplers themselves may err by would be most of δ."""

_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Epsilon = Annotated[float, Field(ge=0)]


class LedgerPlace(Part):
    """The last entry of a ledger."""

    position: int = Field(ge=0, lt=2**63)
    """0 for an empty ledger."""
    head: _Digest
    """The entry's digest, and through it that of all before."""


class ReportedCap(Part):
    """How a cap stands, in the period that the report is of."""

    name: str = Field(min_length=1, max_length=60)
    purpose: str | None = None
    operation: str | None = None
    data_category: str | None = None
    period_days: int | None = Field(default=None, ge=1)
    renewed_on: date | None = None
    """First day of the next period; none for a cap that is never renewed."""
    epsilon_allowed: _Epsilon
    epsilon_spent: _Epsilon
    epsilon_remaining: _Epsilon
    """What one more run may cost. Not the difference of the two: losses compose."""
    charges: int = Field(ge=0)

    @property
    def scope(self) -> Scope:
        """What it is over."""
        return Scope(purpose=self.purpose, operation=self.operation, data_category=self.data_category)


class ReportedRun(Part):
    """What a run asked for and has cost."""

    run: RunId
    state: str = Field(max_length=32)
    """Where it stands at this vault; ``unknown`` if only the ledger knows the run."""
    epsilon_requested: _Epsilon | None
    """The most that it was proposed with, at ``delta_requested``; none where that is not known any more."""
    delta_requested: float | None = Field(gt=0, lt=1)
    epsilon_spent: _Epsilon
    """What its attempts have cost, at the report's δ."""
    attempts: int = Field(ge=0)
    """How many were paid."""


class BudgetReport(Document):
    """All of it, at one moment."""

    kind: ClassVar[str] = "budget-report/1"

    partner: PartyName
    said_at: datetime
    ledger: LedgerPlace
    before: LedgerPlace
    """An entry of the same ledger, up to which the service was told of it before; its end where nobody knows that."""
    delta: float = Field(ge=SMALLEST_DELTA, lt=1)
    """At which every ε here is stated, except what runs requested."""
    caps: tuple[ReportedCap, ...] = Field(min_length=1, max_length=MOST_CAPS_REPORTED)
    """The one over everything first."""
    runs: tuple[ReportedRun, ...] = Field(max_length=MOST_RUNS_REPORTED)
    """In the order in which they were proposed."""
    earlier_runs: int = Field(ge=0)
    """So many more came before those listed; the caps count them, too."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.said_at.tzinfo is None:
            raise ValueError("said_at must name its time zone")
        if self.before.position > self.ledger.position:
            raise ValueError("before must not be after ledger")
        if self.before.position == self.ledger.position and self.before != self.ledger:
            raise ValueError("before and ledger must have one digest where they are one entry")
        return self


class BudgetOutcome(StrEnum):
    """What became of a report."""

    TAKEN = "taken"
    """It is now the newest that the service has of this vault."""
    SHOW_LAST = "show-last"
    """Not taken: the vault says it again and shows, as ``before``, its ledger's entry at the last position."""
    OLDER_LEDGER = "older-ledger"
    """Not taken: the ledger has not the entry with which the last report ended."""


class BudgetReceipt(Document):
    """The consent service's answer; signed, so that nobody else can tell a vault that its ledger is an older one."""

    kind: ClassVar[str] = "budget-receipt/1"

    partner: PartyName
    report: _Digest
    received_at: datetime
    outcome: BudgetOutcome
    last_position: int | None = Field(ge=0, lt=2**63)
    """Of the entry with which the vault's last report ended; none if this is its first."""
