"""How Flower's own programs are started here: loopback, no telemetry, no installation at run time."""

import sys
from pathlib import Path

from hanse_privacy.errors import HanseError
from hanse_privacy.ports import require_free
from hanse_privacy.process_environment import child_environment
from hanse_server.league import League, LeagueHome
from hanse_server.running import HOME_VARIABLE

APP_FOLDER = Path(__file__).parent / "app"
FEDERATION = "league"


class AddressError(HanseError):
    """The SuperLink may listen on loopback only; a reverse proxy exposes its fleet path."""

    code = "SUPERLINK_ADDRESS"
    exit_code = 2


def environment(home: LeagueHome) -> dict[str, str]:
    """The environment of every Flower process of the centre."""
    return child_environment(flower_home=home.flower, more={HOME_VARIABLE: str(home.root.resolve())})


def superlink_command(league: League, home: LeagueHome) -> list[str]:
    """The SuperLink, on loopback, with its state in a file.

    Raises:
        AddressError: If ``league.superlink`` is not a loopback address.
        PortTakenError: If something listens there already.
    """
    host, port = league.superlink.rsplit(":", 1)
    if host not in {"127.0.0.1", "localhost", "[::1]"}:
        raise AddressError(
            f"The SuperLink would listen on {host}, where anybody who reaches it could start runs.",
            "Set superlink to a 127.0.0.1 address and put a reverse proxy in front (docs/reverse-proxy.md).",
        )
    require_free(host.strip("[]"), int(port), what="The SuperLink")
    return [
        str(Path(sys.executable).parent / "flower-superlink"),
        "--insecure",
        "--host",
        host.strip("[]"),
        "--port",
        port,
        "--database",
        str((home.flower / "superlink.db").resolve()),
        "--disable-runtime-dependency-installation",
    ]


def submit_command(*, run: str) -> list[str]:
    """Submit the thin app for one run."""
    return [
        str(Path(sys.executable).parent / "flwr"),
        "run",
        str(APP_FOLDER),
        FEDERATION,
        "--run-config",
        f'run="{run}"',
    ]


def prepare(league: League, home: LeagueHome) -> None:
    """Write the configuration that Flower's command line reads."""
    home.flower.mkdir(parents=True, exist_ok=True)
    (home.flower / "config.toml").write_text(
        f'[superlink]\ndefault = "{FEDERATION}"\n\n'
        f'[superlink.{FEDERATION}]\naddress = "{league.superlink}"\ninsecure = true\n',
        encoding="utf-8",
    )
