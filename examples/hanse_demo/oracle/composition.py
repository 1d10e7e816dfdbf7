"""What a stated ε means for a household that shops at several partners of the league."""

from collections.abc import Mapping

from hanse_demo.summary import MultiplePartners
from hanse_privacy.guarantee import Guarantee
from hanse_privacy.validation import require, require_at_least


def multiple_partners(
    household_counts: Mapping[int, int] | None,
    *,
    runs: Mapping[str, Guarantee],
    largest: int,
) -> tuple[MultiplePartners, ...]:
    """Scale a run's guarantee to a household that shops at k partners.

    A run is ρ-zCDP for one unit, which has a vector at m partners at most (m is 1 for a customer at one partner). Take
    away a household that shops at k partners: in every round the league's one sum changes by k vectors, each of at most
    the clip / m, which may all point the same way. Against the one noise of that sum the household weighs k/m times the
    unit, and ρ grows with the square of the sensitivity: the run is ((k/m)²·ρ)-zCDP for the household. It is converted
    once, at the run's own δ.

    Args:
        household_counts: k to the number of households that shop at exactly k partners; None where nobody knows.
        runs: What each run promises.
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
            epsilon={run: guarantee.epsilon_at(partners) for run, guarantee in runs.items()},
        )
        for partners in range(1, largest + 1)
    )
