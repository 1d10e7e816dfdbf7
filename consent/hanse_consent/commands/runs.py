"""``hanse consent run``: officers decide on runs and auditors read them, over HTTP from any machine."""

from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from hanse_consent.commands.run_pages import list_page, run_page, show, standing_line
from hanse_consent.commands.signing_in import Account, Controller, FromInput, Service, signed_in
from hanse_consent.officer_client import MOST_RUNS
from hanse_consent.runs.bodies import AnonymityBody
from hanse_consent.runs.errors import ProposalDiffersError, RunRefusedError
from hanse_consent.runs.standing import Ending, RunStage
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.documents import describe

app = typer.Typer(help="League runs: read them, decide on them.", no_args_is_help=True)

Run = Annotated[str, typer.Argument(help="The run's name.")]
Words = Annotated[str, typer.Option("--words", help="Why, in your own words; the centre reads them.")]
Rule = Annotated[str, typer.Option("--rule", help="The rule that you rest on, such as G-35.")]
Article = Annotated[str, typer.Option("--article", help="The article that you rest on, such as 'GDPR 35'.")]
_Document = TypeVar("_Document", bound=BaseModel)


@app.command(name="list")
def list_runs(
    service: Service,
    controller: Controller,
    account: Account,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST_RUNS, help="The most that are listed.")] = 50,
    *,
    password_stdin: FromInput = False,
) -> None:
    """List a controller's runs, the newest first."""
    with signed_in(service, account, from_input=password_stdin) as session:
        runs = session.runs(controller, limit=limit)
    show(list_page(runs))
    if len(runs) == limit:
        typer.echo(f"Older ones may be left out: these are the newest {limit}.")


@app.command(name="show")
def show_run(
    run: Run, service: Service, controller: Controller, account: Account, *, password_stdin: FromInput = False
) -> None:
    """Show all of a run: its terms, where it stands, what forbids it, what happened."""
    with signed_in(service, account, from_input=password_stdin) as session:
        detail, budget = session.run(run, controller=controller), session.budgets(controller)
    show(run_page(detail, budget=budget, now=datetime.now(UTC)))


@app.command()
def approve(
    run: Run,
    service: Service,
    controller: Controller,
    account: Account,
    proposal: Annotated[
        str | None, typer.Option("--proposal", help="Approve only if the terms have this digest.")
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to approve what is shown.")] = False,
    password_stdin: FromInput = False,
) -> None:
    """Show a run's terms and, once you confirm, approve exactly these."""
    with signed_in(service, account, from_input=password_stdin) as session:
        detail = session.run(run, controller=controller)
        shown = detail.document.digest
        if proposal is not None and proposal != shown:
            raise ProposalDiffersError(
                f"The service shows terms of run {run} with the digest {shown}, not those named.",
                "Read the run again; changed terms are a new run.",
            )
        show(run_page(detail, budget=session.budgets(controller), now=datetime.now(UTC)))
        if not yes:
            typer.confirm(f"\nApprove exactly these terms for {controller}?", abort=True)
        # Of the terms that were shown, whatever the service calls them.
        standing = session.approve(run, controller=controller, proposal=shown).standing
    show(standing_line(standing))
    if standing.stage is RunStage.REFUSED_BY_CHECK:
        raise RunRefusedError(
            f"The check refuses run {run} now, whoever approves.", "Mend what is named, propose anew."
        )


@app.command()
def refuse(
    run: Run,
    service: Service,
    controller: Controller,
    account: Account,
    words: Words,
    rule: Rule = "",
    article: Article = "",
    *,
    password_stdin: FromInput = False,
) -> None:
    """Refuse a run: it is over at this controller."""
    ending = _made(Ending, {"words": words, "rule": rule, "article": article})
    with signed_in(service, account, from_input=password_stdin) as session:
        terms = session.run(run, controller=controller).document
        standing = session.refuse(run, controller=controller, proposal=terms.digest, ending=ending).standing
    show(standing_line(standing))


@app.command()
def revoke(
    run: Run,
    service: Service,
    controller: Controller,
    account: Account,
    words: Words,
    rule: Rule = "",
    article: Article = "",
    *,
    password_stdin: FromInput = False,
) -> None:
    """Take an approval back: the next round is without this controller's customers."""
    ending = _made(Ending, {"words": words, "rule": rule, "article": article})
    with signed_in(service, account, from_input=password_stdin) as session:
        standing = session.revoke(run, controller=controller, ending=ending).standing
    show(standing_line(standing))


@app.command(name="find-anonymous")
def find_anonymous(  # noqa: PLR0913 - each is an option of the command
    run: Run,
    service: Service,
    controller: Controller,
    account: Account,
    *,
    epsilon: Annotated[float, typer.Option("--epsilon", help="The bound on the privacy loss that you rest on.")],
    honest_minimum: Annotated[int, typer.Option("--honest-minimum", help="Vaults presumed honest.")],
    audit: Annotated[str, typer.Option("--audit", help="Reference of the audit that you rest on.")],
    valid_until: Annotated[str, typer.Option("--valid-until", help="When the finding ends, with its time zone.")],
    found_on: Annotated[str | None, typer.Option("--found-on", help="The finding's date; today if left out.")] = None,
    password_stdin: FromInput = False,
) -> None:
    """Find a finished run's released model anonymous, until a date."""
    finding = _made(
        AnonymityBody,
        {
            "controller": controller,
            "epsilon": epsilon,
            "honest_minimum": honest_minimum,
            "audit": audit,
            "found_on": datetime.now(UTC).date() if found_on is None else found_on,
            "valid_until": valid_until,
        },
    )
    with signed_in(service, account, from_input=password_stdin) as session:
        detail = session.find_anonymous(run, finding=finding)
    show(standing_line(detail.standing))
    typer.echo(f"Until {valid_until} the model is to be treated as {detail.model.value.replace('-', ' ')}.")


def _made(model: type[_Document], options: dict[str, date | float | int | str]) -> _Document:
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise InvalidValueError(f"An option is not valid: {describe(error)}.", "See --help.") from None
