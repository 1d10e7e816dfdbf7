"""The shipped nginx.conf lets couriers through and nothing else: real SuperLink, real nginx, real couriers."""

import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from hanse_privacy.process_environment import child_environment
from hanse_privacy.protocol.letters import MAXIMUM_LETTER_BYTES
from hanse_server.submission import follow, submit

pytestmark = pytest.mark.nginx

_ROOT = Path(__file__).parents[2]
_PROTOBUF = "application/protobuf"
_SAID_BY_NGINX = b"<center>nginx</center>"
"""nginx's own page names itself; whatever the SuperLink says is JSON or protobuf."""


@dataclass(frozen=True)
class Reply:
    status: int
    head: bytes
    body: bytes

    @property
    def refused_by_nginx(self) -> bool:
        return 400 <= self.status < 500 and _SAID_BY_NGINX in self.body


def _exchange(connection: socket.socket, request: bytes) -> Reply:
    connection.sendall(request)
    received = b""
    while part := connection.recv(1 << 16):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return Reply(status=int(head.split()[1]), head=head, body=body)


def _request(target: str, *, method: str = "POST", body: bytes = b"", more: str = "") -> bytes:
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: {_PROTOBUF}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode("latin-1") + body


def _through_proxy(proxied, request: bytes) -> Reply:
    return _through_tls(proxied, proxied.proxy_port, request)


def _through_tls(proxied, port: int, request: bytes) -> Reply:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        proxied.tls().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        return _exchange(connection, request)


def _directly(proxied, request: bytes) -> Reply:
    with socket.create_connection(("127.0.0.1", proxied.superlink_port), timeout=30) as connection:
        return _exchange(connection, request)


def test_a_run_goes_through_the_proxy_and_uses_the_fleet_path_only(proxied) -> None:
    proposal = proxied.league.propose("popularity.toml")
    proxied.league.approve(proposal)
    submit(proxied.league.workshop.league, run=proposal.run)
    result = follow(proxied.league.workshop.league, run=proposal.run, timeout_s=90, told=lambda event: None)
    assert result["partners"] == ["north", "south"]
    assert "rate" in result["released"]
    served = {line.split('"')[1] for line in proxied.access_log.read_text().splitlines() if '" 200 ' in line}
    assert {"POST /v1/fleet/pull-messages HTTP/1.1", "POST /v1/fleet/push-object HTTP/1.1"} <= served
    assert all(line.startswith("POST /v1/fleet/") for line in served)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/control/list-runs", "POST"),
        ("/v1/runtime/acquire-task", "POST"),
        ("/docs", "GET"),
        ("/openapi.json", "GET"),
        ("/health", "GET"),
    ],
)
def test_what_the_superlink_serves_to_anybody_is_refused_by_the_proxy(proxied, path: str, method: str) -> None:
    assert _directly(proxied, _request(path, method=method)).status == 200, "or this test shows nothing"
    assert _through_proxy(proxied, _request(path, method=method)).refused_by_nginx


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/v1/fleet",
        "/v1/fleet/",
        "/v1/fleet/../control/list-runs",
        "/v1/fleet/%2e%2e/control/list-runs",
        "/v1/fleet/%2E%2E/control/list-runs",
        "/v1/fleet/.%2e/control/list-runs",
        "/v1/fleet/..%2fcontrol/list-runs",
        "/v1/fleet/%2e%2e%2fcontrol%2flist-runs",
        "/v1/fleet/%252e%252e/control/list-runs",
        "/v1/fleet/..\\control\\list-runs",
        "/v1/fleet/..;/control/list-runs",
        "/v1/fleet/./../control/list-runs",
        "/v1/fleet//../../control/list-runs",
        "/v1/control/../fleet/pull-messages",
        "/v1/control/list-runs%3f/../../fleet/pull-messages",
        "/v1/control/list-runs#/../../fleet/pull-messages",
        "/v1/control/list-runs?/v1/fleet/pull-messages",
        "//v1/control/list-runs",
        "/v1//control/list-runs",
        "//v1/fleet/pull-messages",
        "/v1/fleet//pull-messages",
        "/v1/fleet/pull-messages/",
        "/v1/fleet/pull-messages?x=1",
        "/v1/fleet/pull%2dmessages",
        "/v1%2ffleet%2fpull-messages",
        "/%76%31/control/list-runs",
        "/V1/FLEET/pull-messages",
        "/V1/CONTROL/LIST-RUNS",
        "/v1/Control/list-runs",
        "/v1/fleet/PULL-MESSAGES",
        "/v1/fleet/pull-messages%0a",
        "/v1/fleet/pull-messages%00",
        "http://127.0.0.1/v1/control/list-runs",
        "http://127.0.0.1/v1/fleet/../control/list-runs",
        "*",
    ],
)
def test_no_spelling_of_an_address_leads_past_the_fleet_path(proxied, target: str) -> None:
    assert _through_proxy(proxied, _request(target)).refused_by_nginx


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "CONNECT", "TRACE"])
def test_the_fleet_path_takes_post_only(proxied, method: str) -> None:
    reply = _through_proxy(proxied, _request("/v1/fleet/pull-messages", method=method))
    assert 400 <= reply.status < 500
    assert method == "HEAD" or reply.refused_by_nginx


