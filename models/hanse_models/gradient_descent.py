"""The centre's half of differentially private gradient descent: from one noisy sum to the next model.

Everything here is post-processing of released sums: it costs no privacy. Full batches of clipped
per-customer gradients (Song, Chaudhuri and Sarwate 2013; Abadi et al. 2016), heavy-ball momentum
(Polyak 1964) and averaging of late iterates (Polyak and Juditsky 1992), which takes noise out again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.validation import require, require_at_least, require_non_negative, require_positive


@dataclass(frozen=True, kw_only=True)
class GradientDescentState:
    """Where the descent stands after some rounds.

    Args:
        round: Rounds done.
        weights: float64[weights], the iterate: what the next round's gradients are taken at.
        velocity: float64[weights], the running step.
        average: float64[weights], mean of the iterates averaged so far.
        averaged: How many iterates are in the average.
    """

    round: int
    weights: NDArray[np.float64]
    velocity: NDArray[np.float64]
    average: NDArray[np.float64]
    averaged: int

    @property
    def model(self) -> NDArray[np.float64]:
        """The weights to use: the average, or the iterate while nothing is averaged yet."""
        return self.average if self.averaged > 0 else self.weights


@dataclass(frozen=True, kw_only=True)
class GradientDescent:
    """How the centre walks.

    Args:
        learning_rate: Step per mean gradient.
        momentum: Share of the last step that is kept, from 0 to below 1.
        l2: Penalty per customer on the squared weights (halved); the last weight, the bias, is free.
        average_from_round: The model is the mean of the iterates from this round on, the first being round 1.
    """

    learning_rate: float
    momentum: float
    l2: float
    average_from_round: int

    def __post_init__(self) -> None:
        require_positive(learning_rate=self.learning_rate)
        require(0 <= self.momentum < 1, name="momentum", value=self.momentum, bound="from 0 to below 1")
        require_non_negative(l2=self.l2)
        require_at_least(1, average_from_round=self.average_from_round)

    def start(self, weights: int) -> GradientDescentState:
        """Return the state before the first round: a model of zeros."""
        require_at_least(1, weights=weights)
        zeros = np.zeros(weights)
        return GradientDescentState(round=0, weights=zeros, velocity=zeros, average=zeros, averaged=0)

    def step(
        self, state: GradientDescentState, noisy_gradient_sum: NDArray[np.float64], customers: float
    ) -> GradientDescentState:
        """Return the state after one more round.

        Args:
            state: The state whose weights the gradients were taken at.
            noisy_gradient_sum: float64[weights], the released sum over all partners.
            customers: What the sum is divided by: a public constant or a noised count, never an exact count.

        Raises:
            InvalidValueError: If the sum has another length than the weights or is not finite, or ``customers`` is
                not positive.
        """
        require_positive(customers=customers)
        require(
            noisy_gradient_sum.shape == state.weights.shape and bool(np.isfinite(noisy_gradient_sum).all()),
            name="noisy_gradient_sum",
            value=f"of shape {noisy_gradient_sum.shape}",
            bound=f"finite and of shape {state.weights.shape}",
        )
        penalised = state.weights.copy()
        penalised[-1] = 0.0
        gradient = noisy_gradient_sum / customers + self.l2 * penalised
        velocity = self.momentum * state.velocity - self.learning_rate * gradient
        weights = state.weights + velocity
        done = state.round + 1
        if done < self.average_from_round:
            return GradientDescentState(
                round=done, weights=weights, velocity=velocity, average=state.average, averaged=0
            )
        averaged = state.averaged + 1
        return GradientDescentState(
            round=done,
            weights=weights,
            velocity=velocity,
            average=state.average + (weights - state.average) / averaged,
            averaged=averaged,
        )
