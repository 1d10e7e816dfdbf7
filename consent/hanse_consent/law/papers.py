"""A controller's agreements, transfers and assessments alike: what each is needed for, and what follows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hanse_consent.domain.parties import Agreement
from hanse_consent.domain.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One dated paper of a controller.

    Args:
        title: How a person calls it, such as ``agreement service-for-north with consent``.
        stands_for: What papers of the same sort have in common: one can follow the other.
        purposes: What it is about; a transfer is about the purposes of the agreements with its recipient.
        starts_at: In force from.
        ends_at: First moment at which it is no longer in force.
    """

    title: str
    stands_for: tuple[str, ...]
    purposes: frozenset[str]
    starts_at: datetime
    ends_at: datetime


def papers_of(controller: str, registry: Registry) -> tuple[Paper, ...]:
    """All papers of a controller, whichever side registered an agreement."""
    return (
        *_agreements(controller, registry),
        *_transfers(controller, registry),
        *_assessments(controller, registry),
    )


def still_needed(paper: Paper, *, among: tuple[Paper, ...], purposes: frozenset[str], at: datetime) -> tuple[str, ...]:
    """Those purposes for which nothing follows a paper, sorted.

    Another paper of the same sort follows it if it ends later and is in force when the paper ends, or now if it has
    ended. One that has ended by now, too, is a matter of its own.

    Args:
        paper: One that ends.
        among: All papers of the controller, the paper itself among them.
        purposes: Those that need papers.
        at: Now.
    """
    moment = max(paper.ends_at, at)
    covered = frozenset[str]().union(
        *(
            other.purposes
            for other in among
            if other.stands_for == paper.stands_for and other.starts_at <= moment and _outlasts(other, paper, among)
        )
    )
    return tuple(sorted((paper.purposes & purposes) - covered))


def _outlasts(other: Paper, paper: Paper, among: tuple[Paper, ...]) -> bool:
    # Of two that end at once, the one named first stands for both.
    return other.ends_at > paper.ends_at or (other.ends_at == paper.ends_at and among.index(other) < among.index(paper))


def _agreements(controller: str, registry: Registry) -> Iterator[Paper]:
    for agreement in _own(controller, registry):
        other = agreement.party if agreement.controller == controller else agreement.controller
        yield Paper(
            title=f"agreement {agreement.name} with {other}",
            stands_for=("agreement", agreement.role.value, other),
            purposes=frozenset(agreement.purposes),
            starts_at=agreement.starts_at,
            ends_at=agreement.ends_at,
        )


def _transfers(controller: str, registry: Registry) -> Iterator[Paper]:
    for transfer in registry.transfers:
        if transfer.controller == controller:
            received = (
                agreement.purposes
                for agreement in _own(controller, registry)
                if transfer.recipient in (agreement.controller, agreement.party, *agreement.sub_processors)
            )
            yield Paper(
                title=f"transfer {transfer.name} to {transfer.recipient}",
                stands_for=("transfer", transfer.pack, transfer.recipient),
                purposes=frozenset[str]().union(*received),
                starts_at=transfer.starts_at,
                ends_at=transfer.ends_at,
            )


def _assessments(controller: str, registry: Registry) -> Iterator[Paper]:
    for assessment in registry.assessments:
        if assessment.controller == controller:
            yield Paper(
                title=f"assessment {assessment.name}",
                stands_for=("assessment", assessment.kind.value, assessment.recipient or ""),
                purposes=frozenset(assessment.purposes),
                starts_at=assessment.starts_at,
                ends_at=assessment.ends_at,
            )


def _own(controller: str, registry: Registry) -> tuple[Agreement, ...]:
    return tuple(
        agreement for agreement in registry.agreements if controller in (agreement.controller, agreement.party)
    )
