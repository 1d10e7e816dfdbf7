"""The report and the closing table, from summaries written by hand."""

import io
import itertools
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hanse_demo.report.closing_table import closing_table
from hanse_demo.report.numbers import (
    duration,
    epsilon,
    estimate_text,
    interval_decimal,
    memory,
    one_in,
    percent,
    signed,
)
from hanse_demo.report.page import render_report
from hanse_demo.report.page_parts import listed
from hanse_demo.report.style import STYLE
from hanse_demo.report.words import Verdict, explore_sentences, stretches, verdict, who_gains
from hanse_demo.summary import Estimate, Interval, Summary
from hanse_server.pictures.decimals import decimal
from hanse_server.pictures.markup import element, together
from hanse_server.pictures.svg import scale_over

VOID_ELEMENTS = {"meta"}
INLINE_ELEMENTS = {"small", "span", "strong", "a", "code"}
STATISTICS = ("own data, consented", "own data, all customers", "league")
POPULARITY, CHURN = "popularity-1", "churn-1"


def estimate(value: float | None, error: float | None, customers: int) -> dict[str, object]:
    return {"value": value, "standard_error": error, "customers": customers}


def recommender(statistics: str, levels: Mapping[str, float], errors: float, customers: int) -> dict[str, object]:
    row: dict[str, object] = {
        name: estimate(value, errors + 0.0001 * index, customers - index)
        for index, (name, value) in enumerate(levels.items())
    }
    return {"statistics": statistics} | row


LEVELS = {
    "recall_all": 0.4957,
    "ndcg_all": 0.5312,
    "recall_repeat": 0.5723,
    "ndcg_repeat": 0.5588,
    "recall_explore": 0.0841,
    "ndcg_explore": 0.0803,
    "recall_cold_0": 0.3187,
    "recall_cold_1": 0.3542,
    "recall_cold_3": 0.3968,
}
PARTNERS = {
    # customers, share consented, withdrew, shift of own data, gains (all, explore, cold 0, 1, 3), error of a gain
    "alder": (1704, 0.79, 34, 0.012, (0.0003, -0.0021, 0.0009, 0.0004, -0.0002), 0.0011),
    "birch": (1581, 0.80, 31, 0.004, (0.0002, -0.0013, 0.0021, 0.0006, 0.0001), 0.0013),
    "cedar": (1363, 0.78, 27, 0.0, (-0.0004, -0.0049, 0.0011, 0.0008, 0.0003), 0.0014),
    "dune": (88, 0.81, 3, -0.021, (0.0031, 0.0242, 0.0461, 0.0203, 0.0087), 0.0067),
}


def partner(name: str) -> dict[str, object]:
    customers, share, withdrew, shift, gains, error = PARTNERS[name]
    granted = round(customers * share)
    own = {measure: value + shift for measure, value in LEVELS.items()}
    names = ("recall_all", "recall_explore", "recall_cold_0", "recall_cold_1", "recall_cold_3")
    league = own | {measure: own[measure] + gain for measure, gain in zip(names, gains, strict=True)}
    all_customers = {measure: value + 0.0015 for measure, value in own.items()}
    spread = 0.28 / customers**0.5
    evaluated = round(0.86 * customers)
    before, after = granted - 12, granted - 12 - withdrew
    return {
        "partner": name,
        "customers": customers,
        "consented": {"assortment-statistics": granted, "churn-model": granted - 12, "model-evaluation": granted - 20},
        "withdrew": withdrew,
        "cohort_by_round": {POPULARITY: (granted,), CHURN: (*(before,) * 5, *(after,) * 6)},
        "recommenders": tuple(
            recommender(kind, levels, spread, evaluated)
            for kind, levels in zip(STATISTICS, (own, all_customers, league), strict=True)
        ),
        "gain": {measure: estimate(gain, error, evaluated - 3) for measure, gain in zip(names, gains, strict=True)},
        "churn": tuple(
            {"statistics": kind, "auc": estimate(value + shift / 3, spread * 1.4, customers - 9)}
            for kind, value in zip(STATISTICS, (0.8563, 0.8581, 0.8779), strict=True)
        ),
    }


