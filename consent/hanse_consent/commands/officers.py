"""What officers must see, at the service's own machine."""

import typer

from hanse_consent.commands.controllers import ConfigurationFile, Controller, require_known
from hanse_consent.configuration import load_configuration
from hanse_consent.domain.affected_runs import AffectedAct
from hanse_consent.opening import open_affected_runs, open_findings, open_store


def findings(controller: Controller, config: ConfigurationFile) -> None:
    """Print what a controller does not have in order, one line each; it counts customers and names none."""
    with open_findings(load_configuration(config)) as service:
        report = service.report(controller)
    for finding in report.findings:
        typer.echo(f"{finding.rule} ({finding.article}) {finding.code}: {finding.words}")
    typer.echo(f"Findings for {controller}: {len(report.findings)}.")


def affected_runs(controller: Controller, config: ConfigurationFile) -> None:
    """Print the acts by which customers said no before a run used them, recorded after, each with these uses."""
    configuration = load_configuration(config)
    with open_store(configuration) as store:
        require_known(store, controller)
    count, after = 0, 0
    with open_affected_runs(configuration) as affected:
        while True:
            page = affected.page(controller, after=after)
            for act in page.affected:
                _tell(act)
            count += len(page.affected)
            if page.next_after is None:
                break
            after = page.next_after
    typer.echo(f"Acts of {controller} that came too late for a run: {count}.")


def _tell(act: AffectedAct) -> None:
    of = "" if act.purpose is None else f" of {act.purpose}"
    said, recorded = act.said_at.isoformat(), act.recorded_at.isoformat()
    typer.echo(f"{act.position}: {act.kind.value}{of}, said {said}, recorded {recorded}")
    for use in act.uses:
        issued = use.issued_at.isoformat()
        typer.echo(f"    {use.run}, round {use.round}, {use.purpose}, issued {issued}, manifest {use.manifest}")
