"""From what a demonstration left behind to its summary: released figures, and the oracle's beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_client.vault.run_register import RunRegister
from hanse_demo.complete_journey import HARNESS_FOLDER, HOUSEHOLDS_FILE
from hanse_demo.demonstration import Finished, FinishedRun
from hanse_demo.grants import DrawnGrants
from hanse_demo.oracle import (
    ChurnEvaluation,
    PartnerPurchases,
    PartnerRecommendation,
    RecommendationWindow,
    ReleaseClips,
    evaluate_churn,
    evaluate_recommender,
    load_partner,
    multiple_partners,
)
from hanse_demo.summary import DemoOracle, Interval, PartnerTruth, Released, ReleasedItem, ReleasedRun
from hanse_demo.workshop import Workshop
from hanse_models.catalogue import Catalogue, load_catalogue
from hanse_models.popularity import SharedPopularity
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.steps import ChurnEvaluationStep, ChurnGradientStep, PopularityStep
from hanse_server.intervals import interval
from hanse_server.questions.answer import Answer

TARGET_WEEKS = 4
_POPULAR_ITEMS = 12
NOT_YET = (
    "Inclusion of proposals and releases in an evidence log that partners witness.",
    "Private matching: these runs bound what a household gives to one partner, and not to several together.",
)
ORACLE_NOTE = (
    "Exact figures computed by the harness, which owns all partners' data. No party of a real league could see them."
)


class LeagueEmptyError(HanseError):
    """No partner has any purchase: there is nothing to evaluate."""

    code = "LEAGUE_EMPTY"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class OracleView:
    """The oracle's raw evaluations, for benchmarks that pair them over noise draws."""

    recommendation: Mapping[str, PartnerRecommendation]
    churn: ChurnEvaluation | None


def read_partners(workshop: Workshop) -> dict[str, PartnerPurchases]:
    """Read every customer of every partner, as no party of a real league can, up to the last week that all have.

    Raises:
        LeagueEmptyError: If no partner's vault holds a basket.
    """
    week_one = workshop.league.load().week_one
    last_week = _last_week(workshop)
    return {
        partner: load_partner(workshop.node(partner).purchases, partner=partner, week_one=week_one, last_week=last_week)
        for partner in workshop.partners
    }


def consenting(workshop: Workshop, grants: Mapping[str, DrawnGrants], *, purpose: str) -> dict[str, frozenset[str]]:
    """Return who granted a purpose before the first run, under each partner's pseudonyms."""
    return {
        partner: frozenset(
            PseudonymKey.load(workshop.node(partner).pseudonym_key).pseudonyms(grants[partner].granted[purpose])
        )
        for partner in workshop.partners
    }


def evaluate(finished: Finished, *, workshop: Workshop, purchases: Mapping[str, PartnerPurchases]) -> OracleView:
    """Let the oracle evaluate the released models on all partners' customers."""
    recommendation: dict[str, PartnerRecommendation] = {}
    churn = None
    for run in finished.runs:
        released = run.result["released"]
        step = run.proposal.steps[0]
        consented = consenting(workshop, finished.grants, purpose=step.purpose)
        if isinstance(step, PopularityStep):
            for partner in workshop.partners:
                recommendation[partner] = evaluate_recommender(
                    purchases[partner],
                    consented=consented[partner],
                    released=popularity_of(released),
                    clips=ReleaseClips(
                        rate=step.rate.clip / run.proposal.unit.vaults,
                        breadth=step.breadth.clip / run.proposal.unit.vaults,
                    ),
                    window=RecommendationWindow(
                        last_week=step.last_week, target_weeks=TARGET_WEEKS, half_life_weeks=step.half_life_weeks
                    ),
                )
        if isinstance(step, ChurnGradientStep):
            judged = next(last for last in run.proposal.steps if isinstance(last, ChurnEvaluationStep))
            churn = evaluate_churn(
                purchases,
                consented=consented,
                weights=np.array(released["weights"]),
                training_last_week=step.last_week,
                evaluation_last_week=judged.last_week,
                horizon_weeks=step.horizon_weeks,
            )
    return OracleView(recommendation=recommendation, churn=churn)


def collect_released(finished: Finished, *, workshop: Workshop) -> Released:
    """What left the partners, with ε recomputed from each vault's own ledger."""
    catalogue = load_catalogue(workshop.league.root / workshop.league.load().catalogue)
    return Released(
        runs=tuple(_released_run(run, workshop=workshop, catalogue=catalogue) for run in finished.runs),
        not_yet=NOT_YET,
    )


