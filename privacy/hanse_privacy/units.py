"""Whom a guarantee protects (the privacy unit) and how much is lost (the budget), as types.

One unit is what may differ between two neighbouring data sets. Three are known: all that one partner holds about one
customer; all that the roster holds about one person; all that was linked to one person. The last two span vaults whose
vectors meet in one sum: at most :attr:`PrivacyUnit.vaults` of them, and each vault bounds a customer's vector by the
clip divided by that number (:class:`~hanse_privacy.release.ReleaseLayout`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from hanse_privacy.papers import EnforcementProof, LinkageAssurance, Paper
from hanse_privacy.roster_size import SeveralPartners
from hanse_privacy.validation import require_positive, require_probability


class UnitKind(StrEnum):
    """The units by name, as proposals and policies write them."""

    CUSTOMER_AT_ONE_PARTNER = "customer-at-one-partner"
    CUSTOMER_ACROSS_THE_ROSTER = "customer-across-the-roster"
    LINKED_CUSTOMER = "linked-customer"


class NeighbouringRelation(ABC):
    """Which pairs of data sets a guarantee speaks of."""

    words: ClassVar[str]
    """How the two differ, after the unit's name."""


class AddOrRemoveOne(NeighbouringRelation):
    """One data set has everything of one unit, the other nothing of it; all else is the same.

    The sum of all vectors then changes by the unit's own vectors: its sensitivity is their bound. (Were one unit
    *replaced* by another, it would be twice that.) It is the relation that dp-accounting calls ``ADD_OR_REMOVE_ONE``.
    """

    words: ClassVar[str] = "was used or not"


class PrivacyUnit(BaseModel, ABC):
    """What may differ between two neighbouring data sets.

    Guarantee: a release under :class:`~hanse_privacy.release.ReleaseLayout` costs its event's ρ for one unit, which has
    at most :attr:`vaults` vectors in the sum: one customer at each of so many vaults. It holds against vaults that
    collude or clip nothing, too, for what the unit has at other vaults; nothing is hidden from a vault of its own rows.

    Edge cases: whoever has k vectors in one sum, fewer or more than that, has a sensitivity of k / vaults times the
    unit's (:meth:`~hanse_privacy.guarantee.Guarantee.epsilon_at`). A person with two customer numbers at one vault has
    two vectors there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    neighbours: ClassVar[type[NeighbouringRelation]] = AddOrRemoveOne

    @property
    @abstractmethod
    def vaults(self) -> int:
        """m: so many vaults' vectors of one unit may meet in one sum."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What one unit is called, after "each"."""

    @property
    @abstractmethod
    def holdings(self) -> str:
        """What the two data sets differ by, in words."""

    @property
    def papers(self) -> tuple[Paper, ...]:
        """Papers that the promise rests on; a vault admits the unit only where its officers accepted them all."""
        return ()

    @abstractmethod
    def objection(self, *, roster: int) -> str:
        """Why a roster of so many vaults cannot be promised this unit; empty if it can."""

    @abstractmethod
    def limits(self, *, roster: int, epsilon_at: Callable[[int], str]) -> str:
        """What else must be said to whoever signs, in sentences.

        Args:
            roster: Vaults in the roster.
            epsilon_at: Says "ε = …" for a person who is a customer of so many partners.
        """


class CustomerAtOnePartner(PrivacyUnit):
    """Everything that one partner holds about one of its customers: the default.

    A person who shops at k partners is k units, whose vectors meet in one sum: for that person ρ is k² times as large.
    """

    kind: Literal[UnitKind.CUSTOMER_AT_ONE_PARTNER] = UnitKind.CUSTOMER_AT_ONE_PARTNER

    @property
    def vaults(self) -> int:
        """One."""
        return 1

    @property
    def name(self) -> str:
        """As in the name of the kind."""
        return "customer at one partner"

    @property
    def holdings(self) -> str:
        """All at one partner."""
        return "everything that one partner holds about one of its customers"

    def objection(self, *, roster: int) -> str:
        """None: any roster will do."""
        del roster
        return ""

    def limits(self, *, roster: int, epsilon_at: Callable[[int], str]) -> str:
        """A person at two partners, and at all."""
        every = f", and of all {roster}: {epsilon_at(roster)}" if roster > 2 else ""
        return (
            "It does not hold against the customer's own partner. A person who is a customer of two partners is"
            f" protected less: {epsilon_at(2)}{every}."
        )


