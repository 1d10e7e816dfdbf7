"""Questions as a proposal states them: what each releases, and what is refused before anybody signs it."""

import copy
import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import (
    LARGEST_AMOUNT,
    MAXIMUM_CELLS,
    SMALLEST_HIGHEST,
    TREE_BRANCHING,
    CountQuestion,
    HistogramQuestion,
    Measure,
    QuantileQuestion,
)
from hanse_privacy.protocol.steps import MAXIMUM_WEEK
from hanse_privacy.release import LARGEST_CLIP

CENTRE = SigningKey.generate()
NORTH = SigningKey.generate()
COMMON: dict[str, Any] = {
    "purpose": "league-questions",
    "tier": "basic",
    "noise_multiplier": 20.0,
    "first_week": 5,
    "last_week": 8,
}
ONE: dict[str, Any] = {"clip": 1.0, "share": 0.25}
COUNT: dict[str, Any] = COMMON | {
    "operation": "count-question",
    "measure": "spend",
    "by": "category",
    "groups": ["dairy", "bread"],
    "answer": {"clip": 300.0, "share": 0.5},
    "customers": ONE,
    "over": ONE,
}
CUSTOMERS: dict[str, Any] = COMMON | {
    "operation": "count-question",
    "measure": "customers",
    "by": "week",
    "answer": {"clip": 2.0, "share": 1.0},
}
HISTOGRAM: dict[str, Any] = COMMON | {
    "operation": "histogram-question",
    "measure": "baskets",
    "by": "store-group",
    "groups": ["city", "village", "station"],
    "edges": [0, 1.5, 4, 1e12],
    "answer": {"clip": math.sqrt(3), "share": 1.0},
}
QUANTILES: dict[str, Any] = COMMON | {
    "operation": "quantile-question",
    "measure": "quantity",
    "probabilities": [0.1, 0.5, 0.9],
    "highest": 100.0,
    "height": 3,
    "answer": {"clip": 2.0, "share": 1.0},
}
EVERY = (COUNT, CUSTOMERS, HISTOGRAM, QUANTILES)
Question = CountQuestion | HistogramQuestion | QuantileQuestion


def payload(*steps: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": "question-1",
        "title": "A question",
        "data_categories": ["pd:PurchasesAndSpendingHabit"],
        "recipients": [{"name": "centre", "country": "DE"}],
        "roster": [{"partner": "north", "public_key": NORTH.public.text}],
        "catalogue": "ab" * 32,
        "week_one": "2024-12-30",
        "minimum_cohort": 40,
        "honest_minimum": 1,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 3.0,
        "delta": 1e-5,
        "steps": copy.deepcopy(list(steps)),
        "created_at": "2026-05-04T12:00:00Z",
        "expires_at": "2026-05-05T12:00:00Z",
    }


def step(fields: dict[str, Any], **changes: Any) -> Any:
    (found,) = RunProposal.parse(payload(fields | changes)).steps
    return found