ITEMS = (
    ("Fluid milk products | fluid milk white only", 0.814, 0.021),
    ("Tropical fruit | bananas", 0.731, 0.021),
    ("Bag snacks | potato chips", 0.667, 0.022),
    ("Baked bread | mainstream white bread", 0.655, 0.022),
    ("Soft drinks | soft drinks 12/18 and 15 pack can carbonated", 0.583, 0.022),
    ("Cheese | shredded cheese", 0.579, 0.022),
    ("Beef | primal ground beef, family pack, and other cuts sold by weight at the counter", 0.502, 0.024),
    ("Vegetables, shelf stable | beans green: fresh-style", 0.0004, 0.022),
)


def complete_journey() -> dict[str, Any]:
    """What a run over four partners, one of them small, might have found."""
    names = tuple(PARTNERS)
    ks = {1: 1002, 2: 861, 3: 511, 4: 61}
    return {
        "league": "Complete Journey",
        "data": "The Complete Journey (dunnhumby), 2017: one retailer's purchases, cut into four by groups of stores.",
        "grants": "Consent is in no data set: each customer granted each purpose with a chance of 80 %, seed 7.",
        "seconds": 187.3,
        "peak_pss_mb": 2381.4,
        "released": {
            "runs": (
                {
                    "run": POPULARITY,
                    "title": "What customers buy",
                    "purposes": ("assortment-statistics",),
                    "partners": names,
                    "unit": "customer-at-one-partner",
                    "epsilon_stated": 3.0,
                    "epsilon_recorded": {name: 2.98731 + 0.001 * index for index, name in enumerate(names)},
                    "delta": 1e-5,
                    "metrics_share": 0.01,
                    "rounds": 1,
                    "seconds": 8.42,
                    "customers": {"value": 3741.0, "low": 3689.0, "high": 3793.0},
                    "popular_items": tuple(
                        {"name": name, "share": {"value": share, "low": share - reach, "high": share + reach}}
                        for name, share, reach in ITEMS
                    ),
                },
                {
                    "run": CHURN,
                    "title": "Who will stop coming",
                    "purposes": ("churn-model", "model-evaluation"),
                    "partners": names,
                    "unit": "customer-at-one-partner",
                    "epsilon_stated": 1.0,
                    "epsilon_recorded": dict.fromkeys(names, 0.99712),
                    "delta": 1e-5,
                    "metrics_share": 0.152,
                    "rounds": 11,
                    "seconds": 41.7,
                    "customers": {"value": 3688.0, "low": 3570.0, "high": 3806.0},
                    "auc": {"value": 0.8691, "low": 0.8274, "high": 0.9011},
                },
            ),
            "not_yet": (
                "Secure aggregation: each vault's release carries its own full noise.",
                "Inclusion of the proposal in a public log.",
                "Approval by an officer of each partner.",
            ),
        },
        "demo_oracle": {
            "note": "The harness owns all the data; nobody in a real league does.",
            "partners": tuple(partner(name) for name in names),
            "churn_all_partners": tuple(
                {"statistics": kind, "auc": estimate(value, 0.0071, 4521)}
                for kind, value in zip(STATISTICS, (0.8557, 0.8592, 0.8784), strict=True)
            ),
            "churn_difference": estimate(0.0227, 0.0041, 4521),
            "multiple_partners": tuple(
                {
                    "partners": k,
                    "households": households,
                    "epsilon": {POPULARITY: 2.9873 * k**0.62, CHURN: 0.9971 * k**0.56},
                }
                for k, households in ks.items()
            ),
        },
    }


