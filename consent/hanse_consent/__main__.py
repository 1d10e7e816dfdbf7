"""``python -m hanse_consent``: the same commands as ``hanse consent``, for a service manager."""

import sys

import typer

from hanse_consent.commands import app
from hanse_privacy.errors import HanseError
from hanse_privacy.terminal import plain


def main() -> None:
    """Run a command; an error is one line and an exit status."""
    try:
        app(prog_name="hanse consent")
    except HanseError as error:
        typer.echo(plain(str(error)), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
