"""How courier and vault talk over a local socket: one frame each way, a length and then bytes."""

import socket
import struct
import time

from hanse_privacy.errors import HanseError

_HEAD = struct.Struct("!I")
MAXIMUM_FRAME_BYTES = 64 * 1024 * 1024 + 4096


class FrameError(HanseError):
    """The other side of the socket closed early or sent a frame that is too large."""

    code = "FRAME_INVALID"


def send_frame(connection: socket.socket, data: bytes) -> None:
    """Send one frame."""
    connection.sendall(_HEAD.pack(len(data)) + data)


def receive_frame(connection: socket.socket, *, timeout_s: float) -> bytes:
    """Receive one frame.

    Args:
        connection: A connected socket; its own timeout is changed.
        timeout_s: Seconds for the whole frame, however slowly the other side drips.

    Raises:
        FrameError: If it is cut short, too slow or longer than ``MAXIMUM_FRAME_BYTES``.
    """
    limit = time.monotonic() + timeout_s
    (length,) = _HEAD.unpack(_receive(connection, _HEAD.size, limit=limit))
    if length > MAXIMUM_FRAME_BYTES:
        raise FrameError(f"A frame announces {length} bytes.", f"At most {MAXIMUM_FRAME_BYTES} are accepted.")
    return _receive(connection, length, limit=limit)


def _receive(connection: socket.socket, length: int, *, limit: float) -> bytes:
    parts, missing = [], length
    while missing:
        left_s = limit - time.monotonic()
        if left_s <= 0:
            raise FrameError("A frame did not arrive in time.", "Look at the other side; it is too slow or has hung.")
        connection.settimeout(left_s)
        try:
            part = connection.recv(min(missing, 1 << 20))
        except TimeoutError:
            continue
        if not part:
            raise FrameError("The other side closed the socket early.", "Look whether the vault is running.")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