def refusal(fields: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(InvalidValueError) as error:
        step(fields, **changes)
    return str(error.value)


def blocks(question: Question) -> list[tuple[str, int, float, float]]:
    return [(block.name, block.size, block.clip, block.share) for block in question.blocks()]


def test_each_question_is_read_back_from_the_signed_proposal_as_it_was_written() -> None:
    proposal = RunProposal.parse(payload(*EVERY))
    signed = proposal.sign(CENTRE)
    again = RunProposal.verify(signed, key=CENTRE.public)
    assert again == proposal
    assert again.digest == proposal.digest
    assert [type(one) for one in again.steps] == [CountQuestion, CountQuestion, HistogramQuestion, QuantileQuestion]
    assert again.rounds == len(again.events()) == 4
    written = json.loads(signed)["document"]["steps"]
    assert [one["measure"] for one in written] == ["spend", "customers", "baskets", "quantity"]
    assert [one["by"] for one in written] == ["category", "week", "store-group", None]


@given(
    clip=st.floats(math.sqrt(3), 1000.0),
    edges=st.lists(st.floats(1e-9, LARGEST_AMOUNT), unique=True, max_size=20).map(sorted),
)
def test_numbers_keep_their_last_bit_on_the_way(clip: float, edges: list[float]) -> None:
    proposal = RunProposal.parse(payload(HISTOGRAM | {"edges": [0, *edges], "answer": {"clip": clip, "share": 1.0}}))
    again = RunProposal.verify(proposal.sign(CENTRE), key=CENTRE.public)
    (question,) = again.steps
    assert isinstance(question, HistogramQuestion)
    assert (question.edges, question.answer.clip) == ((0.0, *edges), clip)


def test_a_count_releases_a_cell_per_group_and_then_its_two_counts() -> None:
    assert blocks(step(COUNT)) == [("answer", 2, 300.0, 0.5), ("customers", 1, 1.0, 0.25), ("over", 1, 1.0, 0.25)]
    assert blocks(step(CUSTOMERS)) == [("answer", 4, 2.0, 1.0)]
    short = {"answer": {"clip": 1.0, "share": 0.5}, "over": ONE}
    assert blocks(step(CUSTOMERS, **short)) == [("answer", 4, 1.0, 0.5), ("over", 1, 1.0, 0.25)]


def test_a_histogram_releases_every_groups_bins_and_quantiles_every_groups_tree() -> None:
    assert blocks(step(HISTOGRAM)) == [("answer", 3 * 4, math.sqrt(3), 1.0)]
    assert blocks(step(QUANTILES)) == [("answer", 1 + 4 + 16 + 64, 2.0, 1.0)]
    weekly = step(QUANTILES, by="week", answer={"clip": 4.0, "share": 1.0})
    assert blocks(weekly) == [("answer", 4 * 85, 4.0, 1.0)]


def test_the_blocks_are_the_releases_layout() -> None:
    proposal = RunProposal.parse(payload(*EVERY))
    for one in proposal.steps:
        assert proposal.layout(one).blocks == one.blocks()
        assert proposal.layout(one).size == sum(block.size for block in one.blocks())


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"by": None, "groups": []}, ("all",)),
        ({"by": "week", "groups": []}, ("week 5", "week 6", "week 7", "week 8")),
        ({"by": "week", "groups": [], "first_week": 8}, ("week 8",)),
        ({"by": "category", "groups": ["b", "a"]}, ("b", "a")),
        ({"by": "store-group", "groups": ["x" * 100]}, ("x" * 100,)),
    ],
)
def test_groups_stand_in_the_order_in_which_they_are_named(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    assert step(COUNT, **changes).group_names == names


def test_quantiles_are_read_off_equal_bins_from_zero_to_the_highest() -> None:
    question = step(QUANTILES)
    assert (question.tree.branching, question.tree.height) == (TREE_BRANCHING, 3)
    assert len(question.edges) == question.tree.leaves + 1 == 65
    assert (question.edges[0], question.edges[16], question.edges[-1]) == (0.0, 25.0, 100.0)


@given(highest=st.floats(SMALLEST_HIGHEST, LARGEST_AMOUNT), height=st.integers(1, 5))
def test_the_edges_of_a_tree_always_rise(highest: float, height: int) -> None:
    question = step(QUANTILES, highest=highest, height=height, answer={"clip": 3.0, "share": 1.0})
    assert question.edges[0] == 0
    assert question.edges[-1] == highest
    assert all(low < high for low, high in itertools.pairwise(question.edges))


@pytest.mark.parametrize("fields", EVERY, ids=lambda fields: f"{fields['operation']}-of-{fields['measure']}")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"measure": "visits"}, "measure"),
        ({"measure": None}, "measure"),
        ({"first_week": 0}, "first_week"),
        ({"first_week": 9}, "first_week must not be after last_week"),
        ({"last_week": 4}, "first_week must not be after last_week"),
        ({"last_week": MAXIMUM_WEEK + 1}, "last_week"),
        ({"first_week": 5.5}, "first_week"),
        ({"rounds": 2}, "rounds"),
        ({"rounds": 0}, "rounds"),
        ({"version": 2}, "version"),
        ({"purpose": ""}, "purpose"),
        ({"tier": "all"}, "tier"),
        ({"noise_multiplier": 0}, "noise_multiplier"),
        ({"by": "customer", "groups": ["a"]}, "by"),
        ({"by": "category", "groups": []}, "groups must be named"),
        ({"by": "store-group", "groups": []}, "groups must be named"),
        ({"by": "week", "groups": ["week 5"]}, "groups must be named"),
        ({"by": None, "groups": ["all"]}, "groups must be named"),
        ({"by": "category", "groups": ["a", "a"]}, "groups must name each group once"),
        ({"by": "store-group", "groups": ["a", "b", "a"]}, "groups must name each group once"),
        ({"by": "category", "groups": [""]}, "groups.0"),
        ({"by": "category", "groups": ["a", "x" * 101]}, "groups.1"),
        ({"by": "category", "groups": [7]}, "groups.0"),
        ({"answer": None}, "answer"),
        ({"answer": {"clip": 0, "share": 1.0}}, "answer.clip"),
        ({"answer": {"clip": 10 * LARGEST_CLIP, "share": 1.0}}, "answer.clip"),
        ({"answer": {"clip": math.nan, "share": 1.0}}, "answer.clip"),
        ({"answer": {"clip": 300.0, "share": 1.1}}, "answer.share"),
        ({"where": "customer = 7"}, "where"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_question_may_say(fields: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    assert words in refusal(fields, **changes)


@pytest.mark.parametrize("name", ["measure", "first_week", "last_week", "answer"])
def test_what_every_question_must_say(name: str) -> None:
    for fields in EVERY:
        assert name in refusal({key: value for key, value in fields.items() if key != name})


def test_a_measure_that_the_clip_may_cut_says_how_many_were_over() -> None:
    words = "over must be stated where the clip may cut a customer"
    for measure in ("baskets", "spend", "quantity"):
        # However high the clip: there is no bound on what a customer can do.
        assert words in refusal(COUNT, measure=measure, over=None, answer={"clip": LARGEST_CLIP, "share": 0.5})
        assert step(COUNT, measure=measure).may_cut is True
    assert words in refusal(CUSTOMERS, answer={"clip": math.nextafter(2.0, 0), "share": 0.5})
    assert step(CUSTOMERS).may_cut is False
    assert step(CUSTOMERS, answer={"clip": 1.0, "share": 0.5}, over=ONE).may_cut is True


def test_customers_are_counted_beside_every_other_measure_and_not_twice() -> None:
    words = "customers must be stated unless customers are what is counted"
    for measure in ("baskets", "spend", "quantity"):
        assert words in refusal(COUNT, measure=measure, customers=None)
    assert words in refusal(CUSTOMERS, customers=ONE, answer={"clip": 2.0, "share": 0.5})


@given(groups=st.integers(1, 300))
def test_a_clip_shorter_than_a_customer_can_be_is_refused(groups: int) -> None:
    named = {"by": "category", "groups": [f"group {number}" for number in range(groups)]}
    for fields, longest in ((HISTOGRAM, math.sqrt(groups)), (QUANTILES | {"height": 1}, math.sqrt(groups * 2))):
        assert step(fields, **named, answer={"clip": longest, "share": 1.0}).answer.clip == longest
        short = refusal(fields, **named, answer={"clip": math.nextafter(longest, 0), "share": 1.0})
        assert f"answer.clip must be {longest!r} or more" in short


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5])
def test_a_tree_needs_a_clip_for_each_of_its_levels(height: int) -> None:
    longest = math.sqrt(height + 1)
    assert step(QUANTILES, height=height, answer={"clip": longest, "share": 1.0})
    for clip in (math.nextafter(longest, 0), math.sqrt(height)):
        assert "answer.clip must be" in refusal(QUANTILES, height=height, answer={"clip": clip, "share": 1.0})


