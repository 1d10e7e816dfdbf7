"""The vault as a process: read the export, open the socket, serve until told to stop."""

import fcntl
import logging
import os
import pwd
import resource
import signal
import sys
from datetime import UTC, datetime
from types import FrameType

from rich.console import Console

from hanse_client.data.contract import load_contract
from hanse_client.data.ingest import IngestReport, ingest
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault.consent_positions import ConsentPositions
from hanse_client.vault.home import NodeHome, NodeHomeError
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import Policy, PolicyInvalidError, load_policy
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_client.vault.run_register import RunRegister
from hanse_client.vault.socket_server import VaultSocket
from hanse_client.vault.sum_register import SumRegister
from hanse_client.vault.vault import Vault, VaultParts
from hanse_consent.client import ConsentClient
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError, ConsentUnavailableError
from hanse_models.catalogue import load_catalogue
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.ledger_entries import LedgerUnusableError
from hanse_privacy.randomness import SystemRandomness


def load_export(home: NodeHome, policy: Policy) -> IngestReport:
    """Examine the export and, if it has no errors, replace the vault's copy of it.

    Raises:
        HanseError: If contract, catalogue or export are not usable; the vault keeps the data it had.
    """
    contract = load_contract(home.root / policy.node.contract)
    if contract.contract.partner != policy.node.partner:
        raise PolicyInvalidError(
            f"The contract is {contract.contract.partner}'s, the policy {policy.node.partner}'s.",
            "Name the right contract in policy.toml.",
        )
    catalogue = load_catalogue(home.root / policy.node.catalogue)
    return ingest(
        contract,
        catalogue,
        PseudonymKey.load(home.pseudonym_key),
        vault=home.purchases.parent,
        today=datetime.now(tz=UTC).date(),
    )


def assemble(home: NodeHome, policy: Policy) -> Vault:
    """Put a vault together from its folder.

    Raises:
        HanseError: If a key, the ledger or the register is not usable.
    """
    key = SigningKey.load(home.signing_key)
    pinned = policy.pins.partners[policy.node.partner]
    if pinned != key.public.text:
        raise PolicyInvalidError(
            f"policy.toml pins another key for {policy.node.partner} than the one in keys/node.key.",
            "Put this node's own public key there (hanse node keygen printed it).",
        )
    ledger, register = open_ledger(home, policy), RunRegister(home.runs)
    require_complete(ledger, register)
    return Vault(
        VaultParts(
            policy=policy,
            key=key,
            ledger=ledger,
            register=register,
            sums=SumRegister(home.runs),
            consent=ConsentClient(
                policy.consent.url, policy.node.partner, key, policy.consent_key, policy.consent.timeout_s
            ),
            positions=ConsentPositions(home.runs),
            data=PurchaseStore(path=home.purchases),
            randomness=SystemRandomness(),
            clock=lambda: datetime.now(tz=UTC),
        )
    )


def require_complete(ledger: PrivacyLedger, register: RunRegister) -> None:
    """Refuse a ledger that lacks an attempt which the register says was answered: it was lost, or is an older copy.

    Raises:
        LedgerUnusableError: If it does.
    """
    paid = {(entry.run, entry.round, entry.attempt) for entry in ledger.entries()}
    missing = [
        f"round {record.round} of {known.run}"
        for known in register.runs()
        for record in register.rounds(known.run)
        if (record.run, record.round, record.attempt) not in paid
    ]
    if missing:
        raise LedgerUnusableError(
            f"The ledger lacks {len(missing)} rounds that were answered, such as {missing[0]}.",
            "It was lost or replaced by an older copy: restore the newest one; until then this vault releases nothing.",
        )


def serve(home: NodeHome, *, console: Console) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        HanseError: If anything it needs is missing; nothing is served then.
    """
    # Nothing this process writes is for others, and no core dump of keys and rows is ever written.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    home.require_private()
    policy = load_policy(home.policy)
    lock = _lock(home)
    # The socket first: it tells whether another vault serves this folder, before anything is replaced.
    socket = VaultSocket(
        home.root / policy.node.socket, group=policy.node.courier_group, accounts=policy.node.courier_accounts
    )
    try:
        _serve_on(socket, home=home, policy=policy, console=console)
    finally:
        socket.close()
        os.close(lock)


def _report_budget(vault: Vault, *, console: Console) -> None:
    """Let officers see the budget of a new vault, too, and end here if its ledger is an older one.

    Raises:
        LedgerUnusableError: If it is.
    """
    try:
        vault.report_budget()
    except (ConsentUnavailableError, ConsentRefusedError, ConsentAnswerInvalidError) as error:
        console.print(
            f"The consent service was not told of the budget: {error.what} Before the first run it must be.",
            markup=False,
            soft_wrap=True,
        )


def _lock(home: NodeHome) -> int:
    """Hold the folder for this process alone, until it ends.

    Raises:
        NodeHomeError: If another vault serves it.
    """
    handle = os.open(home.ledger.with_name("vault.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise NodeHomeError(f"Another vault serves {home.root}.", "End it first: one folder has one vault.") from error
    return handle


def _serve_on(socket: VaultSocket, *, home: NodeHome, policy: Policy, console: Console) -> None:
    report = load_export(home, policy)
    vault = assemble(home, policy)
    _report_budget(vault, console=console)
    account = pwd.getpwuid(os.getuid()).pw_name
    if set(policy.node.courier_accounts) <= {account}:
        console.print(f"One account ({account}) for vault and courier: the boundary between them is NOT in force here.")
    console.print(
        f"{report.lines_read:,} lines read: {report.lines_used:,} used, {report.lines_outside_catalogue:,} outside the"
        f" catalogue, {report.lines_sensitive:,} sensitive, {report.lines_unknown_product:,} of unknown products,"
        f" {report.lines_without_customer:,} without a customer.\n"
        f"Vault of {policy.node.partner} is ready on {policy.node.socket}",
        soft_wrap=True,
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        socket.serve_forever(vault.handle)
    except KeyboardInterrupt:
        return
