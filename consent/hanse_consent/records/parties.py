"""Who stands in a record: controllers, processors and third parties, as the register and the notice name them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hanse_consent.domain.notices import Notice
from hanse_consent.domain.parties import AgreementRole, Controller, Recipient
from hanse_consent.domain.registry import Registry
from hanse_consent.records.document import ContactPoint, PartyNode, PostalAddress
from hanse_consent.records.errors import RecordSourceError
from hanse_consent.records.names import party_iri

_CONTROLLER = "dpv:DataController"
_ROLES = {
    AgreementRole.PROCESSOR: "dpv:DataProcessor",
    AgreementRole.JOINT_CONTROLLER: _CONTROLLER,
    AgreementRole.INDEPENDENT_CONTROLLER: "dpv:ThirdParty",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Involved:
    """Names of the parties to a processing.

    Args:
        controllers: The one that was spoken to first, then those that the notice names beside it.
        recipients: Those that the notice discloses; the first controller alone where it discloses nobody.
    """

    controllers: tuple[str, ...]
    recipients: tuple[str, ...]


def involved(controller: str, notice: Notice | None) -> Involved:
    """Who is involved, as the customer was told."""
    named = notice.statements.controllers if notice is not None else ()
    disclosed = notice.statements.recipients if notice is not None else ()
    return Involved(
        controllers=(controller, *(name for name in named if name != controller)),
        recipients=disclosed or (controller,),
    )


def party_nodes(parties: Involved, *, purpose: str, registry: Registry, at: datetime) -> tuple[PartyNode, ...]:
    """One node for each party, controllers first.

    Raises:
        RecordSourceError: If a notice names a party that the register does not know.
    """
    nodes = [_node(_registered(name, registry), role=_CONTROLLER) for name in parties.controllers]
    for name in parties.recipients:
        if name not in parties.controllers:
            role = _role(name, controller=parties.controllers[0], purpose=purpose, registry=registry, at=at)
            nodes.append(_node(_registered(name, registry), role=role))
    return tuple(nodes)


def party_iris(names: Iterable[str]) -> tuple[str, ...]:
    """The IRIs of parties."""
    return tuple(party_iri(name) for name in names)


def _registered(name: str, registry: Registry) -> Recipient:
    found = registry.controller(name) or registry.recipient(name)
    if found is None:
        raise RecordSourceError(
            f"The party {name} is named by a notice, and unknown to the register.", "Register it with its contact."
        )
    if isinstance(found, Controller):
        return Recipient(
            name=found.name,
            legal_name=found.legal_name,
            contact=found.contact,
            address=found.address,
            country=found.country,
        )
    return found


def _role(name: str, *, controller: str, purpose: str, registry: Registry, at: datetime) -> str:
    roles = {
        agreement.role
        for agreement in registry.agreements
        if (agreement.controller, agreement.party) == (controller, name)
        and purpose in agreement.purposes
        and agreement.starts_at <= at < agreement.ends_at
    }
    # Without an agreement in force nothing makes it more than a third party.
    return _ROLES[roles.pop()] if len(roles) == 1 else "dpv:ThirdParty"


def _node(party: Recipient, *, role: str) -> PartyNode:
    return PartyNode(
        id=party_iri(party.name),
        types=(role,),
        identifiers=(party_iri(party.name), party.name),
        names=(party.legal_name,),
        contacts=(ContactPoint(types=("schema:ContactPoint",), description=party.contact),),
        addresses=(
            PostalAddress(types=("schema:PostalAddress",), street=party.address or None, country=party.country),
        ),
    )
