from functools import reduce

import numpy as np
import pytest

from hanse_models.gradient_descent import GradientDescent
from hanse_privacy.errors import InvalidValueError

PLAIN = GradientDescent(learning_rate=0.5, momentum=0.0, l2=0.0, average_from_round=100)


def test_rounds_equal_the_textbook() -> None:
    descent = GradientDescent(learning_rate=0.5, momentum=0.8, l2=0.1, average_from_round=3)
    sums = np.random.default_rng(1).normal(size=(6, 3))
    weights, velocity, iterates = np.zeros(3), np.zeros(3), []
    state = descent.start(3)
    for done, gradient_sum in enumerate(sums, start=1):
        gradient = gradient_sum / 20.0 + 0.1 * np.array([weights[0], weights[1], 0.0])
        velocity = 0.8 * velocity - 0.5 * gradient
        weights = weights + velocity
        iterates.append(weights)
        state = descent.step(state, gradient_sum, 20.0)
        assert state.round == done
        np.testing.assert_allclose(state.weights, weights)
        np.testing.assert_allclose(state.model, np.mean(iterates[2:], axis=0) if done >= 3 else weights)


def test_it_finds_the_bottom_of_a_bowl() -> None:
    target = np.array([1.0, -2.0, 3.0])
    state = reduce(lambda now, _: PLAIN.step(now, 7.0 * (now.weights - target), 7.0), range(60), PLAIN.start(3))
    np.testing.assert_allclose(state.model, target, atol=1e-9)


def test_a_step_leaves_the_old_state_alone() -> None:
    start = PLAIN.start(2)
    PLAIN.step(start, np.ones(2), 1.0)
    assert not start.weights.any()
    assert start.round == 0


def test_the_penalty_pulls_all_but_the_bias() -> None:
    descent = GradientDescent(learning_rate=0.1, momentum=0.0, l2=1.0, average_from_round=100)
    state = PLAIN.step(PLAIN.start(3), -np.ones(3), 1.0)
    pulled = descent.step(state, np.zeros(3), 1.0)
    np.testing.assert_allclose(pulled.weights, [0.45, 0.45, 0.5])


@pytest.mark.parametrize(
    ("argument", "value"),
    [("learning_rate", 0.0), ("momentum", 1.0), ("momentum", -0.1), ("l2", -1.0), ("average_from_round", 0)],
)
def test_bad_settings_are_named(argument, value) -> None:
    good = {"learning_rate": 1.0, "momentum": 0.5, "l2": 0.0, "average_from_round": 1}
    with pytest.raises(InvalidValueError, match=argument):
        GradientDescent(**(good | {argument: value}))


@pytest.mark.parametrize("bad", [np.ones(4), np.array([1.0, np.nan, 0.0]), np.array([1.0, np.inf, 0.0])])
def test_a_bad_sum_is_refused(bad) -> None:
    with pytest.raises(InvalidValueError, match="noisy_gradient_sum"):
        PLAIN.step(PLAIN.start(3), bad, 5.0)


@pytest.mark.parametrize("customers", [0.0, -3.0, np.nan])
def test_a_bad_count_is_refused(customers) -> None:
    with pytest.raises(InvalidValueError, match="customers"):
        PLAIN.step(PLAIN.start(3), np.ones(3), customers)
