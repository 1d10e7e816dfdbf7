"""``hanse consent``: make a key, check a configuration, serve."""

import logging
import signal
import socket
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from hanse_consent.catalogue import load_catalogue
from hanse_consent.configuration import ConsentConfiguration, load_configuration
from hanse_consent.errors import ListenAddressError
from hanse_consent.service import create_service, utc_now
from hanse_consent.store import ConsentStore
from hanse_privacy.identity import SigningKey

app = typer.Typer(help="The consent service of one or more partners.", no_args_is_help=True)

_GRACEFUL_SHUTDOWN_S = 2
ConfigurationFile = Annotated[Path, typer.Option("--config", help="The service's consent.toml.")]


@app.command()
def keygen(out: Annotated[Path, typer.Option("--out", help="File for the new private key.")]) -> None:
    """Make a key, and print the line that others pin and its fingerprint."""
    key = SigningKey.generate()
    key.save(out)
    typer.echo(key.public.text)
    typer.echo(key.public.fingerprint)


@app.command()
def check(config: ConfigurationFile) -> None:
    """Read everything the service would read at start, and say whether it would start."""
    configuration = load_configuration(config)
    key = SigningKey.load(configuration.key)
    catalogue = load_catalogue(purposes=configuration.purposes, notices=configuration.notices)
    if configuration.database.exists():
        store = ConsentStore(database=configuration.database, now=utc_now)
        try:
            store.compare(catalogue)
        finally:
            store.close()
    typer.echo(
        f"{configuration.name} is in order: {len(configuration.partners)} partners, "
        f"{len(catalogue.purposes)} purposes, {len(catalogue.notices)} notices, key {key.public.fingerprint}."
    )


@app.command()
def serve(config: ConfigurationFile) -> None:
    """Run the service until it is told to stop (SIGTERM, Ctrl-C)."""
    # Before uvicorn's own handlers stand, and again after it has shut down: an orderly end.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _stop)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    configuration = load_configuration(config)
    key = SigningKey.load(configuration.key)
    catalogue = load_catalogue(purposes=configuration.purposes, notices=configuration.notices)
    with _listen(configuration) as listener:
        store = ConsentStore(database=configuration.database, now=utc_now)
        try:
            store.register(catalogue)
            service = create_service(configuration=configuration, store=store, key=key)
            settings = uvicorn.Config(
                service,
                lifespan="off",
                log_config=None,
                access_log=False,  # the service writes its own, without queries
                server_header=False,
                timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN_S,
            )
            host, port = listener.getsockname()[:2]
            ready = f"The consent service {configuration.name} is ready on http://{_in_url(host)}:{port}"
            _AnnouncingServer(settings, ready=ready).run(sockets=[listener])
        finally:
            store.close()


class _AnnouncingServer(uvicorn.Server):
    """Says when it is ready: whoever started it waits for that line."""

    def __init__(self, config: uvicorn.Config, *, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
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
