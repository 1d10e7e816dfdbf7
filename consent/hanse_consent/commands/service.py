"""Keys, checks, migrations, and the service itself."""

import logging
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.commands.controllers import ConfigurationFile
from hanse_consent.configuration import ConsentConfiguration, load_configuration
from hanse_consent.errors import ConsentConfigurationError, ListenAddressError
from hanse_consent.garbage import settle
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.law.publishing import check_registry
from hanse_consent.opening import location_of, open_service, open_store, utc_now
from hanse_consent.registry_files import read_registry
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.migration import migrate
from hanse_privacy.identity import SigningKey

_GRACEFUL_SHUTDOWN_S = 2
_CONCURRENT_REQUESTS = 512
"""More are answered 503 at once, unread."""


def keygen(out: Annotated[Path, typer.Option("--out", help="File for the new private key.")]) -> None:
    """Make a key, and print the line that others pin and its fingerprint."""
    key = SigningKey.generate()
    key.save(out)
    typer.echo(key.public.text)
    typer.echo(key.public.fingerprint)


def check(config: ConfigurationFile) -> None:
    """Read everything the service would read at start, hold it against the law packs, and change nothing."""
    configuration = load_configuration(config)
    key = SigningKey.load(configuration.key)
    registry = read_registry(configuration.registry_files)
    packs = load_shipped_packs()
    location = location_of(configuration)
    before = registry.model_copy(update=dict.fromkeys(("controllers", "purposes", "notices"), ()))
    if not location.is_file or location.path.exists():
        with open_store(configuration) as store:
            before = store.registry()
    check_registry(registry, before=before, packs=packs, at=utc_now())
    typer.echo(
        f"{configuration.name} is in order: {len(registry.controllers)} controllers, "
        f"{len(registry.purposes)} purposes, {len(registry.notices)} notices, "
        f"{sum(len(pack.rules) for pack in packs.in_force(utc_now()))} rules, key {key.public.fingerprint}."
    )


def migrate_store(
    config: Annotated[Path | None, typer.Option("--config", help="The service's consent.toml.")] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="The store's address, as the role that owns the tables.")
    ] = None,
) -> None:
    """Bring the store's tables to this program's version; on PostgreSQL as the role that owns them."""
    if (config is None) == (database is None):
        raise ConsentConfigurationError(
            "The store to migrate is not named, or named twice.", "Name it once, with --config or with --database."
        )
    location = location_of(load_configuration(config)) if config is not None else DatabaseLocation.parse(str(database))
    migrate(location)
    typer.echo(f"The store {location.name} is up to date.")


def serve(
    config: ConfigurationFile,
    metrics_port: Annotated[
        int | None, typer.Option("--metrics-port", min=1, max=65535, help="Serve Prometheus figures on loopback.")
    ] = None,
) -> None:
    """Run the service until it is told to stop (SIGTERM, Ctrl-C)."""
    # Before uvicorn's own handlers stand, and again after it has shut down: an orderly end.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _stop)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    configuration = load_configuration(config)
    metrics = ServiceMetrics()
    if metrics_port is not None:
        metrics.serve(metrics_port)
    with _listen(configuration) as listener, open_service(configuration, metrics=metrics) as service:
        settings = uvicorn.Config(
            service,
            lifespan="off",
            log_config=None,
            access_log=False,  # the service writes its own, without queries
            server_header=False,
            limit_concurrency=_CONCURRENT_REQUESTS,
            timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_S,
        )
        host, port = listener.getsockname()[:2]
        settle()
        ready = f"The consent service {configuration.name} is ready on http://{_in_url(host)}:{port}"
        _AnnouncingServer(settings, ready=ready, metrics=metrics).run(sockets=[listener])


class _AnnouncingServer(uvicorn.Server):
    """Says when it is ready: whoever started it waits for that line."""

    def __init__(self, config: uvicorn.Config, *, ready: str, metrics: ServiceMetrics) -> None:
        super().__init__(config)
        self._ready = ready
        self._metrics = metrics

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._metrics.ready.set(1)
            typer.echo(self._ready)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(configuration: ConsentConfiguration) -> socket.socket:
    host, port = configuration.host, configuration.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ListenAddressError(
            f"The service cannot listen on {host} port {port} ({error.strerror}).",
            "Stop what uses the port, or set another host or port in consent.toml.",
        ) from error
    return listener
