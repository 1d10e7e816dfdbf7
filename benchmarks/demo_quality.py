"""What the league of four retailers is worth: released models against each partner's own data.

Every draw of noise is a real run of the example's proposals through the real vaults, in one process
(``hanse_demo.memory_league``); nothing is simulated or seeded but who consented. The popularity run
is also made at three earlier weeks, because the small partner alone has too few customers to tell:
the same customers are then evaluated in four windows. At the test window each draw of the league is
held against one central draw of the same privacy loss (``explore_league``, ``explore_central_dp``), and so is a league
of twelve, with each partner's customers cut into three (``explore_league_12``; its vectors are made by the vaults' own
functions and masked, without officers and letters).

Usage: python benchmarks/demo_quality.py --json build/benchmarks/demo_quality.json [--draws 5]
"""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from central_draw import against_central, central_popularity, cut_popularity
from drawn import report_draws
from numpy.typing import NDArray

from hanse_demo.collecting import consenting, popularity_of, read_partners
from hanse_demo.commands import league_folder
from hanse_demo.complete_journey import cut
from hanse_demo.memory_league import MemoryLeague, memory_league
from hanse_demo.oracle import (
    FoldedPopularity,
    PartnerPurchases,
    RecommendationWindow,
    RecommenderQuality,
    ReleaseClips,
    customer_vectors,
    evaluate_churn,
    league_popularity,
    measure,
    own_popularity,
    recommendation_task,
)
from hanse_demo.story import load_story
from hanse_demo.workshop import lay_out
from hanse_models.auc import auc_difference
from hanse_models.ranking_metrics import RankingView
from hanse_privacy.protocol.steps import PopularityStep

Array = NDArray[np.float64]

SMALL = "dune"
TEST_LAST_WEEK = 49
EARLIER_LAST_WEEKS = (37, 41, 45)
"""The clips were chosen on these windows, never on the test window."""
TUNED_L2 = 30.0
"""Own churn models with a stronger penalty than the reference's 1, found on the window before the test."""
DRAWN_PARTNERS = 20
METRICS = ("explore", "cold0", "cold1", "cold3", "all")


def main() -> None:
    """Run the benchmark and print one JSON object."""
    report_draws(
        str(__doc__),
        benchmark="demo_quality",
        packages=["flwr"],
        units="Recall@10 and AUC, from 0 to 1; _se is one standard error of the paired difference",
        draws=5,
        observe=observe,
        recount=recount,
    )


def observe(draws: int) -> dict[str, Any]:
    """Make the runs and evaluate every customer; return plain lists, from which all figures are counted."""
    source = league_folder("complete_journey")
    story = load_story(source)
    with tempfile.TemporaryDirectory() as folder, lay_out(source, Path(folder) / "league") as workshop:
        cut(workshop.root, story.purchases.seed)
        for partner in workshop.partners:
            _let_it_repeat(workshop.node(partner).policy)
        _let_persons_lose_more(workshop.league.root / "league.toml")
        with memory_league(workshop) as league:
            grants = league.record_grants(story.grants)
            purchases = read_partners(workshop)
            statistics = consenting(workshop, grants, purpose="recommendation-statistics")
            training = consenting(workshop, grants, purpose="churn-training")
            windows = {
                str(week): _observe_window(league, purchases, statistics, last_week=week, draws=draws)
                for week in (*EARLIER_LAST_WEEKS, TEST_LAST_WEEK)
            }
            churn = [_observe_churn(league, purchases, training) for _ in range(draws)]
    return {"windows": windows, "churn": churn}


def _let_it_repeat(policy: Path) -> None:
    """Raise the cap on all runs together, so that one vault can pay for many draws; each run's own cap stays."""
    text = policy.read_text(encoding="utf-8")
    text = text.replace("total_epsilon = 5.0", "total_epsilon = 100.0")
    policy.write_text(text.replace("ask_a_person = true", "ask_a_person = false"), encoding="utf-8")


def _let_persons_lose_more(league: Path) -> None:
    """Raise the league's own cap as far."""
    text = league.read_text(encoding="utf-8")
    league.write_text(text.replace("epsilon = 30.0", "epsilon = 1000.0"), encoding="utf-8")


