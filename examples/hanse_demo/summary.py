"""``summary.json``: what a demo run found, in two blocks that must never be mixed up.

``released`` is what the centre of a real league gets: noised, with its ε and intervals. ``demo_oracle``
is exact and computed by the harness, which owns all the data; no party of a real league could see it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hanse_server.questions.answer import Answer


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Interval(_Part):
    """A released value and its 95 % interval; null where the noise leaves nothing to say."""

    value: float | None
    low: float | None
    high: float | None


class ReleasedItem(_Part):
    """One item of the released popularity: the share of customers who bought it."""

    name: str
    share: Interval


class ReleasedRun(_Part):
    """One run as the centre knows it."""

    run: str
    title: str
    purposes: tuple[str, ...]
    partners: tuple[str, ...]
    unit: str
    epsilon_stated: float
    epsilon_recorded: dict[str, float]
    """Per partner, recomputed from the release events in its vault's own ledger."""
    delta: float
    metrics_share: float
    """Part of the privacy loss (of ρ) that bought metrics."""
    rounds: int
    seconds: float
    customers: Interval | None = None
    """Noised once per run; none where the run does not count them by themselves."""
    auc: Interval | None = None
    popular_items: tuple[ReleasedItem, ...] = ()
    answer: Answer | None = None
    """Of a question."""


class Released(_Part):
    """All that leaves the partners."""

    runs: tuple[ReleasedRun, ...]
    not_yet: tuple[str, ...]
    """What this version does not do yet, in plain words."""


class Estimate(_Part):
    """An exact figure over ``customers`` customers and its standard error; null where nobody could be evaluated."""

    value: float | None
    standard_error: float | None
    customers: int


class RecommenderRow(_Part):
    """One recommender at one partner, four target weeks; at 10 recommendations."""

    statistics: Literal["own data, consented", "own data, all customers", "league"]
    recall_all: Estimate
    ndcg_all: Estimate
    recall_repeat: Estimate
    ndcg_repeat: Estimate
    recall_explore: Estimate
    ndcg_explore: Estimate
    recall_cold_0: Estimate
    """Customers of whom no basket is seen."""
    recall_cold_1: Estimate
    recall_cold_3: Estimate


class LeagueGain(_Part):
    """League less own data (consented), paired over the same customers."""

    recall_all: Estimate
    recall_explore: Estimate
    recall_cold_0: Estimate
    recall_cold_1: Estimate
    recall_cold_3: Estimate


class ChurnRow(_Part):
    """One churn model's AUC on one partner's customers."""

    statistics: Literal["own data, consented", "own data, all customers", "league"]
    auc: Estimate


class PartnerTruth(_Part):
    """The exact state of one partner."""

    partner: str
    customers: int
    consented: dict[str, int]
    """Customers who granted each purpose before the first run."""
    withdrew: int
    cohort_by_round: dict[str, tuple[int, ...]]
    """For each run, the customers whom each round really used."""
    recommenders: tuple[RecommenderRow, ...] = ()
    gain: LeagueGain | None = None
    churn: tuple[ChurnRow, ...] = ()


class MultiplePartners(_Part):
    """What the stated ε means for a household that shops at k partners of the league.

    Its k clipped vectors meet in the league's one sum, against one noise, and may all point the same way: a run that
    costs ρ (zCDP) for a unit with m vectors at most costs the household (k/m)²·ρ; m is 1 for a customer at one partner.
    """

    partners: int
    households: int | None
    """Null where nobody can know it, not even the harness."""
    epsilon: dict[str, float]
    """Per run: ε of (k/m)²·ρ, at the run's own δ."""


class DemoOracle(_Part):
    """Exact figures, visible to no party of a real league."""

    note: str
    partners: tuple[PartnerTruth, ...]
    churn_all_partners: tuple[ChurnRow, ...] = ()
    churn_difference: Estimate | None = None
    """League less own data (consented), over all partners' customers, paired."""
    multiple_partners: tuple[MultiplePartners, ...] = ()


class Summary(_Part):
    """All of ``summary.json``."""

    version: Literal[1] = 1
    league: str
    data: str
    """Where the purchases come from."""
    grants: str
    """How consent was drawn, for it is in no data set."""
    seconds: float = Field(gt=0)
    """Wall time from start to report, after installation."""
    peak_pss_mb: float = Field(gt=0)
    """Largest proportional set size of all processes together, in 10^6 bytes."""
    released: Released
    demo_oracle: DemoOracle
