"""Released values with their intervals, as JSON values."""

import math

NORMAL_95 = 1.959963984540054
"""Half-width of a 95 % interval in standard deviations of a normal distribution."""


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
