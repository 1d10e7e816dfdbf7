"""The address of a consent service, as people give it: never one to which a password would travel unprotected."""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from hanse_privacy.errors import InvalidValueError


def require_protected(service: str) -> None:
    """Accept ``https://`` and a host, or ``http://`` on loopback.

    Raises:
        InvalidValueError: If it is anything else.
    """
    try:
        parts = urlsplit(service)
        is_address = (
            parts.scheme in ("http", "https")
            and parts.hostname is not None
            and parts.username is None
            and parts.port != 0
            and (parts.path in ("", "/") and not parts.query and not parts.fragment)
        )
    except ValueError:
        is_address = False
    if not is_address:
        # Not shown: it might hold a password.
        raise InvalidValueError(
            "The service's address is not https, a host and perhaps a port.", "Write it as https://consent.example."
        )
    if parts.scheme == "http" and not _is_loopback(parts):
        raise InvalidValueError(
            f"The service's address is http://{parts.hostname}: a password would travel there unprotected.",
            "Use https; plain http is for this machine alone (127.0.0.1, ::1, localhost).",
        )


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
