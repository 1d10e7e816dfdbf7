"""The report's block DEMO ORACLE: exact figures, which no party of a real league could see."""

from collections.abc import Sequence

from hanse_demo.report.charts import ComparedRow, comparison_chart, comparison_scale, gain_chart, gain_scale
from hanse_demo.report.consent import consent_section, households_section
from hanse_demo.report.numbers import (
    NOT_EVALUATED,
    count,
    counted,
    estimate_text,
    gain_text,
    missing,
)
from hanse_demo.report.page_parts import Table, note, paragraph
from hanse_demo.report.words import (
    EXPLORE_GAIN,
    GAINS,
    NDCG,
    RECALL,
    Measure,
    auc_of,
    by_size,
    chance_sentence,
    churn_sentence,
    explore_sentences,
    row_of,
    verdict,
)
from hanse_demo.summary import ChurnRow, Estimate, PartnerTruth, RecommenderRow, Summary
from hanse_server.pictures.markup import Markup, element, together
from hanse_server.pictures.svg import Marker, Scale, swatch

OWN = "own data, consented"
OWN_ALL = "own data, all customers"
LEAGUE = "league"
_COMPARED_COLUMNS = ("Own, consented", "Own, all", "League")


def oracle_block(summary: Summary) -> Markup:
    """Return the block; everything in it is exact and marked so."""
    oracle = summary.demo_oracle
    partners = by_size(oracle.partners)
    return element(
        "section",
        {"id": "oracle", "class": "block oracle", "aria-labelledby": "oracle-heading"},
        element(
            "p",
            {"class": "banner"},
            element("strong", {}, "DEMO ORACLE"),
            " exact; visible to no party of a real league; computed by the harness that owns the data",
        ),
        element("h2", {"id": "oracle-heading"}, "What it was really worth"),
        note(oracle.note),
        _gains(partners),
        _explore(partners),
        _partners(partners),
        _churn(summary, partners),
        consent_section(summary, partners),
        households_section(summary),
    )


def exact_heading(identifier: str, text: str) -> Markup:
    """Return a heading that repeats what the block is."""
    return element("h3", {"id": identifier}, text, " ", element("span", {"class": "tag"}, "exact"))


def _gains(partners: Sequence[PartnerTruth]) -> Markup:
    heading = exact_heading("gains", "League less own data, at a glance")
    evaluated = [(partner.partner, partner.gain) for partner in partners if partner.gain is not None]
    if not evaluated:
        reason = paragraph(missing(f"{NOT_EVALUATED}: no recommender was compared with own data"))
        return element("section", {"aria-labelledby": "gains"}, heading, reason)
    scale = gain_scale([measure.of(gain) for _, gain in evaluated for measure in GAINS])
    charts = (
        element(
            "figure",
            {"class": "card"},
            element("figcaption", {}, element("strong", {}, measure.name), f" – {measure.phrase}"),
            gain_chart(
                f"gain-{index}",
                f"Gain of the league in Recall@10: {measure.phrase}",
                [(name, measure.of(gain)) for name, gain in evaluated],
                scale,
            ),
        )
        for index, measure in enumerate(GAINS)
    )
    return element(
        "section",
        {"aria-labelledby": "gains"},
        heading,
        note(
            "Recall@10 with the league's released statistics, less Recall@10 with the partner's own exact statistics "
            "of the same consented customers, paired customer by customer. Lines are 95 % intervals (± 1.96 standard "
            "errors); an interval that holds 0 is not clear. Largest partner first. ",
            chance_sentence(partners),
        ),
        element("div", {"class": "grid"}, *charts),
    )


def _explore(partners: Sequence[PartnerTruth]) -> Markup:
    rows = tuple(_explore_row(partner) for partner in partners if partner.gain is not None)
    if not rows:
        return together()
    return element(
        "section",
        {"aria-labelledby": "explore"},
        exact_heading("explore", "Items new to the customer, unadorned"),
        *(paragraph(sentence) for sentence in explore_sentences(partners)),
        Table(
            caption="Explore Recall@10 (± standard error), largest partner first",
            columns=("Partner", "Own, consented", "League", "Gain", "Finding"),
            rows=rows,
            words=frozenset({4}),
        ).markup(),
    )


def _explore_row(partner: PartnerTruth) -> tuple[str, ...]:
    own, league = row_of(partner.recommenders, OWN), row_of(partner.recommenders, LEAGUE)
    gain = EXPLORE_GAIN.of(partner.gain) if partner.gain is not None else None
    return (
        partner.partner,
        _shown(None if own is None else own.recall_explore),
        _shown(None if league is None else league.recall_explore),
        missing(NOT_EVALUATED) if gain is None else gain_text(gain),
        "" if gain is None else verdict(gain),
    )


def _partners(partners: Sequence[PartnerTruth]) -> Markup:
    heading = exact_heading("partners", "Partner by partner: own data or league")
    if not any(partner.recommenders for partner in partners):
        reason = paragraph(missing(f"{NOT_EVALUATED}: no recommender was computed"))
        return element("section", {"aria-labelledby": "partners"}, heading, reason)
    scale = comparison_scale(row for partner in partners for row in _compared(partner))
    return element(
        "section",
        {"aria-labelledby": "partners"},
        heading,
        note(
            "Each customer is recommended 10 items for the next four weeks. Repeat: items the customer bought before; "
            "explore: items new to the customer; cold: only that many of the customer's baskets are seen, and the "
            "customer is left out of the statistics. n: customers evaluated; gain: league less own data (consented), "
            "paired."
        ),
        legend(),
        element(
            "div", {"class": "grid wide"}, *(_partner(index, partner, scale) for index, partner in enumerate(partners))
        ),
    )


