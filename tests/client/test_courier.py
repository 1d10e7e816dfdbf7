"""The courier: what its process imports, and what it says when no vault answers."""

import ast
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hanse_client.courier import carry
from hanse_privacy.protocol.frames import receive_frame, send_frame
from hanse_privacy.protocol.letters import CourierReply, decode

FORBIDDEN = {
    "torch",
    "pandas",
    "duckdb",
    "ibis",
    "pyarrow",
    "scipy",
    "sklearn",
    "dp_accounting",
    "ray",
    "hanse_models",
    "hanse_consent",
    "hanse_server",
}


def modules_after(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(sorted(sys.modules))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {name.partition(".")[0] for name in ast.literal_eval(done.stdout.strip().splitlines()[-1])}


def test_the_couriers_process_imports_no_data_library() -> None:
    loaded = modules_after("import hanse_client.flower.client_app")
    assert {"hanse_client", "hanse_privacy", "flwr"} <= loaded
    assert loaded & FORBIDDEN == set()


def test_the_check_above_can_fail() -> None:
    assert modules_after("import hanse_client.flower.client_app, hanse_client.vault.purchase_store") & FORBIDDEN >= {
        "hanse_models",
        "duckdb",
    }


Vault = Callable[[socket.socket], None]


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Vault], Path]]:
    """Put something at a socket's other end that answers one connection."""
    listeners: list[socket.socket] = []

    def at_a_socket(answer: Vault) -> Path:
        path = tmp_path_factory.mktemp("s") / "v.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen()
        listeners.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        threading.Thread(target=run, daemon=True).start()
        return path

    yield at_a_socket
    for listener in listeners:
        listener.close()


def test_bytes_go_through_unchanged(serve: Callable[[Vault], Path]) -> None:
    letter = bytes(range(256)) * 5000
    path = serve(lambda connection: send_frame(connection, receive_frame(connection, timeout_s=5)[::-1]))
    assert carry(letter, socket_path=path, timeout_s=5) == letter[::-1]


def failure_of(reply: bytes) -> str:
    received = decode(reply, CourierReply)
    assert received.answer == b""
    assert received.explanation
    return received.failure


def test_no_vault_is_said_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none.sock", tmp_path / "file", tmp_path, Path("/x" * 200), Path()):
        assert failure_of(carry(b"letter", socket_path=path, timeout_s=1)) == "VAULT_UNREACHABLE"


@pytest.mark.parametrize("data", [b"", b"\x00\x00", struct.pack("!I", 9) + b"short", b"\xff\xff\xff\xff"])
def test_a_broken_answer_is_said_and_not_raised(serve: Callable[[Vault], Path], data: bytes) -> None:
    path = serve(lambda connection: connection.sendall(data))
    assert failure_of(carry(b"letter", socket_path=path, timeout_s=5)) == "VAULT_UNREACHABLE"


@pytest.mark.parametrize("drip", [False, True])
def test_the_wait_is_bounded_for_a_silent_and_for_a_dripping_vault(serve: Callable[[Vault], Path], drip: bool) -> None:
    ended = threading.Event()

    def slow(connection: socket.socket) -> None:
        connection.sendall(struct.pack("!I", 1000))
        while not ended.wait(0.05):
            if drip:
                try:
                    connection.sendall(b"\x00")
                except OSError:
                    return

    path = serve(slow)
    started = time.monotonic()
    assert failure_of(carry(b"letter", socket_path=path, timeout_s=0.4)) == "VAULT_UNREACHABLE"
    assert time.monotonic() - started < 2
    ended.set()
