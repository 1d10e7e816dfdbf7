"""The approval of a run: that officers of one controller have allowed it, signed by the consent service.

A vault asks with a fresh nonce before it admits a run, and keeps the signed answer with the run.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from hanse_privacy.protocol.documents import Document
from hanse_privacy.protocol.vocabulary import PartyName, RunId

ProposalDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""Digest of a run proposal: approved terms cannot be exchanged for others of the same name."""

OfficerName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,79}$")]
"""The account of a compliance officer at the consent service."""

_NONCE = r"^[0-9a-f]{32}$"


class ApprovalRequest(Document):
    """A vault's question: have my controller's officers approved this run, on these terms?"""

    kind: ClassVar[str] = "approval-request/1"

    partner: PartyName
    run: RunId
    proposal: ProposalDigest
    nonce: str = Field(pattern=_NONCE)


class RunApproval(Document):
    """The consent service's answer, bound to the question by all its fields and the nonce."""

    kind: ClassVar[str] = "run-approval/1"

    partner: PartyName
    """The controller whose officers approved."""
    run: RunId
    proposal: ProposalDigest
    nonce: str = Field(pattern=_NONCE)
    approved_by: tuple[OfficerName, ...] = Field(min_length=1)
    """Officers in the order of their approvals, each once; two at least where the risk is high."""
    approved_at: datetime
    """When the last of them did."""
    high_risk: bool
    registry_version: int = Field(ge=0)
    """Version of what was registered (agreements, assessments …) when the proposal was last checked."""
    pack_versions: dict[str, str]
    """Version of each law pack that it was checked against."""
    issued_at: datetime
    """When this answer was signed."""
    expires_at: datetime
    """When the approval ends by itself; a revocation may end it earlier."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.approved_by)) != len(self.approved_by):
            raise ValueError("approved_by must name each officer once")
        if self.high_risk and len(self.approved_by) < 2:
            raise ValueError("where the risk is high, approved_by must name two officers")
        if any(moment.tzinfo is None for moment in (self.approved_at, self.issued_at, self.expires_at)):
            raise ValueError("approved_at, issued_at and expires_at must name their time zone")
        return self


@dataclass(frozen=True, kw_only=True)
class SignedApproval:
    """An approval that was verified, with the bytes that prove it to others."""

    approval: RunApproval
    signed: bytes
