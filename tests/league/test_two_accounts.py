"""Vault and courier under two accounts of the operating system: what the courier's account can and cannot do.

The same hostile program runs under the courier's account, where everything but a sealed letter fails,
and under the vault's own, where everything succeeds: so the tests can fail.
"""

import json
import os
import pickle
import platform
import pwd
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanse_client.vault.run_register import RunRegister
from hanse_demo.memory_league import consent_service, have_approved
from hanse_demo.officers import ScriptedOfficers
from hanse_demo.workshop import Workshop, lay_out
from hanse_privacy.identity import SigningKey
from hanse_privacy.process_environment import child_environment
from hanse_privacy.protocol.letters import (
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    Outcome,
    decode,
    open_answer,
    seal,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.submission import propose

pytestmark = pytest.mark.accounts

SOURCE = Path(__file__).parents[2] / "examples" / "own_data"
HOSTILE = Path(__file__).with_name("hostile_courier.py")
READY_TIMEOUT_S = 60.0
DEBUGGING = {"attach a debugger", "read memory", "read memory by system call", "steal a descriptor"}
"""What the kernel (Yama) may refuse even between processes of one account."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account that exists for these tests only."""

    name: str
    user: int
    groups: tuple[int, ...]
    passage: tuple[str, ...]
    """What every command under this account is started through."""

    def command(self, *command: str) -> list[str]:
        groups = ",".join(str(number) for number in self.groups)
        return [*self.passage, str(self.user), str(self.groups[0]), groups, *command]

    def run(self, *command: str, task: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Run a program under this account, from ``folder``; return what it printed."""
        done = subprocess.run(
            self.command(*command),
            input=json.dumps(task),
            cwd=folder,
            env={"PATH": os.defpath, "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["user"] == self.user
        return told


@dataclass(frozen=True, kw_only=True)
class House:
    """A vault that is up under its own account, and those who stand around it."""

    workshop: Workshop
    officers: ScriptedOfficers
    public: Path
    """A folder that every account may read."""
    socket: Path
    pid: int
    vault: Account
    courier: Account
    outsider: Account
    """In the socket's group, but not among the courier's accounts."""
    stranger: Account

    @property
    def home(self) -> Path:
        return self.workshop.node("north").root

    def attack(self, account: Account, *, outside: Path) -> dict[str, str]:
        task = {"home": str(self.home), "socket": str(self.socket), "pid": self.pid, "outside": str(outside)}
        hostile = str(self.public / HOSTILE.name)
        found: dict[str, str] = account.run(sys.executable, hostile, task=task, folder=self.public)["attempts"]
        assert len(found) > 40
        return found

    def say(self, account: Account, *frames: bytes) -> list[str]:
        task = {"socket": str(self.socket), "frames": [frame.hex() for frame in frames]}
        replies: list[str] = account.run(
            sys.executable, str(self.public / HOSTILE.name), task=task, folder=self.public
        )["replies"]
        return replies

    def admission(self, proposal: RunProposal, *, key: SigningKey | None = None) -> bytes:
        centre = key or SigningKey.load(self.workshop.league.signing_key)
        parameters = msgspec.msgpack.encode(
            AdmitParameters(signed_proposal=proposal.sign(centre), ledger_statement=b"")
        )
        return seal(
            Instruction(
                protocol=2,
                run=proposal.run,
                proposal=proposal.digest,
                round=0,
                attempt=0,
                session_keys=[],
                operation="admit",
                operation_version=1,
                sender="centre",
                recipient="north",
                nonce=secrets.token_bytes(16),
                sent_at=datetime.now(tz=UTC),
                parameters=msgspec.Raw(parameters),
            ),
            key=centre,
        )

    def proposal(self) -> RunProposal:
        proposal = propose(self.workshop.league, self.workshop.root / "proposals" / "churn.toml")
        have_approved(self.workshop, self.officers, proposal)
        return proposal

    def log(self) -> str:
        return (self.public.parent / "vault.log").read_text()

    def opened(self, reply: str, letter: bytes) -> Answer:
        received = decode(bytes.fromhex(reply), CourierReply)
        key = SigningKey.load(self.workshop.node("north").signing_key).public
        return open_answer(received.answer, key=key, instruction_letter=letter)


def _administer(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def _group(name: str) -> Iterator[None]:
    _administer("groupadd", "--system", name)
    try:
        yield
    finally:
        _administer("groupdel", name)


@contextmanager
def _account(name: str, *, group: str | None, passage: tuple[str, ...]) -> Iterator[Account]:
    members = ["--groups", group] if group else []
    _administer(
        "useradd", "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", *members, name
    )
    try:
        entry = pwd.getpwnam(name)
        groups = (entry.pw_gid, *(number for number in os.getgrouplist(name, entry.pw_gid) if number != entry.pw_gid))
        yield Account(name=name, user=entry.pw_uid, groups=groups, passage=passage)
    finally:
        _administer("userdel", name)


def _require_possible() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        pytest.skip("two accounts can be made by root on Linux only")
    if not all(shutil.which(tool) for tool in ("useradd", "userdel", "groupadd", "groupdel", "setpriv", "unshare")):
        pytest.skip("useradd, setpriv or unshare is not installed")


def _barrier(path: Path) -> Path | None:
    """The first folder on the way to ``path`` that other accounts cannot pass."""
    return next((above for above in reversed(path.parents) if not above.stat().st_mode & stat.S_IXOTH), None)


def _passage(folder: Path) -> tuple[str, ...]:
    """The words that start a command under another account, where that account can reach Python and Hanse.

    Both may be installed under a closed folder (root's own, say). No mode is changed for that: in a mount
    namespace of its own the command sees an open folder in that place, with nothing in it but what it needs.
    """
    wanted = {Path(sys.base_prefix), Path(sys.prefix), *(Path(entry) for entry in sys.path if entry)}
    needed = sorted(path for path in wanted if path.is_dir() and _barrier(path))
    # A folder inside another one comes with it.
    needed = [path for path in needed if not any(other in path.parents for other in needed)]
    kept = folder / "kept"
    lines = ["set -e"]
    for number, path in enumerate(needed):
        (kept / str(number)).mkdir(parents=True)
        lines.append(f"mount --bind {shlex.quote(str(path))} {kept}/{number}")
    for barrier in sorted({str(_barrier(path)) for path in needed}):
        lines.append(f"mount -t tmpfs -o mode=0755 tmpfs {shlex.quote(barrier)}")
    for number, path in enumerate(needed):
        lines.append(f"mkdir -p {shlex.quote(str(path))}; mount --bind {kept}/{number} {shlex.quote(str(path))}")
    lines.append("user=$1; group=$2; groups=$3; shift 3")
    lines.append('exec setpriv "--reuid=$user" "--regid=$group" "--groups=$groups" "$@"')
    script = folder / "passage.sh"
    script.write_text("\n".join(lines) + "\n")
    own_mounts = ("unshare", "--mount", "--propagation", "private") if needed else ()
    return (*own_mounts, "/bin/sh", str(script))


def _require_reachable(account: Account) -> None:
    done = subprocess.run(
        account.command(sys.executable, "-c", "import hanse_client.vault.process"),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()[-1:]
        pytest.skip(f"other accounts cannot reach the installation of Hanse, and no mount helps: {words}")


def _give(folder: Path, account: Account) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.user, account.groups[0])


def _settle(workshop: Workshop, *, socket: Path, group: str, courier: Account, vault: Account) -> None:
    """What an owner does once: the socket's group, the courier's account, everything else closed."""
    policy = workshop.node("north").policy
    text = policy.read_text(encoding="utf-8")
    old = f'socket = "{workshop.socket_of("north")}"'
    assert old in text
    policy.write_text(
        text.replace(
            old, f'socket = "{socket}"\ncourier_group = "{group}"\ncourier_accounts = ["{courier.name}"]'
        ).replace("ask_a_person = false", "ask_a_person = true"),
        encoding="utf-8",
    )
    _give(workshop.node("north").root, vault)
    # The league's catalogue is public; all else under the demo's folder is passed through only.
    for folder in (workshop.root, workshop.root / "league", workshop.root / "partners"):
        folder.chmod(0o711)
    for path in (workshop.league.root / "catalogue").rglob("*"):
        path.chmod(0o644)
    (workshop.league.root / "catalogue").chmod(0o755)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Four accounts, a vault under the first; all gone afterwards."""
    _require_possible()
    tail = secrets.token_hex(3)
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hanse-accounts-", dir="/tmp")))
        base.chmod(0o711)
        passage = _passage(base)
        group = f"hanse-post-{tail}"
        stack.enter_context(_group(group))
        vault = stack.enter_context(_account(f"hanse-vault-{tail}", group=group, passage=passage))
        courier = stack.enter_context(_account(f"hanse-courier-{tail}", group=group, passage=passage))
        outsider = stack.enter_context(_account(f"hanse-outsider-{tail}", group=group, passage=passage))
        stranger = stack.enter_context(_account(f"hanse-stranger-{tail}", group=None, passage=passage))
        _require_reachable(vault)
        public = base / "public"
        _hostile_app(public)
        post = base / "post"
        post.mkdir()
        post.chmod(0o750)
        os.chown(post, vault.user, vault.groups[1])
        workshop = stack.enter_context(lay_out(SOURCE, base / "demo"))
        _settle(workshop, socket=post / "north.sock", group=group, courier=courier, vault=vault)
        stack.enter_context(consent_service(workshop))
        process = stack.enter_context(_vault_process(workshop, vault, public=public, log=base / "vault.log"))
        yield House(
            workshop=workshop,
            officers=ScriptedOfficers(workshop),
            public=public,
            socket=post / "north.sock",
            pid=process.pid,
            vault=vault,
            courier=courier,
            outsider=outsider,
            stranger=stranger,
        )
        assert process.poll() is None, "the vault did not survive the attacks"
        assert "Traceback" not in (base / "vault.log").read_text()


@contextmanager
def _vault_process(workshop: Workshop, vault: Account, *, public: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    hanse = str(Path(sys.executable).parent / "hanse")
    with log.open("wb") as output:
        os.chown(log, vault.user, vault.groups[0])
        process = subprocess.Popen(
            vault.command(hanse, "node", "serve", "--home", str(workshop.node("north").root)),
            env=child_environment(more={"HOME": "/nonexistent"}),
            # Started from the hostile app's own folder: nothing there is imported.
            cwd=public,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        limit = time.monotonic() + READY_TIMEOUT_S
        while "is ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


SHADOW = """
import json, os, runpy, sys
# This runs instead of the installed package: all that a shipped app can do is done from here.
runpy.run_path({hostile!r}, run_name="__main__")
sys.stdout.flush()
os._exit(0)
"""


def _hostile_app(folder: Path) -> None:
    """A folder as a centre could ship it: modules of its own under the names of ours."""
    (folder / "hanse_client").mkdir(parents=True)
    hostile = folder / HOSTILE.name
    shutil.copy(HOSTILE, hostile)
    shadow = SHADOW.format(hostile=str(hostile))
    for name in ("hanse_client/__init__.py", "torch.py", "duckdb.py", "sitecustomize.py"):
        (folder / name).write_text(shadow)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def yama_forbids_debugging() -> bool:
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return scope.exists() and scope.read_text().strip() != "0"


@pytest.fixture
def outside(house: House) -> Iterator[Path]:
    """A folder on the same file system that anybody may write to."""
    with tempfile.TemporaryDirectory(dir=house.public.parent) as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_the_couriers_account_can_do_nothing(house: House, outside: Path) -> None:
    found = house.attack(house.courier, outside=outside)
    assert {name: how for name, how in found.items() if how == "done"} == {}
    # Refused for want of a right, not because the attempt was made at the wrong place.
    assert set(found.values()) <= {"Permission denied", "Operation not permitted"}


@pytest.mark.parametrize("who", ["outsider", "stranger"])
def test_other_accounts_can_do_nothing_either(house: House, outside: Path, who: str) -> None:
    found = house.attack(getattr(house, who), outside=outside)
    assert set(found.values()) <= {"Permission denied", "Operation not permitted"}


def test_under_the_vaults_own_account_the_same_program_succeeds(house: House, outside: Path) -> None:
    found = house.attack(house.vault, outside=outside)
    failed = {name: how for name, how in found.items() if how != "done"}
    assert set(failed) <= (DEBUGGING if yama_forbids_debugging() else set()), failed


def test_the_courier_delivers_sealed_letters(house: House) -> None:
    proposal = house.proposal()
    letter = house.admission(proposal)
    (reply,) = house.say(house.courier, letter)
    answer = house.opened(reply, letter)
    # The policy asks a person: the one thing that a courier cannot be.
    assert (answer.outcome, answer.reason) == (Outcome.WAITING, "WAITING_FOR_APPROVAL")


class _Planted:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_the_courier_can_make_the_vault_do_nothing_but_answer_letters(house: House, outside: Path) -> None:
    proposal = house.proposal()
    letter = house.admission(proposal)
    forged = house.admission(proposal, key=SigningKey.generate())
    altered = bytearray(letter)
    altered[len(altered) // 2] ^= 1
    planted = outside / "planted"
    frames = [
        b"",
        b"approve " + proposal.run.encode(),
        json.dumps({"operation": "approve", "run": proposal.run}).encode(),
        pickle.dumps(_Planted(planted)),
        b"GET /state/purchases.duckdb HTTP/1.1\r\n\r\n",
        str(house.home / "keys" / "node.key").encode(),
        forged,
        bytes(altered),
    ]
    replies = [decode(bytes.fromhex(reply), CourierReply) for reply in house.say(house.courier, *frames)]
    assert [reply.answer for reply in replies] == [b""] * len(frames)
    assert {reply.failure for reply in replies} <= {"LETTER_MALFORMED", "SIGNATURE_INVALID"}
    assert not planted.exists()
    assert RunRegister(house.workshop.node("north").runs).find(proposal.run) is None


def test_an_account_outside_the_group_cannot_connect(house: House) -> None:
    letter = house.admission(house.proposal())
    assert house.say(house.stranger, letter) == ["Permission denied"]


def test_an_account_in_the_group_but_not_named_is_hung_up_on(house: House) -> None:
    # The group lets it connect; the kernel tells the vault who it is.
    proposal = house.proposal()
    letter = house.admission(proposal)
    assert house.say(house.outsider, letter, b"") == ["hung up", "hung up"]
    assert RunRegister(house.workshop.node("north").runs).find(proposal.run) is None
    assert f"connection from account {house.outsider.user} refused" in house.log()
    # It did not use the letter up, either.
    (reply,) = house.say(house.courier, letter)
    assert house.opened(reply, letter).outcome is Outcome.WAITING


@pytest.mark.parametrize("module", ["hanse_client.courier", "torch"])
def test_an_app_that_shadows_our_modules_gains_nothing(house: House, outside: Path, module: str) -> None:
    # Flower puts the shipped app's folder first on the import path of the process that runs it.
    start = f"import sys; sys.path.insert(0, {str(house.public)!r}); import {module}; sys.exit(3)"
    letter = house.admission(house.proposal())
    task = {
        "home": str(house.home),
        "socket": str(house.socket),
        "pid": house.pid,
        "outside": str(outside),
        "frames": [letter.hex()],
    }
    told = house.courier.run(sys.executable, "-c", start, task=task, folder=house.public)
    # The shadow did run, and all it could do is a courier's work.
    assert set(told["attempts"].values()) <= {"Permission denied", "Operation not permitted"}
    assert house.opened(told["replies"][0], letter).outcome is Outcome.WAITING


def test_the_boundary_is_in_force_and_modes_are_those_documented(house: House) -> None:
    assert house.socket.stat().st_mode & 0o777 == 0o660
    assert house.socket.stat().st_uid == house.vault.user
    for folder in (house.home, house.home / "keys", house.home / "state"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert "NOT in force" not in house.log()
