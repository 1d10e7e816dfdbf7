"""How a ledger stands, by the signed word of whoever keeps it, and what a consent service makes of that word.

The service keeps the last word and takes another only from a ledger that still has the entry which the last one ended
with: each report shows that entry. Who does not know which it is (after a start, say) shows its ledger's own last one,
and is told which one is wanted.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from hanse_privacy.caps import CapStatement, Scope
from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.signed_request import TIME_TOLERANCE
from hanse_privacy.protocol.steps import Part
from hanse_privacy.protocol.vocabulary import PartyName

MOST_RUNS_REPORTED = 2_000
"""The newest runs are listed; how many came before is said."""
SMALLEST_DELTA = 1e-30
"""Below it, what the samplers themselves may err by would be most of δ."""

Epsilon = Annotated[float, Field(ge=0)]
_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


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
    epsilon_allowed: Epsilon
    epsilon_spent: Epsilon
    epsilon_remaining: Epsilon
    """What one more run may cost. Not the difference of the two: losses compose."""
    charges: int = Field(ge=0)

    @classmethod
    def of(cls, stands: CapStatement, *, now: datetime) -> Self:
        """As the ledger composed it."""
        cap = stands.cap
        return cls(
            name=cap.name,
            purpose=cap.purpose,
            operation=cap.operation,
            data_category=cap.data_category,
            period_days=cap.period_days,
            renewed_on=cap.ends(now),
            epsilon_allowed=cap.budget.epsilon,
            epsilon_spent=stands.spent_epsilon,
            epsilon_remaining=stands.remaining_epsilon,
            charges=stands.charges,
        )

    @property
    def scope(self) -> Scope:
        """What it is over."""
        return Scope(purpose=self.purpose, operation=self.operation, data_category=self.data_category)


class LedgerReport(Document):
    """What every such word has in it."""

    partner: PartyName
    """Whose vault it is about."""
    said_at: datetime
    ledger: LedgerPlace
    before: LedgerPlace
    """An entry of the same ledger, up to which the service was told of it before; its end where nobody knows that."""
    delta: float = Field(ge=SMALLEST_DELTA, lt=1)
    """At which every ε here is stated, except what runs requested."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.said_at.tzinfo is None:
            raise ValueError("said_at must name its time zone")
        if self.before.position > self.ledger.position:
            raise ValueError("before must not be after ledger")
        if self.before.position == self.ledger.position and self.before != self.ledger:
            raise ValueError("before and ledger must have one digest where they are one entry")
        return self


def said_after(before: datetime | None, *, now: datetime) -> datetime:
    """When a report is said that is to follow an earlier one, also where the clock was set back a little in between.

    Args:
        before: When the earlier one was said; none if there is none.
        now: By the clock.
    """
    if before is None or before - now > TIME_TOLERANCE:
        # Further back no request would be accepted: then the earlier time was the wrong one.
        return now
    return max(now, before + timedelta(microseconds=1))


class BudgetOutcome(StrEnum):
    """What became of a report."""

    TAKEN = "taken"
    """It is now the newest that the service has of this signer."""
    SHOW_LAST = "show-last"
    """Not taken: it is to be said again and show, as ``before``, the ledger's entry at the last position."""
    OLDER_LEDGER = "older-ledger"
    """Not taken: the ledger has not the entry with which the last report ended."""


class BudgetReceipt(Document):
    """The consent service's answer; signed, so that nobody else can tell anybody that its ledger is an older one."""

    kind: ClassVar[str] = "budget-receipt/1"

    partner: PartyName
    report: _Digest
    received_at: datetime
    outcome: BudgetOutcome
    last_position: int | None = Field(ge=0, lt=2**63)
    """Of the entry with which the signer's last report ended; none if this is its first."""
