import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from sqlmodel import select
from typer.testing import CliRunner

from hanse_consent.access.commands import account_commands, node_commands
from hanse_consent.access.errors import AccountExistsError, AccountUnknownError, PasswordRefusedError
from hanse_consent.access.tables import AccessEventRow
from hanse_privacy.errors import InvalidValueError

PASSWORD = "correct horse battery"


@pytest.fixture
def run(sqlite_room):
    @contextlib.contextmanager
    def open_transactions(config: Path) -> Iterator[object]:
        assert config == Path("consent.toml")
        yield sqlite_room.transactions

    app = typer.Typer()
    app.add_typer(account_commands(open_transactions), name="account")
    app.add_typer(
        node_commands(open_transactions, known_nodes=lambda _config: frozenset({"aurora", "borealis"})), name="node"
    )

    def call(*arguments: str, given: str = ""):
        outcome = CliRunner().invoke(app, [*arguments, "--config", "consent.toml"], input=given)
        if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        return outcome

    return call


def add(run, *, name: str = "ada", password: str = PASSWORD, roles: tuple[str, ...] = ("officer@aurora",)):
    chosen = [argument for role in roles for argument in ("--role", role)]
    return run("account", "add", name, *chosen, "--password-stdin", given=f"{password}\n")


def test_an_account_is_added_listed_and_disabled(run, sqlite_room) -> None:
    assert PASSWORD not in add(run, roles=("officer@aurora", "auditor@boreal")).output
    (account,) = sqlite_room.accounts.all()
    assert account.must_change_password
    assert run("account", "list").output == "ada\tin use\tauditor@boreal officer@aurora\n"
    run("account", "disable", "ada")
    assert "disabled" in run("account", "list").output
    with pytest.raises(AccountExistsError):
        add(run)


def test_a_password_is_asked_for_twice_and_never_shown(run, sqlite_room) -> None:
    outcome = run("account", "add", "ada", "--role", "officer@aurora", given=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in outcome.output
    before = sqlite_room.accounts.stored_password("ada")
    run("account", "password", "ada", "--password-stdin", given="another long one\n")
    assert sqlite_room.accounts.stored_password("ada") != before


def test_there_is_no_argument_for_a_password(run) -> None:
    outcome = run("account", "add", "ada", "--role", "officer@aurora", "--password", PASSWORD)
    assert outcome.exit_code == 2


def test_bad_values_are_refused_before_anything_is_written(run, sqlite_room) -> None:
    with pytest.raises(PasswordRefusedError):
        add(run, password="short")
    for roles in (("emperor@aurora",), ("officer",), ("officer@Aurora!",)):
        with pytest.raises(InvalidValueError):
            add(run, roles=roles)
    with pytest.raises(InvalidValueError):
        add(run, name="Ada Lovelace")
    with pytest.raises(AccountUnknownError):
        run("account", "password", "nobody", "--password-stdin", given=f"{PASSWORD}\n")
    with pytest.raises(InvalidValueError) as refused:
        run("node", "suspend", "aurora", "--reason", f"customer {'a1' * 16}")
    assert "a1a1" not in str(refused.value)
    assert sqlite_room.accounts.all() == ()


def test_a_node_is_suspended_and_resumed(run, sqlite_room) -> None:
    run("node", "suspend", "aurora", "--reason", "its laptop was stolen")
    assert "its laptop was stolen" in run("node", "list").output
    run("node", "resume", "aurora", "--reason", "new key registered")
    assert run("node", "list").output == ""
    with sqlite_room.transactions.reading_across_controllers() as session:
        rows = session.exec(select(AccessEventRow)).all()
        assert [row.action for row in rows] == ["node-suspended", "node-resumed"]
        assert all(row.actor.startswith("machine:") for row in rows)
