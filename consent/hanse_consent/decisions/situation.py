"""A question under one law pack at one moment: what every condition of that pack's rules reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from hanse_consent.decisions.facts import consent_topic
from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import EVERYONE, NOBODY, CustomerSet, union
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.parties import Agreement, AgreementRole, Assessment, Controller, Transfer
from hanse_consent.domain.purposes import LegalBasis, Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPack


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is asked, what is registered, and whom the pack governs.

    Args:
        question: What is asked.
        registry: What is registered.
        controller: The controller asked about; none if it is unknown.
        purpose: The purpose asked about; none if it is unknown.
        pack: Whose rule is being read.
        at_us: The moment asked about, microseconds since 1970.
        today: Its day in UTC.
        governed: Customers whom each territorial pack in force governs, by name of the pack.
        covered: Countries where a pack in force applies.
    """

    question: Question
    registry: Registry
    controller: Controller | None
    purpose: Purpose | None
    pack: LawPack
    at_us: int
    today: date
    governed: dict[str, CustomerSet]
    covered: frozenset[str]

    @cached_property
    def consent(self) -> str:
        """Topic of the purpose's grants."""
        return consent_topic(self.question.purpose)

    @cached_property
    def basis(self) -> LegalBasis:
        """The purpose's legal basis under the pack; an unknown purpose could rest on consent only."""
        return self.basis_under(self.pack.name)

    def basis_under(self, pack: str) -> LegalBasis:
        """The purpose's legal basis under any pack."""
        return self.purpose.basis(pack) if self.purpose is not None else LegalBasis.CONSENT

    @cached_property
    def on_consent(self) -> CustomerSet:
        """For whom consent is the ground; under the house's rules, where any pack that governs them says so."""
        if not self.pack.governs_everybody:
            return EVERYONE if self.basis is LegalBasis.CONSENT else NOBODY
        return union(
            governed for pack, governed in self.governed.items() if self.basis_under(pack) is LegalBasis.CONSENT
        )

    @cached_property
    def recipients(self) -> tuple[str, ...]:
        """Who receives the outcome, beside the controller itself."""
        return _others(self.question.recipients, self.question.controller)

    @cached_property
    def joint_controllers(self) -> tuple[str, ...]:
        """Who decides with the controller."""
        return _others(self.question.joint_controllers, self.question.controller)

    def country_of(self, party: str) -> str | None:
        """Where a recipient is established; none if it is unknown."""
        found = self.registry.recipient(party) or self.registry.controller(party)
        return found.country if found is not None else None

    def abroad(self, *, adequate: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Recipients outside the pack's territory and the adequate countries; an unknown one may be anywhere."""
        near = self.pack.territories | adequate
        return tuple(party for party in self.recipients if self.country_of(party) not in near)

    def in_force(self, record: Agreement | Transfer | Assessment) -> bool:
        """Whether a dated record is in force at the moment asked about."""
        return to_microseconds(record.starts_at) <= self.at_us < to_microseconds(record.ends_at)

    @cached_property
    def agreements(self) -> tuple[Agreement, ...]:
        """The controller's agreements in force that name the purpose, whichever side registered them."""
        own = self.question.controller
        return tuple(
            agreement
            for agreement in self.registry.agreements
            if own in (agreement.controller, agreement.party)
            and self.question.purpose in agreement.purposes
            and self.in_force(agreement)
        )

    def agreed_with(self, party: str, *roles: AgreementRole) -> bool:
        """Whether an agreement of one of these roles covers a party; a processor's covers its sub-processors."""
        return any(
            agreement.role in roles
            and (party in (agreement.controller, agreement.party) or party in agreement.sub_processors)
            for agreement in self.agreements
        )

    def transfers_to(self, recipient: str) -> tuple[Transfer, ...]:
        """The controller's grounds under this pack, in force, for sending data to a recipient."""
        return tuple(transfer for transfer in self.transfers if transfer.recipient == recipient)

    @cached_property
    def transfers(self) -> tuple[Transfer, ...]:
        """The controller's grounds under this pack, in force, for sending data abroad."""
        return tuple(
            transfer
            for transfer in self.registry.transfers
            if transfer.controller == self.question.controller
            and transfer.pack == self.pack.name
            and self.in_force(transfer)
        )

    @cached_property
    def assessments(self) -> tuple[Assessment, ...]:
        """The controller's assessments of the purpose, in date."""
        return tuple(
            assessment
            for assessment in self.registry.assessments
            if assessment.controller == self.question.controller
            and self.question.purpose in assessment.purposes
            and self.in_force(assessment)
        )


def _others(parties: Iterable[str], own: str) -> tuple[str, ...]:
    return tuple(party for party in dict.fromkeys(parties) if party != own)
