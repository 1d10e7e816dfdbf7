"""Numbers and names of an answer, as people read them."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from hanse_privacy.protocol.question_steps import Measure
from hanse_server.pictures.decimals import decimal

UNITS: Mapping[Measure, str] = MappingProxyType(
    {
        Measure.CUSTOMERS: "customers",
        Measure.BASKETS: "baskets",
        Measure.SPEND: "of currency",
        Measure.QUANTITY: "units",
    }
)
"""What a count of each measure counts."""
_DIGITS = 3


def amount(value: float) -> str:
    """A number with three digits that count, or all before the point: ``0.0123``, ``1.23``, ``12,345``."""
    if value == 0 or not math.isfinite(value):
        return decimal(0.0, 0) if value == 0 else "∞"
    return decimal(value, max(0, _DIGITS - 1 - math.floor(math.log10(abs(value)))))
