"""Released values with their intervals, as JSON values."""

import math

from hanse_privacy.statistics.confidence import NORMAL_95


def interval(value: float, standard_deviation: float) -> dict[str, float | None]:
    """A released value with its 95 % interval; none where it cannot be told."""
    return {
        "value": finite(value),
        "low": finite(value - NORMAL_95 * standard_deviation),
        "high": finite(value + NORMAL_95 * standard_deviation),
    }


def finite(value: float) -> float | None:
    """The value; none where it is no number that JSON can hold."""
    return value if math.isfinite(value) else None
