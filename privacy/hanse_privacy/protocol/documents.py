"""Signed JSON documents: proposals and manifests travel and are kept in this form.

The signature covers the RFC 8785 canonical bytes, so a document can be stored, printed and sent
again in any layout and still be verified.
"""

import base64
import binascii
import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hanse_privacy.canonical import canonical_bytes, canonical_digest
from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey


class Document(BaseModel):
    """A frozen document with a kind and a version; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    kind: ClassVar[str]
    """The signing context: what sort of document this is, with its version."""

    def payload(self) -> dict[str, Any]:
        """The document as plain JSON values."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal: the document's name everywhere."""
        return canonical_digest(self.payload())

    @classmethod
    def parse(cls, payload: Any) -> Self:
        """Validate plain JSON values.

        Raises:
            InvalidValueError: Naming every field that is missing, unknown or out of bounds.
        """
        try:
            return cls.model_validate(payload)
        except ValidationError as error:
            raise InvalidValueError(
                f"A {cls.kind} is not valid: {describe(error)}.", "Mend the named fields and try again."
            ) from error

    def sign(self, key: SigningKey) -> bytes:
        """Return the signed document as bytes to send or store."""
        signature = key.sign(context=self.kind, message=canonical_bytes(self.payload()))
        return self._enveloped(signature, key=key.public)

    def is_as_signed(self, signed: bytes, *, key: PublicKey) -> bool:
        """Whether a verified signed document is byte for byte what :meth:`sign` makes, its envelope included.

        For whoever keeps the bytes and shows them to others later: no signature is over the envelope.
        """
        _, _, signature = self._opened(signed)
        return signed == self._enveloped(signature, key=key)

    def _enveloped(self, signature: bytes, *, key: PublicKey) -> bytes:
        return canonical_bytes(
            {
                "document": self.payload(),
                "key": key.fingerprint,
                "signature": base64.b64encode(signature).decode(),
            }
        )

    @classmethod
    def verify(cls, signed: bytes, *, key: PublicKey) -> Self:
        """Check the signature of a signed document, then parse it.

        Raises:
            SignatureInvalidError: If it is no signed document, or not signed by ``key``.
            InvalidValueError: If it is signed but not valid.
        """
        payload, message, signature = cls._opened(signed)
        key.verify(context=cls.kind, message=message, signature=signature)
        return cls.parse(payload)

    @classmethod
    def unverified(cls, signed: bytes) -> Self:
        """Parse a signed document of one's own keeping, verified when it came, whoever's key or kind that was then.

        Raises:
            SignatureInvalidError: If it is no signed document.
            InvalidValueError: If it is not valid.
        """
        payload, _, _ = cls._opened(signed)
        return cls.parse(payload)

    @classmethod
    def _opened(cls, signed: bytes) -> tuple[Any, bytes, bytes]:
        """Payload, its canonical bytes and the signature."""
        try:
            outer = json.loads(signed)
            payload, signature = outer["document"], base64.b64decode(outer["signature"], validate=True)
            return payload, canonical_bytes(payload), signature
        except (ValueError, TypeError, KeyError, RecursionError, binascii.Error) as error:
            raise SignatureInvalidError(
                f"What was received is no signed {cls.kind}.", "Ask its sender to send it again."
            ) from error


def describe(error: ValidationError) -> str:
    """Name each faulty field and its fault, without repeating the values (they may be rows)."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in fault["loc"]) or "the document"
        faults.append(f"{place}: {fault['msg']}")
    return "; ".join(faults)
