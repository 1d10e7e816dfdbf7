"""The games that tests play briefly and benchmarks/audit.py at length, by the mechanism that they audit."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from audits.games import (
    ChurnGame,
    NoiseGame,
    Scores,
    SumGame,
    gaussian_claim,
    gaussian_noise,
    skellam_claim,
    skellam_noise,
)
from audits.league_sum import CollusiveLeagueSum
from audits.machinery import MUTANTS, MUTANTS_OF_SPANNING_UNITS, SHIPPED, Machinery
from audits.vault_games import (
    churn_operation,
    count_operation,
    count_release,
    evaluation_operation,
    histogram_operation,
    person_release,
    popularity_operation,
    popularity_release,
    quantile_operation,
)
from hanse_privacy.randomness import RandomSource

DELTA = 0.05
"""Of the claims that are audited: zero-concentrated privacy makes one at every δ."""


def _gaussian_epsilon() -> float:
    """Solve δ(ε) = δ (Balle and Wang, ICML 2018, Theorem 8) for a deviation as large as the sensitivity."""

    def normal(at: float) -> float:
        return 0.5 * math.erfc(-at / math.sqrt(2))

    low, high = 0.0, 10.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if normal(0.5 - middle) - math.exp(middle) * normal(-0.5 - middle) > DELTA:
            low = middle
        else:
            high = middle
    return high


GAUSSIAN_EPSILON = _gaussian_epsilon()
"""Exactly what every mechanism here costs at :data:`DELTA`, but for what integers differ from real numbers: all have
the deviation of the sensitivity, be it in one round or in three. What is claimed of them is more."""

Play = Callable[[int, RandomSource], Scores]
"""Takes a number of releases with the canary, and of as many without."""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """A mechanism as it is shipped and as it would be if something were broken.

    Args:
        claimed_epsilon: At :data:`DELTA`.
        shipped: Plays the mechanism.
        mutants: Play it broken, by what is broken.
    """

    claimed_epsilon: float
    shipped: Play
    mutants: dict[str, Play]


def _noise(game: NoiseGame, *, claim: Callable[..., float]) -> Audited:
    def playing(which: NoiseGame) -> Play:
        return lambda releases, source: which.play(releases=releases, source=source)

    return Audited(
        claimed_epsilon=claim(game, delta=DELTA),
        shipped=playing(game),
        mutants={name: playing(mutant) for name, mutant in game.mutants().items()},
    )


def _release(game: SumGame | ChurnGame, *, shipped: Machinery = SHIPPED) -> Audited:
    def playing(machinery: Machinery) -> Play:
        whole = replace(machinery, together=shipped.together)
        return lambda releases, source: game.play(whole, releases=releases, source=source)

    return Audited(
        claimed_epsilon=game.claimed_epsilon(delta=DELTA),
        shipped=playing(SHIPPED),
        mutants={name: playing(machinery) for name, machinery in _mutants_of(game).items()},
    )


def _without_clip(mechanism: Audited) -> Audited:
    """Nobody is longer than the clip of these: without it nothing changes, and there is nothing to notice."""
    return replace(mechanism, mutants={name: play for name, play in mechanism.mutants.items() if name != "clip off"})


def _mutants_of(game: SumGame | ChurnGame) -> dict[str, Machinery]:
    return MUTANTS | MUTANTS_OF_SPANNING_UNITS if game.layout.unit.vaults > 1 else MUTANTS


def audited() -> dict[str, Audited]:
    """Return every mechanism and training path, by name."""
    return {
        "gaussian noise": _noise(
            NoiseGame(draw=gaussian_noise, canary=1000, variance=500_000, shares=2), claim=gaussian_claim
        ),
        "skellam noise": _noise(
            NoiseGame(draw=skellam_noise, canary=1000, variance=500_000, shares=2), claim=skellam_claim
        ),
        "count release": _release(count_release(noise_multiplier=1.0, honest_shares=2)),
        "popularity release": _release(popularity_release(noise_multiplier=1.0, honest_shares=2)),
        "person at two partners": _release(person_release(noise_multiplier=1.0, honest_shares=2)),
        "league release": _release(
            popularity_release(noise_multiplier=1.0, honest_shares=2),
            shipped=Machinery(together=CollusiveLeagueSum(honest=2)),
        ),
        "popularity operation": _release(popularity_operation(noise_multiplier=1.0, honest_shares=2)),
        "churn operation": _release(churn_operation(noise_multiplier=1.0, honest_shares=2)),
        "evaluation operation": _release(evaluation_operation(noise_multiplier=1.0, honest_shares=2)),
        "count question": _release(count_operation(noise_multiplier=1.0, honest_shares=2)),
        "histogram question": _without_clip(_release(histogram_operation(noise_multiplier=1.0, honest_shares=2))),
        "quantile question": _without_clip(_release(quantile_operation(noise_multiplier=1.0, honest_shares=2))),
        "churn rounds": _release(ChurnGame(noise_multiplier=3**0.5, rounds=3, honest_shares=2)),
    }
