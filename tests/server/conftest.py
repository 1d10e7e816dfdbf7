"""A league behind the shipped reverse proxy: SuperLink, nginx and couriers as real processes."""

import os
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hanse_demo.memory_league import MemoryLeague, memory_league
from hanse_demo.processes import Child, ProcessGroup
from hanse_demo.story import load_story
from hanse_demo.workshop import lay_out
from hanse_privacy.process_environment import child_environment

sys.path.insert(0, str(Path(__file__).parent))

_ROOT = Path(__file__).parents[2]
SHIPPED = _ROOT / "server" / "deployment" / "nginx.conf"
HANSE = str(Path(sys.executable).parent / "hanse")
_READY_TIMEOUT_S = 30.0
_ADDRESSES = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("league.example")]


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A certificate authority made for one test run."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        certificate = (
            _builder(subject, issuer=subject, key=key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        authority = cls(folder=folder, key=key, certificate=certificate)
        authority.root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def root(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str) -> Path:
        """Write NAME.crt and NAME.key, valid for 127.0.0.1 and league.example; return the path without its ending."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_name(name), issuer=self.certificate.subject, key=key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(_ADDRESSES), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / name
        path.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        path.with_suffix(".key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, *, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(tz=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=2))
    )


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """Starts nginx with configurations of this test run."""

    program: str
    group: ProcessGroup
    folder: Path

    def start(self, name: str, configuration: str, *, port: int) -> Child:
        """Start with ``configuration``, moved to this run's own folder and account; wait until it listens."""
        home = self.folder / name
        home.mkdir()
        temporary = "".join(
            f"{kind}_temp_path {home / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        own_account = "user root;" if os.geteuid() == 0 else ""
        moved = {
            "user www-data;": own_account,
            "worker_processes auto;": "worker_processes 1;",
            "/var/log/nginx/": f"{home}/",
            "http {\n": f"http {{\n{temporary}",
        }
        file = home / "nginx.conf"
        file.write_text(_replaced(configuration, moved), encoding="utf-8")
        child = self.group.start(
            name,
            [self.program, "-p", str(home), "-c", str(file), "-g", f"daemon off; pid {home / 'pid'};"],
            environment=child_environment(),
        )
        _wait_for_port(child, port)
        return child


@dataclass(frozen=True, kw_only=True)
class ProxiedLeague:
    """The league of examples/own_data; its couriers know the proxy's address only."""

    league: MemoryLeague
    nginx: Nginx
    authority: Authority
    proxy_port: int

    @property
    def superlink_port(self) -> int:
        return self.league.workshop.superlink_port

    @property
    def access_log(self) -> Path:
        return self.nginx.folder / "nginx-league" / "access.log"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.root))

    def make_authority(self, name: str) -> Authority:
        folder = self.nginx.folder / name
        folder.mkdir()
        return Authority.make(folder, name)

    def shipped_configuration(self, *, port: int) -> str:
        """The shipped file with an administrator's own values."""
        return self.replaced(
            SHIPPED.read_text(encoding="utf-8"),
            {
                "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
                "/etc/nginx/hanse/server": str(self.authority.folder / "server"),
                "http://127.0.0.1:8000;": f"http://127.0.0.1:{self.superlink_port};",
            },
        )

    @staticmethod
    def replaced(text: str, changes: Mapping[str, str]) -> str:
        """Replace each key, which must be there: a test of a shipped file must notice when it changes."""
        return _replaced(text, changes)

    @staticmethod
    def free_port() -> int:
        return _free_port()


def _replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for_port(child: Child, port: int) -> None:
    limit = time.monotonic() + _READY_TIMEOUT_S
    while True:
        child.require_running()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < limit, f"{child.name} did not listen: {child.last_words()}"
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def nginx_program() -> str:
    """Path of nginx; without it tests are skipped, or fail where HANSE_REQUIRE_NGINX=1 is set in CI."""
    program = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if program is None:
        missing = "nginx is not installed (on Debian: apt-get install nginx-light)"
        if os.environ.get("CI") and os.environ.get("HANSE_REQUIRE_NGINX") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return program


@pytest.fixture(scope="module")
def proxied(nginx_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedLeague]:
    """SuperLink, nginx with the shipped configuration, and two couriers that connect through it."""
    folder = tmp_path_factory.mktemp("proxy")
    authority = Authority.make(folder, "authority of the league")
    authority.issue("server")
    source = _ROOT / "examples" / "own_data"
    with (
        lay_out(source, folder / "league") as workshop,
        memory_league(workshop) as league,
        ProcessGroup(logs=folder / "logs") as group,
    ):
        superlink = group.start(
            "superlink",
            [HANSE, "league", "serve", "--home", str(workshop.league.root)],
            environment=child_environment(),
        )
        up = ProxiedLeague(
            league=league,
            nginx=Nginx(program=nginx_program, group=group, folder=folder),
            authority=authority,
            proxy_port=_free_port(),
        )
        up.nginx.start("nginx-league", up.shipped_configuration(port=up.proxy_port), port=up.proxy_port)
        league.record_grants(load_story(source).grants)
        _wait_for_port(superlink, workshop.superlink_port)
        for partner in workshop.partners:
            group.start(
                f"courier-{partner}",
                [
                    HANSE,
                    *("node", "courier", "--partner", partner, "--socket", str(workshop.socket_of(partner))),
                    *("--superlink", f"127.0.0.1:{up.proxy_port}", "--root-certificates", str(authority.root)),
                    *("--home", str(workshop.courier(partner)), "--port", str(workshop.supernode_ports[partner])),
                ],
                environment=child_environment(),
            )
        yield up
