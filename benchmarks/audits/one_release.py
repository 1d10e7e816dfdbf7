"""A single release with many canaries, for :mod:`hanse_privacy.auditing.one_run`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audits.machinery import Batch, Machinery
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.auditing.one_run import OneRunAudit, audit_one_run, guess_extremes
from hanse_privacy.randomness import RandomSource
from hanse_privacy.release import BlockLayout, ReleaseLayout

_BATCH_CUSTOMERS = 100
_CANARY_LENGTH = 8.0
"""In clips."""


@dataclass(frozen=True, kw_only=True)
class Guesses:
    """What was guessed about the canaries of one release.

    Args:
        included: bool[canaries], what the coins said.
        guesses: int8[canaries], as :func:`hanse_privacy.auditing.one_run.guess_extremes` makes them.
    """

    included: NDArray[np.bool_]
    guesses: NDArray[np.int8]

    def audit(self, *, delta: float, confidence: float) -> OneRunAudit:
        """Bound ε from below."""
        return audit_one_run(included=self.included, guesses=self.guesses, delta=delta, confidence=confidence)


@dataclass(frozen=True, kw_only=True)
class CanariesGame:
    """One release of as many coordinates as there are canaries, each far beyond the clip in a coordinate of its own.

    Args:
        noise_multiplier: Of the release.
        honest_shares: Vaults whose noise is not known.
        canaries: Each in or out by a fair coin.
        guesses: How many of them are guessed.
    """

    noise_multiplier: float
    honest_shares: int
    canaries: int
    guesses: int

    @property
    def layout(self) -> ReleaseLayout:
        """The release's."""
        return ReleaseLayout(
            blocks=(BlockLayout(name="vector", size=self.canaries, clip=1.0, share=1.0),),
            units=2**10,
            noise_multiplier=self.noise_multiplier,
            honest_shares=self.honest_shares,
        )

    def claimed_epsilon(self, *, delta: float) -> float:
        """What the release costs, as every vault's ledger counts it."""
        return epsilon_of([self.layout.event], delta=delta)

    def play(self, machinery: Machinery, *, source: RandomSource) -> Guesses:
        """Release once and guess."""
        included = (source.words(self.canaries) & 1).astype(np.bool_)
        exact = machinery.exact(self.layout, self._batches(included))
        (released,) = machinery.noisy(self.layout, exact[np.newaxis], source=source)
        guesses = guess_extremes(released.astype(np.float64), guesses=self.guesses)
        return Guesses(included=included, guesses=guesses)

    def _batches(self, included: NDArray[np.bool_]) -> Iterator[Batch]:
        who = np.flatnonzero(included)
        for start in range(0, len(who), _BATCH_CUSTOMERS):
            part = who[start : start + _BATCH_CUSTOMERS]
            rows = np.zeros((len(part), self.canaries))
            rows[np.arange(len(part)), part] = _CANARY_LENGTH
            yield {"vector": rows}
