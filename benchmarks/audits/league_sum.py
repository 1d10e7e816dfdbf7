"""A league's masked sum as one of its own vaults sees it, which colludes with the centre."""

import itertools
from collections.abc import Sequence

import numpy as np
from masked_league import new_league
from numpy.typing import NDArray

from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.ring import Ring
from hanse_privacy.noise.discrete_gaussian import sample_discrete_gaussian
from hanse_privacy.randomness import UnsafeSeededRandomness

_VARIANCE = 2**24


class CollusiveLeagueSum:
    """Adds up honest vaults' vectors and the colluder's, masked as in any round, and takes the colluder's off again.

    Args:
        honest: Vaults besides the colluder.
    """

    def __init__(self, *, honest: int) -> None:
        self._league = new_league(honest + 1)
        self._attempts = itertools.count(1)

    def __call__(self, vectors: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return what the centre and the colluder know of the honest vaults' vectors: their sum."""
        number = next(self._attempts)
        # Whoever knows the seed knows the share.
        known = sample_discrete_gaussian(
            variance_parameter=_VARIANCE, size=len(vectors[0]), source=UnsafeSeededRandomness(number)
        )
        attempt = Attempt(round=number, step=0, attempt=1)
        return self._league.total([*vectors, known], ring=Ring.BITS_64, attempt=attempt) - known
