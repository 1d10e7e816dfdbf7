"""The environment that every process Hanse starts is given: nothing reports, nothing installs itself."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Telemetry, update checks and run-time installation of Flower and Ray, all off."""

_FLOWER_POLL_S = "0.2"
"""How often Flower's executors look for work; its own default of a second adds up over rounds."""


def child_environment(*, flower_home: Path | None = None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child process.

    Args:
        flower_home: Where Flower keeps its files, for processes that run it.
        more: Further variables.
    """
    # Flower starts its other programs by name: those of this very installation come first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, **QUIET, "PATH": path}
    if flower_home is not None:
        environment |= {"FLWR_HOME": str(flower_home.resolve()), "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": _FLOWER_POLL_S}
    return environment | dict(more or {})
