"""What a run promises, to whom and against whom, in types and in words that a compliance officer can sign."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from hanse_privacy.accounting import ReleaseEvent, epsilon_from_rho, epsilon_of, total_rho
from hanse_privacy.units import PrivacyBudget, PrivacyUnit
from hanse_privacy.validation import require_at_least


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """The formal guarantee of a run's releases together.

    For any two data sets that differ by one unit, and any set of outcomes S of what is released:
    P[S on one] ≤ e^ε · P[S on the other] + δ, also for whoever knows all noise but that of the honest vaults.

    Args:
        unit: Whose addition or removal is hidden.
        budget: The bound that was stated and approved.
        spent_epsilon: What the releases cost at its δ; at most what was stated.
        rho: The same as zero-concentrated differential privacy.
        partners: Vaults in the roster.
        honest_minimum: How many of them the bound counts on.
        releases: Noisy sums.
    """

    unit: PrivacyUnit
    budget: PrivacyBudget
    spent_epsilon: float
    rho: Fraction
    partners: int
    honest_minimum: int
    releases: int

    @classmethod
    def of(
        cls,
        events: Iterable[ReleaseEvent],
        *,
        unit: PrivacyUnit,
        budget: PrivacyBudget,
        partners: int,
        honest_minimum: int,
    ) -> "Guarantee":
        """Compose a run's releases."""
        released = tuple(events)
        return cls(
            unit=unit,
            budget=budget,
            spent_epsilon=epsilon_of(released, delta=budget.delta),
            rho=total_rho(released),
            partners=partners,
            honest_minimum=honest_minimum,
            releases=len(released),
        )

    def epsilon_at(self, partners: int) -> float:
        """ε at the same δ for a person who is a customer of so many partners: their vectors meet in one sum."""
        require_at_least(1, partners=partners)
        return epsilon_from_rho(partners**2 * self.rho, delta=self.budget.delta)

    def explain(self) -> str:
        """The guarantee in one paragraph, with what it does not protect."""
        colluders = self.partners - self.honest_minimum
        sums = "sum" if self.releases == 1 else "sums"
        against = (
            "the centre, the network and everybody who sees the result"
            if colluders == 0
            else f"the centre, the network and everybody who sees the result, together with up to {colluders} of the"
            f" {self.partners} partners' vaults"
        )
        stated = f"ε = {self.budget.epsilon:g}, δ = {self.budget.delta:g}"
        return (
            f"The run releases {self.releases} noisy {sums} over all {self.partners} partners, nothing of one partner"
            " alone. Whether everything that one partner holds about one of its customers was used or not changes the"
            f" chance of any outcome by at most a factor of e^{self.budget.epsilon:g}, but for a chance of"
            f" {self.budget.delta:g} ({stated}; the releases cost ε = {self.spent_epsilon:.4g}). This holds against"
            f" {against}, if the other {self.honest_minimum} keep their noise and keys to themselves, and whatever else"
            " anybody knows. It does not hold against the customer's own partner. A person who is a customer of two"
            f" partners is protected less: ε = {self.epsilon_at(2):.3g}. Not protected are a partner's totals, that a"
            " partner takes part, and what this run tells together with other runs: each run's loss is in the vaults'"
            " ledgers."
        )
