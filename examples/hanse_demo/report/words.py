"""What the numbers say, in words; every sentence is made from the figures of the run it is about."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hanse_demo.report.numbers import counted, duration, epsilon, epsilon_is, signed
from hanse_demo.report.page_parts import listed
from hanse_demo.summary import (
    ChurnRow,
    Estimate,
    LeagueGain,
    PartnerTruth,
    RecommenderRow,
    ReleasedRun,
    Summary,
)
from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_server.pictures.decimals import decimal

_FLOAT_SLACK = 1e-9


class Verdict(StrEnum):
    """What a paired difference and its standard error allow to be said."""

    BETTER = "better"
    WORSE = "worse"
    NOT_CLEAR = "not clear"
    UNKNOWN = "unknown"


def verdict(gain: Estimate) -> Verdict:
    """Judge a difference by its 95 % interval; without a value or an error nothing is said."""
    if gain.value is None or gain.standard_error is None:
        return Verdict.UNKNOWN
    if abs(gain.value) <= NORMAL_95 * gain.standard_error:
        return Verdict.NOT_CLEAR
    return Verdict.BETTER if gain.value > 0 else Verdict.WORSE


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One way to judge a recommender."""

    name: str
    of: Callable[[RecommenderRow], Estimate]


@dataclass(frozen=True, kw_only=True)
class GainMeasure:
    """One measure of which the gain over own data was paired customer by customer."""

    name: str
    phrase: str
    """What the league helps with, where it does."""
    of: Callable[[LeagueGain], Estimate]


RECALL = (
    Measure(name="All items", of=lambda row: row.recall_all),
    Measure(name="Repeat", of=lambda row: row.recall_repeat),
    Measure(name="Explore", of=lambda row: row.recall_explore),
    Measure(name="Cold 0", of=lambda row: row.recall_cold_0),
    Measure(name="Cold 1", of=lambda row: row.recall_cold_1),
    Measure(name="Cold 3", of=lambda row: row.recall_cold_3),
)
NDCG = (
    Measure(name="All items", of=lambda row: row.ndcg_all),
    Measure(name="Repeat", of=lambda row: row.ndcg_repeat),
    Measure(name="Explore", of=lambda row: row.ndcg_explore),
)
EXPLORE_GAIN = GainMeasure(
    name="Explore", phrase="items new to the customer (explore)", of=lambda gain: gain.recall_explore
)
GAINS = (
    GainMeasure(name="All items", phrase="everything the customer buys", of=lambda gain: gain.recall_all),
    EXPLORE_GAIN,
    GainMeasure(name="Cold 0", phrase="customers never seen before", of=lambda gain: gain.recall_cold_0),
    GainMeasure(name="Cold 1", phrase="customers with one basket seen", of=lambda gain: gain.recall_cold_1),
    GainMeasure(name="Cold 3", phrase="customers with three baskets seen", of=lambda gain: gain.recall_cold_3),
)


def row_of(rows: Sequence[RecommenderRow], statistics: str) -> RecommenderRow | None:
    """Find one recommender."""
    return next((row for row in rows if row.statistics == statistics), None)


def auc_of(rows: Sequence[ChurnRow], statistics: str) -> Estimate | None:
    """Find one churn model's AUC."""
    return next((row.auc for row in rows if row.statistics == statistics), None)


def by_size(partners: Sequence[PartnerTruth]) -> tuple[PartnerTruth, ...]:
    """Return the partners, the one with most customers first."""
    return tuple(sorted(partners, key=lambda partner: -partner.customers))


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive rounds that used equally many customers."""

    first: int
    last: int
    customers: int

    @property
    def rounds(self) -> str:
        """Return ``round 3`` or ``rounds 3 to 7``."""
        return f"round {self.first}" if self.first == self.last else f"rounds {self.first} to {self.last}"


def stretches(cohort: Sequence[int]) -> tuple[Stretch, ...]:
    """Group a cohort by round into stretches."""
    found: list[Stretch] = []
    for number, customers in enumerate(cohort, start=1):
        if found and found[-1].customers == customers:
            found[-1] = Stretch(first=found[-1].first, last=number, customers=customers)
        else:
            found.append(Stretch(first=number, last=number, customers=customers))
    return tuple(found)


def is_within(recorded: float, stated: float) -> bool:
    """Say whether a vault's ledger shows no more than was stated."""
    return recorded <= stated * (1 + _FLOAT_SLACK)


def title_of(summary: Summary, run: str) -> str:
    """Return a run's title, or its name where the centre does not know it."""
    return next((known.title for known in summary.released.runs if known.run == run), run)


def what_happened(summary: Summary) -> str:
    """Say who took part and what was run, at which stated ε."""
    names = [partner.partner for partner in summary.demo_oracle.partners]
    runs = summary.released.runs
    if not runs:
        return f"{counted(len(names), 'partner', 'partners')} ({listed(names)}) met, and no run was completed."
    titles = listed([f"“{run.title}” ({epsilon_is(run.epsilon_stated)})" for run in runs])
    return (
        f"{counted(len(names), 'partner', 'partners')} ({listed(names)}) completed "
        f"{counted(len(runs), 'run', 'runs')} together in {duration(summary.seconds)}: {titles}."
    )


