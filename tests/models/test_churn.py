"""Features against a loop, gradients against finite differences, the fit against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from hanse_models.churn import (
    FEATURES,
    WEIGHTS,
    churn_features,
    churn_labels,
    customer_gradients,
    eligible,
    fit_locally,
    score,
)
from hanse_models.purchases import BasketWeeks, Breadth
from hanse_privacy.errors import InvalidValueError

CUSTOMERS = 4

visits = st.dictionaries(
    st.tuples(st.integers(0, CUSTOMERS - 1), st.integers(1, 30)),
    st.tuples(st.integers(1, 5), st.floats(0, 500), st.floats(0, 50)),
    max_size=40,
)


def weeks_of(shopping) -> BasketWeeks:
    keys = np.array(list(shopping), dtype=np.int64).reshape(-1, 2)
    values = np.array(list(shopping.values()), dtype=np.float64).reshape(-1, 3)
    return BasketWeeks(
        customer=keys[:, 0],
        week=keys[:, 1],
        baskets=values[:, 0].astype(np.int64),
        value=values[:, 1],
        discount=values[:, 2],
    )


def slow_features(shopping, customer, cut, stores, items) -> list[float]:
    mine = {week: row for (who, week), row in shopping.items() if who == customer and week <= cut}
    if not mine:
        return [0.0] * WEIGHTS

    def total(column: int, last: int) -> float:
        return sum(row[column] for week, row in mine.items() if cut - last < week <= cut)

    spent, saved = total(1, cut), total(2, cut)
    gap = (max(mine) - min(mine) + 1) / len(mine)
    raw = [cut - max(mine), total(0, cut), spent, stores, items, cut - min(mine)]
    raw += [total(0, last) for last in (4, 8, 16)] + [total(1, last) for last in (4, 8, 16)]
    raw += [(cut - max(mine)) / gap, saved / (spent + saved) if spent + saved > 0 else 0.0]
    return [(math.log1p(x) - f.centre) / f.scale for x, f in zip(raw, FEATURES, strict=True)] + [1.0]


@given(shopping=visits, cut=st.integers(1, 30))
def test_features_equal_the_loop(shopping, cut) -> None:
    breadth = Breadth(stores=np.array([1, 2, 3, 4]), items=np.array([10, 20, 30, 40]))
    features = churn_features(weeks_of(shopping), breadth, customers=CUSTOMERS, cut=cut)
    expected = [slow_features(shopping, u, cut, u + 1, 10 * (u + 1)) for u in range(CUSTOMERS)]
    np.testing.assert_allclose(features, expected, rtol=1e-9, atol=1e-9)
    known = eligible(weeks_of(shopping), customers=CUSTOMERS, cut=cut)
    assert known.tolist() == [bool(row[-1]) for row in expected]


@given(shopping=visits, cut=st.integers(1, 29), horizon=st.integers(1, 10))
def test_labels_equal_the_loop(shopping, cut, horizon) -> None:
    labels = churn_labels(weeks_of(shopping), customers=CUSTOMERS, cut=cut, horizon_weeks=horizon)
    assert labels.tolist() == [
        not any(who == u and cut < week <= cut + horizon for who, week in shopping) for u in range(CUSTOMERS)
    ]


@given(shopping=visits, cut=st.integers(1, 20))
def test_features_never_look_past_the_cut(shopping, cut) -> None:
    breadth = Breadth(stores=np.ones(CUSTOMERS, dtype=int), items=np.ones(CUSTOMERS, dtype=int))
    past = {key: row for key, row in shopping.items() if key[1] <= cut}
    np.testing.assert_array_equal(
        churn_features(weeks_of(shopping), breadth, customers=CUSTOMERS, cut=cut),
        churn_features(weeks_of(past), breadth, customers=CUSTOMERS, cut=cut),
    )


def test_an_ordinary_customer_lies_near_the_middle() -> None:
    """A basket of 20 every third week for 30 weeks, at one or two stores: what the public constants are for."""
    shopping = {(0, week): (1, 20.0, 3.5) for week in range(6, 37, 3)}
    breadth = Breadth(stores=np.array([2]), items=np.array([55]))
    features = churn_features(weeks_of(shopping), breadth, customers=1, cut=37)
    assert len(FEATURES) == 14
    assert features.shape == (1, WEIGHTS)
    assert np.abs(features).max() <= 1.5


def problem(customers=300, seed=5):
    generator = np.random.default_rng(seed)
    features = np.column_stack([generator.normal(size=(customers, WEIGHTS - 1)), np.ones(customers)])
    truth = generator.normal(size=WEIGHTS) * 0.6
    return features, generator.random(customers) < score(truth, features), truth


def test_gradients_are_the_slope_of_the_loss() -> None:
    features, labels, weights = problem(customers=20)

    def losses(at):
        margin = features @ at
        return np.log1p(np.exp(margin)) - labels * margin

    for place in range(WEIGHTS):
        nudge = 1e-6 * np.eye(WEIGHTS)[place]
        slope = (losses(weights + nudge) - losses(weights - nudge)) / 2e-6
        np.testing.assert_allclose(customer_gradients(weights, features, labels)[:, place], slope, atol=1e-6)


def test_a_customer_without_purchases_adds_no_gradient() -> None:
    features = np.zeros((1, WEIGHTS))
    assert not customer_gradients(np.ones(WEIGHTS), features, np.array([True])).any()


def test_score_bears_any_weights() -> None:
    features = np.ones((1, WEIGHTS))
    assert score(np.full(WEIGHTS, 1e300), features).tolist() == [1.0]
    assert score(np.full(WEIGHTS, -1e300), features).tolist() == [0.0]
    assert score(np.zeros(WEIGHTS), features).tolist() == [0.5]


@pytest.mark.parametrize("l2", [0.3, 1.0, 20.0])
def test_the_fit_is_scikit_learns(l2) -> None:
    features, labels, _ = problem()
    oracle = LogisticRegression(C=1.0 / l2, tol=1e-10, max_iter=1000).fit(features[:, :-1], labels)
    expected = np.append(oracle.coef_[0], oracle.intercept_)
    np.testing.assert_allclose(fit_locally(features, labels, l2=l2), expected, atol=1e-5)


def test_a_strong_pull_gives_the_leagues_model_with_the_shops_own_bias() -> None:
    features, labels, league = problem()
    adapted = fit_locally(features, labels, l2=1e9, towards=league)
    np.testing.assert_allclose(adapted[:-1], league[:-1], atol=1e-4)
    assert score(adapted, features).mean() == pytest.approx(labels.mean(), abs=1e-6)
    nothing = fit_locally(features, labels, l2=1.0, towards=np.zeros(WEIGHTS))
    np.testing.assert_array_equal(nothing, fit_locally(features, labels))


def test_the_fit_converges_from_a_far_start_and_on_separable_shops() -> None:
    features, labels, _ = problem(customers=12)
    far = fit_locally(features, labels, l2=1.0, towards=np.full(WEIGHTS, 40.0))
    assert np.isfinite(far).all()
    separable = features[:, 0] > 0
    own = fit_locally(features, separable, l2=1.0)
    assert ((score(own, features) > 0.5) == separable).all()


def test_bad_arguments_are_named() -> None:
    features, labels, weights = problem(customers=5)
    with pytest.raises(InvalidValueError, match="5 churned of 5"):
        fit_locally(features, np.ones(5, dtype=bool))
    with pytest.raises(InvalidValueError, match="0 churned of 0"):
        fit_locally(features[:0], labels[:0])
    with pytest.raises(InvalidValueError, match="l2 is 0"):
        fit_locally(features, labels, l2=0.0)
    with pytest.raises(InvalidValueError, match="weights' shape"):
        score(weights[:-1], features)
    with pytest.raises(InvalidValueError, match="labels is 'bool of shape"):
        customer_gradients(weights, features, labels[:-1])
    with pytest.raises(InvalidValueError, match="labels is 'int64"):
        customer_gradients(weights, features, labels.astype(np.int64))
    breadth = Breadth(stores=np.ones(2, dtype=int), items=np.ones(2, dtype=int))
    with pytest.raises(InvalidValueError, match="breadth's length is 2"):
        churn_features(weeks_of({}), breadth, customers=3, cut=5)
    with pytest.raises(InvalidValueError, match="customer is 7"):
        churn_labels(weeks_of({(7, 1): (1, 1.0, 0.0)}), customers=3, cut=5)
    with pytest.raises(InvalidValueError, match="horizon_weeks is 0"):
        churn_labels(weeks_of({}), customers=3, cut=5, horizon_weeks=0)
    with pytest.raises(InvalidValueError, match="stores is -1"):
        Breadth(stores=np.array([-1]), items=np.array([0]))
    assert churn_features(
        weeks_of({}), Breadth(stores=np.zeros(0, int), items=np.zeros(0, int)), customers=0, cut=5
    ).shape == (0, WEIGHTS)
