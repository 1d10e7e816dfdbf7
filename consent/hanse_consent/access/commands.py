"""Accounts and nodes at the service's own machine: ``account add|disable|password|list``, ``node suspend|resume|list``.

They write to the database directly: whoever may use them is whoever may read the service's configuration.
"""

import os
import pwd
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pwdlib import PasswordHash
from pydantic import TypeAdapter, ValidationError

from hanse_consent.access.accounts import Accounts
from hanse_consent.access.bodies import faults
from hanse_consent.access.errors import NodeUnknownError
from hanse_consent.access.look_ups import Reason
from hanse_consent.access.passwords import check_password, normalised
from hanse_consent.access.roles import RoleGrant
from hanse_consent.access.suspensions import Suspensions
from hanse_consent.access.transactions import Transactions
from hanse_consent.domain.names import AccountName
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.vocabulary import PartyName

OpenTransactions = Callable[[Path], AbstractContextManager[Transactions]]
"""Opens the database that a service's configuration file names, and closes it again."""

KnownNodes = Callable[[Path], frozenset[str]]
"""The parties whose signatures a service believes, by its configuration file."""

_Value = TypeVar("_Value")
_NAMES: TypeAdapter[str] = TypeAdapter(AccountName)
_PARTIES: TypeAdapter[str] = TypeAdapter(PartyName)
_REASONS: TypeAdapter[str] = TypeAdapter(Reason)

ConfigurationFile = Annotated[Path, typer.Option("--config", help="The service's consent.toml.")]
Name = Annotated[str, typer.Argument(help="The account's name.")]
Node = Annotated[str, typer.Argument(help="The node's name.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept, so name no customer.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]
Roles = Annotated[
    list[str], typer.Option("--role", help="A role at a controller, such as officer@aurora; may be given again.")
]


def account_commands(open_transactions: OpenTransactions) -> typer.Typer:
    """Make the ``account`` group."""
    app = typer.Typer(help="People's accounts at the service.", no_args_is_help=True)

    @app.command()
    def add(name: Name, config: ConfigurationFile, role: Roles, *, password_stdin: FromInput = False) -> None:
        """Add an account; its owner must set another password at first sign-in."""
        _checked(_NAMES, name, argument="NAME")
        grants = frozenset(_grant(text) for text in role)
        password_hash = _hash_of_new_password(name, from_input=password_stdin)
        with open_transactions(config) as transactions:
            _accounts(transactions).add(name=name, password_hash=password_hash, grants=grants, actor=_actor())
        typer.echo(f"Account {name} added.")

    @app.command()
    def disable(name: Name, config: ConfigurationFile) -> None:
        """Disable an account and end its sessions."""
        with open_transactions(config) as transactions:
            _accounts(transactions).disable(name=name, actor=_actor())
        typer.echo(f"Account {name} disabled; its sessions have ended.")

    @app.command()
    def password(name: Name, config: ConfigurationFile, *, password_stdin: FromInput = False) -> None:
        """Set an account's password and end its sessions; its owner must set another one."""
        _checked(_NAMES, name, argument="NAME")
        password_hash = _hash_of_new_password(name, from_input=password_stdin)
        with open_transactions(config) as transactions:
            _accounts(transactions).set_password(
                name=name, password_hash=password_hash, must_change=True, actor=_actor()
            )
        typer.echo(f"Password of {name} set; its sessions have ended.")

    @app.command(name="list")
    def list_all(config: ConfigurationFile) -> None:
        """List all accounts and their roles."""
        with open_transactions(config) as transactions:
            for account in _accounts(transactions).all():
                held = " ".join(sorted(f"{grant.role.value}@{grant.controller}" for grant in account.grants))
                typer.echo(f"{account.name}\t{'disabled' if account.disabled else 'in use'}\t{held}")

    return app


def node_commands(open_transactions: OpenTransactions, *, known_nodes: KnownNodes) -> typer.Typer:
    """Make the ``node`` group.

    Args:
        open_transactions: Opens the service's database.
        known_nodes: The parties whose signatures the service believes: a typing error must not seem to suspend.
    """
    app = typer.Typer(help="Which nodes are let in.", no_args_is_help=True)

    @app.command()
    def suspend(name: Node, config: ConfigurationFile, reason: Why) -> None:
        """Suspend a node: within a second nothing that it signs is answered."""
        node, why = _checked(_PARTIES, name, argument="NAME"), _checked(_REASONS, reason, argument="--reason")
        if node not in (known := known_nodes(config)):
            raise NodeUnknownError(f"No node {node} is registered.", f"Name one of: {', '.join(sorted(known))}.")
        with open_transactions(config) as transactions:
            _suspensions(transactions).suspend(node, actor=_actor(), reason=why)
        typer.echo(f"Node {node} suspended.")

    @app.command()
    def resume(name: Node, config: ConfigurationFile, reason: Why) -> None:
        """Let a suspended node in again."""
        node, why = _checked(_PARTIES, name, argument="NAME"), _checked(_REASONS, reason, argument="--reason")
        with open_transactions(config) as transactions:
            _suspensions(transactions).resume(node, actor=_actor(), reason=why)
        typer.echo(f"Node {node} is let in.")

    @app.command(name="list")
    def list_suspended(config: ConfigurationFile) -> None:
        """List the suspended nodes."""
        with open_transactions(config) as transactions:
            for suspension in _suspensions(transactions).current().values():
                since = suspension.since.isoformat(timespec="seconds")
                typer.echo(f"{suspension.node}\tsince {since}\t{suspension.suspended_by}\t{suspension.reason}")

    return app


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _accounts(transactions: Transactions) -> Accounts:
    return Accounts(transactions, now=_utc_now)


def _suspensions(transactions: Transactions) -> Suspensions:
    return Suspensions(transactions, now=_utc_now, clock=time.monotonic)


def _actor() -> str:
    # From the process, not from the environment, where anybody may write any name.
    uid = os.getuid()
    try:
        return f"machine:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"machine:{uid}"


def _hash_of_new_password(account: str, *, from_input: bool) -> str:
    if from_input:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, type=str)
    check_password(password, account=account)
    return PasswordHash.recommended().hash(normalised(password))


def _grant(text: str) -> RoleGrant:
    role, _, controller = text.partition("@")
    try:
        return RoleGrant.model_validate({"controller": controller, "role": role})
    except ValidationError as error:
        raise InvalidValueError(
            f"--role is {text!r}: {faults(error)}.", "Write a role and a controller, such as officer@aurora."
        ) from error


def _checked(adapter: TypeAdapter[_Value], value: str, *, argument: str) -> _Value:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        # The value is not shown: it may be a reason that names a customer.
        raise InvalidValueError(f"{argument} is not valid: {faults(error)}.", "See --help.") from None
