"""What a consent record must hold: the fields that the DPV guide to ISO/IEC TS 27560:2023 marks as needed.

Sources: W3C DPVCG, "Implementing ISO/IEC TS 27560:2023 using DPV" (15 February 2026), section 8; clause numbers of the
standard as that guide and its tables give them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from hanse_consent.records.document import ConsentRecord
from hanse_consent.records.errors import RecordIncompleteError, RecordSourceError


class Section(StrEnum):
    """In which nodes of a record a field stands."""

    RECORD = "record"
    NOTICE = "notice"
    PROCESS = "process"
    PERSONAL_DATA = "personal data"
    PARTY = "party"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordField:
    """One field of the standard, and where it stands in a record.

    Args:
        name: As the standard names it.
        clause: Its clause in ISO/IEC TS 27560:2023; empty for what the guide does not number.
        guide: Its section in the DPV guide.
        section: The nodes that hold it.
        term: The key under which they hold it.
        required: Whether the guide says that it must be present.
    """

    name: str
    clause: str
    guide: str
    section: Section
    term: str
    required: bool = True


def _field(name: str, clause: str, guide: str, section: Section, term: str) -> RecordField:
    return RecordField(name=name, clause=clause, guide=guide, section=section, term=term)


def _optional(name: str, clause: str, guide: str, section: Section, term: str) -> RecordField:
    return RecordField(name=name, clause=clause, guide=guide, section=section, term=term, required=False)


FIELDS: tuple[RecordField, ...] = (
    _field("schema_version", "", "8.1.1", Section.RECORD, "dct:conformsTo"),
    _field("record_id", "", "8.1.2", Section.RECORD, "dct:identifier"),
    _field("pii_principal_id", "", "8.1.3", Section.RECORD, "dpv:hasDataSubject"),
    _field("privacy_notice", "6.3.4.1", "8.2.1", Section.RECORD, "dpv:hasNotice"),
    _field("language", "6.3.4.2", "8.2.2", Section.NOTICE, "dct:language"),
    _field("process", "", "8.3.1", Section.RECORD, "dpv:hasProcess"),
    _field("purpose", "6.3.4.3", "8.3.2", Section.PROCESS, "dpv:hasPurpose"),
    _optional("lawful_basis", "6.3.4.6", "8.3.6", Section.PROCESS, "dpv:hasLegalBasis"),
    _field("pii_information", "6.3.4.7", "8.3.3", Section.PROCESS, "dpv:hasPersonalData"),
    _field("pii_type", "6.3.5.1", "8.3.3.1", Section.PERSONAL_DATA, "skos:broader"),
    _field("pii_controllers", "6.3.4.8", "8.3.5", Section.PROCESS, "dpv:hasDataController"),
    _field("retention_period", "6.3.4.12", "8.3.4.2", Section.PROCESS, "dpv:hasStorageCondition"),
    _field("jurisdiction", "6.3.4.16", "8.3.9", Section.PROCESS, "dpv:hasJurisdiction"),
    _field("recipient_third_parties", "6.3.4.17", "8.3.7", Section.PROCESS, "dpv:hasRecipient"),
    _field("withdrawal_method", "6.3.4.18", "8.3.8", Section.PROCESS, "dpv:hasConsentControl"),
    _field("privacy_rights", "6.3.4.19", "8.3.10", Section.PROCESS, "dpv:hasRight"),
    _optional("impact_assessment", "6.3.4.21", "8.3.13", Section.PROCESS, "dpv:hasImpactAssessment"),
    _field("party", "", "8.4", Section.RECORD, "dpv:hasEntity"),
    _field("party_id", "", "8.4.2", Section.PARTY, "dpv:hasIdentifier"),
    _field("party_name", "6.3.6.6", "8.4.1", Section.PARTY, "dpv:hasName"),
    _field("party_role", "6.3.6.7", "8.4.3", Section.PARTY, "@type"),
    _field("contact", "6.3.6.8", "8.4.4", Section.PARTY, "schema:contactPoint"),
    _field("party_address", "", "8.4.4.1", Section.PARTY, "schema:address"),
    _field("event", "", "8.5", Section.RECORD, "dpv:hasConsentStatus"),
    _field("event_time", "6.3.7.1", "8.5.3", Section.EVENT, "dpv:isIndicatedAtTime"),
    _field("validity_duration", "6.3.7.2", "8.5.4", Section.EVENT, "dpv:hasDuration"),
    _field("entity_id", "6.3.7.3", "8.5.5", Section.EVENT, "dpv:isIndicatedBy"),
    _field("event_type", "6.3.7.4", "8.5.1", Section.EVENT, "dpv:hasLegalBasis"),
    _field("event_state", "6.3.7.6", "8.5.2", Section.EVENT, "@type"),
)
"""The fields, in the order of the guide."""

REQUIRED = frozenset(field.name for field in FIELDS if field.required)
"""Names of the fields that every record holds."""

_BY_NAME = {field.name: field for field in FIELDS}


def require_complete(record: ConsentRecord, must_hold: Iterable[str] = ()) -> None:
    """Raise unless a record holds every needed field, none of them empty.

    Args:
        record: Any record.
        must_hold: Names of further fields, as the standard names them, that a law wants held.

    Raises:
        RecordIncompleteError: Naming the first field that is missing, its clause and its key.
        RecordSourceError: If ``must_hold`` names a field that is not known.
    """
    if unknown := sorted(frozenset(must_hold) - _BY_NAME.keys()):
        raise RecordSourceError(
            f"A rule wants the unknown record field {unknown[0]!r}.", f"It must be one of {', '.join(_BY_NAME)}."
        )
    wanted = REQUIRED | frozenset(must_hold)
    content = record.to_json()
    for field in FIELDS:
        if field.name in wanted and any(not node.get(field.term) for node in _nodes(content, field.section)):
            clause = f"ISO/IEC TS 27560 {field.clause}, " if field.clause else ""
            raise RecordIncompleteError(
                f"The record lacks {field.name} ({field.term} of its {field.section.value}; "
                f"{clause}DPV guide {field.guide}).",
                "Complete the notice, purpose or party that it comes from, and make the record again.",
            )


def _nodes(content: Mapping[str, JsonValue], section: Section) -> Iterator[Mapping[str, JsonValue]]:
    match section:
        case Section.RECORD:
            yield content
        case Section.NOTICE:
            yield from _children(content, "dpv:hasNotice")
        case Section.PROCESS:
            yield from _children(content, "dpv:hasProcess")
        case Section.PERSONAL_DATA:
            for process in _children(content, "dpv:hasProcess"):
                yield from _children(process, "dpv:hasPersonalData")
        case Section.PARTY:
            yield from _children(content, "dpv:hasEntity")
        case Section.EVENT:
            yield from _children(content, "dpv:hasConsentStatus")


def _children(node: Mapping[str, JsonValue], term: str) -> Iterator[Mapping[str, JsonValue]]:
    found = node.get(term)
    if isinstance(found, list):
        yield from (child for child in found if isinstance(child, dict))
