"""How commands name a service and one of its controllers."""

from pathlib import Path
from typing import Annotated

import typer

from hanse_consent.storage.errors import ControllerUnknownError
from hanse_consent.storage.store import ConsentStore

ConfigurationFile = Annotated[Path, typer.Option("--config", help="The service's consent.toml.")]
Controller = Annotated[str, typer.Option("--controller", help="Whose customers.")]


def require_known(store: ConsentStore, controller: str) -> None:
    """Go on only with a controller that is, or once was, served: its acts are evidence.

    Raises:
        ControllerUnknownError: If it never was.
    """
    if store.registry().controller(controller) is None and store.position(controller) == 0:
        raise ControllerUnknownError(f"The controller {controller} is not registered.", "Check the name.")
