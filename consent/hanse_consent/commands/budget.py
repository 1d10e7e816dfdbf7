"""``hanse consent budget``: what a controller's vaults say of their privacy budgets, over HTTP from any machine."""

from typing import Annotated

import typer

from hanse_consent.commands.budget_pages import budget_page
from hanse_consent.commands.run_pages import show
from hanse_consent.commands.signing_in import Account, Controller, FromInput, Service, signed_in


def budget(
    service: Service,
    controller: Controller,
    account: Account,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the signed reports as JSON, for programs.")] = False,
    password_stdin: FromInput = False,
) -> None:
    """Show what the controller's vaults have spent and have left, cap by cap and run by run."""
    with signed_in(service, account, from_input=password_stdin) as session:
        page = session.budgets(controller)
    if as_json:
        typer.echo(page.model_dump_json(indent=1))
    else:
        show(budget_page(page))
