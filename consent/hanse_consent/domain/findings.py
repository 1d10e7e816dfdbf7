"""What an officer must see that is no decision about one customer, as it travels. Names no customer."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.names import PackName, ReasonCode, RuleId
from hanse_privacy.protocol.vocabulary import PartyName

_LINE = r"^[^\x00-\x1f\x7f]*$"
"""One line of text: shown in terminals."""


class ComplianceFinding(BaseModel):
    """One thing that a controller does not have in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: RuleId
    article: str = Field(max_length=120, pattern=_LINE)
    code: ReasonCode
    """Stable, for programs."""
    words: str = Field(max_length=2000, pattern=_LINE)
    """What it is about: the paper and its date, or how many customers; never which."""


class FindingReport(BaseModel):
    """Everything that one controller does not have in order at a moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName
    found_at: datetime
    registry_version: int = Field(ge=0)
    pack_versions: dict[PackName, str]
    findings: tuple[ComplianceFinding, ...]
