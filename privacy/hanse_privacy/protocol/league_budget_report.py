"""A centre's word on the league's ledger: what it asked of one partner's vault, and what a person loses in all.

No vault sees every run, so none knows what a person who is a customer of several partners has lost. The centre does; it
signs this for the consent service of each partner, whose officers read it beside their own vault's word.
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED, Epsilon, LedgerPlace, LedgerReport, ReportedCap
from hanse_privacy.protocol.steps import Part
from hanse_privacy.protocol.vocabulary import PartyName, RunId


class ReportedAsking(Part):
    """What was asked of a partner's vault in one run, and what that has cost."""

    run: RunId
    epsilon_requested: Epsilon | None
    """The most that it was proposed with, at ``delta_requested``; none where that is not known any more."""
    delta_requested: float | None = Field(gt=0, lt=1)
    asked: int = Field(ge=0)
    """Attempts that the vault was asked for; each is charged, answered or not."""
    answered: int = Field(ge=0)
    epsilon_asked: Epsilon
    """What they have cost a customer of this partner, at the report's δ."""
    epsilon_of_a_person: Epsilon
    """What the run has cost a person who is a customer of every partner of its roster."""


class VaultsWord(Part):
    """How far a vault's own ledger went by its last signed word to the centre."""

    key: str = Field(max_length=64)
    """Fingerprint of the vault's key."""
    ledger: LedgerPlace


class LeagueBudgetReport(LedgerReport):
    """All of it, at one moment."""

    kind: ClassVar[str] = "league-budget-report/1"

    centre: PartyName
    """Who keeps the ledger, and signs."""
    person: ReportedCap
    """What all runs together may cost a person who is a customer of every partner."""
    epsilon_asked: Epsilon
    """What all that was ever asked of this partner has cost one of its customers."""
    runs: tuple[ReportedAsking, ...] = Field(max_length=MOST_RUNS_REPORTED)
    """In the order in which they were first asked for."""
    earlier_runs: int = Field(ge=0)
    """So many more came before those listed; they are counted, too."""
    vault: VaultsWord | None
    """None if the vault never gave one under the key that the centre knows now."""

    @model_validator(mode="after")
    def _all_runs_are_listed_that_can_be(self) -> Self:
        # Else runs could be left out that the vault paid for, and nobody would miss them.
        if self.earlier_runs and len(self.runs) < MOST_RUNS_REPORTED:
            raise ValueError(f"earlier_runs must be 0 where fewer than {MOST_RUNS_REPORTED} runs are listed")
        return self
