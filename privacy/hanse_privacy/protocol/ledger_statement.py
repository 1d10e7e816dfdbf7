"""How far a vault's ledger goes, in its own words: given with every answer, shown back to it before the next run.

A vault whose ledger was restored from an older copy no longer has the entry that it spoke of. Whoever kept the
statement shows it, and the vault refuses.
"""

import msgspec

from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey

_CONTEXT = "ledger-statement/1"


class LedgerStatementInvalidError(HanseError):
    """What was shown is no statement of this vault's ledger."""

    code = "LEDGER_STATEMENT_INVALID"


class LedgerStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last entry of a ledger."""

    partner: str
    position: int
    """0 for an empty ledger."""
    head: str
    """The entry's digest, hexadecimal."""


class _Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    body: bytes
    signature: bytes


def sign_statement(statement: LedgerStatement, *, key: SigningKey) -> bytes:
    """Encode and sign."""
    body = msgspec.msgpack.encode(statement)
    return msgspec.msgpack.encode(_Signed(body=body, signature=key.sign(context=_CONTEXT, message=body)))


def open_statement(signed: bytes, *, partner: str, key: PublicKey) -> LedgerStatement:
    """Verify and decode.

    Raises:
        LedgerStatementInvalidError: If it is malformed or another partner's.
        SignatureInvalidError: If ``key`` did not sign it.
    """
    try:
        outer = msgspec.msgpack.decode(signed, type=_Signed)
        if len(outer.signature) != 64:
            raise SignatureInvalidError("A statement's signature has the wrong length.", "It was altered on the way.")
        key.verify(context=_CONTEXT, message=outer.body, signature=outer.signature)
        statement = msgspec.msgpack.decode(outer.body, type=LedgerStatement)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise LedgerStatementInvalidError(
            f"A statement of {partner}'s ledger is malformed.", "Both ends must run the same Hanse."
        ) from error
    if statement.partner != partner or statement.position < 0:
        raise LedgerStatementInvalidError(f"A statement is not of {partner}'s ledger.", "Show each vault its own.")
    return statement
