"""How far a vault's ledger goes, in its own words: given with every answer, shown back to it before the next run.

A vault whose ledger was restored from an older copy no longer has the entry that it spoke of. Whoever kept the
statement shows it, and the vault refuses.
"""

import msgspec

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.signed_records import decode_record, sign_record, verified_body

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


def sign_statement(statement: LedgerStatement, *, key: SigningKey) -> bytes:
    """Encode and sign."""
    return sign_record(statement, context=_CONTEXT, key=key)


def open_statement(signed: bytes, *, partner: str, key: PublicKey) -> LedgerStatement:
    """Verify and decode.

    Raises:
        LedgerStatementInvalidError: If it is malformed or another partner's.
        SignatureInvalidError: If ``key`` did not sign it.
    """
    body = verified_body(signed, context=_CONTEXT, key=key, error=LedgerStatementInvalidError)
    statement = decode_record(body, LedgerStatement, error=LedgerStatementInvalidError)
    if statement.partner != partner or statement.position < 0:
        raise LedgerStatementInvalidError(f"A statement is not of {partner}'s ledger.", "Show each vault its own.")
    return statement
