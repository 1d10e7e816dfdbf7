"""Commands that people give from any machine: where the service is, who they are, and a session that always ends."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from hanse_consent.officer_client import OfficerClient, OfficerSession
from hanse_privacy.errors import HanseError, InvalidValueError

Service = Annotated[str, typer.Option("--service", help="The service's address, such as https://consent.example.")]
Account = Annotated[str, typer.Option("--account", help="Your account at the service.")]
Controller = Annotated[str, typer.Option("--controller", help="The controller that you act for.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]

_STOPS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signed_in(service: str, account: str, *, from_input: bool) -> Iterator[OfficerSession]:
    """A session for one command; the password is asked for once the address is known to be protected.

    Args:
        service: The service's address.
        account: Whose session.
        from_input: Whether the password is on standard input; otherwise it is asked for.

    Raises:
        HanseError: If the address is not protected, or no session can be opened.
    """
    client = OfficerClient(service)
    with session_of(client, account, password=read_password("Password", from_input=from_input)) as session:
        yield session


@contextmanager
def session_of(client: OfficerClient, account: str, *, password: str) -> Iterator[OfficerSession]:
    """A session that is closed at the end, however that comes.

    Args:
        client: Of the service.
        account: Whose session.
        password: The account's.

    Raises:
        HanseError: If no session can be opened.
    """
    with _stopped_in_good_order():
        session = client.sign_in(account, password=password)
        try:
            yield session
        finally:
            _close(session)


def read_password(what: str, *, from_input: bool) -> str:
    """Ask for a password without showing it, or read the next line of standard input.

    Args:
        what: What it is called where it is asked for.
        from_input: Whether it is on standard input.

    Raises:
        InvalidValueError: If there is none.
    """
    if not from_input:
        typed: str = typer.prompt(what, hide_input=True, err=True, type=str)
        return typed
    try:
        line = sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError:
        line = ""
    if not line:
        raise InvalidValueError(f"{what}: standard input has no such line.", "Write it there, or leave the option out.")
    return line


def _close(session: OfficerSession) -> None:
    try:
        session.close()
    except HanseError:
        # What the command did is done or refused; this is no reason to say otherwise.
        typer.echo("The session could not be closed; it ends by itself within half an hour.", err=True)


@contextmanager
def _stopped_in_good_order() -> Iterator[None]:
    """Let a terminal that closes, or a service manager, end the command as Ctrl-C does: by way of the session's end."""
    # What is ignored stays so: the command was started under nohup.
    heeded = [number for number in _STOPS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
