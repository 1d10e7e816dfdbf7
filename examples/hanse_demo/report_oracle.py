"""The report's block DEMO ORACLE: exact figures, which no party of a real league could see."""

from collections.abc import Sequence

from hanse_demo.charts import ComparedRow, comparison_chart, gain_chart, gain_scale
from hanse_demo.report_consent import consent_section, households_section
from hanse_demo.report_markup import Markup, Table, element, note, paragraph, together
from hanse_demo.report_numbers import (
    NOT_EVALUATED,
    count,
    counted,
    estimate_text,
    gain_text,
    missing,
)
from hanse_demo.report_svg import Marker, swatch
from hanse_demo.report_words import (
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

OWN = "own data, consented"
OWN_ALL = "own data, all customers"
LEAGUE = "league"
_COMPARED_COLUMNS = ("Own data, consented", "Own data, all customers", "League")


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
        reason = paragraph(missing(NOT_EVALUATED), " No recommender was compared with own data.")
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
            columns=("Partner", "Customers", "Own data, consented", "League", "Gain", "Finding"),
            rows=rows,
            words=frozenset({5}),
        ).markup(),
    )


def _explore_row(partner: PartnerTruth) -> tuple[str, ...]:
    own, league = row_of(partner.recommenders, OWN), row_of(partner.recommenders, LEAGUE)
    gain = EXPLORE_GAIN.of(partner.gain) if partner.gain is not None else None
    return (
        partner.partner,
        count(partner.customers),
        _shown(None if own is None else own.recall_explore),
        _shown(None if league is None else league.recall_explore),
        missing(NOT_EVALUATED) if gain is None else gain_text(gain),
        "" if gain is None else verdict(gain),
    )


def _partners(partners: Sequence[PartnerTruth]) -> Markup:
    return element(
        "section",
        {"aria-labelledby": "partners"},
        exact_heading("partners", "Partner by partner: own data or league"),
        note(
            "Each customer is recommended 10 items for the next four weeks. Repeat: items the customer bought before; "
            "explore: items new to the customer; cold: only that many of the customer's baskets are seen, and the "
            "customer is left out of the statistics."
        ),
        legend(),
        element("div", {"class": "grid wide"}, *(_partner(index, partner) for index, partner in enumerate(partners))),
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


def _partner(index: int, partner: PartnerTruth) -> Markup:
    heading = f"partner-{index}"
    own, own_all, league = (row_of(partner.recommenders, statistics) for statistics in (OWN, OWN_ALL, LEAGUE))
    title = element(
        "h4",
        {"id": heading},
        partner.partner,
        element("small", {}, f" {counted(partner.customers, 'customer', 'customers')}"),
    )
    if not partner.recommenders:
        body: tuple[Markup, ...] = (paragraph(missing(f"{NOT_EVALUATED}: no recommender was computed")),)
    else:
        compared = [
            ComparedRow(
                name=measure.name,
                own=_estimate(measure, own),
                own_all=_estimate(measure, own_all),
                league=_estimate(measure, league),
            )
            for measure in RECALL
        ]
        chart = comparison_chart(f"compared-{index}", f"Recall@10 at {partner.partner}, own data and league", compared)
        body = (element("figure", {}, chart), _recall_table(partner), _ndcg_table(partner))
    return element("article", {"class": "card", "aria-labelledby": heading}, title, *body)


def _estimate(measure: Measure, row: RecommenderRow | None) -> Estimate | None:
    return None if row is None else measure.of(row)


def _shown(estimate: Estimate | None) -> Markup:
    return missing(NOT_EVALUATED) if estimate is None else estimate_text(estimate)


def _measured(partner: PartnerTruth, measure: Measure) -> tuple[Markup, Markup, Markup, Markup]:
    found = [_estimate(measure, row_of(partner.recommenders, kind)) for kind in (OWN, OWN_ALL, LEAGUE)]
    customers = dict.fromkeys(count(estimate.customers) for estimate in found if estimate is not None)
    name = together(measure.name, " ", element("small", {}, f"n = {' / '.join(customers)}"))
    return (name, _shown(found[0]), _shown(found[1]), _shown(found[2]))


def _recall_table(partner: PartnerTruth) -> Markup:
    gains = {measure.name: measure for measure in GAINS}

    def gain(name: str) -> Markup:
        if partner.gain is None or name not in gains:
            return missing("not paired")
        return gain_text(gains[name].of(partner.gain))

    return Table(
        caption=f"Recall@10 at {partner.partner} (± standard error)",
        columns=("n customers", *_COMPARED_COLUMNS, "Gain"),
        rows=tuple((*_measured(partner, measure), gain(measure.name)) for measure in RECALL),
    ).markup()


def _ndcg_table(partner: PartnerTruth) -> Markup:
    return Table(
        caption=f"NDCG@10 at {partner.partner} (± standard error)",
        columns=("n customers", *_COMPARED_COLUMNS),
        rows=tuple(_measured(partner, measure) for measure in NDCG),
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
            columns=("n customers", *_COMPARED_COLUMNS),
            rows=tuple(rows),
        ).markup(),
        paragraph("League less own data (consented), all partners' customers, paired: ", shown, over, "."),
    )


def _churn_row(name: str, rows: Sequence[ChurnRow]) -> tuple[str, ...]:
    found = [auc_of(rows, kind) for kind in (OWN, OWN_ALL, LEAGUE)]
    customers = dict.fromkeys(count(auc.customers) for auc in found if auc is not None)
    shown = together(name, " ", element("small", {}, f"n = {' / '.join(customers)}")) if customers else together(name)
    return (shown, *(_shown(auc) for auc in found))
