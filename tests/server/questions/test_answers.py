"""What the centre makes of a noisy sum: rows, intervals, table and picture; and the error told beforehand."""

import io
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from hanse_models.questions import CustomerAmounts, count_vectors, histogram_vectors, tree_vectors
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping, HistogramQuestion, Measure, QuantileQuestion, Question
from hanse_privacy.randomness import UnsafeSeededRandomness
from hanse_privacy.release import add_noise, sum_customers
from hanse_privacy.statistics.confidence import NORMAL_95
from hanse_server.programmes import programme_for
from hanse_server.questions.answer import Answer
from hanse_server.questions.commands import tell_largest
from hanse_server.questions.picture import MOST_ROWS, answer_picture
from hanse_server.questions.prediction import predict
from hanse_server.questions.programme import NotAnsweredError, QuestionProgramme
from hanse_server.questions.table import TOO_FEW, answer_table
from hanse_server.questions.terms import CountTerms, HistogramTerms, QuantileTerms, Terms, Weeks

WEEKS = Weeks(first=1, last=3)
AMOUNTS = CustomerAmounts(
    customers=5,
    groups=3,
    customer=np.array([0, 0, 1, 2, 3], dtype=np.int32),
    group=np.array([0, 2, 0, 1, 1], dtype=np.int32),
    amount=np.array([4.0, 12.0, 30.0, 7.5, 0.0]),
)
Propose = Callable[..., RunProposal]


def step_of(proposal: RunProposal) -> Question:
    (step,) = proposal.steps
    assert isinstance(step, Question)
    return step


def answered(proposal: RunProposal, **blocks: list[float]) -> Answer:
    """The answer, were these the released sums."""
    sums = {name: np.array(values, dtype=np.float64) for name, values in blocks.items()}
    return Answer.model_validate(programme_for(proposal).absorb(sums, round_number=1).result())


def printed(answer: Answer, *, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(answer_table(answer, title="A question"))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_no_answer_without_a_round(proposed: Propose) -> None:
    programme = programme_for(proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS)))
    assert isinstance(programme, QuestionProgramme)
    with pytest.raises(NotAnsweredError):
        programme.result()


def test_a_count_has_a_row_per_group_and_the_noise_s_interval(proposed: Propose) -> None:
    proposal = proposed(CountTerms(measure=Measure.BASKETS, weeks=WEEKS, by=Grouping.WEEK, at_most=5.0))
    answer = answered(proposal, answer=[100.0, -3.0, 0.0], customers=[40.0], over=[2.0])
    assert [(row.group, row.released.value) for row in answer.rows] == [
        ("week 1", 100.0),
        ("week 2", -3.0),
        ("week 3", 0.0),
    ]
    half = NORMAL_95 * proposal.layout(step_of(proposal)).standard_deviation("answer", vaults=2)
    assert answer.rows[0].released.low == pytest.approx(100 - half)
    assert answer.rows[0].released.high == pytest.approx(100 + half)
    assert predict(proposal, step_of(proposal)).cell == pytest.approx(half)
    assert answer.bound == 5.0
    text = printed(answer)
    assert "week 2" in text
    assert "Customers in it: 40.0" in text
    assert "Scaled down to 5.00 baskets: 2.00 customers" in text


def test_a_histogram_names_its_bins(proposed: Propose) -> None:
    terms = HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, by=Grouping.STORE_GROUP, edges=(0.0, 10.0, 20.0))
    answer = answered(proposed(terms), answer=list(range(9)))
    assert [(row.group, row.part, row.released.value) for row in answer.rows[:4]] == [
        ("city", "0 to below 10.0", 0.0),
        ("city", "10.0 to below 20.0", 1.0),
        ("city", "20.0 or more", 2.0),
        ("suburb", "0 to below 10.0", 3.0),
    ]
    assert "20.0 or more" in printed(answer)


def test_quantiles_without_noise_are_the_customers_own(proposed: Propose) -> None:
    terms = QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5, 0.9), highest=64.0, bins=64)
    proposal = proposed(terms)
    step = step_of(proposal)
    assert isinstance(step, QuantileQuestion)
    spent = np.arange(1000) % 50 + 0.5
    whole = CustomerAmounts(
        customers=1000,
        groups=1,
        customer=np.arange(1000, dtype=np.int32),
        group=np.zeros(1000, dtype=np.int32),
        amount=spent,
    )
    nodes = tree_vectors(whole, edges=step.edges, tree=step.tree).sum(axis=0)
    half, nine_tenths = answered(proposal, answer=list(nodes)).rows
    assert half.part == "50 %"
    assert half.released.value == pytest.approx(25.0, abs=1.0)
    assert nine_tenths.released.value == pytest.approx(45.0, abs=1.0)


