"""A courier crosses a network encrypted or not at all."""

from pathlib import Path

import pytest

from hanse_client.flower.processes import CourierAddressError, CourierSettings, supernode_command


def _settings(superlink: str, root_certificates: Path | None) -> CourierSettings:
    return CourierSettings(
        partner="north",
        socket=Path("/run/hanse-vault/vault.sock"),
        superlink=superlink,
        port=9094,
        root_certificates=root_certificates,
        vault_timeout_s=120.0,
    )


@pytest.mark.parametrize(
    "superlink",
    ["league.example:443", "192.0.2.1:8000", "127.0.0.1.example:443", "localhost.example:80", "[::2]:80", "8000", ""],
)
def test_without_an_authority_only_loopback_is_allowed(superlink: str) -> None:
    with pytest.raises(CourierAddressError, match="without encryption"):
        supernode_command(_settings(superlink, None))


@pytest.mark.parametrize("superlink", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_loopback_needs_no_encryption(superlink: str) -> None:
    assert "--insecure" in supernode_command(_settings(superlink, None))


def test_with_an_authority_the_connection_is_encrypted() -> None:
    command = supernode_command(_settings("league.example:443", Path("/etc/hanse/ca.pem")))
    assert "--insecure" not in command
    assert command[command.index("--root-certificates") + 1] == "/etc/hanse/ca.pem"
