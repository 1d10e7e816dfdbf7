"""Whether ``hanse ask`` is as far off as it says beforehand: predicted error over the measured one.

Every answer is a real one: the question's proposal, the officers' approval, consent manifests, the four vaults of the
demo's league, masked sums and real noise, in one process (``hanse_demo.memory_league``). The truth is counted by plain
SQL over the same consenting customers' rows. A cell's error is measured against that truth in units of the standard
deviation that was predicted; the ratio is one over the root mean square of these.

Usage: python benchmarks/ask.py --json build/benchmarks/ask.json [--draws 8]
"""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from drawn import report_draws
from numpy.typing import NDArray

from hanse_demo.collecting import consenting
from hanse_demo.commands import league_folder
from hanse_demo.complete_journey import cut
from hanse_demo.memory_league import MemoryLeague, memory_league
from hanse_demo.story import load_story
from hanse_demo.workshop import Workshop, lay_out
from hanse_models.catalogue import load_catalogue
from hanse_privacy.protocol.question_steps import Grouping, Measure, Question
from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_server.questions.answer import Answer
from hanse_server.questions.asking import question_proposal
from hanse_server.questions.prediction import predict
from hanse_server.questions.terms import CountTerms, HistogramTerms, QuantileTerms, Terms, Weeks
from hanse_server.submission import begin

PURPOSE = "league-questions"
EPSILON = 0.1
WEEKS = Weeks(first=40, last=52)
BOUND = 10.0
"""On baskets by week: cuts some customers, as an asker's guess would."""
HIGHEST = 4000.0
TERMS: Mapping[str, Terms] = {
    "customers_by_category": CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.CATEGORY),
    "spend_histogram": HistogramTerms(
        measure=Measure.SPEND, weeks=WEEKS, edges=(0.0, 50.0, 100.0, 200.0, 400.0, 800.0)
    ),
    "baskets_by_week": CountTerms(measure=Measure.BASKETS, weeks=WEEKS, by=Grouping.WEEK, at_most=BOUND),
    "spend_quantiles": QuantileTerms(
        measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.25, 0.5, 0.75), highest=HIGHEST
    ),
}
UNCUT = ("customers_by_category", "spend_histogram")

Array = NDArray[np.float64]


def main() -> None:
    """Run the benchmark and print one JSON object."""
    report_draws(
        str(__doc__),
        benchmark="ask",
        packages=["flwr"],
        units="ratios; half-widths in customers or baskets at 95 %",
        draws=8,
        observe=observe,
        recount=recount,
    )


def observe(draws: int) -> dict[str, Any]:
    """Ask every question so many times; return what was predicted, what was released and what is true."""
    source = league_folder("complete_journey")
    story = load_story(source)
    with tempfile.TemporaryDirectory() as folder, lay_out(source, Path(folder) / "league") as workshop:
        cut(workshop.root, story.purchases.seed)
        for partner in workshop.partners:
            _admit_without_a_person(workshop.node(partner).policy)
        with memory_league(workshop) as league:
            cohorts = consenting(workshop, league.record_grants(story.grants), purpose=PURPOSE)
            truths = {name: _truth(workshop, cohorts, terms) for name, terms in TERMS.items()}
            asked = {name: [_ask(league, terms) for _ in range(draws)] for name, terms in TERMS.items()}
    return {"truths": truths, "asked": asked}


def _admit_without_a_person(policy: Path) -> None:
    """Officers approve as ever; no owner is asked again at the node."""
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace("ask_a_person = true", "ask_a_person = false"), encoding="utf-8")


def _ask(league: MemoryLeague, terms: Terms) -> dict[str, Any]:
    home = league.workshop.league
    settings = home.load()
    proposal = question_proposal(
        terms,
        only=(),
        epsilon=EPSILON,
        league=settings,
        catalogue=load_catalogue(home.root / settings.catalogue),
        now=datetime.now(tz=UTC),
    )
    (step,) = proposal.steps
    if not isinstance(step, Question):
        raise TypeError(type(step).__name__)
    begin(home, proposal)
    answer = Answer.model_validate(league.conduct(proposal)["released"])
    return {
        "predicted_half_width": predict(proposal, step).cell,
        "values": [row.released.value for row in answer.rows],
        "low": [row.released.low for row in answer.rows],
        "high": [row.released.high for row in answer.rows],
    }