def own_data() -> dict[str, Any]:
    """Two shops of whose customers little is known: nothing could be evaluated."""
    shops = ("north", "south")
    nothing = {"value": None, "low": None, "high": None}
    run = complete_journey()["released"]["runs"][1] | {
        "partners": shops,
        "epsilon_recorded": {"north": 0.99},
        "customers": nothing,
        "auc": nothing,
    }
    return complete_journey() | {
        "league": "own data",
        "released": {"runs": (run,), "not_yet": ()},
        "demo_oracle": {
            "note": "Two CSV files.",
            "partners": tuple(
                {
                    "partner": name,
                    "customers": 12,
                    "consented": {"churn-model": 9},
                    "withdrew": 0,
                    "cohort_by_round": {CHURN: ()},
                    "churn": ({"statistics": "league", "auc": estimate(None, None, 0)},),
                }
                for name in shops
            ),
            "multiple_partners": ({"partners": 1, "households": None, "epsilon": {CHURN: 0.99}},),
        },
    }


def summary(data: Mapping[str, Any]) -> Summary:
    return Summary.model_validate(data)


class Page(HTMLParser):
    """A page taken apart; it refuses elements that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag not in INLINE_ELEMENTS:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


SUMMARIES = pytest.mark.parametrize("data", [complete_journey(), own_data()], ids=["complete journey", "own data"])


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_report(summary(complete_journey())))


@SUMMARIES
def test_nothing_is_fetched(data: dict[str, Any]) -> None:
    html = render_report(summary(data))
    page = Page(html)
    names = {name for name, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "image", "use", "foreignobject"}
    assert not {key for _, attributes in page.elements for key in attributes} & {"src", "srcset", "style", "xlink:href"}
    assert all(link["href"].startswith("#") for link in page.all("a"))
    assert not re.search(r"url\s*\(|@import|https?://", html)
    policies = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert [policy.startswith("default-src 'none'") for policy in policies] == [True]


@SUMMARIES
def test_identifiers_are_unique_and_every_reference_is_answered(data: dict[str, Any]) -> None:
    page = Page(render_report(summary(data)))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    referred = {
        name
        for _, attributes in page.elements
        for key in ("aria-labelledby", "aria-describedby")
        for name in attributes.get(key, "").split()
    } | {link["href"][1:] for link in page.all("a")}
    # A link to a section that this league has nothing for must still lead somewhere.
    assert referred <= set(identifiers)


@SUMMARIES
def test_accessible_structure(data: dict[str, Any]) -> None:
    page = Page(render_report(summary(data)))
    assert [page.all(tag) and len(page.all(tag)) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    assert {header["scope"] for header in page.all("th")} == {"col", "row"}
    assert len(page.all("caption")) == len(page.all("table")) > 0
    pictures = [picture for picture in page.all("svg") if picture.get("aria-hidden") != "true"]
    assert all(picture["role"] == "img" for picture in pictures)
    assert len([desc for desc in page.all("desc") if desc["id"].endswith("-desc")]) == len(pictures)
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def strings_replaced(value: Any, payload: str, key: str = "") -> Any:
    """Put the payload into every string of a summary, keys of mappings with free keys among them."""
    free_keys = {"epsilon_recorded", "consented", "cohort_by_round", "epsilon"}
    if isinstance(value, str):
        return value if key == "statistics" else payload + value
    if isinstance(value, Mapping):
        return {
            (payload + name if key in free_keys else name): strings_replaced(item, payload, name)
            for name, item in value.items()
        }
    if isinstance(value, tuple):
        return tuple(strings_replaced(item, payload, key) for item in value)
    return value


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", "\"'><script>&amp;", "</style></title><script>"])
@SUMMARIES
def test_names_from_data_never_become_markup(data: dict[str, Any], payload: str) -> None:
    clean = Page(render_report(summary(data)))
    html = render_report(summary(strings_replaced(data, payload)))
    attacked = Page(html)
    shape = [(name, sorted(attributes)) for name, attributes in attacked.elements if name != "text"]
    assert shape == [(name, sorted(attributes)) for name, attributes in clean.elements if name != "text"]
    assert "<script" not in html
    assert attacked.text.count("<script>") >= 20


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from leaves(item, (*path, str(name)))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, str(index)))
    elif isinstance(value, (int, float)):
        yield path, value


def as_shown(path: tuple[str, ...], value: float) -> set[str]:
    """How a reader may meet a figure; written apart from the report's own formatting."""
    whole = f"{round(value):,}"
    signs = [text.replace("-", "−") for text in (f"{value:.1f}", f"{value:.2f}", f"{value:.3f}", f"{value:.4f}")]
    if path[-1] in {"low", "high", "value"} and "share" in path:
        return {f"{100 * value:.1f}".replace("-", "−"), f"{100 * value:.2f}"}
    if path[-1] == "delta":
        return {f"1 in {round(1 / value):,}"}
    if path[-1] == "metrics_share":
        return {f"{100 * value:.1f}"}
    if path[-1] == "seconds":
        return {f"{value:.1f}", f"{round(value)}", f"{round(value) // 60}\xa0min {round(value) % 60}\xa0s"}
    if path[-1] == "peak_pss_mb":
        return {f"{value / 1000:.2f}"}
    if isinstance(value, int):
        return {whole}
    if "customers" in path and "released" in path:
        return {whole}
    return {*signs, f"{value:g}"}


