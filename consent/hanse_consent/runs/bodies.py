"""What officers send and see of runs over HTTP. Imports no database and no web framework."""

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.moments import Moment
from hanse_consent.runs.anonymity import ModelStatus
from hanse_consent.runs.events import RunEvent
from hanse_consent.runs.standing import Ending, RunOutcome, RunStanding
from hanse_privacy.protocol.approval import ProposalDigest
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.vocabulary import PartyName, RunId


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Verdict(StrEnum):
    """What an officer decides."""

    APPROVE = "approve"
    REFUSE = "refuse"


class DecisionBody(_Body):
    """An officer's decision on a proposal."""

    controller: PartyName
    proposal: ProposalDigest
    """Digest of the terms that the officer read: a decision is about these and no others."""
    verdict: Verdict
    ending: Ending | None = None
    """Of a refusal: the officer's words, with rule and article if there is one."""

    @model_validator(mode="after")
    def _a_refusal_says_why(self) -> Self:
        if (self.verdict is Verdict.REFUSE) != (self.ending is not None):
            raise ValueError("ending belongs to a refusal, and to a refusal only")
        return self


class RevocationBody(_Body):
    """An officer takes an approval back."""

    controller: PartyName
    ending: Ending


class AnonymityBody(_Body):
    """An officer finds a released model anonymous."""

    controller: PartyName
    epsilon: float = Field(gt=0, le=1000)
    honest_minimum: int = Field(ge=1, le=128)
    audit: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    found_on: date
    valid_until: Moment


class RunSummary(_Body):
    """One line of a list of runs."""

    run: RunId
    title: str
    proposal: ProposalDigest
    standing: RunStanding
    high_risk: bool
    approved_by: tuple[str, ...]
    submitted_at: Moment
    expires_at: Moment
    """When the proposal, or its approval, ends by itself."""
    purposes: tuple[str, ...]
    epsilon: float
    """The run's own bound on its privacy loss, metrics included."""
    delta: float


class RunDetail(RunSummary):
    """Everything about a run at one controller."""

    document: RunProposal
    """The proposal itself."""
    registry_version: int
    pack_versions: dict[str, str]
    mismatches: tuple[str, ...]
    outcome: RunOutcome | None
    model: ModelStatus
    """How a released model is to be treated by this controller."""
    events: tuple[RunEvent, ...]
    """What happened, in order; times in microseconds since 1970."""


class RunPage(_Body):
    """Runs, the newest first."""

    runs: tuple[RunSummary, ...]
    next: str | None
    """Send it as ``after`` for the next page; none on the last."""
