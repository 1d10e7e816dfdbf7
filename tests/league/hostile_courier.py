"""A courier that wants more than to carry letters. Run under some account, it tells which attempts succeeded.

It imports nothing of Hanse: it is what a centre could ship as an app. Every attempt undoes what it did.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
_PIDFD_GETFD = 438  # the system call's number, the same on every architecture
_LIBC = ctypes.CDLL(None, use_errno=True)


def _require(result: int) -> None:
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")


def read(path: Path) -> None:
    with path.open("rb") as file:
        file.read(16)


def enter(folder: Path) -> None:
    list(folder.iterdir())


def read_link(path: Path) -> None:
    path.readlink()


def create_in(folder: Path) -> None:
    path = folder / "planted"
    path.write_text("planted")
    path.unlink()


def append_nothing_to(path: Path) -> None:
    with path.open("ab"):
        pass


def link_out(path: Path, outside: Path) -> None:
    os.link(path, outside)
    outside.unlink()


def move_away(path: Path) -> None:
    aside = path.with_name("aside")
    path.rename(aside)
    aside.rename(path)


def take_place_of(path: Path) -> None:
    """Put an own socket where the vault's is, as an impostor would."""
    own = path.with_name("impostor")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(own))
    own.unlink()
    move_away(path)


def change_mode_of(path: Path) -> None:
    path.chmod(path.stat().st_mode & 0o777)


def read_memory_of(pid: int) -> None:
    with Path(f"/proc/{pid}/maps").open() as maps:
        first = next(line for line in maps if " r" in line or "r-" in line)
    start = int(first.partition("-")[0], 16)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(start)
        if len(memory.read(16)) != 16:
            raise OSError("nothing read")


class _Buffer(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def read_memory_by_system_call(pid: int) -> None:
    taken = ctypes.create_string_buffer(16)
    own = _Buffer(ctypes.cast(taken, ctypes.c_void_p), 16)
    # Any address will do to be refused; a good one is needed only to succeed.
    try:
        with Path(f"/proc/{pid}/maps").open() as maps:
            start = int(maps.readline().partition("-")[0], 16)
    except OSError:
        start = 0x400000
    other = _Buffer(ctypes.c_void_p(start), 16)
    _require(_LIBC.process_vm_readv(pid, ctypes.byref(own), 1, ctypes.byref(other), 1, 0))


def attach_to(pid: int) -> None:
    _LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    _LIBC.ptrace.restype = ctypes.c_long
    _require(_LIBC.ptrace(_PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0)
    _require(_LIBC.ptrace(_PTRACE_DETACH, pid, None, None))


def steal_descriptor_of(pid: int) -> None:
    handle = os.pidfd_open(pid)
    try:
        taken = _LIBC.syscall(_PIDFD_GETFD, handle, 0, 0)
        _require(taken)
        os.close(taken)
    finally:
        os.close(handle)


def set_limit_of(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_CORE, resource.prlimit(pid, resource.RLIMIT_CORE))


def signal_to(pid: int) -> None:
    os.kill(pid, 0)


def attempts(home: Path, vault_socket: Path, pid: int, outside: Path) -> dict[str, Callable[[], None]]:
    """Everything that is tried, by name."""
    files = (
        "policy.toml",
        "contract.toml",
        "keys/node.key",
        "keys/pseudonym.key",
        "state/purchases.duckdb",
        "state/ledger.db",
        "state/runs.db",
        "export/bons.csv",
    )
    folders = (".", "keys", "state", "export")
    process = Path(f"/proc/{pid}")
    tried: dict[str, Callable[[], None]] = {}
    for name in files:
        tried[f"read {name}"] = lambda name=name: read(home / name)
        tried[f"write {name}"] = lambda name=name: append_nothing_to(home / name)
        tried[f"link {name}"] = lambda name=name: link_out(home / name, outside / "linked")
    for name in folders:
        tried[f"list {name}"] = lambda name=name: enter(home / name)
        tried[f"create in {name}"] = lambda name=name: create_in(home / name)
    tried["create beside the socket"] = lambda: create_in(vault_socket.parent)
    tried["move the socket away"] = lambda: move_away(vault_socket)
    tried["take the socket's place"] = lambda: take_place_of(vault_socket)
    tried["open the socket to all"] = lambda: change_mode_of(vault_socket)
    for name in ("environ", "maps", "auxv"):
        tried[f"read /proc/PID/{name}"] = lambda name=name: read(process / name)
    for name in ("fd", "map_files"):
        tried[f"list /proc/PID/{name}"] = lambda name=name: enter(process / name)
    tried["follow /proc/PID/cwd"] = lambda: read_link(process / "cwd")
    tried["follow /proc/PID/root"] = lambda: enter(process / "root" / home.relative_to("/"))
    tried["follow /proc/PID/fd/2"] = lambda: append_nothing_to(process / "fd" / "2")
    tried["read memory"] = lambda: read_memory_of(pid)
    tried["read memory by system call"] = lambda: read_memory_by_system_call(pid)
    tried["attach a debugger"] = lambda: attach_to(pid)
    tried["steal a descriptor"] = lambda: steal_descriptor_of(pid)
    tried["set limits"] = lambda: set_limit_of(pid)
    tried["send signals"] = lambda: signal_to(pid)
    return tried


def outcome(attempt: Callable[[], None]) -> str:
    """``done``, or the refusal's name."""
    try:
        attempt()
    except OSError as error:
        return type(error).__name__ if error.errno is None else os.strerror(error.errno)
    return "done"


def say(vault_socket: Path, frame: bytes) -> str:
    """Send one frame; return the reply in hexadecimal, ``hung up``, or why there was no connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        try:
            connection.connect(str(vault_socket))
        except OSError as error:
            return os.strerror(error.errno or 0)
        try:
            connection.sendall(struct.pack("!I", len(frame)) + frame)
            received = b""
            while part := connection.recv(65536):
                received += part
        except (BrokenPipeError, ConnectionResetError):
            return "hung up"
        return received[4:].hex() if received else "hung up"


def main() -> None:
    """Read what to do from standard input, as JSON; print what came of it."""
    task = json.load(sys.stdin)
    signal.alarm(60)
    vault_socket = Path(task["socket"])
    told: dict[str, object] = {"user": os.getuid()}
    if "home" in task:
        everything = attempts(Path(task["home"]), vault_socket, task["pid"], Path(task["outside"]))
        told["attempts"] = {name: outcome(attempt) for name, attempt in everything.items()}
    told["replies"] = [say(vault_socket, bytes.fromhex(frame)) for frame in task.get("frames", [])]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
