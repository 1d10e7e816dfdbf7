"""Releases with a canary and without, as scores for :func:`hanse_privacy.auditing.worst_case.audit_worst_case`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from dp_accounting.rdp import compute_epsilon
from numpy.typing import NDArray

from audits.machinery import Batch, Machinery
from hanse_models.churn import customer_gradients
from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.auditing.worst_case import WorstCaseAudit, audit_worst_case
from hanse_privacy.noise.discrete_gaussian import sample_discrete_gaussian
from hanse_privacy.noise.skellam import sample_skellam, skellam_renyi_loss
from hanse_privacy.randomness import RandomSource
from hanse_privacy.release import BlockLayout, ReleaseLayout

_WHOLE_ORDERS = range(2, 65)
_WEIGHTS = 120
"""Of a model with more features than the shipped one, so that one run holds more games."""
_AT_ONCE = 50_000
"""Coordinates of a release that stands for many, so that memory stays bounded."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What whoever guesses makes of independent releases.

    Args:
        with_canary: float64[n], higher the surer.
        without_canary: float64[n].
    """

    with_canary: NDArray[np.float64]
    without_canary: NDArray[np.float64]

    def audit(self, *, delta: float, confidence: float) -> WorstCaseAudit:
        """Bound ε from below."""
        return audit_worst_case(
            with_canary=self.with_canary, without_canary=self.without_canary, delta=delta, confidence=confidence
        )


@dataclass(frozen=True, kw_only=True)
class NoiseGame:
    """Noise by itself, about 0 or about the canary: the sum of some vaults' draws for one coordinate.

    Args:
        draw: Takes a variance, a number of draws and a source, and returns as many integers of one vault's noise.
        canary: What the canary adds, in integer units.
        variance: Of one vault's noise, in squared integer units.
        shares: Vaults.
    """

    draw: Callable[[int, int, RandomSource], NDArray[np.int64]]
    canary: int
    variance: int
    shares: int

    def play(self, *, releases: int, source: RandomSource) -> Scores:
        """Score each release by itself."""
        present, absent = (
            np.full(releases, start) + sum(self.draw(self.variance, releases, source) for _ in range(self.shares))
            for start in (float(self.canary), 0.0)
        )
        return Scores(with_canary=present, without_canary=absent)

    def mutants(self) -> dict[str, "NoiseGame"]:
        """Say what a careless vault or a careless canary would be, by what is broken."""
        return {
            "noise off": replace(self, shares=0),
            "half the noise": replace(self, variance=self.variance // 4),
            "canary twice": replace(self, canary=2 * self.canary),
            "shares for two more": replace(self, variance=self.variance * self.shares // (self.shares + 2)),
            "a share missing": replace(self, shares=self.shares - 1),
            "shares for one more": replace(self, variance=self.variance * self.shares // (self.shares + 1)),
        }


def gaussian_noise(variance: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """One vault's discrete Gaussian noise."""
    return sample_discrete_gaussian(variance_parameter=variance, size=size, source=source)


