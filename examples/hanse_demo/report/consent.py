"""The report's sections on consent, and on what ε means for a household that shops at several partners."""

import itertools
from collections.abc import Sequence

from hanse_demo.report.charts import RUN_MARKERS, cohort_chart, epsilon_chart
from hanse_demo.report.numbers import NOT_EVALUATED, count, epsilon, missing, percent, signed
from hanse_demo.report.page_parts import Table, listed, note, paragraph
from hanse_demo.report.words import stretches, title_of, withdrawal_sentence
from hanse_demo.summary import PartnerTruth, Summary
from hanse_server.pictures.decimals import decimal
from hanse_server.pictures.markup import Markup, element, together
from hanse_server.pictures.svg import swatch


def consent_section(summary: Summary, partners: Sequence[PartnerTruth]) -> Markup:
    """Return who granted what, who withdrew, and whom each round really used."""
    return element(
        "section",
        {"aria-labelledby": "consent"},
        element("h3", {"id": "consent"}, "Consent ", element("span", {"class": "tag"}, "exact")),
        paragraph(withdrawal_sentence(summary)),
        note("How consent was drawn: ", summary.grants),
        _grants(partners),
        _cohorts(summary, partners),
    )


def _grants(partners: Sequence[PartnerTruth]) -> Markup:
    purposes = tuple(dict.fromkeys(purpose for partner in partners for purpose in partner.consented))

    def granted(partner: PartnerTruth, purpose: str) -> Markup:
        customers = partner.consented.get(purpose)
        if customers is None:
            return missing("not asked here")
        share = "" if partner.customers == 0 else f"({percent(customers / partner.customers)})"
        return together(count(customers), " ", element("small", {}, share))

    return Table(
        caption="Customers who granted each purpose before the first run, and who withdrew since",
        columns=("Partner", "Customers", *purposes, "Withdrew"),
        rows=tuple(
            (
                partner.partner,
                count(partner.customers),
                *(granted(partner, purpose) for purpose in purposes),
                count(partner.withdrew),
            )
            for partner in partners
        ),
    ).markup()


def _cohorts(summary: Summary, partners: Sequence[PartnerTruth]) -> Markup:
    runs = tuple(dict.fromkeys(run for partner in partners for run in partner.cohort_by_round))
    if not runs:
        return paragraph("Cohorts by round: ", missing("no round was run"))
    pictures = [
        _cohort_figure(f"cohort-{run_index}-{index}", partner, title_of(summary, run), partner.cohort_by_round[run])
        for run_index, run in enumerate(runs)
        for index, partner in enumerate(partners)
        if len(partner.cohort_by_round.get(run, ())) > 1
    ]
    tables = (
        Table(
            caption=f"Customers whom each round of “{title_of(summary, run)}” really used",
            columns=("Partner", "Rounds", "Customers", "Change"),
            rows=tuple(
                row
                for partner in partners
                for row in _cohort_rows(partner.partner, partner.cohort_by_round.get(run, ()))
            ),
            words=frozenset({1}),
        ).markup()
        for run in runs
    )
    explained = note(
        "Runs of more than one round; the vertical axes do not start at zero, so that a drop is seen; the tables "
        "below hold every number."
    )
    return together(
        element("h4", {}, "Customers used, round by round"),
        *((explained, element("div", {"class": "grid small"}, *pictures)) if pictures else ()),
        element("div", {"class": "pair"}, *tables),
    )


def _cohort_figure(identifier: str, partner: PartnerTruth, title: str, cohort: Sequence[int]) -> Markup:
    chart = cohort_chart(identifier, f"Customers of {partner.partner} used by “{title}”", stretches(cohort))
    caption = element("figcaption", {}, element("strong", {}, partner.partner), f" – {title}")
    return element("figure", {"class": "card"}, caption, chart)


def _cohort_rows(partner: str, cohort: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    found = stretches(cohort)
    if not found:
        return ((partner, "", missing("took part in no round"), ""),)
    changes = ("", *(signed(after.customers - before.customers, 0) for before, after in itertools.pairwise(found)))
    return tuple(
        (partner, stretch.rounds, count(stretch.customers), change)
        for stretch, change in zip(found, changes, strict=True)
    )


def households_section(summary: Summary) -> Markup:
    """Return what the stated ε means for a household that shops at k partners."""
    rows = summary.demo_oracle.multiple_partners
    heading = element("h3", {"id": "households"}, "One household at several partners")
    if not rows:
        return element("section", {"aria-labelledby": "households"}, heading, paragraph(missing(NOT_EVALUATED)))
    runs = tuple(dict.fromkeys(run for row in rows for run in row.epsilon))
    titles = tuple(title_of(summary, run) for run in runs)
    table = Table(
        caption="ε for a household that shops at k partners of the league",
        columns=("Partners (k)", "Households", *(f"ε of “{title}”" for title in titles)),
        rows=tuple(
            (
                count(row.partners),
                missing("nobody can know it") if row.households is None else count(row.households),
                *(decimal(row.epsilon[run]) if run in row.epsilon else missing(NOT_EVALUATED) for run in runs),
            )
            for row in rows
        ),
    ).markup()
    lines = [
        (title, [(row.partners, row.epsilon[run]) for row in rows if run in row.epsilon])
        for run, title in zip(runs, titles, strict=True)
    ]
    legend = (
        element(
            "span", {}, swatch(RUN_MARKERS[index % len(RUN_MARKERS)], f"run-{index % len(RUN_MARKERS)}"), f" {title}"
        )
        for index, title in enumerate(titles)
    )
    chart = epsilon_chart("epsilon", "ε of each run for a household at k partners", lines)
    first = {run: row.epsilon for row in rows if row.partners == 1 for run in row.epsilon}
    alone = listed([f"{epsilon(first[run][run])} for “{title_of(summary, run)}”" for run in first])
    return element(
        "section",
        {"aria-labelledby": "households"},
        heading,
        paragraph(
            "A household that shops at k partners is k customers, and no vault can know it. All its vectors are in one "
            "sum with one noise. A run whose ε protects one customer at one partner, at a cost of ρ, costs the "
            "household k²·ρ, a weaker guarantee; one whose ε protects a person at up to m partners costs it (k/m)²·ρ. "
            "Shown here as ε at the run's own δ. ",
            f"At one partner ε is {alone}." if alone else "",
        ),
        element(
            "div",
            {"class": "pair"},
            table,
            element("figure", {}, element("p", {"class": "legend"}, *legend), chart),
        ),
    )
