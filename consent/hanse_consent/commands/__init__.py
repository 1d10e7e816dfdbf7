"""``hanse consent``: run a consent service, look after its accounts, bring acts in and out, decide on runs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import typer

from hanse_consent.access.commands import account_commands, node_commands
from hanse_consent.access.transactions import Transactions
from hanse_consent.commands import runs
from hanse_consent.commands.budget import budget
from hanse_consent.commands.exchange import export_acts, import_acts
from hanse_consent.commands.officers import affected_runs, findings
from hanse_consent.commands.own_account import my_password
from hanse_consent.commands.service import check, keygen, migrate_store, serve
from hanse_consent.configuration import load_configuration
from hanse_consent.opening import location_of, open_store
from hanse_consent.records.commands import verify_receipt_command
from hanse_consent.storage.database import Database


@contextmanager
def _transactions(config: Path) -> Iterator[Transactions]:
    with closing(Database(location_of(load_configuration(config)))) as database:
        yield database


def _known_nodes(config: Path) -> frozenset[str]:
    configuration = load_configuration(config)
    with open_store(configuration) as store:
        names = {controller.name for controller in store.registry().controllers}
    if configuration.centre is not None:
        names.add(configuration.centre.name)
    return frozenset(names)


app = typer.Typer(help="The consent service of one or more partners.", no_args_is_help=True)
app.command()(keygen)
app.command()(check)
app.command()(serve)
app.command(name="migrate")(migrate_store)
app.command(name="import")(import_acts)
app.command(name="export")(export_acts)
app.command()(findings)
app.command()(budget)
app.command(name="affected-runs")(affected_runs)
app.command(name="verify-receipt")(verify_receipt_command)
accounts = account_commands(_transactions)
accounts.command(name="my-password")(my_password)
app.add_typer(accounts, name="account")
app.add_typer(runs.app, name="run")
app.add_typer(node_commands(_transactions, known_nodes=_known_nodes), name="node")
