"""Signed records: exact bytes under a signature, MessagePack inside and outside, decoded strictly.

What is signed is what was sent, byte for byte; it is decoded after the signature was verified, never before.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey

SIGNATURE_BYTES = 64
_Record = TypeVar("_Record")


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exact signed bytes and their signature."""

    body: bytes
    signature: bytes


def sign_record(record: msgspec.Struct, *, context: str, key: SigningKey) -> bytes:
    """Encode and sign a record in a context."""
    body = msgspec.msgpack.encode(record)
    return msgspec.msgpack.encode(SignedRecord(body=body, signature=key.sign(context=context, message=body)))


def verified_body(signed: bytes, *, context: str, key: PublicKey, error: Callable[[str, str], HanseError]) -> bytes:
    """Return the exact bytes that were signed.

    Args:
        signed: What :func:`sign_record` made.
        context: What kind of thing it must be.
        key: Whose signature it must bear.
        error: Makes what is raised if it is malformed, from what happened and what to do.

    Raises:
        SignatureInvalidError: If it was not signed by ``key`` in this context.
    """
    outer = decode_record(signed, SignedRecord, error=error)
    if len(outer.signature) != SIGNATURE_BYTES:
        raise SignatureInvalidError(f"A signature on a {context} has the wrong length.", "It was altered on the way.")
    key.verify(context=context, message=outer.body, signature=outer.signature)
    return outer.body


def decode_record(
    data: bytes | msgspec.Raw, kind: type[_Record], *, error: Callable[[str, str], HanseError]
) -> _Record:
    """Decode MessagePack strictly into ``kind``.

    Args:
        data: The bytes.
        kind: What they must be.
        error: Makes what is raised if they are not; it is told the field and the fault, never a value.
    """
    mend = "Both ends must run compatible versions of Hanse."
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise error(f"A {kind.__name__} is malformed: {fault}.", mend) from fault
    except ValueError as fault:
        # Text that is no UTF-8, or a year after 9999: msgspec lets Python's own error through.
        raise error(f"A {kind.__name__} holds a text or a time that cannot be read.", mend) from fault
