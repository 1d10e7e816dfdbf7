"""One byte string for one meaning: canonical JSON (RFC 8785) and SHA-256 digests."""

import hashlib
from typing import Any

import rfc8785


def canonical_bytes(value: Any) -> bytes:
    """Encode a JSON value (dict, list, str, int, float, bool, None) as RFC 8785 canonical JSON."""
    return rfc8785.dumps(value)


def canonical_digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value's canonical form, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()
