"""``hanse league``: the centre's commands."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanse_privacy.identity import SigningKey
from hanse_server.carrying_out import carry_out
from hanse_server.flower.processes import environment, prepare, superlink_command
from hanse_server.league import LeagueHome
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_budget_pages import budget_as_json, budget_tables
from hanse_server.submission import propose

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _console() -> Console:
    """As wide as the terminal is now, or as COLUMNS says."""
    return Console()


HomeOption = Annotated[Path, typer.Option("--home", help="The centre's folder, with league.toml in it.")]


@app.command()
def keygen(home: HomeOption) -> None:
    """Make the centre's signing key and print what partners pin."""
    paths = LeagueHome(root=home)
    paths.signing_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = SigningKey.generate()
    key.save(paths.signing_key)
    _console().print(f"public key   {key.public.text}\nfingerprint  {key.public.fingerprint}", highlight=False)
    _console().print("Partners pin the public key in policy.toml after comparing the fingerprint by telephone.")


@app.command()
def serve(home: HomeOption) -> None:
    """Run the league's SuperLink on loopback (put a reverse proxy in front for partners elsewhere)."""
    paths = LeagueHome(root=home)
    league = paths.load()
    paths.key()
    prepare(league, paths)
    command = superlink_command(league, paths)
    os.execve(command[0], command, environment(paths))  # noqa: S606 - no shell: this process becomes the SuperLink


@app.command()
def run(
    draft: Annotated[Path, typer.Argument(help="A proposal file, such as proposals/popularity.toml.")],
    home: HomeOption,
) -> None:
    """Sign a proposal, have it approved, run it over the league, and print what it released."""
    paths = LeagueHome(root=home)
    proposal = propose(paths, draft)
    result = carry_out(paths, proposal, console=_console())
    _console().print(f"Released: {', '.join(result['released'])}. In {paths.run_folder(proposal.run) / 'result.json'}.")


@app.command()
def budget(
    home: HomeOption,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")] = False,
) -> None:
    """Show what a person may lose and has lost, run by run, and what was asked of each partner."""
    found = LeagueBudget.read(LeagueHome(root=home))
    if as_json:
        typer.echo(json.dumps(budget_as_json(found), indent=1))
    else:
        _console().print(*budget_tables(found))
