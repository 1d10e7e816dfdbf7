"""The vectors and scores against slow loops over the baskets themselves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_models.popularity import SharedPopularity, breadth_vectors, exact_popularity, rate_vectors
from hanse_models.recommender import RecommenderSettings, recommend_scores
from hanse_privacy.errors import InvalidValueError

CUSTOMERS, ITEMS, LAST_WEEK = 5, 6, 9

baskets = st.dictionaries(
    st.tuples(st.integers(0, CUSTOMERS - 1), st.integers(1, LAST_WEEK), st.integers(0, 2)),
    st.sets(st.integers(0, ITEMS - 1), max_size=ITEMS).map(tuple),
    max_size=25,
)
weeks = st.integers(1, LAST_WEEK)
noisy = st.lists(st.floats(-5, 5), min_size=ITEMS, max_size=ITEMS).map(np.array)


def slow_decay(lines, customer, week, half_life):
    total, held = 0.0, [0.0] * ITEMS
    for (who, when, _), basket in lines.items():
        if who == customer and when <= week:
            weight = 0.5 ** ((week - when) / half_life)
            total += weight
            for item in basket:
                held[item] += weight
    return total, held


def slow_posterior(lines, customer, week, popularity, half_life, strength):
    total, held = slow_decay(lines, customer, week, half_life)
    prior = [min(max(float(x) / max(popularity.customers, 1.0), 0.0), 1.0) for x in popularity.rate]
    scores = [(held[i] + strength * prior[i]) / (total + strength) for i in range(ITEMS)]
    never = [i for i in range(ITEMS) if held[i] == 0.0]
    values = sorted((scores[i] for i in never), reverse=True)
    for item, value in zip(sorted(never, key=lambda i: (-popularity.breadth[i], i)), values, strict=True):
        scores[item] = value
    return scores


def gather(chunks, customers=CUSTOMERS):
    parts = list(chunks)
    assert [int(row) for part in parts for row in part.customers] == list(range(customers))
    return np.vstack([part.scores for part in parts]) if parts else np.zeros((0, ITEMS))


@given(lines=baskets, week=weeks, half_life=st.sampled_from([1.0, 8.0, 20.0]))
def test_vectors_equal_the_loops(make_history, lines, week, half_life) -> None:
    history = make_history(lines, CUSTOMERS, ITEMS)
    rates = rate_vectors(history, week=week, half_life_weeks=half_life).toarray()
    breadth = breadth_vectors(history, week=week).toarray()
    for customer in range(CUSTOMERS):
        total, held = slow_decay(lines, customer, week, half_life)
        expected = [x / total if total > 0 else 0.0 for x in held]
        np.testing.assert_allclose(rates[customer], expected, rtol=1e-12)
        assert breadth[customer].tolist() == [float(x > 0) for x in held]
    popularity = exact_popularity(history, week=week, half_life_weeks=half_life)
    np.testing.assert_allclose(popularity.rate, rates.sum(axis=0))
    np.testing.assert_allclose(popularity.breadth, breadth.sum(axis=0))
    assert popularity.customers == len({who for who, when, _ in lines if when <= week})


@settings(max_examples=60)
@given(
    lines=baskets,
    week=weeks,
    rate=noisy,
    breadth=noisy,
    customers=st.floats(-3, 20),
    strength=st.sampled_from([0.5, 8.0]),
    chunk=st.integers(1, 7),
)
def test_posterior_equals_the_loops(make_history, lines, week, rate, breadth, customers, strength, chunk) -> None:
    history = make_history(lines, CUSTOMERS, ITEMS)
    popularity = SharedPopularity(rate=rate, breadth=breadth, customers=customers)
    scores = gather(
        recommend_scores(
            history,
            week=week,
            popularity=popularity,
            settings=RecommenderSettings(half_life_weeks=4.0, prior_strength=strength),
            customers_per_chunk=chunk,
        )
    )
    for customer in range(CUSTOMERS):
        expected = slow_posterior(lines, customer, week, popularity, 4.0, strength)
        np.testing.assert_allclose(scores[customer], expected, rtol=1e-12, atol=1e-15)


def test_a_new_customer_is_served_in_explore_order(make_history) -> None:
    popularity = SharedPopularity(
        rate=np.array([1.0, 2.0, 3.0, 0.5, 0.4, 0.3]), breadth=np.array([1.0, 9, 3, 5, 9, 2]), customers=10.0
    )
    scores = gather(recommend_scores(make_history({}, 1, ITEMS), week=3, popularity=popularity), customers=1)
    assert np.argsort(-scores[0], kind="stable").tolist() == popularity.explore_order().tolist() == [1, 4, 3, 2, 5, 0]
    np.testing.assert_allclose(np.sort(scores[0]), np.sort(popularity.prior()))


def test_purchases_after_the_week_are_not_seen(make_history) -> None:
    before = {(0, 1, 0): (1, 2), (1, 2, 0): (3,)}
    after = {**before, (0, 5, 0): (4,), (1, 9, 1): (0,)}
    popularity = SharedPopularity(rate=np.ones(ITEMS), breadth=np.arange(ITEMS, dtype=float), customers=2.0)
    seen = [
        gather(recommend_scores(make_history(lines, 2, ITEMS), week=4, popularity=popularity), customers=2)
        for lines in (before, after)
    ]
    np.testing.assert_array_equal(*seen)


def test_a_customer_who_bought_everything_keeps_the_own_order(make_history) -> None:
    lines = {(0, 1, 0): tuple(range(ITEMS)), (0, 2, 0): (5,)}
    popularity = SharedPopularity(rate=np.zeros(ITEMS), breadth=np.arange(ITEMS, dtype=float)[::-1], customers=1.0)
    scores = gather(recommend_scores(make_history(lines, 1, ITEMS), week=2, popularity=popularity), customers=1)
    assert scores[0].argmax() == 5
    assert len(set(scores[0, :5])) == 1


def test_no_customers_no_scores(make_history) -> None:
    empty = make_history({}, 0, ITEMS)
    popularity = exact_popularity(empty, week=5)
    assert popularity.customers == 0
    assert list(recommend_scores(empty, week=5, popularity=popularity)) == []
    assert rate_vectors(empty, week=5).shape == (0, ITEMS)


def test_bad_arguments_are_refused_before_the_first_chunk(make_history) -> None:
    history = make_history({}, 1, ITEMS)
    short = SharedPopularity(rate=np.zeros(3), breadth=np.zeros(3), customers=1.0)
    with pytest.raises(InvalidValueError, match=r"popularity\.items is 3"):
        recommend_scores(history, week=1, popularity=short)
    with pytest.raises(InvalidValueError, match="customers_per_chunk is 0"):
        recommend_scores(history, week=1, popularity=exact_popularity(history, week=1), customers_per_chunk=0)
    with pytest.raises(InvalidValueError, match="prior_strength"):
        RecommenderSettings(prior_strength=0.0)
    with pytest.raises(InvalidValueError, match="half_life_weeks"):
        rate_vectors(history, week=1, half_life_weeks=0.0)
    with pytest.raises(InvalidValueError, match="finite"):
        replace(short, rate=np.array([0.0, np.nan, 0.0]))
    with pytest.raises(InvalidValueError, match="breadth's shape"):
        replace(short, breadth=np.zeros(4))