def test_a_quantile_in_the_last_bin_is_a_lower_bound(proposed: Propose) -> None:
    terms = QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.9,), highest=64.0, bins=16)
    proposal = proposed(terms, epsilon=3.0)
    step = step_of(proposal)
    assert isinstance(step, QuantileQuestion)
    nodes = np.zeros(step.tree.size)
    nodes[step.tree.paths(np.array([15]))[0]] = 100_000.0
    answer = answered(proposal, answer=list(nodes))
    (row,) = answer.rows
    assert row.is_beyond
    assert row.released.value == 60.0
    assert row.released.high is None
    assert "60.0 or more" in printed(answer)
    assert "∞" in printed(answer)
    ET.fromstring(answer_picture(answer, title="A question"))


def test_nobody_there_is_too_few_to_tell(proposed: Propose) -> None:
    terms = QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5,), highest=64.0, bins=16)
    answer = answered(proposed(terms), answer=[0.0] * 21)
    assert answer.rows[0].released.value is None
    assert TOO_FEW in printed(answer)
    assert TOO_FEW in answer_picture(answer, title="A question")


@pytest.mark.parametrize(
    "terms",
    [
        CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK),
        CountTerms(measure=Measure.SPEND, weeks=WEEKS, by=Grouping.WEEK, at_most=40.0),
        HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, by=Grouping.WEEK, edges=(0.0, 10.0, 20.0)),
    ],
)
def test_the_error_is_what_was_predicted(proposed: Propose, terms: Terms) -> None:
    proposal = proposed(terms, epsilon=1.0)
    step = step_of(proposal)
    layout = proposal.layout(step)
    if isinstance(step, HistogramQuestion):
        vectors = histogram_vectors(AMOUNTS, edges=step.edges).toarray()
    else:
        vectors = count_vectors(AMOUNTS).toarray()
    if step.measure is Measure.CUSTOMERS:
        vectors = np.sign(vectors)
    batch = {"answer": vectors}
    for block in layout.blocks[1:]:
        batch[block.name] = np.zeros((AMOUNTS.customers, 1))
    exact = sum_customers(layout, [batch])
    assert exact.clipped["answer"] == 0
    source = UnsafeSeededRandomness(7)
    errors = []
    for _ in range(400):
        # Two vaults: one with all the customers, one with none.
        noisy = add_noise(layout, exact, source=source) + add_noise(layout, sum_customers(layout, []), source=source)
        errors.append(layout.decode(noisy)["answer"] - vectors.sum(axis=0))
    measured = math.sqrt(float(np.mean(np.square(errors))))
    assert predict(proposal, step).cell / NORMAL_95 / measured == pytest.approx(1.0, abs=0.1)


def test_the_prediction_says_what_a_cell_counts(proposed: Propose) -> None:
    def told(terms: Terms) -> str:
        proposal = proposed(terms)
        return predict(proposal, step_of(proposal)).in_words()

    assert "customers in each cell" in told(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS))
    spend = told(CountTerms(measure=Measure.SPEND, weeks=WEEKS, at_most=40.0))
    assert "of currency in each cell" in spend
    assert "scaled down" in spend
    assert "customers in each cell" in told(HistogramTerms(measure=Measure.SPEND, weeks=WEEKS, edges=(0.0, 1.0)))
    rank = told(QuantileTerms(measure=Measure.SPEND, weeks=WEEKS, probabilities=(0.5,), highest=64.0))
    assert "customers of their rank" in rank


def test_a_picture_is_whole_and_escapes_what_others_wrote(proposed: Propose) -> None:
    proposal = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=WEEKS, by=Grouping.WEEK))
    drawn = answer_picture(answered(proposal, answer=[1.0, 2.0, 3.0]), title="<script>alert(1)</script> & more")
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [part for part in root.iter() if part.tag.endswith("script")]
    assert "week 2: 2.00" in drawn


def test_a_long_answer_is_drawn_in_part_and_says_so(proposed: Propose) -> None:
    proposal = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=Weeks(first=1, last=52), by=Grouping.WEEK))
    drawn = answer_picture(answered(proposal, answer=[float(week) for week in range(52)]), title="A question")
    assert f"the {MOST_ROWS} largest of 52" in drawn
    assert ">week 52<" in drawn
    assert ">week 1<" not in drawn


def test_the_largest_are_told_with_those_that_the_noise_hides(
    proposed: Propose, capsys: pytest.CaptureFixture[str]
) -> None:
    proposal = proposed(CountTerms(measure=Measure.CUSTOMERS, weeks=Weeks(first=1, last=4), by=Grouping.WEEK))
    answer = answered(proposal, answer=[5000.0, 40.0, 4000.0, 41.0])
    tell_largest(answer, 2)
    assert "The largest: week 1, week 3." in capsys.readouterr().out
    tell_largest(answer, 3)
    # Week 4 is one customer ahead of week 2, which is not named.
    assert "The largest: week 1, week 3, week 4 (?)." in capsys.readouterr().out
