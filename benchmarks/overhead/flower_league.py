"""The other side: the same training step on bare Flower, one SuperLink and one SuperNode per partner."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hanse_demo.processes import Child, ProcessGroup
from hanse_privacy.process_environment import child_environment
from overhead.observations import RunObserved, Side
from overhead.processor_time import MessageCosts

APP_FOLDER = Path(__file__).resolve().parents[1] / "bare_flower"
_POLL_VARIABLE = "FLWR_SUPEREXEC_TASK_POLL_INTERVAL"
_READY_TIMEOUT_S = 90.0
_RUN_TIMEOUT_S = 240.0
_SETTINGS = {
    Side.FLOWER: ("torch", "flower"),
    Side.FLOWER_NUMPY: ("numpy", "flower"),
    Side.FLOWER_NUMPY_SHORT_POLL: ("numpy", "short"),
    Side.FLOWER_DEFAULT_POLL: ("torch", "flower"),
}


@dataclass(frozen=True, kw_only=True)
class FlowerLeague:
    """A SuperLink and SuperNodes that are up."""

    root: Path
    environment: Mapping[str, str]
    group: ProcessGroup
    nodes: int

    def take_run(self, side: Side, *, repeat: int, rounds: int) -> RunObserved:
        """Submit the app once and wait for its last round."""
        trainer, replies = _SETTINGS[side]
        journal = self.root / f"{side}.ndjson"
        settings = f'trainer="{trainer}" replies="{replies}" nodes={self.nodes} rounds={rounds} journal="{journal}"'
        load_average = os.getloadavg()[0]
        with MessageCosts() as costs:
            submitting = self.group.start_command(
                f"submit-{side}",
                [_program("flwr"), "run", str(APP_FOLDER), "bench", "--run-config", settings],
                environment=self.environment,
            )
            if submitting.process.wait(timeout=_READY_TIMEOUT_S) != 0:
                raise SystemExit(f"Flower did not take the run: {submitting.last_words()}")
            round_s = self._follow(journal)
        return RunObserved(
            side=side,
            repeat=repeat,
            load_average_before=load_average,
            round_s=round_s,
            message_cpu_s=tuple(message.cpu_s for message in costs.messages),
            message_wall_s=tuple(message.wall_s for message in costs.messages),
            messages_not_seen_ending=costs.not_seen_ending,
            vaults_cpu_s=0.0,
        )

    def _follow(self, journal: Path) -> tuple[float, ...]:
        limit = time.monotonic() + _RUN_TIMEOUT_S
        while time.monotonic() < limit:
            self.group.require_all_running()
            text = journal.read_text(encoding="utf-8") if journal.exists() else ""
            events = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
            if events and events[-1]["event"] == "finished":
                return tuple(float(event["seconds"]) for event in events[:-1])
            time.sleep(0.2)
        raise SystemExit(f"The run on bare Flower did not finish; its logs are in {self.group.logs}.")


@contextmanager
def flower_league(root: Path, features: Mapping[str, Path], *, default_poll: bool) -> Iterator[FlowerLeague]:
    """Start Flower's own programs with the flags that Hanse gives them; end them all at the end.

    Args:
        root: A new folder for Flower's files and logs.
        features: By node, the prepared customers.
        default_poll: Leave Flower's own interval at which executors look for work, instead of Hanse's.
    """
    root.mkdir(parents=True)
    superlink_port, *node_ports = _free_ports(1 + len(features))
    superlink = f"127.0.0.1:{superlink_port}"
    environment = _environment(root / "flower", default_poll=default_poll)
    (root / "flower").mkdir()
    (root / "flower" / "config.toml").write_text(
        f'[superlink]\ndefault = "bench"\n\n[superlink.bench]\naddress = "{superlink}"\ninsecure = true\n',
        encoding="utf-8",
    )
    with ProcessGroup(logs=root / "logs") as group:
        link = group.start(
            "superlink",
            [
                *(_program("flower-superlink"), "--insecure", "--host", "127.0.0.1", "--port", str(superlink_port)),
                *("--database", str(root / "flower" / "superlink.db"), "--disable-runtime-dependency-installation"),
            ],
            environment=environment,
        )
        _wait_for_port(link, superlink_port)
        for (name, prepared), port in zip(features.items(), node_ports, strict=True):
            group.start(
                f"supernode-{name}",
                [
                    *(_program("flower-supernode"), "--insecure", "--superlink", superlink, "--host", "127.0.0.1"),
                    *("--port", str(port), "--node-config", f'features="{prepared}"'),
                ],
                environment=_environment(root / f"node-{name}", default_poll=default_poll),
            )
        yield FlowerLeague(root=root, environment=environment, group=group, nodes=len(features))


def _environment(flower_home: Path, *, default_poll: bool) -> dict[str, str]:
    environment = child_environment(flower_home=flower_home)
    if default_poll:
        del environment[_POLL_VARIABLE]
    return environment


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _wait_for_port(child: Child, port: int) -> None:
    limit = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < limit:
        child.require_running()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{child.name} was not ready in time: {child.last_words()}")
