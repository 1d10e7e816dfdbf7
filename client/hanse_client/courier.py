"""The courier's whole work: hand a sealed letter to the vault's socket and bring the reply back.

It imports no data library and reads no letter.
"""

import socket
from pathlib import Path

import msgspec

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.frames import receive_frame, send_frame
from hanse_privacy.protocol.letters import CourierReply


def carry(letter: bytes, *, socket_path: Path, timeout_s: float) -> bytes:
    """Carry one letter; return an encoded :class:`CourierReply`, which says so if no vault answered."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(socket_path))
            send_frame(connection, letter)
            return receive_frame(connection, timeout_s=timeout_s)
    except (OSError, HanseError) as error:
        kind = error.strerror or type(error).__name__ if isinstance(error, OSError) else error.code
        return msgspec.msgpack.encode(
            CourierReply(failure="VAULT_UNREACHABLE", explanation=f"The courier found no vault to answer ({kind}).")
        )
