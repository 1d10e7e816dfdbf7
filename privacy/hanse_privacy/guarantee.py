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

    For any two data sets that are neighbours for the unit, and any set of outcomes S of what is released:
    P[S on one] ≤ e^ε · P[S on the other] + δ, also for whoever knows all noise but that of the honest vaults.

    Edge case: whoever is a vault's own customer has no secret from that vault. If it colludes, the bound is of what the
    other vaults hold.

    Args:
        unit: Whose addition or removal is hidden.
        budget: The bound that was stated and approved.
        spent_epsilon: What the releases cost at its δ; at most what was stated.
        rho: The same as zero-concentrated differential privacy.
        partners: Vaults in the roster.
        honest_minimum: How many of them the bound counts on.
        events: The noisy sums, each with the unit's own sensitivity.
    """

    unit: PrivacyUnit
    budget: PrivacyBudget
    spent_epsilon: float
    rho: Fraction
    partners: int
    honest_minimum: int
    events: tuple[ReleaseEvent, ...]

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
            events=released,
        )

    @property
    def releases(self) -> int:
        """Noisy sums."""
        return len(self.events)

    def epsilon_at(self, partners: int) -> float:
        """ε at the same δ for a person who is a customer of so many partners: their vectors meet in one sum.

        With k of them, of which a unit has m at most, ρ is (k/m)² times the unit's: more for k above m, less below (but
        for τ, which is composed anew). What the samplers leave out, (1 + e^ε) times it, is not taken from δ here: it
        matters to no ε below 50.
        """
        require_at_least(1, partners=partners)
        part = Fraction(partners, self.unit.vaults)
        return epsilon_from_rho(total_rho(event.weighing(part) for event in self.events), delta=self.budget.delta)

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
            f" alone. Whether {self.unit.holdings} {self.unit.neighbours.words} changes the chance of any outcome by at"
            f" most a factor of e^{self.budget.epsilon:g}, but for a chance of {self.budget.delta:g} ({stated}; the"
            f" releases cost ε = {self.spent_epsilon:.4g}). This holds against {against}, if the other"
            f" {self.honest_minimum} keep their noise and keys to themselves, and whatever else anybody knows."
            f" {self.unit.limits(roster=self.partners, epsilon_at=self._in_words)} Not protected are a partner's"
            " totals, that a partner takes part, and what this run tells together with other runs: each run's loss is"
            " in the vaults' ledgers."
        )

    def _in_words(self, partners: int) -> str:
        return f"ε = {self.epsilon_at(partners):.3g}"
