"""The receipt that a customer holds: the record, signed by the service, checked without any network.

The signature is Ed25519 over the RFC 8785 canonical bytes of the receipt, in the context ``consent-receipt/1``. So the
file may be laid out anew, and any change of what it says is seen.
"""

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, JsonValue, ValidationError, model_validator

from hanse_consent.records.document import ConsentRecord, Identifiers, NodeId, Texts, Types, UtcMoment
from hanse_consent.records.errors import (
    ReceiptAlteredError,
    ReceiptContentError,
    ReceiptKeyError,
    ReceiptKindError,
    ReceiptUnreadableError,
    RecordIncompleteError,
)
from hanse_consent.records.laws import laws_named
from hanse_consent.records.names import stable_uuid
from hanse_consent.records.requirements import require_complete
from hanse_consent.records.vocabulary import context
from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.errors import SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.documents import Document

MAX_RECEIPT_BYTES = 1_000_000
"""A longer file is refused unread: no receipt comes near it."""

_TYPES = ("dpv:ConsentReceipt",)
_SCHEMA = "https://w3id.org/dpv/schema/dpv-27560#receipt"
_AGAIN = "Ask the shop for the receipt again."


class Receipt(Document):
    """A consent receipt (ISO/IEC TS 27560; DPV guide, section 9) with the one record it is about."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)
    kind: ClassVar[str] = "consent-receipt/1"

    context: Annotated[dict[str, JsonValue], Field(alias="@context")]
    id: NodeId
    types: Types
    schema_versions: Annotated[Texts, Field(alias="dct:conformsTo")]
    identifiers: Identifiers
    created: Annotated[UtcMoment, Field(alias="dct:created")]
    creators: Annotated[Texts, Field(alias="dct:creator", min_length=1)]
    """Name of the consent service that signs."""
    records: Annotated[tuple[ConsentRecord, ...], Field(alias="dpv:hasRecordOfActivity", min_length=1, max_length=1)]
    record_sha256: Annotated[str, Field(alias="hanse:recordSha256", pattern=r"^[0-9a-f]{64}$")]
    position: Annotated[int, Field(alias="hanse:position", ge=1)]
    registry_version: Annotated[int, Field(alias="hanse:registryVersion", ge=0)]

    @property
    def record(self) -> ConsentRecord:
        """The record that the receipt is about."""
        return self.records[0]

    def payload(self) -> dict[str, Any]:
        """The receipt as plain JSON values: JSON-LD, with its context."""
        plain = self.model_dump(mode="json", exclude={"records"})
        return {**plain, "dpv:hasRecordOfActivity": [record.to_json() for record in self.records]}

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.context != context():
            raise ValueError("the context is not that of this version")
        if self.types != _TYPES or _SCHEMA not in self.schema_versions:
            raise ValueError("it is no consent receipt")
        if [f"urn:uuid:{identifier}" for identifier in self.identifiers] != [self.id]:
            raise ValueError("the identifier is not that of the document")
        if self.record_sha256 != self.record.digest:
            raise ValueError("the digest is not that of the record")
        if (self.position, self.registry_version) != (self.record.position, self.record.registry_version):
            raise ValueError("the position or registry version is not that of the record")
        return self


def make_receipt(record: ConsentRecord, *, packs: tuple[str, ...], service: str, now: datetime) -> Receipt:
    """Make the receipt of a record; :meth:`Receipt.sign` turns it into the file for the customer.

    Args:
        record: A complete record.
        packs: The law packs under which the record was made.
        service: Name of the consent service.
        now: When the receipt is issued.
    """
    identifier = stable_uuid("receipt", record.digest, service, now.isoformat())
    return Receipt(
        context=dict(context()),
        id=f"urn:uuid:{identifier}",
        types=_TYPES,
        schema_versions=tuple(dict.fromkeys(schema for law in laws_named(packs) for schema in law.receipt_schemas)),
        identifiers=(identifier,),
        created=now,
        creators=(service,),
        records=(record,),
        record_sha256=record.digest,
        position=record.position,
        registry_version=record.registry_version,
    )


def sign_receipt(receipt: Receipt, key: SigningKey) -> bytes:
    """The file that the customer holds."""
    return receipt.sign(key)


def verify_receipt(data: bytes, *, key: PublicKey) -> Receipt:
    """Check a receipt, offline, and read it.

    Args:
        data: The file.
        key: The service's public key, from a source that the reader trusts.

    Raises:
        ReceiptUnreadableError: If it is damaged, cut off, too long, or names something twice.
        ReceiptKindError: If it is a signed document of another kind or version.
        ReceiptKeyError: If it says that another key signed it.
        ReceiptAlteredError: If the signature does not fit.
        ReceiptContentError: If it is truly signed and yet not a complete receipt.
    """
    document, fingerprint, signature = _opened(data)
    if document.get("@type") != list(_TYPES):
        raise ReceiptKindError("This is a signed document, but no consent receipt.", "Choose the receipt's own file.")
    if fingerprint != key.fingerprint:
        raise ReceiptKeyError(
            "The receipt was signed with another key than the one given.",
            "Compare the key with the one that the shop publishes.",
        )
    try:
        key.verify(context=Receipt.kind, message=_canonical(document), signature=signature)
    except SignatureInvalidError:
        raise ReceiptAlteredError("The signature does not fit the receipt: it was altered.", _AGAIN) from None
    return _read(document)


def _opened(data: bytes) -> tuple[dict[str, Any], str, bytes]:
    if len(data) > MAX_RECEIPT_BYTES:
        raise ReceiptUnreadableError(
            f"The file has {len(data)} bytes; a receipt has at most {MAX_RECEIPT_BYTES}.", "Choose the receipt's file."
        )
    try:
        outer = json.loads(data.decode(), object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
        if not isinstance(outer, dict) or outer.keys() != {"document", "key", "signature"}:
            raise ValueError
        document, fingerprint, text = outer["document"], outer["key"], outer["signature"]
        if not (isinstance(document, dict) and isinstance(fingerprint, str) and isinstance(text, str)):
            raise ValueError
        signature = base64.b64decode(text, validate=True)
        # Base64 has spare bits at its end: a signature must not have two spellings.
        if len(signature) != 64 or base64.b64encode(signature).decode() != text:
            raise ValueError
    except (ValueError, RecursionError, binascii.Error):
        raise ReceiptUnreadableError("The file is damaged, cut off, or no signed receipt.", _AGAIN) from None
    return document, fingerprint, signature


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(_: str) -> None:
    raise ValueError


def _canonical(document: dict[str, Any]) -> bytes:
    try:
        return canonical_bytes(document)
    except (ValueError, RecursionError):
        raise ReceiptUnreadableError("The file holds numbers or characters that no receipt has.", _AGAIN) from None


def _read(document: dict[str, Any]) -> Receipt:
    try:
        receipt = Receipt.model_validate(document, by_alias=True, by_name=False)
        require_complete(receipt.record)
    except RecordIncompleteError as error:
        raise ReceiptContentError(f"The receipt is signed, but incomplete. {error.what}", _AGAIN) from None
    except ValidationError:
        raise ReceiptContentError("The receipt is signed, but not as this version writes receipts.", _AGAIN) from None
    if receipt.payload() != document:
        raise ReceiptContentError("The receipt is signed, but not as this version writes receipts.", _AGAIN)
    return receipt
