"""``report.html``: what a demo run found, on one page for partner, compliance officer and central team.

The page needs nothing but itself: no script, no font, no image is fetched, and its own content
security policy forbids a browser to try.
"""

from hanse_demo.report.numbers import count, duration, epsilon, memory
from hanse_demo.report.oracle import oracle_block
from hanse_demo.report.page_parts import listed
from hanse_demo.report.released import released_block
from hanse_demo.report.style import STYLE
from hanse_demo.report.words import churn_sentence, ledger_warning, what_happened, who_gains
from hanse_demo.summary import Summary
from hanse_server.pictures.markup import Markup, element, together

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render_report(summary: Summary) -> str:
    """Return the whole page as HTML.

    Every string of the summary is data and is escaped; figures are rounded for reading, and a figure
    that does not exist is a dash with its reason.
    """
    body = element(
        "body",
        {},
        element("a", {"class": "skip", "href": "#answer"}, "Skip to the answer"),
        _header(summary),
        element("main", {}, _answer(summary), released_block(summary.released), oracle_block(summary)),
        _footer(summary),
    )
    return f"<!doctype html>\n{element('html', {'lang': 'en'}, _head(summary), body)}\n"


def _head(summary: Summary) -> Markup:
    return element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, f"Hanse report: {summary.league}"),
        element("style", {}, STYLE),
    )


def _link(target: str, text: str) -> Markup:
    return element("a", {"href": f"#{target}"}, text)


def _header(summary: Summary) -> Markup:
    readers = (
        ("At a partner", (_link("partners", "own data or league"), _link("churn", "churn"))),
        (
            "Answering for compliance",
            (
                _link("released", "what left, and its ε"),
                _link("consent", "consent"),
                _link("households", "several partners"),
                _link("not-yet", "not done yet"),
            ),
        ),
        ("On the central team", (_link("released", "released figures"), _link("gains", "gains"))),
    )
    entries = (element("li", {}, element("strong", {}, who), ": ", _separated(links)) for who, links in readers)
    return element(
        "header",
        {},
        element("p", {"class": "kicker"}, "Hanse · report of a demo league"),
        element("h1", {}, summary.league),
        element("p", {"class": "note"}, summary.data),
        element("nav", {"aria-label": "Where to look"}, element("ul", {}, *entries)),
    )


def _separated(links: tuple[Markup, ...]) -> Markup:
    return together(links[0], *(together(", ", link) for link in links[1:]))


def _answer(summary: Summary) -> Markup:
    worth = " ".join((*who_gains(summary), churn_sentence(summary)))
    lead = "What it is worth, by exact figures that no party of a real league could see."
    heading = element("h2", {"id": "answer-heading"}, "In one paragraph")
    text = element(
        "p",
        {"class": "answer"},
        element("strong", {}, "What happened."),
        f" {what_happened(summary)} ",
        _ledger(summary),
        " ",
        element("strong", {}, lead),
        f" {worth}",
    )
    attributes = {"id": "answer", "aria-labelledby": "answer-heading"}
    return element("section", attributes, heading, text, _tiles(summary))


def _ledger(summary: Summary) -> Markup:
    warning = ledger_warning(summary.released.runs)
    if warning:
        return element("strong", {"class": "alarm"}, f"Warning: {warning}")
    return together("Recomputed from every vault's own ledger, no run cost more than its stated ε.")


def _tiles(summary: Summary) -> Markup:
    runs = summary.released.runs
    tiles = (
        ("Partners", count(len(summary.demo_oracle.partners))),
        ("Runs", count(len(runs))),
        ("ε stated, run by run", listed([epsilon(run.epsilon_stated) for run in runs]) or "–"),
        ("From start to report", duration(summary.seconds)),
        ("Peak memory, all processes", memory(summary.peak_pss_mb)),
    )
    pairs = (element("div", {}, element("dt", {}, name), element("dd", {}, value)) for name, value in tiles)
    return element("dl", {"class": "tiles"}, *pairs)


def _footer(summary: Summary) -> Markup:
    return element(
        "footer",
        {},
        element(
            "p",
            {},
            f"Made from summary.json, version {summary.version}, which holds every figure in full precision. "
            "± is one standard error; intervals are 95 %; – means that there is no figure, for the reason beside it.",
        ),
    )