def legend() -> Markup:
    """Return what colours and shapes stand for."""
    entries = (
        (Marker.RING, "own", "own data, consented customers"),
        (Marker.BAR, "plain", "own data, all customers"),
        (Marker.DOT, "league", "league"),
    )
    shown = (element("span", {}, swatch(marker, colour), f" {text}") for marker, colour, text in entries)
    return element("p", {"class": "legend"}, *shown, element("span", {}, "lines: ± 1.96 standard errors"))


def _compared(partner: PartnerTruth) -> tuple[ComparedRow, ...]:
    own, own_all, league = (row_of(partner.recommenders, kind) for kind in (OWN, OWN_ALL, LEAGUE))
    return tuple(
        ComparedRow(
            name=measure.name,
            own=_estimate(measure, own),
            own_all=_estimate(measure, own_all),
            league=_estimate(measure, league),
        )
        for measure in RECALL
    )


def _partner(index: int, partner: PartnerTruth, scale: Scale) -> Markup:
    heading = f"partner-{index}"
    title = element(
        "h4",
        {"id": heading},
        partner.partner,
        element("small", {}, f" {counted(partner.customers, 'customer', 'customers')}"),
    )
    if not partner.recommenders:
        body: tuple[Markup, ...] = (paragraph(missing(f"{NOT_EVALUATED}: no recommender was computed")),)
    else:
        name = f"Recall@10 at {partner.partner}, own data and league"
        chart = comparison_chart(f"compared-{index}", name, _compared(partner), scale)
        body = (element("figure", {}, chart), _recall_table(partner), _ndcg_table(partner))
    return element("article", {"class": "card", "aria-labelledby": heading}, title, *body)


def _estimate(measure: Measure, row: RecommenderRow | None) -> Estimate | None:
    return None if row is None else measure.of(row)


def _shown(estimate: Estimate | None) -> Markup:
    return missing(NOT_EVALUATED) if estimate is None else estimate_text(estimate)


def _named(name: str, figures: Sequence[Estimate | None]) -> Markup:
    """Return a row's name and over how many customers its figures are; all numbers where they differ."""
    customers = dict.fromkeys(count(figure.customers) for figure in figures if figure is not None)
    return together(name, *((" ", element("small", {}, f"n = {' / '.join(customers)}")) if customers else ()))


def _measured(partner: PartnerTruth, measure: Measure) -> tuple[Estimate | None, ...]:
    return tuple(_estimate(measure, row_of(partner.recommenders, kind)) for kind in (OWN, OWN_ALL, LEAGUE))


def _recall_table(partner: PartnerTruth) -> Markup:
    gains = {} if partner.gain is None else {measure.name: measure.of(partner.gain) for measure in GAINS}

    def row(measure: Measure) -> tuple[Markup, ...]:
        found, gain = _measured(partner, measure), gains.get(measure.name)
        gained = missing("not paired") if gain is None else gain_text(gain)
        return (_named(measure.name, (*found, gain)), *(_shown(figure) for figure in found), gained)

    return Table(
        caption=f"Recall@10 at {partner.partner} (± standard error)",
        columns=("Measure", *_COMPARED_COLUMNS, "Gain"),
        rows=tuple(row(measure) for measure in RECALL),
    ).markup()


def _ndcg_table(partner: PartnerTruth) -> Markup:
    def row(measure: Measure) -> tuple[Markup, ...]:
        found = _measured(partner, measure)
        return (_named(measure.name, found), *(_shown(figure) for figure in found))

    return Table(
        caption=f"NDCG@10 at {partner.partner} (± standard error)",
        columns=("Measure", *_COMPARED_COLUMNS),
        rows=tuple(row(measure) for measure in NDCG),
    ).markup()


def _churn(summary: Summary, partners: Sequence[PartnerTruth]) -> Markup:
    rows = [_churn_row(partner.partner, partner.churn) for partner in partners]
    rows.append(_churn_row("All partners", summary.demo_oracle.churn_all_partners))
    difference = summary.demo_oracle.churn_difference
    shown = missing(NOT_EVALUATED) if difference is None else gain_text(difference)
    over = "" if difference is None else f" over {counted(difference.customers, 'customer', 'customers')}"
    return element(
        "section",
        {"aria-labelledby": "churn"},
        exact_heading("churn", "Who will stop coming (churn)"),
        paragraph(churn_sentence(summary)),
        Table(
            caption="AUC (± standard error): 0.5 is guessing, 1 is perfect",
            columns=("Partner", *_COMPARED_COLUMNS),
            rows=tuple(rows),
        ).markup(),
        paragraph("League less own data (consented), all partners' customers, paired: ", shown, over, "."),
        note(
            "Own models are logistic regressions with an L2 penalty of 1 on the sum of losses. A partner that tunes "
            "its penalty does better than that: docs/measured.md has the figures."
        ),
    )


def _churn_row(name: str, rows: Sequence[ChurnRow]) -> tuple[str, ...]:
    found = [auc_of(rows, kind) for kind in (OWN, OWN_ALL, LEAGUE)]
    return (_named(name, found), *(_shown(auc) for auc in found))
