"""Comparing a uniform random number with a real one: exactly, with as many bits of both as it takes."""

import math
from collections.abc import Callable
from fractions import Fraction

from hanse_privacy.noise.shapes import Bounds
from hanse_privacy.randomness import RandomSource

_WORD_BITS = 64
_DIGITS_PER_WORD = 20
_SPARE_DIGITS = 12


class UniformNumber:
    """A uniform number in [0, 1) of which the first 64 bits are known and more are drawn when they are needed.

    Args:
        word: The first 64 bits.
        source: Where further bits come from.
    """

    def __init__(self, word: int, source: RandomSource) -> None:
        self._value = word
        self._words = 1
        self._source = source

    def is_below(self, number: Callable[[int], Bounds]) -> bool:
        """Whether it is below a real number.

        Args:
            number: Bounds of the number, about 10^-digits apart, for any count of digits.
        """
        while True:
            bits = _WORD_BITS * self._words
            low, high = number(_DIGITS_PER_WORD * self._words + _SPARE_DIGITS)
            if self._value + 1 <= math.floor(Fraction(low) * 2**bits):
                return True
            if self._value >= math.ceil(Fraction(high) * 2**bits):
                return False
            self._value = (self._value << _WORD_BITS) + int(self._source.words(1)[0])
            self._words += 1