def changed(data: Any, path: tuple[str, ...], value: float) -> Any:
    """Return a deep copy in which one figure is another."""
    if not path:
        return value
    if isinstance(data, Mapping):
        return {key: changed(item, path[1:], value) if str(key) == path[0] else item for key, item in data.items()}
    return tuple(changed(item, path[1:], value) if str(key) == path[0] else item for key, item in enumerate(data))


def test_every_figure_appears() -> None:
    """Change one figure at a time to one found nowhere else: the reader must meet it."""
    data = summary(complete_journey()).model_dump()
    oracle = data["demo_oracle"]
    oracle["partners"] = oracle["partners"][-1:]
    for path, value in leaves(data):
        if path == ("version",):
            continue
        other = 7531 if isinstance(value, int) else value + 0.1357
        if path[-1] == "partners":
            other = 7
        if path[-1] == "delta":
            other = value / 7
        page = Page(render_report(summary(changed(data, path, other))))
        shown = "|".join(re.escape(" ".join(text.split())) for text in as_shown(path, other))
        assert re.search(rf"(?<![\d.,])({shown})(?!\d|[.,]\d)", page.text), (path, other)


def test_no_figure_has_more_digits_than_people_read() -> None:
    text = Page(render_report(summary(complete_journey()))).text
    assert not re.search(r"\d\.\d{7,}|\de[-+]\d", text)
    assert not re.search(r"\b(None|nan|inf)\b", text)


def test_the_two_blocks_are_marked_and_apart(page: Page) -> None:
    released, oracle = page.text.index("RELEASED what the centre"), page.text.index("DEMO ORACLE exact;")
    assert released < oracle
    assert "visible to no party of a real league; computed by the harness that owns the data" in page.text
    exact = ("Recall@10", "NDCG@10", "withdrew", "own data, consented")
    assert not any(word in page.text[released:oracle] for word in exact)
    assert "0.8691" not in page.text  # the noisy AUC is shown rounded,
    assert "0.869 (0.827 to 0.901)" in page.text[released:oracle]  # and only where it was released


def test_missing_figures_are_dashes_with_a_reason() -> None:
    text = Page(render_report(summary(own_data()))).text
    assert "Customers – the noise leaves nothing to say" in text
    assert "AUC – the noise leaves nothing to say" in text
    assert "– nobody can know it" in text
    assert "– not evaluated here: no recommender was computed" in text
    assert "– no customer could be evaluated" in text
    assert "– no entry in the ledger" in text
    assert "Warning: No ledger entry was found for south" in text
    assert "Recommendations were not evaluated here" in text