@pytest.mark.parametrize("fields", [HISTOGRAM, QUANTILES], ids=["histogram", "quantiles"])
def test_that_somebody_bought_has_no_histogram_and_no_quantiles(fields: dict[str, Any]) -> None:
    assert "measure must be an amount" in refusal(fields, measure=Measure.CUSTOMERS.value)


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([], "edges"),
        ([1.0], "edges must start at 0 and rise"),
        ([1e-300, 1.0], "edges must start at 0 and rise"),
        ([0, 0], "edges must start at 0 and rise"),
        ([0, 2, 1], "edges must start at 0 and rise"),
        ([0, 1, 1], "edges must start at 0 and rise"),
        ([-1, 0, 1], "edges.0"),
        ([0, math.inf], "edges.1"),
        ([0, math.nan], "edges.1"),
        ([0, 1.1e12], "edges.1"),
        ([0, "many"], "edges.1"),
        (list(range(1001)), "edges"),
        (None, "edges"),
    ],
)
def test_edges_rise_from_zero(edges: Any, words: str) -> None:
    assert words in refusal(HISTOGRAM, edges=edges)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probabilities": []}, "probabilities"),
        ({"probabilities": [0.5, 0.5]}, "probabilities must rise"),
        ({"probabilities": [0.9, 0.1]}, "probabilities must rise"),
        ({"probabilities": [0.0]}, "probabilities.0"),
        ({"probabilities": [0.5, 1.0]}, "probabilities.1"),
        ({"probabilities": [math.nan]}, "probabilities.0"),
        ({"probabilities": [number / 200 for number in range(1, 101)]}, "probabilities"),
        ({"highest": 0}, "highest"),
        ({"highest": -1}, "highest"),
        ({"highest": math.inf}, "highest"),
        ({"highest": 1.1e12}, "highest"),
        # Too narrow for floating point: the edges of its bins would not rise, which a vault would find out too late.
        ({"highest": 5e-324}, "highest"),
        ({"highest": 1e-320}, "highest"),
        ({"height": 0}, "height"),
        ({"height": 6}, "height"),
        ({"edges": [0, 1]}, "edges"),
    ],
)
def test_quantiles_are_probabilities_over_a_tree_of_bounded_height(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(QUANTILES, **changes)


def test_an_answer_has_no_more_cells_than_its_bound() -> None:
    def named(groups: int) -> dict[str, Any]:
        return {"by": "category", "groups": [str(number) for number in range(groups)]}

    wide = {"answer": {"clip": 200.0, "share": 0.5}}
    assert step(COUNT, **named(MAXIMUM_CELLS), **wide).blocks()[0].size == MAXIMUM_CELLS
    assert step(HISTOGRAM, **named(20), edges=list(range(1000)), **wide).blocks()[0].size == MAXIMUM_CELLS
    assert step(QUANTILES, **named(14), height=5, **wide).blocks()[0].size == 14 * 1365
    for fields, changes, cells in (
        (COUNT, named(MAXIMUM_CELLS + 1), "20,001"),
        (HISTOGRAM, named(21) | {"edges": list(range(1000))}, "21,000"),
        (QUANTILES, named(15) | {"height": 5}, "20,475"),
    ):
        words = refusal(fields, **changes, **wide)
        assert f"the answer has {cells} cells, at most 20,000" in words
        assert "ask for fewer groups or bins" in words


def test_a_whole_leagues_calendar_fits_by_week() -> None:
    question = step(CUSTOMERS, first_week=1, last_week=MAXIMUM_WEEK, answer={"clip": 100.0, "share": 1.0})
    assert len(question.group_names) == question.blocks()[0].size == MAXIMUM_WEEK


def test_an_answers_shares_are_of_one_whole() -> None:
    assert "shares" in refusal(COUNT, answer={"clip": 300.0, "share": 0.6})


def test_what_is_spent_on_judging_the_answer_is_told() -> None:
    judged = COUNT | {"over": ONE | {"is_metric": True}}
    assert RunProposal.parse(payload(judged)).metrics_share() == pytest.approx(0.25)
    assert RunProposal.parse(payload(COUNT)).metrics_share() == 0
