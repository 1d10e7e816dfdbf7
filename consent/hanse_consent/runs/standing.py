"""Where a run stands at each controller, as it travels to the centre. Imports no database and no web framework."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_privacy.protocol.approval import ProposalDigest
from hanse_privacy.protocol.vocabulary import PartyName, RunId

_LINE = r"^[^\x00-\x1f\x7f]*$"
"""One line of text: shown in terminals, and written by others."""


class RunStage(StrEnum):
    """Where a run stands at one controller."""

    PROPOSED = "proposed"
    """Submitted, not yet checked."""
    REFUSED_BY_CHECK = "refused-by-check"
    """Some law, agreement or record forbids it, whoever would approve."""
    AWAITING = "awaiting"
    """Needs officers."""
    APPROVED = "approved"
    REFUSED = "refused"
    """An officer said no."""
    REVOKED = "revoked"
    """An officer took an approval back."""
    EXPIRED = "expired"
    FLAGGED = "flagged"
    """A vault used other customers than its manifest named."""
    FINISHED = "finished"
    """The centre has recorded the outcome."""

    @property
    def is_open(self) -> bool:
        """Whether officers may still decide it."""
        return self in (RunStage.PROPOSED, RunStage.AWAITING)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Part):
    """What forbids a run at one controller."""

    rule: str = Field(max_length=40, pattern=_LINE)
    """Id of the rule, such as ``G-26``."""
    article: str = Field(max_length=120, pattern=_LINE)
    code: str = Field(max_length=48, pattern=_LINE)
    what: str = Field(max_length=500, pattern=_LINE)
    """Which step, recipient or date it is about."""


class Ending(_Part):
    """An officer's refusal or revocation, in the officer's words."""

    words: str = Field(min_length=1, max_length=500, pattern=_LINE)
    rule: str = Field(default="", max_length=40, pattern=_LINE)
    article: str = Field(default="", max_length=120, pattern=_LINE)


class RunStanding(_Part):
    """Where a run stands at one controller. Officers' names stay with their controller."""

    controller: PartyName
    stage: RunStage
    officers_needed: int = Field(ge=0)
    officers_approved: int = Field(ge=0)
    findings: tuple[Finding, ...] = ()
    ending: Ending | None = None

    def in_words(self) -> str:
        """One line for whoever waits."""
        reasons = [f"{finding.rule} ({finding.article}): {finding.what}" for finding in self.findings]
        if self.ending is not None:
            cited = " ".join(part for part in (self.ending.rule, self.ending.article) if part)
            reasons.append(f"{self.ending.words}{f' [{cited}]' if cited else ''}")
        if self.stage.is_open:
            reasons.append(f"{self.officers_approved} of {self.officers_needed} officers approved")
        reasons_in_brackets = f" ({'; '.join(reasons)})" if reasons else ""
        return f"{self.controller}: {self.stage.value}{reasons_in_brackets}"


class RunReport(_Part):
    """Where a run stands at every controller that one service serves."""

    run: RunId
    proposal: ProposalDigest
    standings: tuple[RunStanding, ...]

    @model_validator(mode="after")
    def _each_controller_once(self) -> Self:
        if len({standing.controller for standing in self.standings}) != len(self.standings):
            raise ValueError("standings must name each controller once")
        return self


class RunOutcome(_Part):
    """What became of a run, as the centre records it."""

    proposal: ProposalDigest
    completed: bool
    """Whether every round was answered and the result released."""
    result_sha256: ProposalDigest | None = None
    """Digest of the released result; none if nothing was released."""
    rounds: int = Field(ge=0)
    """Rounds that were begun: each of them is paid for."""
    epsilon_spent: float = Field(ge=0, le=1000, allow_inf_nan=False)
    """ε of those rounds together, at the proposal's δ."""

    @model_validator(mode="after")
    def _a_completed_run_has_a_result(self) -> Self:
        if self.completed != (self.result_sha256 is not None):
            raise ValueError("result_sha256 belongs to a completed run, and to a completed run only")
        return self