def test_a_ledger_above_the_stated_epsilon_raises_an_alarm() -> None:
    data = complete_journey()
    data["released"]["runs"][1]["epsilon_recorded"] = dict.fromkeys(PARTNERS, 1.0) | {"birch": 1.0000041}
    text = Page(render_report(summary(data))).text
    assert "birch 1 1.000004 ✗ above what was stated" in text
    assert "Warning: The ledger shows more than the stated ε at birch" in text
    assert text.count("✗") == 1


def changed_gains(explore: Mapping[str, float]) -> Summary:
    data = complete_journey()
    for truth in data["demo_oracle"]["partners"]:
        truth["gain"]["recall_explore"]["value"] = explore[truth["partner"]]
    return summary(data)


def test_words_follow_the_numbers() -> None:
    found = complete_journey()
    before = explore_sentences(summary(found).demo_oracle.partners)
    assert before[0].startswith("The league's popularity clearly helps") and "dune" in before[0]
    assert "does not help, as far" in before[1] and "alder" in before[1] and "birch" in before[1]
    assert "clearly worse" in before[2] and "cedar" in before[2] and "alder" not in before[2]
    after = explore_sentences(
        changed_gains({"alder": 0.02, "birch": 0.0, "cedar": 0.0, "dune": -0.05}).demo_oracle.partners
    )
    assert "alder" in after[0] and "dune" not in after[0]
    assert "clearly worse" in after[2] and "dune" in after[2]


def test_the_answer_names_those_who_gain_nothing() -> None:
    said = " ".join(who_gains(summary(complete_journey())))
    assert "To dune the league's recommender is worth something for items new to the customer (explore)" in said
    assert "To alder, birch and cedar it is worth nothing that these figures can show." in said
    assert "It is worse than own data at cedar for items new to the customer (explore)." in said


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.0197, 0.01, Verdict.BETTER),
        (0.0195, 0.01, Verdict.NOT_CLEAR),
        (-0.0195, 0.01, Verdict.NOT_CLEAR),
        (-0.0197, 0.01, Verdict.WORSE),
        (0.0, 0.0, Verdict.NOT_CLEAR),
        (0.5, None, Verdict.UNKNOWN),
        (None, None, Verdict.UNKNOWN),
    ],
)
def test_verdict(value: float | None, error: float | None, expected: Verdict) -> None:
    assert verdict(Estimate(value=value, standard_error=error, customers=9)) is expected


def test_a_withdrawal_shows_in_words_picture_and_table(page: Page) -> None:
    assert "95 customers withdrew while the league ran" in page.text
    assert "by 34 customers: at alder after round 5 of “Who will stop coming”" in page.text
    assert "alder rounds 1 to 5 1,334" in page.text
    assert "alder rounds 6 to 11 1,300 −34" in page.text
    for name, (_, _, withdrew, *_) in PARTNERS.items():
        assert re.search(rf" {name} [\d,]+ [^a-z]*\) {withdrew} ", page.text)
    steps = [line["points"] for line in page.all("polyline") if line["class"] == "step"]
    assert len(steps) == 4
    for points in steps:
        heights = [float(point.split(",")[1]) for point in points.split()]
        assert heights[0] == heights[1] < heights[2] == heights[3]


def test_stretches_cover_every_round_once() -> None:
    cohort = (9, 9, 7, 8, 8, 8, 7)
    found = stretches(cohort)
    assert [customers.customers for customers in found for _ in range(customers.first, customers.last + 1)] == [*cohort]
    assert [(stretch.first, stretch.last) for stretch in found] == [(1, 2), (3, 3), (4, 6), (7, 7)]


