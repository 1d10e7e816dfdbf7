"""Lays out an example league under ``build/``: folders, keys, and files with the keys filled in."""

import shutil
import socket
import string
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault.home import NodeHome
from hanse_demo.story import StoryInvalidError
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_server.league import LeagueHome

_MARK = ".hanse-demo"


class WorkshopError(HanseError):
    """The demo's folder cannot be laid out."""

    code = "DEMO_FOLDER"
    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where everything of one demo lies."""

    root: Path
    source: Path
    sockets: Path
    """A short folder outside, because a socket's path may have 107 bytes at most."""
    consent_port: int
    superlink_port: int
    supernode_ports: Mapping[str, int]
    partners: tuple[str, ...]

    @property
    def league(self) -> LeagueHome:
        """The centre's folder."""
        return LeagueHome(root=self.root / "league")

    @property
    def consent(self) -> Path:
        """The consent service's folder."""
        return self.root / "consent"

    @property
    def consent_url(self) -> str:
        """Where the consent service listens."""
        return f"http://127.0.0.1:{self.consent_port}"

    @property
    def oracle(self) -> Path:
        """What only the harness may see."""
        return self.root / "oracle"

    def node(self, partner: str) -> NodeHome:
        """One partner's folder."""
        return NodeHome(root=self.root / "partners" / partner)

    def courier(self, partner: str) -> Path:
        """One courier's folder."""
        return self.root / "couriers" / partner

    def socket_of(self, partner: str) -> Path:
        """One vault's socket."""
        return self.sockets / f"{partner}.sock"

    def node_configuration(self, partner: str) -> dict[str, str]:
        """What a courier of this partner is configured with."""
        return {"partner": partner, "vault-socket": str(self.socket_of(partner))}


@contextmanager
def lay_out(source: Path, root: Path) -> Iterator[Workshop]:
    """Copy an example league to ``root``, make every party's keys, and fill in keys, ports and sockets.

    Raises:
        WorkshopError: If ``root`` holds something else, or cannot be written.
        StoryInvalidError: If ``source`` is no example league.
    """
    names = sorted(path.name for path in (source / "partners").glob("*") if path.is_dir())
    if len(names) < 2:
        raise StoryInvalidError(f"{source} has no folder partners/ with two partners.", "Name an example league.")
    _clear(root)
    with tempfile.TemporaryDirectory(prefix="hanse-") as sockets:
        ports = _free_ports(2 + len(names))
        workshop = Workshop(
            root=root,
            source=source,
            sockets=Path(sockets),
            consent_port=ports[0],
            superlink_port=ports[1],
            supernode_ports=dict(zip(names, ports[2:], strict=True)),
            partners=tuple(names),
        )
        try:
            _copy(workshop)
            _fill(workshop)
        except OSError as error:
            raise WorkshopError(
                f"The demo cannot write to {root} ({error.strerror}).", "Free disk space or name another --out."
            ) from error
        yield workshop


def _clear(root: Path) -> None:
    try:
        if root.exists() and any(root.iterdir()) and not (root / _MARK).exists():
            raise WorkshopError(f"{root} holds files that no demo made.", "Name an empty folder with --out.")
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        (root / _MARK).touch()
    except OSError as error:
        raise WorkshopError(
            f"The demo cannot write to {root} ({error.strerror}).", "Free disk space or name another --out."
        ) from error


def _copy(workshop: Workshop) -> None:
    for part in ("league", "consent", "partners", "proposals"):
        shutil.copytree(workshop.source / part, workshop.root / part)


def _fill(workshop: Workshop) -> None:
    keys = {"CENTRE": SigningKey.generate(), "CONSENT": SigningKey.generate()}
    _private_folder(workshop.league.signing_key.parent)
    keys["CENTRE"].save(workshop.league.signing_key)
    _private_folder(workshop.consent / "keys")
    keys["CONSENT"].save(workshop.consent / "keys" / "consent.key")
    for partner in workshop.partners:
        home = workshop.node(partner)
        home.prepare()
        keys[partner.upper()] = SigningKey.generate()
        keys[partner.upper()].save(home.signing_key)
        PseudonymKey.generate("demo").save(home.pseudonym_key)
        PrivacyLedger.create(home.ledger)
    today = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {f"KEY_{name}": key.public.text for name, key in keys.items()}
    values |= {
        "CONSENT_URL": workshop.consent_url,
        "CONSENT_PORT": str(workshop.consent_port),
        "SUPERLINK": f"127.0.0.1:{workshop.superlink_port}",
        # Notices and contracts have dates: the example's are in force from a month ago, for a year.
        "IN_FORCE_FROM": (today - timedelta(days=30)).isoformat(),
        "IN_FORCE_UNTIL": (today + timedelta(days=335)).isoformat(),
    }
    for path in sorted(workshop.root.rglob("*.toml")):
        owner = path.relative_to(workshop.root).parts
        mine = {"SOCKET": str(workshop.socket_of(owner[1]))} if owner[0] == "partners" else {}
        path.write_text(_filled(path, values | mine), encoding="utf-8")


def _filled(path: Path, values: Mapping[str, str]) -> str:
    try:
        return string.Template(path.read_text(encoding="utf-8")).substitute(values)
    except (KeyError, ValueError) as error:
        raise StoryInvalidError(
            f"{path.name} names a placeholder that the demo does not know ({error}).", "Mend the example's file."
        ) from error


def _private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _free_ports(count: int) -> list[int]:
    """Ask the system for free loopback ports; all are held until the last is known, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
