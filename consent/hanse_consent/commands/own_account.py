"""One's own account, over HTTP from any machine."""

import typer

from hanse_consent.commands.signing_in import Account, FromInput, Service, read_password, session_of
from hanse_consent.officer_client import OfficerClient


def my_password(service: Service, account: Account, *, password_stdin: FromInput = False) -> None:
    """Set your own password; the old one is asked for first, or are the first and the second line of input."""
    client = OfficerClient(service)
    old = read_password("Old password", from_input=password_stdin)
    if password_stdin:
        new = read_password("New password", from_input=True)
    else:
        new = typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True, type=str)
    with session_of(client, account, password=old) as session:
        session.change_password(old=old, new=new)
    typer.echo(f"Password of {account} set; all its sessions have ended.")