def _observe_window(
    league: MemoryLeague,
    purchases: Mapping[str, PartnerPurchases],
    consented: Mapping[str, frozenset[str]],
    *,
    last_week: int,
    draws: int,
) -> dict[str, Any]:
    draft = league.workshop.root / "proposals" / f"popularity-{last_week}.toml"
    text = (draft.parent / "popularity.toml").read_text(encoding="utf-8")
    draft.write_text(text.replace(f"last_week = {TEST_LAST_WEEK}", f"last_week = {last_week}"), encoding="utf-8")
    tasks, vectors, members, own = {}, {}, {}, {}
    window = RecommendationWindow(last_week=last_week)
    for partner, bought in purchases.items():
        tasks[partner] = recommendation_task(bought, window=window)
        vectors[partner] = customer_vectors(bought, window=window)
        members[partner] = bought.members(consented[partner])
        own[partner] = own_popularity(vectors[partner], members=members[partner])
    found: dict[str, Any] = {
        partner: {
            "customers": [purchases[partner].customers[row] for row in tasks[partner].evaluated],
            "own": _recalls(measure(tasks[partner], own[partner])),
            "league": [],
            "central": [],
            "twelve": [],
        }
        for partner in purchases
    }
    for _ in range(draws):
        proposal = league.propose(draft.name)
        step = proposal.steps[0]
        if not isinstance(step, PopularityStep):
            raise TypeError("the example's popularity proposal has another step")
        released = popularity_of(league.conduct(proposal)["released"])
        clips = ReleaseClips(rate=step.rate.clip, breadth=step.breadth.clip)
        for partner in purchases:
            served = league_popularity(vectors[partner], members=members[partner], released=released, clips=clips)
            found[partner]["league"].append(_recalls(measure(tasks[partner], served)))
        if last_week == TEST_LAST_WEEK:
            for name, draw in (("central", central_popularity), ("twelve", cut_popularity)):
                drawn = draw(league.workshop, proposal, step, consented)
                for partner in purchases:
                    served = league_popularity(vectors[partner], members=members[partner], released=drawn, clips=clips)
                    found[partner][name].append(_recalls(measure(tasks[partner], served)))
    size = int((members[SMALL] & vectors[SMALL].shopped).sum())
    for partner in purchases:
        if partner != SMALL and last_week == TEST_LAST_WEEK:
            found[partner]["drawn_small"] = [
                _recalls(measure(tasks[partner], _drawn(vectors[partner], members[partner], size=size, seed=seed)))
                for seed in range(DRAWN_PARTNERS)
            ]
    return found


def _drawn(vectors: Any, members: NDArray[np.bool_], *, size: int, seed: int) -> FoldedPopularity:
    """Own data of a partner that had only so many consenting customers, drawn at random from this one's."""
    pool = np.flatnonzero(members & vectors.shopped)
    chosen = np.zeros_like(members)
    chosen[np.random.default_rng(seed).choice(pool, size=size, replace=False)] = True
    return own_popularity(vectors, members=chosen)


def _recalls(quality: RecommenderQuality) -> dict[str, list[float | None]]:
    arrays = {
        "explore": quality.views[RankingView.EXPLORE].recall,
        "all": quality.views[RankingView.ALL].recall,
        **{f"cold{count}": recall for count, recall in quality.cold.items()},
    }
    return {
        name: [None if math.isnan(value) else round(float(value), 6) for value in values]
        for name, values in arrays.items()
    }


def _observe_churn(
    league: MemoryLeague, purchases: Mapping[str, PartnerPurchases], consented: Mapping[str, frozenset[str]]
) -> dict[str, Any]:
    released = league.conduct(league.propose("churn.toml"))["released"]
    weights = np.array(released["weights"])
    reference = evaluate_churn(purchases, consented=consented, weights=weights)
    tuned = evaluate_churn(purchases, consented=consented, weights=weights, own_l2=TUNED_L2)
    return {
        "labels": reference.pooled.labels.tolist(),
        "own": reference.pooled.own_consented.tolist(),
        "own_tuned": tuned.pooled.own_consented.tolist(),
        "league": reference.pooled.league.tolist(),
        "released_auc": released["auc"],
        "partner_auc": {
            partner: {
                "own": found.rows[0].auc.value,
                "league": found.rows[2].auc.value,
            }
            for partner, found in reference.partners.items()
        },
    }


