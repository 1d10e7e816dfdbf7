"""Whether a sum is the exact one, but for noise of the stated size."""

import math

import numpy as np
from numpy.typing import NDArray

_DEVIATIONS = 8
"""Of a squared length and of single entries: a right sum is found wrong less than once in a million."""


def is_right(found: NDArray[np.int64], exact: NDArray[np.int64], *, variance: float) -> bool:
    """Whether the difference is as large as noise of that variance makes it, as a whole and nowhere larger.

    Args:
        found: A sum, in integer units.
        exact: The sum without noise.
        variance: Of the noise in every entry.
    """
    scaled = (found - exact) / math.sqrt(variance)
    squared = float(scaled @ scaled)
    is_as_long = abs(squared - len(scaled)) < _DEVIATIONS * math.sqrt(2 * len(scaled))
    return is_as_long and float(np.abs(scaled).max()) < _DEVIATIONS
