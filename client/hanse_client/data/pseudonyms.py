"""Pseudonyms: the only door at which a partner's raw customer identifiers are seen.

A pseudonym is HMAC-SHA256 (RFC 2104) under the partner's own key, cut to 16 bytes: without the key
it can be neither made nor reversed, and two partners' pseudonyms of one person have nothing in
common. A new key (rotation) gives every customer a new pseudonym.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hanse_privacy.errors import KeyFileError
from hanse_privacy.key_files import read_key_file, write_key_file
from hanse_privacy.validation import require

_HEADER = "hanse-pseudonym-key/1"
_KEY_BYTES = 32
_PSEUDONYM_HEX = 32


@dataclass(frozen=True, kw_only=True)
class PseudonymKey:
    """A partner's secret for pseudonyms, and the name it goes by. Its representation never shows it."""

    key_id: str
    """Lower-case letters, digits and hyphens, such as ``2025-01``; a rotation takes a new one."""
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require(
            re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", self.key_id) is not None,
            name="key_id",
            value=self.key_id,
            bound="1 to 40 lower-case letters, digits and hyphens",
        )
        require(len(self.secret) == _KEY_BYTES, name="length of secret", value=len(self.secret), bound="32 bytes")

    @classmethod
    def generate(cls, key_id: str) -> "PseudonymKey":
        """Draw a new key from the operating system's generator."""
        return cls(key_id=key_id, secret=secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def load(cls, path: Path) -> "PseudonymKey":
        """Read a key written by :meth:`save`.

        Raises:
            KeyFileError: If the file is missing, damaged, or others may read it.
        """
        content = read_key_file(
            path,
            what="pseudonym key",
            absent="Make one, or restore it: without it no customer can be found again.",
        )
        try:
            header, key_id, encoded = content.decode("ascii").split()
            secret = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error) as error:
            raise KeyFileError(f"The pseudonym key {path.name} is damaged.", "Restore it.") from error
        if header != _HEADER or len(secret) != _KEY_BYTES:
            raise KeyFileError(f"The file {path.name} is no pseudonym key.", "Name the right file.")
        return cls(key_id=key_id, secret=secret)

    def save(self, path: Path) -> None:
        """Write the key for its owner alone (mode 0600); never over an existing file.

        Raises:
            KeyFileError: If the file exists or cannot be written.
        """
        line = f"{_HEADER} {self.key_id} {base64.b64encode(self.secret).decode()}\n"
        write_key_file(path, line.encode("ascii"), what="pseudonym key")

    def pseudonyms(self, customers: Iterable[str]) -> list[str]:
        """Turn raw identifiers into pseudonyms of 32 hexadecimal digits, in the same order."""
        keyed = hmac.new(self.secret, digestmod="sha256")
        made = []
        for customer in customers:
            # A copy of the keyed state saves hashing the key again for every customer.
            one = keyed.copy()
            one.update(customer.encode())
            made.append(one.hexdigest()[:_PSEUDONYM_HEX])
        return made
