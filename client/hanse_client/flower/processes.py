"""How a node's SuperNode is started: it runs the courier, under an account that owns no data."""

import sys
from dataclasses import dataclass
from pathlib import Path

from hanse_privacy.errors import HanseError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class CourierAddressError(HanseError):
    """The courier would cross a network without encryption."""

    code = "COURIER_ADDRESS"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class CourierSettings:
    """Where a courier connects on either side."""

    partner: str
    socket: Path
    superlink: str
    """Host and port of the league's fleet address."""
    port: int
    """A free loopback port for the SuperNode's own processes."""
    root_certificates: Path | None
    """Certificate authority of the league's proxy; without it there is no encryption, and only loopback is allowed."""
    vault_timeout_s: float


def supernode_command(settings: CourierSettings) -> list[str]:
    """The SuperNode that delivers letters to one vault.

    Raises:
        CourierAddressError: If the league is not on loopback and no certificate authority is named.
    """
    if settings.root_certificates is None:
        host = settings.superlink.rpartition(":")[0]
        if host not in _LOOPBACK:
            raise CourierAddressError(
                f"The courier would speak to {settings.superlink} without encryption.",
                "Name the league's certificate authority with --root-certificates.",
            )
        security = ["--insecure"]
    else:
        security = ["--root-certificates", str(settings.root_certificates)]
    return [
        str(Path(sys.executable).parent / "flower-supernode"),
        *security,
        "--superlink",
        settings.superlink,
        "--host",
        "127.0.0.1",
        "--port",
        str(settings.port),
        "--node-config",
        f'partner="{settings.partner}" vault-socket="{settings.socket}" vault-timeout-s={settings.vault_timeout_s}',
    ]