def recount(observations: Mapping[str, Any]) -> dict[str, float]:
    """Count every figure from the raw observations."""
    windows = observations["windows"]
    figures: dict[str, float] = _churn_figures(observations["churn"])
    test = windows[str(TEST_LAST_WEEK)]
    explored = [
        {key: [_array(draw, "explore") for draw in one[key]] for key in ("league", "central", "twelve")}
        for one in test.values()
    ]
    figures |= against_central(explored, key="league")
    figures |= against_central(explored, key="twelve", suffix="_12")
    for metric in METRICS:
        for partner, found in test.items():
            name = "small" if partner == SMALL else partner
            own, served = _paired(found, metric)
            figures |= _comparison(f"{name}_{metric}", own, served, clusters=found["customers"])
        rolling = [windows[week][SMALL] for week in windows]
        pairs = [_paired(found, metric) for found in rolling]
        figures |= _comparison(
            f"small_rolling_{metric}",
            np.concatenate([own for own, _ in pairs]),
            np.concatenate([served for _, served in pairs]),
            clusters=[customer for found in rolling for customer in found["customers"]],
        )
        if metric == "all":
            continue
        drawn = [found for partner, found in test.items() if partner != SMALL]
        figures |= _comparison(
            f"drawn_small_{metric}",
            np.concatenate([_mean([_array(row, metric) for row in found["drawn_small"]]) for found in drawn]),
            np.concatenate([_paired(found, metric)[1] for found in drawn]),
            clusters=[customer for found in drawn for customer in found["customers"]],
        )
    return figures


def _churn_figures(churn: list[Mapping[str, Any]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, key in (("churn_diff", "own"), ("churn_tuned_diff", "own_tuned")):
        found = []
        for draw in churn:
            labels = np.array(draw["labels"], dtype=np.bool_)
            found.append(auc_difference(np.array(draw["league"]), np.array(draw[key]), labels))
        values = np.array([difference.value for difference in found])
        sampling = float(np.mean([difference.standard_error for difference in found]))
        between = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
        figures[name] = float(values.mean())
        figures[f"{name}_se"] = math.hypot(sampling, between)
    for name, key in (("churn_league", "league"), ("churn_local", "own"), ("churn_local_tuned", "own_tuned")):
        figures[name] = float(np.mean([_auc(np.array(draw[key]), np.array(draw["labels"])) for draw in churn]))
    figures["churn_released_auc"] = float(np.mean([draw["released_auc"]["value"] for draw in churn]))
    for key in ("own", "league"):
        small = [draw["partner_auc"][SMALL][key] for draw in churn]
        figures[f"small_churn_{'local' if key == 'own' else key}"] = float(np.mean(small))
    return figures


def _auc(scores: Array, labels: NDArray[np.bool_]) -> float:
    """Count pairs slowly and plainly: a second way to the figure."""
    positives, negatives = scores[labels], scores[~labels]
    above = (positives[:, None] > negatives[None, :]).sum() + 0.5 * (positives[:, None] == negatives[None, :]).sum()
    return float(above / (len(positives) * len(negatives)))


def _paired(found: Mapping[str, Any], metric: str) -> tuple[Array, Array]:
    return _array(found["own"], metric), _mean([_array(draw, metric) for draw in found["league"]])


def _array(row: Mapping[str, list[float | None]], metric: str) -> Array:
    return np.array([math.nan if value is None else value for value in row[metric]])


def _mean(draws: list[Array]) -> Array:
    mean: Array = np.mean(draws, axis=0)
    return mean


def _comparison(name: str, own: Array, served: Array, *, clusters: list[str]) -> dict[str, float]:
    """Means over households, and the standard error of the paired difference, clustered by household."""
    known = ~(np.isnan(own) | np.isnan(served))
    difference = (served - own)[known]
    households, place = np.unique(np.array(clusters)[known], return_inverse=True)
    sums = np.bincount(place, weights=difference - difference.mean(), minlength=len(households))
    error = math.sqrt(float((sums**2).sum())) / len(difference)
    return {
        f"{name}_league": float(served[known].mean()),
        f"{name}_local": float(own[known].mean()),
        f"{name}_diff": float(difference.mean()),
        f"{name}_diff_se": error,
        f"{name}_households": float(len(households)),
    }


if __name__ == "__main__":
    main()
