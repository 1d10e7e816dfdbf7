"""The vault's socket: who may connect, and one frame each way.

The kernel says which account is at the other end (SO_PEERCRED); a courier under another account can
hand over letters and do nothing else.
"""

import contextlib
import grp
import logging
import os
import pwd
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.frames import receive_frame, send_frame

_log = logging.getLogger(__name__)
_PEER_CREDENTIALS = struct.Struct("3i")
_LETTER_TIMEOUT_S = 5.0
"""For a whole letter: connections are served one after another, so this is how long one can keep the next waiting."""
_ANSWER_TIMEOUT_S = 20.0
_PAUSE_S = 0.2
_LONGEST_SOCKET_PATH = 107  # sun_path in unix(7), less the closing zero


class SocketError(HanseError):
    """The socket cannot be made: path too long, in use, or an account or group that does not exist."""

    code = "VAULT_SOCKET"
    exit_code = 2


class VaultSocket:
    """Listens for couriers and passes each frame to ``handle``.

    Args:
        path: The socket's path, at most 107 bytes.
        group: Group that owns the socket (mode 0660); none means this account alone (mode 0600).
        accounts: Accounts whose processes are served; empty means this account alone.
    """

    def __init__(self, path: Path, *, group: str | None, accounts: tuple[str, ...]) -> None:
        self._path = path
        self._closed = False
        self._allowed = {os.getuid(), *(_account_id(name) for name in accounts)} if accounts else {os.getuid()}
        group_id = _group_id(group) if group is not None else None
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
            raise SocketError(
                f"The socket's path has {len(os.fsencode(path))} bytes.",
                f"The system allows {_LONGEST_SOCKET_PATH}: set a shorter node.socket in policy.toml.",
            )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._remove_stale()
            previous = os.umask(0o177)
            try:
                self._socket.bind(os.fspath(path))
            finally:
                os.umask(previous)
            if group_id is not None:
                os.chown(path, -1, group_id)
                path.chmod(0o660)
            self._socket.listen(16)
        except OSError as error:
            self._socket.close()
            raise SocketError(
                f"The socket {path} cannot be made ({error.strerror}).",
                "Is another vault running, does its folder exist, and is this account in the group?",
            ) from error

    def _remove_stale(self) -> None:
        """Remove a socket that nobody listens on; leave one in use alone (bind then fails)."""
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            probe.connect(os.fspath(self._path))
        except ConnectionRefusedError:
            self._path.unlink(missing_ok=True)
        except OSError:
            # Nothing there, or no socket: bind decides.
            return
        finally:
            probe.close()

    def serve_forever(self, handle: Callable[[bytes], bytes]) -> None:
        """Serve until :meth:`close` is called or the process is told to stop."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if self._closed:
                    return
                # Out of file handles, or a connection broken off meanwhile: the vault stays up.
                _log.warning("a connection was not accepted: %s", error.strerror)
                time.sleep(_PAUSE_S)
                continue
            with connection:
                self._serve_one(connection, handle)

    def _serve_one(self, connection: socket.socket, handle: Callable[[bytes], bytes]) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        _, user, _ = _PEER_CREDENTIALS.unpack(credentials)
        if user not in self._allowed:
            _log.warning("connection from account %d refused", user)
            return
        try:
            answer = handle(receive_frame(connection, timeout_s=_LETTER_TIMEOUT_S))
            connection.settimeout(_ANSWER_TIMEOUT_S)
            send_frame(connection, answer)
        except (OSError, HanseError) as error:
            _log.warning("courier went away: %s", type(error).__name__)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._closed = True
        with contextlib.suppress(OSError):
            # Wakes a thread that waits for the next connection.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _account_id(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        raise SocketError(
            f"The courier's account {name!r} does not exist.", "Create it, or mend node.courier_accounts."
        ) from error


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise SocketError(f"The group {name!r} does not exist.", "Create it, or mend node.courier_group.") from error