class CustomerAcrossTheRoster(PrivacyUnit):
    """Everything that all partners of the roster together hold about one person, who is a customer of m at most.

    With m the roster's size nothing has to be shown: nobody can be a customer of more partners. With fewer, the bound
    holds for whom the proof covers.
    """

    kind: Literal[UnitKind.CUSTOMER_ACROSS_THE_ROSTER] = UnitKind.CUSTOMER_ACROSS_THE_ROSTER
    partners_at_most: SeveralPartners
    """m: of so many partners one person may be a customer."""
    proof: EnforcementProof | None = None
    """Present if and only if m is below the roster's size."""

    @property
    def vaults(self) -> int:
        """As many as the person may be at."""
        return self.partners_at_most

    @property
    def name(self) -> str:
        """With m."""
        return f"customer across the roster, at {self.partners_at_most} partners at most"

    @property
    def holdings(self) -> str:
        """All at up to m partners."""
        return (
            "everything that all partners together hold about one person, who is one customer at each of up to"
            f" {self.partners_at_most} of them,"
        )

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The proof, where there is one."""
        if self.proof is None:
            return ()
        return (
            Paper(
                role="enforcement proof",
                name=self.proof.name,
                sha256=self.proof.sha256,
                partners_at_most=self.partners_at_most,
            ),
        )

    def objection(self, *, roster: int) -> str:
        """It spans more than the roster, or less without a proof, or a proof is there for nothing."""
        if self.partners_at_most > roster:
            return _too_many(self.partners_at_most, roster=roster)
        if self.partners_at_most < roster and self.proof is None:
            return (
                f"unit: partners_at_most is {self.partners_at_most}, and a person may be a customer of all {roster}"
                f" partners in the roster: write {roster}, or add the proof that enforces {self.partners_at_most}"
            )
        if self.partners_at_most == roster and self.proof is not None:
            return (
                f"unit: with partners_at_most the whole roster of {roster} there is nothing to prove: leave proof out"
            )
        return ""

    def limits(self, *, roster: int, epsilon_at: Callable[[int], str]) -> str:
        """The person's own partners; who is at one only; what the proof is for."""
        said = (
            "It does not hold against a person's own partners about what they hold themselves. A person who is a"
            f" customer of one partner only is protected more: {epsilon_at(1)}."
        )
        for proof in self.papers:
            said += (
                f" It rests on the {proof}, by which nobody's data enters from more than {self.partners_at_most} of the"
                f" {roster} partners; a person whose data did from all {roster} would have {epsilon_at(roster)}."
            )
        return said


class LinkedCustomer(PrivacyUnit):
    """Everything that was linked to one person, over m partners at most, by a method whose error a paper states.

    The guarantee is for people whose records were linked rightly: whoever has records that were not linked may have
    more vectors in a sum than m, and whoever was mixed up with a stranger is one unit with that stranger.
    """

    kind: Literal[UnitKind.LINKED_CUSTOMER] = UnitKind.LINKED_CUSTOMER
    assurance: LinkageAssurance

    @property
    def vaults(self) -> int:
        """As many as records are linked over."""
        return self.assurance.partners_at_most

    @property
    def name(self) -> str:
        """With m and the method."""
        return f"customer linked by “{self.assurance.method}” over {self.vaults} partners at most"

    @property
    def holdings(self) -> str:
        """All that was linked."""
        return (
            f"everything that was linked to one person by “{self.assurance.method}”, one customer at each of up to"
            f" {self.vaults} partners,"
        )

    @property
    def papers(self) -> tuple[Paper, ...]:
        """The paper that states the method's error."""
        return (
            Paper(
                role="linkage assurance",
                name=self.assurance.method,
                sha256=self.assurance.sha256,
                partners_at_most=self.vaults,
            ),
        )

    def objection(self, *, roster: int) -> str:
        """It spans more than the roster."""
        return _too_many(self.vaults, roster=roster) if self.vaults > roster else ""

    def limits(self, *, roster: int, epsilon_at: Callable[[int], str]) -> str:
        """Who was linked rightly; who was not; who is at one partner only."""
        missed = f" a person with unlinked records at all {roster} partners may have {epsilon_at(roster)};"
        return (
            "It holds for people who were linked rightly only:"
            f"{missed if roster > self.vaults else ''} how often the method errs is stated by the paper of its"
            f" {self.papers[0]}. It does not hold against a person's own partners about what they hold themselves. A"
            f" person who is a customer of one partner only is protected more: {epsilon_at(1)}."
        )


def _too_many(partners_at_most: int, *, roster: int) -> str:
    return f"unit: partners_at_most is {partners_at_most}, and the roster has {roster} partners: write at most {roster}"


@dataclass(frozen=True, kw_only=True)
class PrivacyBudget:
    """An (ε, δ) bound. Smaller is stronger; δ must be well below one over the number of customers."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        require_positive(epsilon=self.epsilon)
        require_probability(delta=self.delta)