def ledger_warning(runs: Sequence[ReleasedRun]) -> str:
    """Say where a vault's ledger contradicts the stated ε, or is silent; nothing where all is well."""
    above = [
        f"{partner} in “{run.title}” ({epsilon(spent)})"
        for run in runs
        for partner, spent in run.epsilon_recorded.items()
        if not is_within(spent, run.epsilon_stated)
    ]
    silent = [f"{name} in “{run.title}”" for run in runs for name in run.partners if name not in run.epsilon_recorded]
    if above:
        return f"The ledger shows more than the stated ε at {listed(above)}."
    if silent:
        return f"No ledger entry was found for {listed(silent)}."
    return ""


def who_gains(summary: Summary) -> tuple[str, ...]:
    """Say what the league is worth, to whom, and to whom it is worth nothing."""
    partners = by_size(summary.demo_oracle.partners)
    judged = [partner for partner in partners if partner.gain is not None and _is_judged(partner.gain)]
    if not judged:
        return ("Recommendations were not evaluated here, so nothing can be said about what they are worth.",)
    sentences: list[str] = []
    for partner in judged:
        phrases = _phrases(partner.gain, Verdict.BETTER)
        if phrases:
            sentences.append(f"To {partner.partner} the league's recommender is worth something for {phrases}.")
    nothing = [partner.partner for partner in judged if not _phrases(partner.gain, Verdict.BETTER)]
    if nothing:
        sentences.append(f"To {listed(nothing)} it is worth nothing that these figures can show.")
    worse = [
        f"at {partner.partner} for {phrases}"
        for partner in judged
        if (phrases := _phrases(partner.gain, Verdict.WORSE))
    ]
    if worse:
        sentences.append(f"It is worse than own data {listed(worse)}.")
    return tuple(sentences)


def _is_judged(gain: LeagueGain) -> bool:
    return any(verdict(measure.of(gain)) is not Verdict.UNKNOWN for measure in GAINS)


def _phrases(gain: LeagueGain | None, wanted: Verdict) -> str:
    if gain is None:
        return ""
    return listed([measure.phrase for measure in GAINS if verdict(measure.of(gain)) is wanted])


def churn_sentence(summary: Summary) -> str:
    """Say whether the league's churn model beats the partners' own."""
    difference = summary.demo_oracle.churn_difference
    if difference is None or difference.value is None:
        return "The churn models could not be compared."
    league = auc_of(summary.demo_oracle.churn_all_partners, "league")
    own = auc_of(summary.demo_oracle.churn_all_partners, "own data, consented")
    figures = f"difference in AUC {signed(difference.value, 3)}"
    if difference.standard_error is not None:
        figures += f" ± {decimal(difference.standard_error)}"
    if own is not None and own.value is not None and league is not None and league.value is not None:
        figures = f"AUC {decimal(league.value)} against {decimal(own.value)}, {figures}"
    match verdict(difference):
        case Verdict.BETTER:
            said = "The league's churn model ranks customers better than the partners' own models"
        case Verdict.WORSE:
            said = "The league's churn model ranks customers worse than the partners' own models"
        case Verdict.NOT_CLEAR | Verdict.UNKNOWN:
            said = "Between the league's churn model and the partners' own no clear difference is seen"
    return f"{said} ({figures})."


def explore_sentences(partners: Sequence[PartnerTruth]) -> tuple[str, ...]:
    """Say for whom shared popularity helps to find items new to the customer, and for whom it does not."""
    said: dict[Verdict, list[str]] = {}
    for partner in by_size(partners):
        if partner.gain is not None:
            found = verdict(partner.gain.recall_explore)
            said.setdefault(found, []).append(
                f"{partner.partner} ({counted(partner.customers, 'customer', 'customers')})"
            )
    openings = {
        Verdict.BETTER: "The league's popularity clearly helps to find items new to the customer at",
        Verdict.NOT_CLEAR: "The league's popularity does not help, as far as these figures can tell, at",
        Verdict.WORSE: "The league's popularity does not help but is clearly worse than own data at",
        Verdict.UNKNOWN: "Nothing can be said of",
    }
    return tuple(f"{opening} {listed(said[found])}." for found, opening in openings.items() if found in said)


def chance_sentence(partners: Sequence[PartnerTruth]) -> str:
    """Warn that many comparisons show some clear differences by chance alone."""
    gains = [measure.of(partner.gain) for partner in partners if partner.gain is not None for measure in GAINS]
    judged = sum(verdict(gain) is not Verdict.UNKNOWN for gain in gains)
    expected = decimal(0.05 * judged, 1)
    return (
        f"{counted(judged, 'comparison was', 'comparisons were')} made; if the league made no difference at all, "
        f"about {expected} of them would still look clear by chance."
    )


def withdrawal_sentence(summary: Summary) -> str:
    """Say how many customers withdrew and that the rounds after it ran without them."""
    partners = summary.demo_oracle.partners
    withdrew = sum(partner.withdrew for partner in partners)
    if withdrew == 0:
        return "No customer withdrew while the league ran."
    falls = [
        (before.customers - after.customers, before.last, partner.partner, title_of(summary, run))
        for partner in partners
        for run, cohort in partner.cohort_by_round.items()
        for before, after in itertools.pairwise(stretches(cohort))
    ]
    said = f"{counted(withdrew, 'customer', 'customers')} withdrew while the league ran"
    fall, last, name, title = max(falls, default=(0, 0, "", ""))
    if fall <= 0:
        return f"{said}; no cohort became smaller during a run."
    return (
        f"{said}. The largest fall of a cohort from one round to the next was by "
        f"{counted(fall, 'customer', 'customers')}: at {name} after round {last} of “{title}”."
    )
