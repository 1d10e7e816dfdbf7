"""Whether an address can be listened on, asked before a program is started that would say it less clearly."""

import socket

from hanse_privacy.errors import HanseError


class PortTakenError(HanseError):
    """Another program listens there already, or the address is not this machine's."""

    code = "PORT_TAKEN"
    exit_code = 2


def require_free(host: str, port: int, *, what: str) -> None:
    """Raise unless ``host`` and ``port`` can be listened on now.

    Args:
        host: An address of this machine, such as ``127.0.0.1``.
        port: The port.
        what: Who wants it, for the error.

    Raises:
        PortTakenError: If it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do, so that a port whose last connection has just closed counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTakenError(
                f"{what} cannot listen on {host}:{port} ({error.strerror}).",
                "End the program that listens there, or choose another port.",
            ) from error
