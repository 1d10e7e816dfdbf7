"""Will a customer stay away? Fourteen recency, frequency and money features and a logistic model.

Features are logarithms, log(1 + x), centred and scaled by the public constants of :data:`FEATURES`.
The constants are public round numbers for groceries, where a household buys about weekly and one
partner sees a part of it: a dozen baskets, some 250 of money, one or two stores. They are never
computed from a league's data, since they would then have to be paid for as a release. That the
ordinary customer lies near 0 matters: the mean gradient is then well conditioned, and ten rounds suffice.

The churn question is that of the protocol: no purchase in the eight weeks after the cut.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_models.purchases import BasketWeeks, Breadth, require_known_customers
from hanse_privacy.validation import require, require_at_least, require_positive


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature and its public scaling, (log(1 + x) - centre) / scale.

    Args:
        name: What x is.
        centre: log(1 + x) of an ordinary customer.
        scale: How far log(1 + x) ordinarily strays from the centre.
    """

    name: str
    centre: float
    scale: float


FEATURES: tuple[Feature, ...] = (
    Feature(name="weeks since the last purchase", centre=1.5, scale=1.0),
    Feature(name="baskets", centre=2.5, scale=1.0),
    Feature(name="money spent", centre=5.5, scale=1.5),
    Feature(name="distinct stores", centre=1.0, scale=0.5),
    Feature(name="distinct items", centre=4.0, scale=1.5),
    Feature(name="weeks since the first purchase", centre=3.0, scale=1.0),
    Feature(name="baskets in the last 4 weeks", centre=1.0, scale=1.0),
    Feature(name="baskets in the last 8 weeks", centre=1.5, scale=1.0),
    Feature(name="baskets in the last 16 weeks", centre=2.0, scale=1.0),
    Feature(name="money spent in the last 4 weeks", centre=2.5, scale=2.0),
    Feature(name="money spent in the last 8 weeks", centre=3.5, scale=2.0),
    Feature(name="money spent in the last 16 weeks", centre=4.5, scale=2.0),
    Feature(name="weeks since the last purchase per mean gap between weeks with a purchase", centre=1.0, scale=1.0),
    Feature(name="share of the full price saved by discounts", centre=0.15, scale=0.1),
)
"""The features in column order; the constant 1 (the bias) follows as the last column."""

WEIGHTS = len(FEATURES) + 1
"""Length of a model: one weight per feature, then the bias."""

_RECENT_WEEKS = (4, 8, 16)
_NEWTON_STEPS = 100
_CONVERGED = 1e-12
_RIDGE = 1e-9
_SHORTEST_STEP = 1e-6


def eligible(basket_weeks: BasketWeeks, *, customers: int, cut: int) -> NDArray[np.bool_]:
    """Return who has at least one purchase in weeks up to ``cut``, bool[customers]."""
    require_known_customers(basket_weeks.customer, customers=customers)
    known = np.zeros(customers, dtype=np.bool_)
    known[basket_weeks.until(cut).customer] = True
    return known


def churn_features(basket_weeks: BasketWeeks, breadth: Breadth, *, customers: int, cut: int) -> NDArray[np.float64]:
    """Describe each customer by weeks up to ``cut``.

    Args:
        basket_weeks: The shopping; weeks after the cut are not looked at.
        breadth: Distinct stores and items *up to the cut* (whoever counts them holds to it).
        customers: Number of customers.
        cut: The last week that may be looked at.

    Returns:
        float64[customers, 15]: the features in the order of :data:`FEATURES`, then 1. A customer with no
        purchase up to the cut is a row of zeros, and so adds nothing to any gradient.

    Raises:
        InvalidValueError: If the breadth is not one place per customer, or a row names an unknown customer.
    """
    require(
        len(breadth.stores) == customers,
        name="breadth's length",
        value=len(breadth.stores),
        bound=f"{customers}, one per customer",
    )
    known = eligible(basket_weeks, customers=customers, cut=cut)
    past = basket_weeks.until(cut)

    def total(values: NDArray[np.float64], last_weeks: int) -> NDArray[np.float64]:
        recent = past.week > cut - last_weeks
        # Of no rows, bincount returns integers, whatever the weights.
        return np.bincount(past.customer[recent], weights=values[recent], minlength=customers).astype(np.float64)

    first = np.full(customers, cut)
    np.minimum.at(first, past.customer, past.week)
    last = np.zeros(customers, dtype=np.int64)
    np.maximum.at(last, past.customer, past.week)
    baskets = past.baskets.astype(np.float64)
    spent = total(past.value, cut)
    saved = total(past.discount, cut)
    recency = (cut - last).astype(np.float64)
    # Weeks from the first to the last purchase per week with a purchase: 1 for whoever comes every week.
    weeks_with_purchase = total(np.ones(len(past.week)), cut)
    mean_gap = (last - first + 1) / np.maximum(weeks_with_purchase, 1)
    full_price = spent + saved
    columns = (
        recency,
        total(baskets, cut),
        spent,
        breadth.stores.astype(np.float64),
        breadth.items.astype(np.float64),
        (cut - first).astype(np.float64),
        *(total(baskets, weeks) for weeks in _RECENT_WEEKS),
        *(total(past.value, weeks) for weeks in _RECENT_WEEKS),
        recency / np.where(known, mean_gap, 1.0),
        saved / np.where(full_price > 0, full_price, 1.0),
    )
    scaled = [
        (np.log1p(column) - feature.centre) / feature.scale for column, feature in zip(columns, FEATURES, strict=True)
    ]
    rows = np.column_stack([*scaled, np.ones(customers)])
    rows[~known] = 0.0
    return rows


