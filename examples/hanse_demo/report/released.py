"""The report's block RELEASED: all that the centre of a real league gets."""

import math

from hanse_demo.report.charts import item_chart
from hanse_demo.report.numbers import (
    counted,
    duration,
    epsilon,
    epsilon_is,
    interval_count,
    interval_decimal,
    missing,
    one_in,
    percent,
)
from hanse_demo.report.page_parts import Table, facts, listed, note, paragraph
from hanse_demo.report.words import is_within
from hanse_demo.summary import Released, ReleasedRun
from hanse_server.pictures.decimals import decimal
from hanse_server.pictures.markup import Markup, element, together
from hanse_server.questions.picture import answer_chart


def released_block(released: Released) -> Markup:
    """Return the block; nothing in it is exact."""
    return element(
        "section",
        {"id": "released", "class": "block released", "aria-labelledby": "released-heading"},
        element("p", {"class": "banner"}, element("strong", {}, "RELEASED"), " what the centre really gets"),
        element("h2", {"id": "released-heading"}, "What left the partners"),
        note(
            "Every count, share and AUC in this block comes from sums over all partners. Each vault noised and masked "
            "its part before it left; nobody saw one partner's alone. "
            "The interval beside it says how far the noise may have moved it (95 %)."
        ),
        *(_run(index, run) for index, run in enumerate(released.runs)),
        *(() if released.runs else (paragraph("No run was completed, so nothing was released."),)),
        note(*_together_sentence(released.runs)),
        element("h3", {"id": "not-yet"}, "What is not done yet"),
        _not_yet(released.not_yet),
    )


def _not_yet(lines: tuple[str, ...]) -> Markup:
    if not lines:
        return paragraph("Nothing is listed.")
    return element("ul", {"class": "not-yet"}, *(element("li", {}, line) for line in lines))


def _run(index: int, run: ReleasedRun) -> Markup:
    heading = f"run-{index}"
    told, ledger = facts(_facts(run)), _ledger(run)
    picture = _picture(index, run)
    parts = (told, ledger) if picture is None else (element("div", {}, told, ledger), picture)
    return element(
        "article",
        {"class": "card", "aria-labelledby": heading},
        element("h3", {"id": heading}, run.title, " ", element("span", {"class": "tag"}, "noised")),
        element("div", {"class": "pair"}, *parts),
    )


def _facts(run: ReleasedRun) -> tuple[tuple[str, Markup], ...]:
    auc = missing("not released by this run") if run.auc is None else interval_decimal(run.auc)
    return (
        ("Run", element("code", {}, run.run)),
        ("Purposes", _purposes(run)),
        ("Partners", together(listed(run.partners))),
        ("Whom ε protects", together("one ", run.unit.replace("-", " "))),
        ("ε stated", together(epsilon(run.epsilon_stated))),
        ("δ", together(one_in(run.delta))),
        ("Spent on metrics", together(f"{percent(run.metrics_share)} of the privacy loss (ρ)")),
        ("Rounds", together(f"{counted(run.rounds, 'round', 'rounds')} in {duration(run.seconds)}")),
        ("Customers", missing("not counted by this run") if run.customers is None else interval_count(run.customers)),
        *(() if run.answer is not None else (("AUC", auc),)),
    )


def _purposes(run: ReleasedRun) -> Markup:
    return together(*(element("code", {"class": "pill"}, purpose) for purpose in run.purposes))


def _ledger(run: ReleasedRun) -> Markup:
    partners = (*run.partners, *(name for name in run.epsilon_recorded if name not in run.partners))
    return Table(
        caption=f"ε of “{run.title}”: stated, and recomputed from each vault's own ledger",
        columns=("Partner", "Stated", "From the ledger", "Finding"),
        rows=tuple(_ledger_row(run, partner) for partner in partners),
        words=frozenset({3}),
    ).markup()


def _ledger_row(run: ReleasedRun, partner: str) -> tuple[str, ...]:
    stated = epsilon(run.epsilon_stated)
    recorded = run.epsilon_recorded.get(partner)
    if recorded is None:
        finding = element("strong", {"class": "alarm"}, "✗ not recorded")
        return (partner, stated, missing("no entry in the ledger"), finding)
    if is_within(recorded, run.epsilon_stated):
        return (partner, stated, decimal(recorded), element("span", {"class": "fine"}, "✓ within"))
    # More places, lest an excess be rounded away.
    return (partner, stated, decimal(recorded, 6), element("strong", {"class": "alarm"}, "✗ above what was stated"))


def _picture(index: int, run: ReleasedRun) -> Markup | None:
    if run.popular_items:
        return _items(index, run)
    if run.answer is not None:
        caption = element("figcaption", {}, "Dot: the released sum; line: 95 % interval of its noise.")
        chart = answer_chart(f"answer-{index}", f"Answer of “{run.title}”", run.answer)
        return element("figure", {"class": "answer-chart"}, caption, chart)
    return None


def _items(index: int, run: ReleasedRun) -> Markup:
    chart = item_chart(f"items-{index}", f"Popular items released by “{run.title}”", run.popular_items)
    caption = element("figcaption", {}, "Share of customers who bought the item: dot, and line for the 95 % interval.")
    return element("figure", {}, caption, chart)


def odds_factor(value: float) -> str:
    """Say what an ε means: by which factor, e to the ε, the odds about one customer can move."""
    if value > math.log(1e6):
        return f"more than a million ({epsilon_is(value)}), which bounds nothing"
    factor = math.exp(value)
    shown = f"{factor:.1f}" if factor < 100 else f"{float(f'{factor:.2g}'):,.0f}"
    return f"{shown} ({epsilon_is(value)})"


def _together_sentence(runs: tuple[ReleasedRun, ...]) -> tuple[str, ...]:
    if not runs:
        return ()
    factors = " or ".join(odds_factor(value) for value in sorted({run.epsilon_stated for run in runs}))
    reading = (
        "How to read ε: whoever sees everything a run released can shift the odds that one given customer of a "
        f"partner took part by at most a factor of {factors}, but for a chance of about δ."
    )
    if len(runs) < 2 or len({run.unit for run in runs}) > 1:
        return (reading,)
    total_epsilon = epsilon_is(sum(run.epsilon_stated for run in runs))
    total_delta = one_in(sum(run.delta for run in runs))
    return (
        reading,
        f" A customer used in {'both' if len(runs) == 2 else f'all {len(runs)}'} runs bears them together: "
        f"at most {total_epsilon} at δ of {total_delta} (both simply added up).",
    )
