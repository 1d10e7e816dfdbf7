"""The command ``hanse``: one group of sub-commands per role, and one way to end with an error.

Each role registers its group under the entry point ``hanse.commands``; a role whose packages are not
installed is named with the extra that brings it.
"""

import os
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Never

import typer
from rich.console import Console
from rich.text import Text

from hanse_privacy.errors import HanseError
from hanse_privacy.process_environment import QUIET
from hanse_privacy.terminal import plain

_ROLES = {
    "demo": "Run an example league from end to end on this machine.",
    "node": "A partner's node: keys, data, vault, courier.",
    "consent": "The consent service of one or more partners.",
    "league": "The centre: propose runs, drive them, read what they released.",
    "ask": "The centre: ask a count, a histogram or quantiles over the league, its error told beforehand.",
}
_EXTRAS = {"demo": "demo", "node": "node", "consent": "consent", "league": "server", "ask": "server"}


def _missing(name: str) -> Callable[[], Never]:
    def say() -> Never:
        _say_not_installed(name)
        raise typer.Exit(2)

    return say


def _say_not_installed(name: str) -> None:
    Console(stderr=True, soft_wrap=True).print(
        f"The role '{name}' is not installed here. Install it with: pip install 'hanse\\[{_EXTRAS[name]}]'"
    )


def _add_role(application: typer.Typer, name: str, point: EntryPoint | None) -> None:
    if point is not None:
        try:
            group = point.load()
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("hanse_"):
                raise
        else:
            application.add_typer(group, name=name, help=_ROLES[name])
            return
    application.command(name, help=f"{_ROLES[name]} (not installed)")(_missing(name))


def build(asked: str | None) -> typer.Typer:
    """Assemble the command; only the role that was asked for is imported, so that each starts quickly."""
    application = typer.Typer(
        name="hanse",
        help="Shared models and shared questions over customers who never leave home.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    application.callback()(lambda: None)
    points = {point.name: point for point in entry_points(group="hanse.commands")}
    for name, description in _ROLES.items():
        if name == asked:
            _add_role(application, name, points.get(name))
        else:
            application.command(name, help=description)(lambda: None)
    return application


def main() -> None:
    """Run ``hanse``; every failure is one sentence and its mend, with an exit status."""
    os.environ.update(QUIET)
    asked = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        build(asked)()
    except HanseError as error:
        # Parts of it may be another party's words: they are shown and not obeyed.
        Console(stderr=True, soft_wrap=True).print(
            Text.assemble((plain(error.what), "bold red"), f" {plain(error.mend)} ", (f"[{error.code}]", "dim"))
        )
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        # Commands import what they need when they run.
        if asked not in _EXTRAS or (error.name or "").startswith("hanse_"):
            raise
        _say_not_installed(asked)
        sys.exit(2)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        Console(stderr=True, soft_wrap=True).print(
            Text.assemble(
                (plain(f"The system refused: {error.strerror or type(error).__name__}{where}."), "bold red"),
                " Free disk space, or check the folder's owner and mode. ",
                ("[SYSTEM_REFUSED]", "dim"),
            )
        )
        sys.exit(1)
