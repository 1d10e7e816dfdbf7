"""Whom a guarantee protects (the privacy unit) and how much is lost (the budget), as types."""

from dataclasses import dataclass
from enum import StrEnum

from hanse_privacy.validation import require_positive, require_probability


class PrivacyUnit(StrEnum):
    """One unit is what may differ between two neighbouring data sets: one of them has it, the other has not.

    The neighbouring relation is add-or-remove-one for every unit.
    """

    CUSTOMER_AT_ONE_PARTNER = "customer-at-one-partner"
    """Everything that one partner holds about one of its customers. A person who shops at k partners is k units, whose
    vectors meet in one sum: for that person ρ is k² times as large (see docs/privacy.md)."""


@dataclass(frozen=True, kw_only=True)
class PrivacyBudget:
    """An (ε, δ) bound. Smaller is stronger; δ must be well below one over the number of customers."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        require_positive(epsilon=self.epsilon)
        require_probability(delta=self.delta)
