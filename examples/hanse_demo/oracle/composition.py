"""What a stated ε means for a household that shops at several partners of the league."""

from collections.abc import Mapping
from fractions import Fraction

from hanse_demo.summary import MultiplePartners
from hanse_privacy.accounting import epsilon_from_rho
from hanse_privacy.validation import require, require_at_least


def multiple_partners(
    household_counts: Mapping[int, int] | None,
    *,
    runs: Mapping[str, tuple[Fraction, float]],
    largest: int,
) -> tuple[MultiplePartners, ...]:
    """Scale the guarantee for one customer at one partner up to a household that shops at k of them.

    A run is ρ-zCDP for one customer at one partner. Take away a household that shops at k partners: in every round the
    league's one sum changes by k vectors, each of at most the clip, which may all point the same way. Against the one
    noise of that sum the household weighs k times a customer, and ρ grows with the square of the sensitivity: the run
    is (k²·ρ)-zCDP for the household. It is converted once, at the run's own δ. To promise more, a household's vectors
    have to be bounded over the whole roster.

    Args:
        household_counts: k to the number of households that shop at exactly k partners; None where nobody knows.
        runs: By run, its ρ for one customer at one partner, all releases together, and its δ.
        largest: The largest k to show.

    Raises:
        InvalidValueError: If a household shops at more partners than ``largest``, or a count is negative.
    """
    require_at_least(1, largest=largest)
    if household_counts is not None:
        highest = max(household_counts, default=1)
        require(highest <= largest, name="household_counts", value=highest, bound=f"for at most {largest} partners")
        require_at_least(0, **{f"households at {k} partners": n for k, n in household_counts.items()})
    return tuple(
        MultiplePartners(
            partners=partners,
            households=None if household_counts is None else household_counts.get(partners, 0),
            epsilon={run: epsilon_from_rho(partners**2 * rho, delta=delta) for run, (rho, delta) in runs.items()},
        )
        for partners in range(1, largest + 1)
    )
