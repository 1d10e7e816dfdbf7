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
    """Compose the guarantee that each of a household's partners gives.

    A run is ρ-zCDP for one customer at one partner. Take away a household that shops at k partners: in every
    round, k vaults' sums change, each by at most the clip, and each vault adds noise of its own, drawn
    independently, whatever was released before. The order-α Rényi divergence of that round's releases is
    then the sum of k divergences, and rounds compose adaptively (Bun and Steinke 2016, lemma 2.3): the run is
    (k·ρ)-zCDP for the household. It is converted once, at the run's own δ; nothing is multiplied by k but ρ.
    (Composing k (ε, δ) statements instead would give the much looser (k·ε, k·δ).)

    With *one* noise draw for the sum of all partners, as under secure aggregation, the k clipped vectors may
    add up to k times the clip against that one draw: k²·ρ. A later version must then bound a household's
    contribution over the whole roster.

    Args:
        household_counts: k to the number of households that shop at exactly k partners; None where nobody knows.
        runs: By run, its ρ at one vault, all releases together, and its δ.
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
            epsilon={run: epsilon_from_rho(partners * rho, delta=delta) for run, (rho, delta) in runs.items()},
        )
        for partners in range(1, largest + 1)
    )
