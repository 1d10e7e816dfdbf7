"""How a node's SuperNode is started: it runs the courier, under an account that owns no data."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hanse_privacy.errors import HanseError
from hanse_privacy.process_environment import child_environment

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


def supernode_environment(home: Path) -> Mapping[str, str]:
    """Prepare the courier's folder and return the SuperNode's environment.

    SuperExec starts ``flwr-clientapp`` by name for every message: the folder holds one of that name that
    starts :mod:`hanse_client.flower.message_process`, and comes first on the path.
    """
    programs = home.resolve() / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    program = programs / "flwr-clientapp"
    python = shlex.quote(sys.executable)
    program.write_text(f'#!/bin/sh\nexec {python} -m hanse_client.flower.message_process "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    environment = child_environment(flower_home=home)
    return environment | {"PATH": os.pathsep.join([str(programs), environment["PATH"]])}
