"""A vault's word on its budget: every cap, every run, and the ledger entry up to which this is said.

The vault signs it for its own controller's consent service, whose officers read it before they approve a run.
"""

from typing import ClassVar

from pydantic import Field

from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED, Epsilon, LedgerReport, ReportedCap
from hanse_privacy.protocol.steps import Part
from hanse_privacy.protocol.vocabulary import RunId

MOST_CAPS_REPORTED = 200


class ReportedRun(Part):
    """What a run asked for and has cost."""

    run: RunId
    state: str = Field(max_length=32)
    """Where it stands at this vault; ``unknown`` if only the ledger knows the run."""
    epsilon_requested: Epsilon | None
    """The most that it was proposed with, at ``delta_requested``; none where that is not known any more."""
    delta_requested: float | None = Field(gt=0, lt=1)
    epsilon_spent: Epsilon
    """What its attempts have cost, at the report's δ."""
    attempts: int = Field(ge=0)
    """How many were paid."""


class BudgetReport(LedgerReport):
    """All of it, at one moment."""

    kind: ClassVar[str] = "budget-report/1"

    caps: tuple[ReportedCap, ...] = Field(min_length=1, max_length=MOST_CAPS_REPORTED)
    """The one over everything first."""
    runs: tuple[ReportedRun, ...] = Field(max_length=MOST_RUNS_REPORTED)
    """In the order in which they were proposed."""
    earlier_runs: int = Field(ge=0)
    """So many more came before those listed; the caps count them, too."""
