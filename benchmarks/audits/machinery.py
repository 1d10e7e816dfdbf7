"""What makes a release of customers' vectors, as it is shipped and broken in the ways that an audit has to notice."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.randomness import RandomSource
from hanse_privacy.release import CustomerSum, ReleaseLayout, add_noise, sum_customers
from hanse_privacy.units import CustomerAtOnePartner

Batch = Mapping[str, NDArray[np.float64]]


def _plain_sum(vectors: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.sum(vectors, axis=0)
    return total


@dataclass(frozen=True, kw_only=True)
class Machinery:
    """The steps from customers' vectors to a sum with noise.

    Args:
        add_up: Clips and sums, as :func:`hanse_privacy.release.sum_customers`.
        add_noise: One vault's share, as :func:`hanse_privacy.release.add_noise`.
        repeats: How often each customer is given to ``add_up``.
        missing_shares: How many of the vaults that are counted on add no noise.
        together: Adds up the honest vaults' vectors.
    """

    add_up: Callable[[ReleaseLayout, Iterable[Batch]], CustomerSum] = sum_customers
    add_noise: Callable[..., NDArray[np.int64]] = add_noise
    repeats: int = 1
    missing_shares: int = 0
    together: Callable[[Sequence[NDArray[np.int64]]], NDArray[np.int64]] = _plain_sum

    def exact(self, layout: ReleaseLayout, batches: Iterable[Batch]) -> NDArray[np.int64]:
        """Return the sum without noise, int64[layout.size]."""
        return self.add_up(layout, [batch for batch in batches for _ in range(self.repeats)]).vector

    def noisy(self, layout: ReleaseLayout, exact: NDArray[np.int64], *, source: RandomSource) -> NDArray[np.int64]:
        """Release sums, int64[releases, layout.size], each with fresh noise of every honest vault.

        Every coordinate has noise of its own, so that releases side by side are one release of a layout as much wider.
        The vaults that are not honest add noise that whoever guesses knows and takes off again.
        """
        side_by_side = replace(layout.blocks[0], name="side by side", size=exact.size)
        wide = replace(layout, blocks=(side_by_side,))
        vectors = [exact.reshape(-1), *(np.zeros(exact.size, dtype=np.int64) for _ in range(layout.honest_shares - 1))]
        for vault in range(self.missing_shares, layout.honest_shares):
            alone = CustomerSum(vector=vectors[vault], customers=0, clipped={}, refitted=0)
            vectors[vault] = self.add_noise(wide, alone, source=source)
        return self.together(vectors).reshape(exact.shape)


def _no_noise(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> NDArray[np.int64]:
    del layout, source
    return exact.vector


def _half_the_noise(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> NDArray[np.int64]:
    return add_noise(replace(layout, noise_multiplier=layout.noise_multiplier / 2), exact, source=source)


def _shares_for_more(vaults: int) -> Callable[..., NDArray[np.int64]]:
    def too_little(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> NDArray[np.int64]:
        return add_noise(replace(layout, honest_shares=layout.honest_shares + vaults), exact, source=source)

    return too_little


def _sum_without_clip(layout: ReleaseLayout, batches: Iterable[Batch]) -> CustomerSum:
    """Scale and round as a release does, and shorten nobody's vector."""
    vector, customers = np.zeros(layout.size, dtype=np.int64), 0
    for batch in batches:
        scaled = [batch[block.name] * (math.sqrt(block.share) * layout.units / block.clip) for block in layout.blocks]
        rows = np.rint(np.concatenate(scaled, axis=1)).astype(np.int64)
        vector += rows.sum(axis=0)
        customers += len(rows)
    return CustomerSum(vector=vector, customers=customers, clipped={}, refitted=0)


def _sum_with_the_whole_clip(layout: ReleaseLayout, batches: Iterable[Batch]) -> CustomerSum:
    """Clip each customer as if one unit were at one vault only."""
    return sum_customers(replace(layout, unit=CustomerAtOnePartner()), batches)


SHIPPED = Machinery()

MUTANTS = {
    "noise off": Machinery(add_noise=_no_noise),
    "half the noise": Machinery(add_noise=_half_the_noise),
    "clip off": Machinery(add_up=_sum_without_clip),
    "customer twice": Machinery(repeats=2),
    "shares for two more": Machinery(add_noise=_shares_for_more(2)),
    "a share missing": Machinery(missing_shares=1),
    "shares for one more": Machinery(add_noise=_shares_for_more(1)),
}
"""By what is broken."""

MUTANTS_OF_SPANNING_UNITS = {"clip undivided": Machinery(add_up=_sum_with_the_whole_clip)}
"""The same, where one unit's vectors come from several vaults."""
