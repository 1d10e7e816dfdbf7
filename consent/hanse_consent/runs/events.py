"""What happens to a run at one controller: append-only, and all there is; its state is computed from these."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hanse_consent.domain.moments import Moment
from hanse_consent.runs.standing import Ending, Finding, RunOutcome
from hanse_privacy.protocol.approval import OfficerName


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    at_us: int = Field(ge=0)
    """When, by the service's clock: microseconds since 1970."""


class Checked(_Event):
    """The proposal was held against the law packs, the agreements and the records of this controller."""

    kind: Literal["checked"] = "checked"
    findings: tuple[Finding, ...]
    """What forbids it; nothing, if officers may decide."""
    high_risk: bool
    """Then two officers have to approve."""
    registry_version: int = Field(ge=0)
    pack_versions: dict[str, str]
    approval_lasts_us: int = Field(gt=0)
    """How long an approval lasts that is completed after this check."""

    @property
    def officers_needed(self) -> int:
        """How many different officers must approve."""
        return 2 if self.high_risk else 1


class OfficerApproved(_Event):
    """One officer approved."""

    kind: Literal["officer-approved"] = "officer-approved"
    officer: OfficerName


class OfficerRefused(_Event):
    """One officer refused: that ends the run here."""

    kind: Literal["officer-refused"] = "officer-refused"
    officer: OfficerName
    ending: Ending


class Revoked(_Event):
    """An officer took the approval back: the next round is without this controller's customers."""

    kind: Literal["revoked"] = "revoked"
    officer: OfficerName
    ending: Ending


class CohortMismatched(_Event):
    """A vault reported that it used another cohort than its manifest named."""

    kind: Literal["cohort-mismatched"] = "cohort-mismatched"
    why: str = Field(min_length=1, max_length=500)
    """Which round, and what did not match; never who."""


class OutcomeRecorded(_Event):
    """The centre said what became of the run."""

    kind: Literal["outcome-recorded"] = "outcome-recorded"
    outcome: RunOutcome


class AnonymityFound(_Event):
    """An officer found that the released model is anonymous, for this controller and until a date."""

    kind: Literal["anonymity-found"] = "anonymity-found"
    officer: OfficerName
    epsilon: float = Field(gt=0)
    """The bound on the privacy loss that the finding rests on: at least what the run spent."""
    honest_minimum: int = Field(ge=1)
    """How many vaults it presumes honest: as many as the proposal did."""
    audit: str = Field(min_length=1, max_length=200)
    """Reference of the audit that it rests on."""
    found_on: date
    valid_until: Moment


RunEvent = Annotated[
    Checked | OfficerApproved | OfficerRefused | Revoked | CohortMismatched | OutcomeRecorded | AnonymityFound,
    Field(discriminator="kind"),
]

RUN_EVENT: TypeAdapter[RunEvent] = TypeAdapter(RunEvent)
"""Reads and writes events as JSON."""
