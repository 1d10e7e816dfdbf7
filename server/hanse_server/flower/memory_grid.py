"""A Flower grid inside one process: the same messages and the same ClientApp, without a network.

For tests and benchmarks. It replaces the transport only: the ServerApp, the letters, the couriers'
code and the vaults are those of a deployment.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from hanse_privacy.errors import HanseError

ClientCallable = Callable[[Message, Context], Message]
_RUN_ID = 1
_CODE_CLIENT_FAILED = 1


class NotSupportedInMemoryError(HanseError):
    """Hanse sends and receives in one call; the grid in memory does nothing else."""

    code = "NOT_SUPPORTED_IN_MEMORY"


class MemoryGrid(Grid):
    """Delivers messages to ClientApps in this process.

    Args:
        client: The ClientApp that every node runs.
        node_configurations: For each node number, what a SuperNode would be given as ``--node-config``.
    """

    def __init__(self, client: ClientCallable, node_configurations: Mapping[int, Mapping[str, str]]) -> None:
        self._client = client
        self._nodes = dict(node_configurations)
        self.delivered: list[Message] = []
        """Every message that went out, in order, for tests to look at."""

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
        """Refuse: nothing here sends without waiting for replies."""
        raise NotSupportedInMemoryError("This grid has no queue.", "Use send_and_receive.")

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Refuse: nothing here sends without waiting for replies."""
        raise NotSupportedInMemoryError("This grid has no queue.", "Use send_and_receive.")

    def get_node_ids(self) -> Iterable[int]:
        """Return the nodes' numbers."""
        return list(self._nodes)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Run each node's ClientApp on its message, all nodes at once."""
        outgoing = list(messages)
        self.delivered += outgoing
        with ThreadPoolExecutor(max_workers=max(1, len(outgoing))) as pool:
            return list(pool.map(self._deliver, outgoing, timeout=timeout))

    def _deliver(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        context = Context(
            run_id=_RUN_ID, node_id=node, node_config=dict(self._nodes[node]), state=RecordDict(), run_config={}
        )
        try:
            return self._client(message, context)
        except Exception as error:  # noqa: BLE001 - as in a deployment, a failing ClientApp becomes an error message
            return Message(Error(code=_CODE_CLIENT_FAILED, reason=type(error).__name__), reply_to=message)