def churn_labels(basket_weeks: BasketWeeks, *, customers: int, cut: int, horizon_weeks: int = 8) -> NDArray[np.bool_]:
    """Return who makes no purchase in the weeks after the cut, bool[customers]; True is churn.

    It is for the caller to see that the data reach to week ``cut + horizon_weeks``, and to drop who is not
    :func:`eligible`.

    Raises:
        InvalidValueError: If the horizon is below one week.
    """
    require_at_least(1, horizon_weeks=horizon_weeks)
    require_known_customers(basket_weeks.customer, customers=customers)
    after = (basket_weeks.week > cut) & (basket_weeks.week <= cut + horizon_weeks)
    gone = np.ones(customers, dtype=np.bool_)
    gone[basket_weeks.customer[after]] = False
    return gone


def score(weights: NDArray[np.float64], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each customer's modelled chance of churn, float64[customers], between 0 and 1.

    A customer's score is the same to the last bit whoever else is scored: the sensitivity of everything
    that is released from scores rests on it. A matrix product would not do, because its kernels add up
    a row differently depending on how many rows there are.
    """
    _require_shapes(weights, features)
    margin = np.zeros(features.shape[0])
    for column in range(features.shape[1]):
        margin += features[:, column] * weights[column]
    # The hyperbolic tangent neither overflows nor warns, whatever a noisy model says.
    return 0.5 * (1.0 + np.tanh(0.5 * margin))


def customer_gradients(
    weights: NDArray[np.float64], features: NDArray[np.float64], labels: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return each customer's gradient of the logistic loss, float64[customers, weights]; not clipped."""
    _require_label_per_row(labels, features)
    return (score(weights, features) - labels)[:, np.newaxis] * features


def fit_locally(
    features: NDArray[np.float64],
    labels: NDArray[np.bool_],
    *,
    l2: float = 1.0,
    towards: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Fit a logistic model without privacy, for use inside the shop that owns the rows.

    Newton's method on the sum of the customers' losses plus ``l2 / 2`` times the squared distance of the
    weights from ``towards``; the bias is not penalised. Steps are halved until the loss falls.

    Args:
        features: float64[customers, weights], the last column 1.
        labels: bool[customers].
        l2: Strength of the pull.
        towards: float64[weights] to which the fit is pulled: zeros when not given (a model of the shop's own), or
            the league's model (the league's model, adapted to the shop).

    Returns:
        float64[weights].

    Raises:
        InvalidValueError: If all labels are the same (the bias would run to infinity), ``l2`` is not positive,
            or shapes do not agree.
    """
    require_positive(l2=l2)
    centre = np.zeros(features.shape[1]) if towards is None else towards
    _require_shapes(centre, features)
    _require_label_per_row(labels, features)
    churned = int(np.count_nonzero(labels))
    require(
        0 < churned < len(labels),
        name="labels",
        value=f"{churned} churned of {len(labels)}",
        bound="of both kinds: a shop with one kind only cannot fit a model of its own",
    )
    penalty = np.full(features.shape[1], l2)
    penalty[-1] = 0.0

    def loss(at: NDArray[np.float64]) -> float:
        margin = features @ at
        return float(np.sum(np.logaddexp(0.0, margin) - labels * margin) + 0.5 * np.sum(penalty * (at - centre) ** 2))

    weights = centre
    for _ in range(_NEWTON_STEPS):
        chance = score(weights, features)
        gradient = features.T @ (chance - labels) + penalty * (weights - centre)
        curvature = (features * (chance * (1.0 - chance))[:, np.newaxis]).T @ features + np.diag(penalty)
        # The free bias can leave the curvature singular where all chances are 0 or 1: the tiny ridge bounds the step.
        step = np.linalg.solve(curvature + _RIDGE * np.eye(len(weights)), gradient)
        length = 1.0
        while loss(weights - length * step) > loss(weights) and length > _SHORTEST_STEP:
            length /= 2.0
        weights = weights - length * step
        if float(gradient @ step) < _CONVERGED:
            break
    return weights


def _require_label_per_row(labels: NDArray[np.bool_], features: NDArray[np.float64]) -> None:
    require(
        labels.shape == (len(features),) and labels.dtype == np.bool_,
        name="labels",
        value=f"{labels.dtype} of shape {labels.shape}",
        bound=f"bool of shape ({len(features)},), one per customer",
    )


def _require_shapes(weights: NDArray[np.float64], features: NDArray[np.float64]) -> None:
    require(
        features.ndim == 2 and weights.shape == (features.shape[1],),
        name="weights' shape",
        value=weights.shape,
        bound="one weight per column of the features",
    )
