"""Recall and NDCG against sorted lists, one customer at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import ndcg_score

from hanse_models.matrices import csr_array
from hanse_models.ranking_metrics import RankingView, evaluate_ranking, mean_and_standard_error, top_items
from hanse_models.recommender import ScoredCustomers
from hanse_privacy.errors import InvalidValueError

shapes = st.tuples(st.integers(0, 4), st.integers(1, 14))


@st.composite
def cases(draw):
    shape = draw(shapes)
    marks = arrays.arrays(np.bool_, shape)
    # Few distinct scores, so that ties are the rule.
    scores = draw(arrays.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    return scores, draw(marks), draw(marks), draw(arrays.arrays(np.bool_, shape[0])), draw(st.integers(1, 12))


def slow_metrics(scores, history, targets, view, places):
    candidates = [
        item for item in range(len(scores)) if view is RankingView.ALL or history[item] == (view is RankingView.REPEAT)
    ]
    wanted = {item for item in candidates if targets[item]}
    if not wanted:
        return math.nan, math.nan
    listed = sorted(candidates, key=lambda item: (-scores[item], item))[:places]
    gain = sum(1 / math.log2(place + 2) for place, item in enumerate(listed) if item in wanted)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(places, len(wanted))))
    return len(wanted & set(listed)) / min(places, len(wanted)), gain / ideal


def chunks(scores, size):
    return [
        ScoredCustomers(customers=np.arange(start, min(start + size, len(scores))), scores=scores[start : start + size])
        for start in range(0, len(scores), size)
    ]


@given(case=cases(), size=st.integers(1, 5))
def test_every_view_equals_the_slow_one(case, size) -> None:
    scores, history, targets, evaluated, places = case
    quality = evaluate_ranking(
        chunks(scores, size),
        history=csr_array(history.astype(float)),
        targets=csr_array(targets.astype(float)),
        evaluated=evaluated,
        places=places,
    )
    for view in RankingView:
        expected = [
            slow_metrics(scores[u], history[u], targets[u], view, places) if evaluated[u] else (math.nan, math.nan)
            for u in range(len(scores))
        ]
        np.testing.assert_allclose(quality[view].recall, [recall for recall, _ in expected])
        np.testing.assert_allclose(quality[view].ndcg, [ndcg for _, ndcg in expected])


def test_ndcg_equals_scikit_learn_where_no_scores_tie() -> None:
    generator = np.random.default_rng(3)
    scores, targets = generator.normal(size=(20, 40)), generator.random((20, 40)) < 0.1
    targets[:, 7] = True
    quality = evaluate_ranking(
        chunks(scores, 8),
        history=csr_array((20, 40)),
        targets=csr_array(targets.astype(float)),
        evaluated=np.ones(20, dtype=bool),
    )
    expected = [ndcg_score(targets[u : u + 1], scores[u : u + 1], k=10) for u in range(20)]
    np.testing.assert_allclose(quality[RankingView.ALL].ndcg, expected)
    np.testing.assert_array_equal(quality[RankingView.ALL].ndcg, quality[RankingView.EXPLORE].ndcg)
    assert np.isnan(quality[RankingView.REPEAT].ndcg).all()


def test_ties_go_to_the_lower_place_and_gaps_are_minus_one() -> None:
    scores = np.array([[1.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    candidates = np.array([[True, True, False, True], [False, False, True, False]])
    assert top_items(scores, candidates, places=3).tolist() == [[1, 3, 0], [2, -1, -1]]


def test_mean_leaves_out_who_cannot_be_evaluated() -> None:
    estimate = mean_and_standard_error(np.array([1.0, np.nan, 0.0, 0.5]))
    assert (estimate.mean, estimate.customers) == (0.5, 3)
    assert estimate.standard_error == pytest.approx(0.5 / math.sqrt(3))
    assert math.isnan(mean_and_standard_error(np.array([np.nan])).mean)
    single = mean_and_standard_error(np.array([0.25]))
    assert single.mean == 0.25
    assert math.isnan(single.standard_error)


def test_shapes_must_agree() -> None:
    marks, everybody = csr_array((2, 3)), np.ones(2, dtype=bool)
    with pytest.raises(InvalidValueError, match="history's shape"):
        evaluate_ranking([], history=csr_array((2, 4)), targets=marks, evaluated=everybody)
    with pytest.raises(InvalidValueError, match="evaluated's shape"):
        evaluate_ranking([], history=marks, targets=marks, evaluated=np.ones(3, dtype=bool))
    with pytest.raises(InvalidValueError, match="scores' columns is 5"):
        evaluate_ranking(chunks(np.zeros((2, 5)), 2), history=marks, targets=marks, evaluated=everybody)
    with pytest.raises(InvalidValueError, match="places is 0"):
        evaluate_ranking([], history=marks, targets=marks, evaluated=everybody, places=0)