def collect_oracle(
    finished: Finished, *, workshop: Workshop, view: OracleView, purchases: Mapping[str, PartnerPurchases]
) -> DemoOracle:
    """The exact figures, visible to no party of a real league."""
    churn = view.churn
    counts = _household_counts(workshop)
    return DemoOracle(
        note=ORACLE_NOTE,
        partners=tuple(
            PartnerTruth(
                partner=partner,
                customers=len(purchases[partner].customers),
                consented={name: len(who) for name, who in finished.grants[partner].granted.items()},
                withdrew=finished.withdrew[partner],
                cohort_by_round=_cohorts(finished, workshop=workshop, partner=partner),
                recommenders=view.recommendation[partner].rows if partner in view.recommendation else (),
                gain=view.recommendation[partner].gain if partner in view.recommendation else None,
                churn=churn.partners[partner].rows if churn is not None else (),
            )
            for partner in workshop.partners
        ),
        churn_all_partners=churn.rows if churn is not None else (),
        churn_difference=churn.difference if churn is not None else None,
        multiple_partners=multiple_partners(
            counts,
            runs={run.proposal.run: run.proposal.guarantee for run in finished.runs},
            largest=max(counts) if counts else len(workshop.partners),
        ),
    )


def popularity_of(released: Mapping[str, Any]) -> SharedPopularity:
    """The shared popularity as a partner pulls it from a run's result."""
    return SharedPopularity(
        rate=np.array(released["rate"]),
        breadth=np.array(released["breadth"]),
        customers=float(released["customers"]["value"]),
    )


def _released_run(run: FinishedRun, *, workshop: Workshop, catalogue: Catalogue) -> ReleasedRun:
    proposal, released = run.proposal, run.result["released"]
    return ReleasedRun(
        run=proposal.run,
        title=proposal.title,
        purposes=proposal.purposes(),
        partners=proposal.partners(),
        unit=proposal.unit.kind.value,
        epsilon_stated=proposal.epsilon,
        epsilon_recorded={
            partner: _recorded_epsilon(workshop, partner, run=proposal.run, delta=proposal.delta)
            for partner in proposal.partners()
        },
        delta=proposal.delta,
        metrics_share=proposal.metrics_share(),
        rounds=proposal.rounds,
        seconds=run.seconds,
        customers=Interval.model_validate(released["customers"]) if released["customers"] else None,
        auc=Interval.model_validate(released["auc"]) if "auc" in released else None,
        popular_items=_popular_items(released, catalogue) if "breadth" in released else (),
        answer=Answer.model_validate(released) if released["kind"] == "question" else None,
    )


def _recorded_epsilon(workshop: Workshop, partner: str, *, run: str, delta: float) -> float:
    home = workshop.node(partner)
    entries = open_ledger(home, load_policy(home.policy)).entries()
    return epsilon_of([entry.event for entry in entries if entry.run == run], delta=delta)


def _popular_items(released: Mapping[str, Any], catalogue: Catalogue) -> tuple[ReleasedItem, ...]:
    breadth = np.array(released["breadth"])
    customers = max(float(released["customers"]["value"]), 1.0)
    deviation = released["noise_standard_deviation"]["breadth"] / customers
    return tuple(
        ReleasedItem(
            name=catalogue.items[item].name,
            share=Interval.model_validate(interval(float(breadth[item]) / customers, deviation)),
        )
        for item in np.argsort(-breadth, kind="stable")[:_POPULAR_ITEMS]
    )


def _cohorts(finished: Finished, *, workshop: Workshop, partner: str) -> dict[str, tuple[int, ...]]:
    register = RunRegister(workshop.node(partner).runs)
    return {
        run.proposal.run: tuple(record.customers for record in register.rounds(run.proposal.run))
        for run in finished.runs
    }


def _household_counts(workshop: Workshop) -> dict[int, int] | None:
    mapping = workshop.root / HARNESS_FOLDER / HOUSEHOLDS_FILE
    if not mapping.exists():
        return None
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT k, count(*) FROM (SELECT household, count(*) AS k FROM read_parquet(?) GROUP BY household)"
            " GROUP BY k ORDER BY k",
            [str(mapping)],
        ).fetchall()
    return {int(partners): int(households) for partners, households in rows}


def _last_week(workshop: Workshop) -> int:
    """The earliest of the vaults' last weeks: up to it, every partner has data. A vault without baskets has none."""
    week_one = workshop.league.load().week_one
    weeks: list[int] = []
    for partner in workshop.partners:
        with duckdb.connect(workshop.node(partner).purchases, read_only=True) as connection:
            row = connection.execute("SELECT max(day) FROM basket").fetchone()
            if row is not None and row[0] is not None:
                weeks.append((row[0] - week_one).days // 7 + 1)
    if not weeks:
        raise LeagueEmptyError("No partner's vault holds a basket.", "Check the exports and ingest them again.")
    return min(weeks)
