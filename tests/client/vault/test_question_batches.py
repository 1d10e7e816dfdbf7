"""A question's batches: together they are the whole, whatever memory allows at a time, block by block as it states."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse_client.vault import question_batches as batches
from hanse_client.vault.cohort_rows import CohortRows
from hanse_client.vault.operations import Work, customer_batches
from hanse_client.vault.question_batches import question_batches
from hanse_models.questions import CustomerAmounts
from hanse_privacy.protocol.cohort import CohortExceededError
from hanse_privacy.protocol.question_steps import CountQuestion, HistogramQuestion, QuantileQuestion, Question
from hanse_privacy.release import ReleaseLayout, sum_customers
from hanse_privacy.units import CustomerAcrossTheRoster, CustomerAtOnePartner

GROUPS = ("dairy", "bread", "fruit")
COMMON: dict[str, Any] = {
    "purpose": "league-questions",
    "tier": "basic",
    "noise_multiplier": 20.0,
    "first_week": 1,
    "last_week": 4,
    "measure": "spend",
}
GROUPED: dict[str, Any] = {"by": "category", "groups": GROUPS}
ONE: dict[str, Any] = {"clip": 1.0, "share": 0.1}


def count(clip: float = 50.0, **changes: Any) -> CountQuestion:
    fields = {"answer": {"clip": clip, "share": 0.8}, "customers": ONE, "over": ONE}
    return CountQuestion.model_validate(COMMON | fields | changes)


def histogram(**changes: Any) -> HistogramQuestion:
    fields = {"answer": {"clip": math.sqrt(3), "share": 1.0}, "edges": (0.0, 10.0, 40.0)}
    return HistogramQuestion.model_validate(COMMON | fields | changes)


def quantiles(**changes: Any) -> QuantileQuestion:
    fields = {"answer": {"clip": 3.0, "share": 1.0}, "probabilities": (0.5,), "highest": 100.0, "height": 2}
    return QuantileQuestion.model_validate(COMMON | fields | changes)


QUESTIONS = {
    "count": count(),
    "count-by-group": count(**GROUPED),
    "customers": CountQuestion.model_validate(
        COMMON | GROUPED | {"measure": "customers", "answer": {"clip": 2.0, "share": 1.0}}
    ),
    "customers-cut": CountQuestion.model_validate(
        COMMON | GROUPED | {"measure": "customers", "answer": {"clip": 1.0, "share": 0.5}, "over": ONE}
    ),
    "histogram": histogram(),
    "histogram-by-group": histogram(**GROUPED),
    "quantiles": quantiles(),
    "quantiles-by-group": quantiles(**GROUPED),
}


class ToyRows:
    """Amounts drawn at random, or as they are given; some customers have no row at all."""

    def __init__(self, *rows: Sequence[float]) -> None:
        self.rows = rows
        self.asked: list[tuple[Sequence[str], Question]] = []

    def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
        self.asked.append((cohort, question))
        groups = len(question.group_names)
        chance = np.random.default_rng(len(cohort))
        dense = np.array(self.rows) if self.rows else chance.exponential(30.0, size=(len(cohort), groups)).round(2)
        here = np.ones(dense.shape, dtype=bool) if self.rows else chance.random(dense.shape) < 0.5
        customer, group = np.nonzero(here)
        amount = np.ones(len(customer)) if question.measure == "customers" else dense[here]
        return CustomerAmounts(
            customers=len(cohort),
            groups=groups,
            customer=customer.astype(np.int32),
            group=group.astype(np.int32),
            amount=amount.astype(np.float64),
        )


def people(number: int) -> list[str]:
    return [f"customer {place}" for place in range(number)]


def layout(question: Question) -> ReleaseLayout:
    return ReleaseLayout(blocks=question.blocks(), units=65536, noise_multiplier=20.0, honest_shares=1)


def by_hand(question: Question, amounts: CustomerAmounts) -> dict[str, np.ndarray]:
    """All customers at once, cell by cell."""
    groups = len(question.group_names)
    size = question.blocks()[0].size // groups
    answer = np.zeros((amounts.customers, groups, size))
    rows = list(zip(amounts.customer, amounts.group, amounts.amount, strict=True))
    for customer, group, amount in rows:
        match question:
            case CountQuestion():
                answer[customer, group, 0] = amount
            case HistogramQuestion():
                answer[customer, group, sum(edge <= amount for edge in question.edges) - 1] = 1
            case QuantileQuestion():
                leaf = min(int(amount // (question.highest / 16)), 15)
                answer[customer, group, [0, 1 + leaf // 4, 5 + leaf]] = 1
    whole = {"answer": answer.reshape(amounts.customers, -1)}
    if isinstance(question, CountQuestion):
        norms = [math.sqrt(sum(amount**2 for one, _, amount in rows if one == place)) for place in range(len(answer))]
        if question.customers is not None:
            whole["customers"] = np.array([[float(place in amounts.customer)] for place in range(len(answer))])
        if question.over is not None:
            whole["over"] = np.array([[float(norm > question.answer.clip)] for norm in norms])
    return whole


def together(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_batches_together_are_everybody_once_and_in_order(question: Question) -> None:
    data, cohort = ToyRows(), people(300)
    parts = [dict(part) for part in question_batches(question, data=data, cohort=cohort, vaults=1)]
    assert data.asked == [(cohort, question)]
    assert [len(part["answer"]) for part in parts] == [256, 44]
    expected = by_hand(question, data.amounts(cohort, question))
    found = together(parts)
    assert list(found) == list(expected) == [block.name for block in question.blocks()]
    for name, rows in found.items():
        assert (rows == expected[name]).all(), name


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
@pytest.mark.parametrize("customers", [1, 7, 12])
@pytest.mark.parametrize("room", [(5, 10**9), (256, 70), (256, 1), (1, 10**9)])
def test_where_memory_is_short_batches_are_small_and_the_sum_is_the_same(
    question: Question, customers: int, room: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cohort = ToyRows(), people(customers)
    whole = sum_customers(layout(question), question_batches(question, data=data, cohort=cohort, vaults=1))
    at_once, entries = room
    monkeypatch.setattr(batches, "_CUSTOMERS", at_once)
    monkeypatch.setattr(batches, "_ENTRIES", entries)
    parts = [dict(part) for part in question_batches(question, data=data, cohort=cohort, vaults=1)]
    size = question.blocks()[0].size
    assert all(len(part["answer"]) <= max(1, min(at_once, entries // size)) for part in parts)
    assert all(part["answer"].size <= max(entries, size) for part in parts)
    again = sum_customers(layout(question), parts)
    assert (again.vector == whole.vector).all()
    assert (again.customers, again.clipped, again.refitted) == (customers, whole.clipped, whole.refitted)
    expected = by_hand(question, data.amounts(cohort, question))
    assert all((rows == expected[name]).all() for name, rows in together(parts).items())


def test_the_longest_answer_comes_in_batches_that_fit() -> None:
    question = count(by="category", groups=tuple(str(number) for number in range(20_000)))

    class OneEach(ToyRows):
        def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
            places = np.arange(len(cohort), dtype=np.int32)
            return CustomerAmounts(
                customers=len(cohort), groups=20_000, customer=places, group=places, amount=places.astype(np.float64)
            )

    parts = question_batches(question, data=OneEach(), cohort=people(250), vaults=1)
    assert [part["answer"].shape for part in parts] == [(100, 20_000), (100, 20_000), (50, 20_000)]


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_nobody_is_no_batch_and_a_sum_of_nothing(question: Question) -> None:
    assert list(question_batches(question, data=ToyRows(), cohort=[], vaults=1)) == []
    nothing = sum_customers(layout(question), question_batches(question, data=ToyRows(), cohort=[], vaults=1))
    assert (nothing.customers, nothing.vector.any()) == (0, False)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_only_a_clip_that_may_cut_cuts(question: Question) -> None:
    found = sum_customers(layout(question), question_batches(question, data=ToyRows(), cohort=people(200), vaults=1))
    may_cut = isinstance(question, CountQuestion) and question.may_cut
    assert (found.clipped["answer"] > 0) is may_cut
    assert {name: cut for name, cut in found.clipped.items() if name != "answer" and cut} == {}


def over_and_clipped(question: CountQuestion, rows: Sequence[Sequence[float]]) -> tuple[int, int]:
    """How many a question says were over, and how many the release cuts."""
    parts = list(question_batches(question, data=ToyRows(*rows), cohort=people(len(rows)), vaults=1))
    return int(sum(part["over"].sum() for part in parts)), sum_customers(layout(question), parts).clipped["answer"]


@given(rows=st.lists(st.lists(st.floats(0, 1e12), min_size=3, max_size=3), min_size=1, max_size=5), data=st.data())
def test_over_is_whom_the_release_cuts(rows: list[list[float]], data: st.DataObject) -> None:
    # A clip anywhere, or the length of somebody: what floating point says of it decides.
    lengths = st.sampled_from([float(np.linalg.norm(row)) for row in rows])
    clip = data.draw(st.one_of(st.floats(1e-6, 1e12), lengths.map(lambda length: min(max(length, 1e-6), 1e12))))
    over, clipped = over_and_clipped(count(clip, **GROUPED), rows)
    assert over == clipped


def test_whoever_is_exactly_as_long_as_the_clip_is_not_over() -> None:
    for rows, clip in (([[3.0, 0.0, 4.0]], 5.0), ([[5.0, 12.0, 0.0]], 13.0), ([[50.0, 120.0, 0.0]], 130.0)):
        assert over_and_clipped(count(clip, **GROUPED), rows) == (0, 0)
        assert over_and_clipped(count(clip * (1 - 1e-12), **GROUPED), rows) == (1, 1)
        assert over_and_clipped(count(clip, **GROUPED), [[*rows[0][:2], rows[0][2] + 0.01]]) == (1, 1)


def test_over_is_whom_the_release_cuts_in_long_answers_too() -> None:
    # Sums of many squares, where the order of adding decides the last bit.
    chance = np.random.default_rng(5)
    groups = tuple(str(number) for number in range(40))
    for _ in range(60):
        row = chance.exponential(30.0, size=40).round(2)
        question = count(float(np.linalg.norm(row)), by="category", groups=groups)
        over, clipped = over_and_clipped(question, [row.tolist(), (row + 0.01).tolist()])
        assert over == clipped >= 1


def test_what_a_customer_did_reaches_the_sum_in_the_answers_unit() -> None:
    question = count(50.0, **GROUPED)
    rows = [[3.0, 0.0, 4.0], [0.0, 0.0, 0.0], [30.0, 40.0, 0.0], [300.0, 0.0, 400.0]]
    found = sum_customers(layout(question), question_batches(question, data=ToyRows(*rows), cohort=people(4), vaults=1))
    told = layout(question).decode(found.vector)
    # The last one is scaled down to the clip: 30 and 40.
    assert told["answer"] == pytest.approx([3 + 30 + 30, 40, 4 + 40], abs=0.01)
    assert told["customers"] == pytest.approx([4], abs=0.001)
    assert told["over"] == pytest.approx([1], abs=0.001)


def test_over_is_whom_a_release_cuts_to_the_part_of_a_unit_that_may_be_at_several_vaults() -> None:
    question = count(12.0, **GROUPED)
    rows = [[3.0, 0.0, 2.5], [3.0, 0.0, 2.7], [12.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    for vaults, cut in ((1, 0), (3, 2)):
        unit = CustomerAtOnePartner() if vaults == 1 else CustomerAcrossTheRoster(partners_at_most=vaults)
        of_unit = replace(layout(question), unit=unit)
        work = Work(step=question, weights=None, vaults=vaults)
        data = ToyRows(*rows)
        found = sum_customers(of_unit, customer_batches(work, data=data, cohort=people(4)))
        assert found.clipped["answer"] == cut
        over = sum(part["over"].sum() for part in customer_batches(work, data=data, cohort=people(4)))
        assert over == cut


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_round_computes_a_question_from_its_cohorts_rows_alone(question: Question) -> None:
    data, cohort = ToyRows(), people(9)
    work = Work(step=question, weights=None)
    parts = list(customer_batches(work, data=CohortRows(data, cohort=cohort), cohort=cohort[:4]))
    assert [len(part["answer"]) for part in parts] == [4]
    with pytest.raises(CohortExceededError) as refused:
        list(customer_batches(work, data=CohortRows(data, cohort=cohort[:4]), cohort=cohort[:5]))
    assert cohort[4] not in str(refused.value)
    assert data.asked == [(cohort[:4], question)]
