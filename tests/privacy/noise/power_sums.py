"""An independent oracle: the exponent of the Poisson distribution as a sum of logarithms, by sums of powers.

ln((m + x)! / m!) - x ln m is Σ ln(1 + i / m) for i from 1 to x, and for -x the sum of -ln(1 - i / m) for i from 1 to
x - 1. No factorial and no Stirling: each logarithm is its own series in 1 / m, and powers of i are added up exactly.
"""

import functools
import math
from fractions import Fraction


def poisson_exponent(*, mean: int, point: int, digits: int) -> Fraction:
    """Within 10^-digits, for points within a quarter of the mean."""
    count, sign = (point, 1) if point >= 0 else (-point - 1, -1)
    if count <= 0:
        return Fraction(0)
    total, power = Fraction(0), 1
    # |Σ i^k / m^k| is at most count (count / m)^k, and each next one less than half of it.
    while True:
        summand = Fraction(_power_sum(power, count), power * mean**power)
        total += summand if sign < 0 or power % 2 else -summand
        if count * Fraction(count, mean) ** power < Fraction(1, 4 * 10**digits):
            return total
        power += 1


@functools.lru_cache(maxsize=512)
def _power_sum(power: int, count: int) -> int:
    """Σ i^power for i from 1 to count: telescoping (i + 1)^(power + 1) - i^(power + 1)."""
    if power == 0:
        return count
    rest = sum(math.comb(power + 1, k) * _power_sum(k, count) for k in range(power))
    return ((count + 1) ** (power + 1) - 1 - rest) // (power + 1)
