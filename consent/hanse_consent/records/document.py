"""The shape of a consent record in JSON-LD: one class per node, every plural field a list.

Field names are the terms of DPV 2.3 that the 27560 guide assigns; which of them must be there is said by
:mod:`hanse_consent.records.requirements`, so that a missing one is named by its clause.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from hanse_consent.domain.moments import Moment
from hanse_privacy.canonical import canonical_digest

UtcMoment = Annotated[Moment, AfterValidator(lambda moment: moment.astimezone(UTC))]
"""A moment, always written in UTC."""

Texts = tuple[str, ...]
Types = Annotated[tuple[str, ...], Field(alias="@type")]
NodeId = Annotated[str, Field(alias="@id", min_length=1)]
Identifiers = Annotated[Texts, Field(alias="dct:identifier")]


class Node(BaseModel):
    """A JSON-LD node: frozen, read and written by its terms, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, serialize_by_alias=True)

    def to_json(self) -> dict[str, JsonValue]:
        """The node as plain JSON values; what is empty or absent is left out."""
        kept: dict[str, JsonValue] = {}
        for name, value in self.model_dump(mode="json").items():
            cleaned = _without_empty(value)
            if cleaned not in (None, []):
                kept[name] = cleaned
        return kept


def _without_empty(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        cleaned = {name: _without_empty(part) for name, part in value.items()}
        return {name: part for name, part in cleaned.items() if part not in (None, [])}
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return value


class Subject(Node):
    """The person, as a pseudonym."""

    id: NodeId
    types: Types
    identifiers: Identifiers = ()


class NoticeNode(Node):
    """A notice in one language, with the digest of the text that was shown."""

    id: NodeId
    types: Types
    identifiers: Identifiers = ()
    published_at: Annotated[UtcMoment, Field(alias="dct:date")]
    languages: Annotated[Texts, Field(alias="dct:language")] = ()
    sha256: Annotated[str, Field(alias="hanse:sha256", pattern=r"^[0-9a-f]{64}$")]


class Duration(Node):
    """How long: a period, an end, or until something happens."""

    types: Types
    value: Annotated[str, Field(alias="rdf:value")]


class StorageCondition(Node):
    """How long data may be kept."""

    types: Types
    durations: Annotated[tuple[Duration, ...], Field(alias="dpv:hasDuration")] = ()


class PurposeNode(Node):
    """What data is used for."""

    id: NodeId
    types: Types
    identifiers: Identifiers = ()
    title: Annotated[str, Field(alias="dct:title")]
    description: Annotated[str, Field(alias="dct:description")]
    broader: Annotated[Texts, Field(alias="skos:broader")] = ()
    tier: Annotated[str | None, Field(alias="hanse:tier")] = None


class PersonalDataNode(Node):
    """A kind of personal data."""

    types: Types
    title: Annotated[str, Field(alias="dct:title")]
    broader: Annotated[Texts, Field(alias="skos:broader")] = ()


class Described(Node):
    """A control, right or notice, in words and with the place where it is used."""

    types: Types
    title: Annotated[str | None, Field(alias="dct:title")] = None
    description: Annotated[str | None, Field(alias="dct:description")] = None
    exercised_at: Annotated[Texts, Field(alias="dpv:isExercisedAt")] = ()


class AssessmentNode(Node):
    """An assessment of the purpose that was in force."""

    types: Types
    identifiers: Identifiers = ()
    sha256: Annotated[str, Field(alias="hanse:sha256", pattern=r"^[0-9a-f]{64}$")]


class ProcessNode(Node):
    """Everything about the processing that was consented to."""

    types: Types
    purposes: Annotated[tuple[PurposeNode, ...], Field(alias="dpv:hasPurpose")] = ()
    personal_data: Annotated[tuple[PersonalDataNode, ...], Field(alias="dpv:hasPersonalData")] = ()
    storage: Annotated[tuple[StorageCondition, ...], Field(alias="dpv:hasStorageCondition")] = ()
    controllers: Annotated[Texts, Field(alias="dpv:hasDataController")] = ()
    recipients: Annotated[Texts, Field(alias="dpv:hasRecipient")] = ()
    legal_bases: Annotated[Texts, Field(alias="dpv:hasLegalBasis")] = ()
    withdrawal: Annotated[tuple[Described, ...], Field(alias="dpv:hasConsentControl")] = ()
    jurisdictions: Annotated[Texts, Field(alias="dpv:hasJurisdiction")] = ()
    laws: Annotated[Texts, Field(alias="dpv:hasApplicableLaw")] = ()
    rights: Annotated[tuple[Described, ...], Field(alias="dpv:hasRight")] = ()
    notices: Annotated[tuple[Described, ...], Field(alias="dpv:hasNotice")] = ()
    assessments: Annotated[tuple[AssessmentNode, ...], Field(alias="dpv:hasImpactAssessment")] = ()


class ContactPoint(Node):
    """How a party is reached."""

    types: Types
    description: Annotated[str, Field(alias="schema:description")]


class PostalAddress(Node):
    """Where a party is; the country at least."""

    types: Types
    street: Annotated[str | None, Field(alias="schema:streetAddress")] = None
    country: Annotated[str, Field(alias="schema:addressCountry")]


class PartyNode(Node):
    """A controller, processor, third party."""

    id: NodeId
    types: Types
    identifiers: Annotated[Texts, Field(alias="dpv:hasIdentifier")] = ()
    names: Annotated[Texts, Field(alias="dpv:hasName")] = ()
    contacts: Annotated[tuple[ContactPoint, ...], Field(alias="schema:contactPoint")] = ()
    addresses: Annotated[tuple[PostalAddress, ...], Field(alias="schema:address")] = ()


class EventNode(Node):
    """Something that was said, or that happened to the consent."""

    types: Types
    consent_types: Annotated[Texts, Field(alias="dpv:hasLegalBasis")] = ()
    indicated_at: Annotated[UtcMoment, Field(alias="dpv:isIndicatedAtTime")]
    durations: Annotated[tuple[Duration, ...], Field(alias="dpv:hasDuration")] = ()
    indicated_by: Annotated[Texts, Field(alias="dpv:isIndicatedBy")] = ()
    methods: Annotated[Texts, Field(alias="dpv:hasIndicationMethod")] = ()
    notices: Annotated[Texts, Field(alias="dpv:hasNotice")] = ()
    recorded_at: Annotated[UtcMoment | None, Field(alias="hanse:recordedAt")] = None
    position: Annotated[int | None, Field(alias="hanse:position", ge=1)] = None
    tier: Annotated[str | None, Field(alias="hanse:tier")] = None
    separate_matter: Annotated[str | None, Field(alias="hanse:separateMatter")] = None
    separate_subject: Annotated[str | None, Field(alias="hanse:separateSubject")] = None


class ConsentRecord(Node):
    """What one customer said about one purpose of one controller, up to one position."""

    id: NodeId
    types: Types
    schema_versions: Annotated[Texts, Field(alias="dct:conformsTo")] = ()
    identifiers: Identifiers = ()
    version_of: Annotated[Texts, Field(alias="dct:isVersionOf")] = ()
    created: Annotated[UtcMoment, Field(alias="dct:created")]
    publishers: Annotated[Texts, Field(alias="dct:publisher")] = ()
    data_subject: Annotated[Subject, Field(alias="dpv:hasDataSubject")]
    notices: Annotated[tuple[NoticeNode, ...], Field(alias="dpv:hasNotice")] = ()
    processes: Annotated[tuple[ProcessNode, ...], Field(alias="dpv:hasProcess")] = ()
    parties: Annotated[tuple[PartyNode, ...], Field(alias="dpv:hasEntity")] = ()
    events: Annotated[tuple[EventNode, ...], Field(alias="dpv:hasConsentStatus")] = ()
    current_state: Annotated[str, Field(alias="hanse:currentState")]
    """What holds of the consent itself at the record's moment."""
    valid_until: Annotated[UtcMoment | None, Field(alias="hanse:validUntil")] = None
    """When a consent that is given ends by itself, or an expired one ended."""
    position: Annotated[int, Field(alias="hanse:position", ge=1)]
    registry_version: Annotated[int, Field(alias="hanse:registryVersion", ge=0)]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form without context, hexadecimal: how receipts and exports name the record."""
        return canonical_digest(self.to_json())


def iso_moment(moment: datetime) -> str:
    """A moment as records write it, in UTC."""
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")
