"""A Flower grid inside one process: the same messages and the same ClientApp, without a network.

For tests and benchmarks. It replaces the transport only: the ServerApp, the letters, the couriers'
code and the vaults are those of a deployment.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from hanse_server.running import RUN_SETTING

ClientCallable = Callable[[Message, Context], Message]
_TASK_ID = 1
_RUN_ID = 1
_CENTRE_NODE = 1
_CODE_CLIENT_FAILED = 1


class MemoryGrid(Grid):
    """Delivers messages to ClientApps in this process.

    Args:
        client: The ClientApp that every node runs.
        node_configurations: For each node number, what a SuperNode would be given as ``--node-config``.
    """

    def __init__(self, client: ClientCallable, node_configurations: Mapping[int, Mapping[str, str]]) -> None:
        self._client = client
        self._nodes = dict(node_configurations)
        self._replies: dict[str, Message] = {}
        # Flower makes messages only inside a task of its own: this process plays one.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = _TASK_ID, _RUN_ID, _CENTRE_NODE
        self.delivered: list[Message] = []
        """Every message that went out, in order, for tests to look at."""

    def conduct(self, server: ServerApp, *, run: str) -> None:
        """Call a ServerApp as Flower would for one run."""
        context = Context(
            run_id=_RUN_ID,
            node_id=_CENTRE_NODE,
            node_config={},
            state=RecordDict(),
            run_config={RUN_SETTING: run},
        )
        server(self, context)

    def set_run(self, run: Run) -> None:
        """Not used in one process."""

    @property
    def run(self) -> Run:
        """Not used in one process."""
        return Run.create_empty(_RUN_ID)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """Create a message as Flower's own grids do."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Run each node's ClientApp on its message, all nodes at once, and keep the replies."""
        outgoing = list(messages)
        identifiers = [secrets.token_hex(16) for _ in outgoing]
        for message, identifier in zip(outgoing, identifiers, strict=True):
            message.metadata.__dict__["_message_id"] = identifier
        self.delivered += outgoing
        with ThreadPoolExecutor(max_workers=max(1, len(outgoing))) as pool:
            for identifier, reply in zip(identifiers, pool.map(self._deliver, outgoing), strict=True):
                self._replies[identifier] = reply
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Hand out replies, each once."""
        return [self._replies.pop(identifier) for identifier in list(message_ids) if identifier in self._replies]

    def get_node_ids(self) -> Iterable[int]:
        """Return the nodes' numbers."""
        return list(self._nodes)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Push and pull in one; every reply is there when push returns."""
        del timeout
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        context = Context(
            run_id=_RUN_ID, node_id=node, node_config=dict(self._nodes[node]), state=RecordDict(), run_config={}
        )
        try:
            return self._client(message, context)
        except Exception as error:  # noqa: BLE001 - as in a deployment, a failing ClientApp becomes an error message
            return Message(Error(code=_CODE_CLIENT_FAILED, reason=type(error).__name__), reply_to=message)
