"""How courier and vault talk over a local socket: one frame each way, a length and then bytes."""

import socket
import struct

from hanse_privacy.errors import HanseError

_HEAD = struct.Struct("!I")
MAXIMUM_FRAME_BYTES = 64 * 1024 * 1024 + 4096


class FrameError(HanseError):
    """The other side of the socket closed early or sent a frame that is too large."""

    code = "FRAME_INVALID"


def send_frame(connection: socket.socket, data: bytes) -> None:
    """Send one frame."""
    connection.sendall(_HEAD.pack(len(data)) + data)


def receive_frame(connection: socket.socket) -> bytes:
    """Receive one frame.

    Raises:
        FrameError: If it is cut short or longer than ``MAXIMUM_FRAME_BYTES``.
    """
    (length,) = _HEAD.unpack(_receive(connection, _HEAD.size))
    if length > MAXIMUM_FRAME_BYTES:
        raise FrameError(f"A frame announces {length} bytes.", f"At most {MAXIMUM_FRAME_BYTES} are accepted.")
    return _receive(connection, length)


def _receive(connection: socket.socket, length: int) -> bytes:
    parts, missing = [], length
    while missing:
        part = connection.recv(min(missing, 1 << 20))
        if not part:
            raise FrameError("The other side closed the socket early.", "Look whether the vault is running.")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
