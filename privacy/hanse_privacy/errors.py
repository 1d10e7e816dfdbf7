"""Errors as part of the product: a stable code, what happened, what to do.

No error carries a secret, a customer identifier or a row of data.
"""

from typing import ClassVar


class HanseError(Exception):
    """An error that a user may meet.

    Args:
        what: One sentence: what happened, with the names and numbers that matter.
        mend: One sentence: what the reader can do about it.
    """

    code: ClassVar[str] = "HANSE_ERROR"
    """Stable name, for programs and for search; never changed once released."""
    exit_code: ClassVar[int] = 1
    """Exit status of a command that ends with this error (2: the input was bad)."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.what = what
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what} {self.mend} [{self.code}]"


class InvalidValueError(HanseError):
    """A value from a file, a message or a caller is outside its bound."""

    code = "INVALID_VALUE"
    exit_code = 2


class KeyFileError(HanseError):
    """A key file is missing, unreadable or open to others."""

    code = "KEY_FILE"
    exit_code = 2


class SignatureInvalidError(HanseError):
    """A signature does not match its message and key."""

    code = "SIGNATURE_INVALID"