def skellam_noise(variance: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """One vault's Skellam noise."""
    return sample_skellam(mean=variance // 2, size=size, source=source)


def gaussian_claim(game: NoiseGame, *, delta: float) -> float:
    """ε of the sum of discrete Gaussian shares, as every vault's ledger counts it."""
    event = ReleaseEvent(
        squared_sensitivity=game.canary**2, variance_parameter=game.variance, shares=game.shares, size=1
    )
    return epsilon_of([event], delta=delta)


def skellam_claim(game: NoiseGame, *, delta: float) -> float:
    """ε of the sum of Skellam shares, from its loss at whole Rényi orders."""
    mean = game.shares * (game.variance // 2)
    losses = [
        float(
            skellam_renyi_loss(order=order, mean=mean, squared_sensitivity=game.canary**2, l1_sensitivity=game.canary)
        )
        for order in _WHOLE_ORDERS
    ]
    return float(compute_epsilon(_WHOLE_ORDERS, losses, delta)[0])


@dataclass(frozen=True, kw_only=True)
class SumGame:
    """Releases of one sum: all of a cohort's vectors, and those of the cohort without the canary.

    Args:
        layout: The release's.
        with_canary: Reads the cohort's vectors in batches.
        without_canary: Those of the cohort without the canary.
    """

    layout: ReleaseLayout
    with_canary: Callable[[], Iterable[Batch]]
    without_canary: Callable[[], Iterable[Batch]]

    def claimed_epsilon(self, *, delta: float) -> float:
        """What one release costs, as every vault's ledger counts it."""
        return epsilon_of([self.layout.event], delta=delta)

    def play(self, machinery: Machinery, *, releases: int, source: RandomSource) -> Scores:
        """Score each release by its product with what the canary adds to the sum; the cohort is known."""
        present = machinery.exact(self.layout, self.with_canary())
        absent = machinery.exact(self.layout, self.without_canary())
        canary = (present - absent).astype(np.float64)

        def scores(exact: NDArray[np.int64]) -> NDArray[np.float64]:
            parts, at_once = [], max(_AT_ONCE // self.layout.size, 1)
            for start in range(0, releases, at_once):
                count = min(at_once, releases - start)
                noisy = machinery.noisy(self.layout, np.tile(exact, (count, 1)), source=source)
                parts.append((noisy - absent) @ canary)
            return np.concatenate(parts)

        return Scores(with_canary=scores(present), without_canary=scores(absent))


@dataclass(frozen=True, kw_only=True)
class ChurnGame:
    """Rounds of churn gradients at weights that a dishonest centre chooses by what the rounds before released.

    A run has one canary per weight, or none for this weight: a customer whose only feature is this one, so that each
    coordinate of a run is a game of its own. A canary has churned, and the centre chooses weights at which the model
    says that it has not: the gradient is then as long as it can be, and longer than the clip.

    Args:
        noise_multiplier: Of each round.
        rounds: Of one run.
        honest_shares: Vaults whose noise is not known to the centre.
    """

    noise_multiplier: float
    rounds: int
    honest_shares: int

    @property
    def layout(self) -> ReleaseLayout:
        """One round's release."""
        return ReleaseLayout(
            blocks=(BlockLayout(name="gradient", size=_WEIGHTS, clip=2.0, share=1.0),),
            units=2**10,
            noise_multiplier=self.noise_multiplier,
            honest_shares=self.honest_shares,
        )

    def claimed_epsilon(self, *, delta: float) -> float:
        """What a run costs, as every vault's ledger counts it."""
        return epsilon_of([self.layout.event] * self.rounds, delta=delta)

    def play(self, machinery: Machinery, *, releases: int, source: RandomSource) -> Scores:
        """Play runs until there are so many games with a canary, and as many without."""
        layout = self.layout
        everybody = 2.5 * layout.blocks[0].clip * np.eye(_WEIGHTS)
        # Every other weight has a canary, and in the next run the others.
        runs = 2 * -(-releases // _WEIGHTS)
        present = (np.arange(runs)[:, np.newaxis] + np.arange(_WEIGHTS)) % 2 == 0
        weights, scores = np.zeros((runs, _WEIGHTS)), np.zeros((runs, _WEIGHTS))
        for _ in range(self.rounds):
            exact = np.array(
                [
                    machinery.exact(layout, [_gradients(here, everybody[who])])
                    for here, who in zip(weights, present, strict=True)
                ]
            )
            released = machinery.noisy(layout, exact, source=source)
            # A customer who has churned has a negative gradient.
            scores -= released
            weights = -np.abs(released) * layout.blocks[0].clip / layout.units
        return Scores(with_canary=scores[present][:releases], without_canary=scores[~present][:releases])


def _gradients(weights: NDArray[np.float64], canaries: NDArray[np.float64]) -> Batch:
    return {"gradient": customer_gradients(weights, canaries, np.ones(len(canaries), dtype=np.bool_))}