def _truth(workshop: Workshop, cohorts: Mapping[str, frozenset[str]], terms: Terms) -> list[float]:
    """Exact cells, or every customer's spend for quantiles: by SQL, with nothing of the vault's own queries."""
    week_one = workshop.league.load().week_one
    first, end = (week_one + timedelta(days=7 * week) for week in (terms.weeks.first - 1, terms.weeks.last))
    with duckdb.connect() as connection:
        rows = _rows(connection, workshop, cohorts, first=first, end=end)
        match terms:
            case QuantileTerms() | HistogramTerms():
                spent = f"SELECT sum(value::DECIMAL(18, 4))::DOUBLE FROM ({rows['basket']}) GROUP BY partner, customer"  # noqa: S608 - own names
                amounts = sorted(amount for (amount,) in connection.execute(spent).fetchall())
                if isinstance(terms, QuantileTerms):
                    return amounts
                return [float(count) for count in np.histogram(amounts, bins=[*terms.edges, np.inf])[0]]
            case CountTerms(by=Grouping.WEEK):
                days = connection.execute(f"SELECT day FROM ({rows['basket']})").fetchall()  # noqa: S608 - own names
                weeks = Counter((day - first).days // 7 for (day,) in days)
                return [float(weeks[week]) for week in range(terms.weeks.last - terms.weeks.first + 1)]
            case _:
                bought = connection.execute(
                    f"SELECT category, count(DISTINCT (partner, customer)) FROM ({rows['purchase']})"  # noqa: S608 - own names
                    " JOIN vault0.item USING (item) GROUP BY category"
                )
                counts = dict(bought.fetchall())
                catalogue = load_catalogue(workshop.league.root / workshop.league.load().catalogue)
                return [float(counts.get(category, 0)) for category in catalogue.categories]


def _rows(
    connection: duckdb.DuckDBPyConnection,
    workshop: Workshop,
    cohorts: Mapping[str, frozenset[str]],
    *,
    first: date,
    end: date,
) -> dict[str, str]:
    """Queries for the cohorts' receipts and lines of all partners, from the first day and before the end."""
    for number, partner in enumerate(workshop.partners):
        connection.execute(f"ATTACH '{workshop.node(partner).purchases}' AS vault{number} (READ_ONLY)")
        connection.register(f"cohort{number}", pa.table({"customer": sorted(cohorts[partner])}))
    return {
        table: " UNION ALL ".join(
            f"SELECT {number} AS partner, one.* FROM vault{number}.{table} AS one SEMI JOIN cohort{number}"  # noqa: S608 - own names
            f" USING (customer) WHERE day >= DATE '{first}' AND day < DATE '{end}'"
            for number, _ in enumerate(workshop.partners)
        )
        for table in ("basket", "purchase")
    }


def recount(observations: Mapping[str, Any]) -> dict[str, float]:
    """Count every figure from the raw observations."""
    standardised = {
        name: np.array([_errors(name, draw, observations["truths"][name]) for draw in draws])
        for name, draws in observations["asked"].items()
    }
    pooled = np.concatenate([standardised[name].ravel() for name in UNCUT])
    figures = {"predicted_over_measured": _ratio(pooled), "predicted_over_measured_se": _ratio_error(pooled)}
    for name, errors in standardised.items():
        figures[f"predicted_over_measured_{name}"] = _ratio(errors)
        figures[f"predicted_half_width_{name}"] = float(observations["asked"][name][0]["predicted_half_width"])
        figures[f"cells_{name}"] = float(errors.size)
        figures[f"coverage_{name}"] = _coverage(name, observations["asked"][name], observations["truths"][name])
    return figures


def _errors(name: str, draw: Mapping[str, Any], truth: Sequence[float]) -> Array:
    """Errors in units of the standard deviation that was predicted."""
    values, deviation = np.array(draw["values"], dtype=np.float64), draw["predicted_half_width"] / NORMAL_95
    terms = TERMS[name]
    if not isinstance(terms, QuantileTerms):
        errors: Array = (values - np.array(truth)) / deviation
        return errors
    ranks = np.searchsorted(truth, values)
    wanted = np.array(terms.probabilities) * len(truth)
    return np.asarray((ranks - wanted) / deviation)


def _coverage(name: str, draws: Sequence[Mapping[str, Any]], truth: Sequence[float]) -> float:
    """The share of the released 95 % intervals that hold the truth."""
    terms = TERMS[name]
    true = np.quantile(truth, terms.probabilities) if isinstance(terms, QuantileTerms) else np.array(truth)
    held = [
        low <= value and (high is None or value <= high)
        for draw in draws
        for value, low, high in zip(true, draw["low"], draw["high"], strict=True)
    ]
    return float(np.mean(held))


def _ratio(standardised: Array) -> float:
    return float(1 / np.sqrt(np.mean(standardised**2)))


def _ratio_error(standardised: Array) -> float:
    """Standard error of the ratio, from the spread of the squares."""
    squares = standardised.ravel() ** 2
    relative = squares.std(ddof=1) / np.sqrt(squares.size) / squares.mean()
    return float(0.5 * relative * _ratio(standardised))


if __name__ == "__main__":
    main()
