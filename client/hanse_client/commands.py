"""``hanse node``: a partner's commands. Each imports what it needs, so that all of them start quickly."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hanse_client.flower.processes import CourierSettings, supernode_command, supernode_environment
from hanse_client.vault.home import NodeHome
from hanse_client.vault.policy import load_policy
from hanse_client.vault.run_register import Admission, RunRegister
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


def _console() -> Console:
    """As wide as the terminal is now, or as COLUMNS says."""
    return Console()


HomeOption = Annotated[Path, typer.Option("--home", help="The node's folder: policy.toml, contract.toml, keys, state.")]


@app.command()
def keygen(home: HomeOption) -> None:
    """Make the node's keys and its empty ledger, and print what the others pin."""
    from hanse_client.data.pseudonyms import PseudonymKey  # noqa: PLC0415

    paths = NodeHome(root=home)
    paths.prepare()
    key = SigningKey.generate()
    key.save(paths.signing_key)
    PseudonymKey.generate(f"{datetime.now(tz=UTC):%Y-%m}").save(paths.pseudonym_key)
    PrivacyLedger.create(paths.ledger)
    _console().print(f"public key   {key.public.text}\nfingerprint  {key.public.fingerprint}", highlight=False)
    _console().print("Send the public key to the league; compare the fingerprint by telephone. Keep keys/ backed up.")


@app.command()
def vouch(
    partner: Annotated[str, typer.Argument(help="The other partner's name in the league.")],
    public_key: Annotated[str, typer.Argument(help="Its public key; compare the fingerprint by telephone first.")],
    home: HomeOption,
    out: Annotated[Path, typer.Option(help="File for the voucher; an existing one is not written over.")],
    days: Annotated[int, typer.Option(help="How long it counts: 1 to 180.")] = 90,
) -> None:
    """Vouch for another partner's key, with this node's own: vaults that have not pinned it may let it in on that."""
    from hanse_client.vouching import vouch as sign_for  # noqa: PLC0415
    from hanse_client.vouching import write_voucher  # noqa: PLC0415

    signed = sign_for(NodeHome(root=home), partner, public_key, days=days, now=datetime.now(tz=UTC))
    write_voucher(signed, out)
    _console().print(signed.explain(), highlight=False, markup=False, soft_wrap=True)


@app.command()
def doctor(
    home: HomeOption = Path(),
    contract: Annotated[Path | None, typer.Option(help="A contract, if not the policy's.")] = None,
    catalogue: Annotated[Path | None, typer.Option(help="The league's catalogue folder, if not the policy's.")] = None,
) -> None:
    """Examine the export: what is missing, duplicated, late or out of range. Exit status 2 if it cannot be used."""
    from hanse_client.data.contract import load_contract  # noqa: PLC0415
    from hanse_client.data.doctor import examine  # noqa: PLC0415
    from hanse_client.data.findings import render  # noqa: PLC0415
    from hanse_models.catalogue import load_catalogue  # noqa: PLC0415

    if contract is None or catalogue is None:
        node = load_policy(NodeHome(root=home).policy).node
        contract = contract or home / node.contract
        catalogue = catalogue or home / node.catalogue
    report = examine(load_contract(contract), load_catalogue(catalogue), today=datetime.now(tz=UTC).date())
    _console().print(render(report))
    raise typer.Exit(report.exit_code)


@app.command()
def serve(home: HomeOption) -> None:
    """Read the export and run the vault until it is told to stop."""
    from hanse_client.vault.process import serve as serve_vault  # noqa: PLC0415

    serve_vault(NodeHome(root=home), console=_console())


@app.command()
def courier(
    partner: Annotated[str, typer.Option(help="The partner whose vault this courier serves.")],
    socket: Annotated[Path, typer.Option(help="The vault's socket.")],
    superlink: Annotated[str, typer.Option(help="Host and port of the league's fleet address.")],
    home: Annotated[Path, typer.Option(help="A folder of the courier's own account, for Flower's files.")],
    port: Annotated[int, typer.Option(help="A free loopback port for the SuperNode.")] = 9094,
    root_certificates: Annotated[
        Path | None,
        typer.Option(
            help="Certificate authority of the league's proxy (PEM); needed unless the league is on loopback."
        ),
    ] = None,
    vault_timeout_s: Annotated[float, typer.Option(help="How long to wait for the vault's answer.")] = 120.0,
) -> None:
    """Run the courier: a Flower SuperNode that carries sealed letters between the league and the vault."""
    command = supernode_command(
        CourierSettings(
            partner=partner,
            socket=socket,
            superlink=superlink,
            port=port,
            root_certificates=root_certificates,
            vault_timeout_s=vault_timeout_s,
        )
    )
    environment = supernode_environment(home)
    os.execve(command[0], command, environment)  # noqa: S606 - no shell: this process becomes the SuperNode


@app.command()
def consent(
    file: Annotated[Path, typer.Argument(help="CSV of acts: key, kind, customer, purpose, tier, notice, said_at.")],
    home: HomeOption,
) -> None:
    """Record customers' grants and withdrawals with the consent service, as pseudonyms."""
    from hanse_client.consent_acts import read_acts, send_acts  # noqa: PLC0415
    from hanse_client.data.pseudonyms import PseudonymKey  # noqa: PLC0415
    from hanse_consent.client import ConsentClient  # noqa: PLC0415

    paths = NodeHome(root=home)
    policy = load_policy(paths.policy)
    acts = read_acts(file, PseudonymKey.load(paths.pseudonym_key))
    client = ConsentClient(
        policy.consent.url,
        policy.node.partner,
        SigningKey.load(paths.signing_key),
        policy.consent_key,
        policy.consent.timeout_s,
    )
    position = send_acts(acts, client)
    _console().print(f"{len(acts):,} acts recorded, up to position {position}.")


@app.command()
def runs(home: HomeOption) -> None:
    """List the runs that were proposed to this vault and where they stand."""
    table = Table("run", "state", "proposal")
    for entry in RunRegister(NodeHome(root=home).runs).runs():
        table.add_row(entry.run, entry.state.value, entry.digest[:16])
    _console().print(table)


@app.command()
def approve(run: str, home: HomeOption) -> None:
    """Let a waiting run begin here."""
    RunRegister(NodeHome(root=home).runs).decide(run, Admission.ADMITTED)
    _console().print(f"Run {run} is admitted.")


@app.command()
def refuse(run: str, home: HomeOption) -> None:
    """Refuse a run here, also one that has begun: its next round is refused."""
    RunRegister(NodeHome(root=home).runs).decide(run, Admission.REFUSED)
    _console().print(f"Run {run} is refused.")


@app.command()
def budget(
    home: HomeOption,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, for programs.")] = False,
) -> None:
    """Show what was asked for and spent, run by run, and what each cap leaves."""
    from hanse_client.vault.budget import read_budget  # noqa: PLC0415
    from hanse_privacy.budget_tables import budget_tables  # noqa: PLC0415

    found = read_budget(NodeHome(root=home))
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    for table in budget_tables(found):
        _console().print(table)