def test_scale_has_round_ticks_and_holds_every_value() -> None:
    scale = scale_over([0.0, 0.6], start=100, end=400, intervals=5)
    assert [scale.label(tick) for tick in scale.ticks()] == ["0.0", "0.2", "0.4", "0.6"]
    assert scale.at(0.3) == pytest.approx(250)
    for values in ([-0.0171, 0.0652], [3.0], [], [0.0, 0.0], [-2.0, -1.0]):
        scale = scale_over(values, start=0, end=1, intervals=4)
        assert all(0 <= scale.at(value) <= 1 for value in (*values, *scale.ticks()))
        labels = [scale.label(tick) for tick in scale.ticks()]
        assert 2 <= len(labels) == len(set(labels)) <= 6


def test_numbers_are_for_people() -> None:
    assert decimal(-0.00001) == "0.000"
    assert decimal(-1234.5678, 1) == "−1,234.6"
    assert signed(0.00241) == "+0.0024"
    assert signed(-0.00241) == "−0.0024"
    assert signed(0.00001) == "0.0000"
    assert percent(0.314) == "31.4\xa0%"
    assert percent(0.0004) == "0.04\xa0%"
    assert [epsilon(value) for value in (3.0, 2.98731, 0.5, 120.4)] == ["3", "2.987", "0.5", "120"]
    assert one_in(1e-5) == "1 in 100,000"
    assert [duration(value) for value in (8.42, 59.6, 187.3)] == ["8.4\xa0s", "1\xa0min 0\xa0s", "3\xa0min 7\xa0s"]
    assert [memory(value) for value in (812.4, 2381.4)] == ["812\xa0MB", "2.38\xa0GB"]
    assert estimate_text(Estimate(value=0.5, standard_error=None, customers=3)).startswith("0.500 ")
    assert interval_decimal(Interval(value=0.5, low=None, high=None)).startswith("0.500 ")
    assert "no interval" in interval_decimal(Interval(value=0.5, low=None, high=None))


def test_markup_escapes_all_that_is_not_markup() -> None:
    assert element("p", {"title": 'a"b'}, "<b>", element("i", {}, "&")) == (
        '<p title="a&quot;b">&lt;b&gt;<i>&amp;</i></p>'
    )
    assert together("<", element("b", {})) == "&lt;<b></b>"
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_contrast_meets_aa(scheme: int) -> None:
    found = re.findall(r":root \{(.*?)\}", STYLE, flags=re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", found))
    pairs = [
        (text, ground)
        for text in ("ink", "quiet", "league", "own", "plain", "third", "released", "exact", "alarm")
        for ground in ("page", "card")
    ]
    for text, ground in [*pairs, ("released", "released-wash"), ("exact", "exact-wash")]:
        lighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)


def printed(found: Summary, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=False)
    console.print(closing_table(found, report=Path("build/demo/report.html")))
    return console.export_text().splitlines()


@SUMMARIES
def test_closing_table_fits_80_columns(data: dict[str, Any]) -> None:
    lines = printed(summary(data))
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert not any("…" in line for line in lines)


def test_closing_table_says_what_matters() -> None:
    text = "\n".join(printed(summary(complete_journey())))
    dune = next(line for line in text.splitlines() if "dune" in line)
    assert re.search(r"\s\.475→\.478\s+▲\.063→\.087\s+▲\.298→\.344\s+▲\.333→\.353\s+\.849→\.871", dune)
    assert re.search(r"cedar\s.*▼\.084→\.079", text)
    assert re.search(r"together\s+▲\.856→\.878", text)
    assert "What customers buy: ε = 3 stated; at most 2.99 in the vaults' ledgers" in text
    assert "3\xa0min 7\xa0s, 2.38\xa0GB at most" in text
    assert "build/demo/report.html" in text


def test_closing_table_obeys_neither_markup_nor_control_codes_in_names() -> None:
    text = "\n".join(printed(summary(strings_replaced(own_data(), "[bold]\x1b[31m"))))
    assert "[bold]" in text
    assert "\x1b" not in text
