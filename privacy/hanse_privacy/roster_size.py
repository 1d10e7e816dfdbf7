"""How many partners a roster may have, and of how many of them one unit may be a customer."""

from typing import Annotated

from pydantic import AfterValidator

LARGEST_ROSTER = 128
"""Vaults in one sum at most."""


def _require_several(value: int) -> int:
    if not 2 <= value <= LARGEST_ROSTER:
        alone = "; for 1 the unit is customer-at-one-partner" if value == 1 else ""
        raise ValueError(f"partners_at_most is {value}, and must be between 2 and {LARGEST_ROSTER}{alone}")
    return value


SeveralPartners = Annotated[int, AfterValidator(_require_several)]
"""m: the number of partners that one unit may be at, where it is more than one."""
