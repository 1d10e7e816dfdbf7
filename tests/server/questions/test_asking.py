"""A question's terms become a proposal that costs what was offered and cuts nobody in silence."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hanse_models.catalogue import Catalogue
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import CountQuestion, Grouping, HistogramQuestion, Measure, QuantileQuestion
from hanse_privacy.units import CustomerAcrossTheRoster
from hanse_server.league import League
from hanse_server.questions.asking import question_proposal
from hanse_server.questions.terms import CountTerms, HistogramTerms, QuantileTerms, QuestionInvalidError, Terms, Weeks

WEEKS = Weeks(first=40, last=52)
Propose = Callable[..., RunProposal]


@pytest.mark.parametrize(
    ("text", "weeks", "words"),
    [("40-52", (40, 52), "weeks 40 to 52"), (" 7 ", (7, 7), "week 7"), ("9-9", (9, 9), "week 9")],
)
def test_weeks_are_read_as_people_write_them(text: str, weeks: tuple[int, int], words: str) -> None:
    read = Weeks.parse(text)
    assert (read.first, read.last) == weeks
    assert str(read) == words


@pytest.mark.parametrize("text", ["", "52-40", "0-3", "forty", "1-2-3", "40–52", "-3", "12345"])
def test_weeks_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(QuestionInvalidError, match="weeks is"):
        Weeks.parse(text)


def test_a_question_costs_what_was_offered(proposed: Propose) -> None:
    for epsilon in (0.05, 0.5, 2.0):
        proposal = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS), epsilon=epsilon)
        assert epsilon * 0.999 < proposal.cost_epsilon() <= epsilon


def test_customers_are_counted_whole_unless_the_asker_says_otherwise(proposed: Propose) -> None:
    (whole,) = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK)).steps
    assert isinstance(whole, CountQuestion)
    assert (whole.answer.share, whole.over) == (1.0, None)
    assert math.sqrt(13) <= whole.answer.clip < math.sqrt(13) * 1.001
    # One customer is a whole number of the grid's units.
    assert (65_536 / whole.answer.clip) % 1 == pytest.approx(0, abs=1e-6)
    (cut,) = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK, at_most=2.0)).steps
    assert isinstance(cut, CountQuestion)
    assert cut.answer.clip == 2.0
    assert cut.over is not None
    (more,) = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK, at_most=50.0)).steps
    assert isinstance(more, CountQuestion)
    assert (more.answer, more.over) == (whole.answer, None)


@pytest.mark.parametrize("measure", [Measure.BASKETS, Measure.SPEND, Measure.QUANTITY])
def test_an_amount_needs_a_bound_and_tells_whom_it_cut(proposed: Propose, measure: Measure) -> None:
    with pytest.raises(QuestionInvalidError, match=rf"how much {measure.value} one customer may add.*--at-most"):
        proposed(CountTerms(measure=measure, weeks=WEEKS))
    (step,) = proposed(CountTerms(measure=measure, weeks=WEEKS, at_most=20.0)).steps
    assert isinstance(step, CountQuestion)
    assert [block.name for block in step.blocks()] == ["answer", "customers", "over"]
    assert math.fsum(block.share for block in step.blocks()) == pytest.approx(1.0)


def test_groups_are_the_catalogue_s_or_the_league_s(proposed: Propose, catalogue: Catalogue) -> None:
    (every,) = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.CATEGORY)).steps
    assert isinstance(every, CountQuestion)
    assert every.groups == catalogue.categories
    assert "Health" not in every.groups, "all of its items are sensitive"
    (some,) = proposed(
        CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.CATEGORY), "Drinks", "Bread", "Drinks"
    ).steps
    assert isinstance(some, CountQuestion)
    assert some.groups == ("Drinks", "Bread")
    (stores,) = proposed(
        HistogramTerms(measure=Measure.BASKETS, weeks=WEEKS, by=Grouping.STORE_GROUP, edges=(0.0, 5.0))
    ).steps
    assert isinstance(stores, HistogramQuestion)
    assert stores.groups == ("city", "suburb", "village")
    assert stores.answer.clip == pytest.approx(math.sqrt(3), rel=1e-3)


def test_a_group_that_is_not_there_is_told_with_its_neighbours(proposed: Propose) -> None:
    with pytest.raises(QuestionInvalidError, match=r"'Drink'.*Drinks"):
        proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.CATEGORY), "Drink")
    with pytest.raises(QuestionInvalidError, match="Only categories and store groups"):
        proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK), "week 40")


def test_quantiles_are_read_off_a_tree_as_fine_as_asked(proposed: Propose) -> None:
    terms = QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5,), highest=500.0, bins=64)
    (step,) = proposed(terms).steps
    assert isinstance(step, QuantileQuestion)
    assert (step.tree.leaves, step.edges[0], step.edges[-1], len(step.edges)) == (64, 0.0, 500.0, 65)
    assert step.answer.clip == 2.0
    with pytest.raises(QuestionInvalidError, match=r"bins is 100.*4, 16, 64, 256, 1024"):
        proposed(QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5,), highest=500.0, bins=100))


@pytest.mark.parametrize(
    "terms",
    [
        QuantileTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, probabilities=(0.5,), highest=500.0),
        QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5, 0.5), highest=500.0),
        QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(1.0,), highest=500.0),
        QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5,), highest=-1.0),
        HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, edges=(5.0, 10.0)),
        HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, edges=(0.0, 10.0, 10.0)),
        HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, edges=(0.0, math.nan)),
        CountTerms(measure=Measure.SPEND, weeks=WEEKS, at_most=-3.0),
        CountTerms(measure=Measure.SPEND, weeks=WEEKS, at_most=math.inf),
        CountTerms(measure=Measure.CUSTOMERS, weeks=Weeks(first=1, last=1001)),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_signed(proposed: Propose, terms: Terms) -> None:
    with pytest.raises(HanseError):
        proposed(terms)


def test_a_league_without_settings_for_questions_is_told_what_to_write(league: League, catalogue: Catalogue) -> None:
    for changed, wanted in (
        (league.model_copy(update={"questions": None}), r"no section \[questions\]"),
        (
            league.model_copy(update={"questions": league.questions.model_copy(update={"store_groups": ()})}),  # type: ignore[union-attr]
            "no store groups",
        ),
    ):
        with pytest.raises(QuestionInvalidError, match=wanted):
            question_proposal(
                CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.STORE_GROUP),
                only=(),
                epsilon=1.0,
                league=changed,
                catalogue=catalogue,
                now=datetime.now(tz=UTC),
            )


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_a_cost_that_is_none_is_refused_in_a_sentence(proposed: Propose, epsilon: float) -> None:
    with pytest.raises(QuestionInvalidError, match="epsilon is"):
        proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS), epsilon=epsilon)


def test_the_title_is_the_question(proposed: Propose) -> None:
    terms = CountTerms(measure=Measure.SPEND, weeks=WEEKS, by=Grouping.STORE_GROUP, at_most=400.0)
    assert proposed(terms).title == "Spend by store group, weeks 40 to 52"


def test_a_unit_across_the_roster_has_every_clip_as_often_as_it_may_be(
    league: League, catalogue: Catalogue, proposed: Propose
) -> None:
    across = CustomerAcrossTheRoster(partners_at_most=2)
    spanning = league.model_copy(update={"questions": league.questions.model_copy(update={"unit": across})})  # type: ignore[union-attr]
    for terms in (
        CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK),
        CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK, at_most=2.0),
        CountTerms(measure=Measure.BASKETS, weeks=WEEKS, at_most=8.0),
        HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, edges=(0.0, 10.0)),
        QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5,), highest=64.0),
    ):
        alone = proposed(terms)
        person = question_proposal(
            terms, only=(), epsilon=1.0, league=spanning, catalogue=catalogue, now=datetime.now(tz=UTC)
        )
        assert person.unit == across
        (one,), (other,) = alone.steps, person.steps
        assert [2 * block.clip for block in one.blocks()] == pytest.approx(
            [block.clip for block in other.blocks()], rel=1e-3
        )
        # Twice the noise, for twice as much of one person in the sum.
        half = alone.layout(one).standard_deviation("answer", vaults=2)
        assert person.layout(other).standard_deviation("answer", vaults=2) == pytest.approx(2 * half, rel=1e-3)