def test_a_second_request_hidden_in_the_first_is_not_served(proxied) -> None:
    hidden = _request("/v1/control/list-runs")
    ambiguous = _request("/v1/fleet/pull-messages", body=b"0\r\n\r\n" + hidden, more="Transfer-Encoding: chunked\r\n")
    assert _through_proxy(proxied, ambiguous).refused_by_nginx


def test_flowers_own_commands_are_refused(proxied, tmp_path: Path) -> None:
    app = _ROOT / "server" / "hanse_server" / "flower" / "app"
    (tmp_path / "config.toml").write_text(
        f'[superlink]\ndefault = "open"\n\n'
        f'[superlink.open]\naddress = "127.0.0.1:{proxied.superlink_port}"\ninsecure = true\n\n'
        f'[superlink.proxied]\naddress = "127.0.0.1:{proxied.proxy_port}"\n'
        f'root-certificates = "{proxied.authority.root}"\n'
    )
    flwr = str(Path(sys.executable).parent / "flwr")
    started = {
        command: subprocess.Popen(
            [flwr, *command],
            env=child_environment(flower_home=tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in (("list", "open"), ("list", "proxied"), ("run", str(app), "proxied"))
    }
    try:
        said = {command: process.communicate(timeout=90)[0] for command, process in started.items()}
    finally:
        for process in started.values():
            process.kill()
    status = {command: process.returncode for command, process in started.items()}
    assert status.pop(("list", "open")) == 0, "or this test shows nothing"
    assert all(status.values()), said
    paths = {line.split('"')[1] for line in proxied.access_log.read_text().splitlines() if "/v1/control/" in line}
    assert {"POST /v1/control/list-runs HTTP/1.1", "POST /v1/control/start-run HTTP/1.1"} <= paths


def test_the_largest_letter_passes_and_more_does_not(proxied) -> None:
    envelope = 64 * 1024
    passed = _through_proxy(proxied, _request("/v1/fleet/push-object", body=bytes(MAXIMUM_LETTER_BYTES + envelope)))
    assert passed.status not in {408, 413, 502, 504}
    assert not passed.refused_by_nginx, "the SuperLink answers, whatever it thinks of zeros"
    announced = (
        f"POST /v1/fleet/push-object HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Length: {MAXIMUM_LETTER_BYTES + 2 * 1024 * 1024}\r\n\r\n"
    )
    too_large = _through_proxy(proxied, announced.encode())
    assert (too_large.status, too_large.refused_by_nginx) == (413, True)


def test_the_proxy_names_no_version_and_speaks_no_old_tls_and_no_plain_http(proxied) -> None:
    for target in ("/v1/fleet/pull-messages", "/nothing"):
        reply = _through_proxy(proxied, _request(target))
        assert b"server: nginx\r\n" in reply.head.lower() + b"\r\n"
        assert b"nginx/" not in reply.body
    old = proxied.tls()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", proxied.proxy_port), timeout=30) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", proxied.proxy_port), timeout=30) as plain:
        assert _exchange(plain, _request("/v1/fleet/pull-messages")).refused_by_nginx


def test_client_certificates_as_the_documentation_has_them(proxied) -> None:
    partners = proxied.make_authority("partners")
    centre_port, partner_port = proxied.free_port(), proxied.free_port()
    centre = proxied.replaced(
        proxied.shipped_configuration(port=centre_port),
        {
            "# ssl_client_certificate /etc/nginx/hanse/partners-ca.crt;": f"ssl_client_certificate {partners.root};",
            "# ssl_verify_client ": "ssl_verify_client ",
        },
    )
    partner = proxied.replaced(
        (_ROOT / "docs" / "reverse-proxy.md").read_text(encoding="utf-8").split("```nginx\n")[1].split("```")[0],
        {
            "127.0.0.1:8443": f"127.0.0.1:{partner_port}",
            "https://league.example:443": f"https://127.0.0.1:{centre_port}",
            "/etc/nginx/hanse/partner": str(partners.issue("partner")),
            "/etc/nginx/hanse/ca.pem": str(proxied.authority.root),
        },
    )
    around = "user www-data;\nworker_processes auto;\nevents {}\nhttp {\naccess_log /var/log/nginx/access.log;\n"
    proxied.nginx.start("nginx-certificates", centre, port=centre_port)
    proxied.nginx.start("nginx-partner", f"{around}{partner}}}\n", port=partner_port)
    call = _request("/v1/fleet/pull-messages")

    with socket.create_connection(("127.0.0.1", partner_port), timeout=30) as connection:
        with_certificate = _exchange(connection, call)
    without = _through_tls(proxied, centre_port, call)

    assert with_certificate.body == _directly(proxied, call).body
    assert without.refused_by_nginx
