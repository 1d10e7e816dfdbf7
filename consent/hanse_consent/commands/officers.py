"""What officers must see, at the service's own machine."""

from pathlib import Path
from typing import Annotated

import typer

from hanse_consent.configuration import load_configuration
from hanse_consent.opening import open_findings

ConfigurationFile = Annotated[Path, typer.Option("--config", help="The service's consent.toml.")]
Controller = Annotated[str, typer.Option("--controller", help="Whose customers.")]


def findings(controller: Controller, config: ConfigurationFile) -> None:
    """Print what a controller does not have in order, one line each; it counts customers and names none."""
    with open_findings(load_configuration(config)) as service:
        report = service.report(controller)
    for finding in report.findings:
        typer.echo(f"{finding.rule} ({finding.article}) {finding.code}: {finding.words}")
    typer.echo(f"Findings for {controller}: {len(report.findings)}.")
