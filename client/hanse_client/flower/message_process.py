"""Stands in for Flower's ``flwr-clientapp``, the program that its SuperExec starts for every message.

Flower's own imports the SuperNode's program beside the one it needs, and with it SQLAlchemy, Alembic and
FastAPI: two fifths of the processor time that a message costs a courier. This one leaves that module out
and then runs Flower's own function, arguments and all. Should a later Flower no longer import it, nothing
changes; should it need it, the message fails and the SuperNode says so.
"""

import sys
from types import ModuleType

_NOT_NEEDED = "flwr.supernode.cli.flower_supernode"


def main() -> None:
    """Run Flower's ``flwr-clientapp`` without the module that a message does not need."""
    placeholder = ModuleType(_NOT_NEEDED)
    placeholder.__dict__["flower_supernode"] = None
    sys.modules[_NOT_NEEDED] = placeholder
    from flwr.supernode.cli import flwr_clientapp  # noqa: PLC0415 - only after the placeholder is in place

    flwr_clientapp()


if __name__ == "__main__":
    main()
