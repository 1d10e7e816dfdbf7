"""Letters over Flower's Message API: one message per node and exchange."""

import time
from collections.abc import Callable, Iterator, Mapping

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from hanse_privacy.protocol.post import ACTION, LETTERS_RECORD, PARTNER_FIELD, REPLY_FIELD, REPLY_RECORD

_POLL_S = 0.25


class FlowerTransport:
    """A :class:`hanse_server.conductor.Transport` over a Flower grid.

    Flower knows nodes by number only. The first exchange goes to every node with all the letters, and
    each courier delivers the one for its own partner; from then on each node is sent its own. A node
    that names a partner it does not serve gains nothing: the answer would lack the vault's signature.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._nodes: dict[str, int] = {}

    def wait_for(self, partners: int, *, timeout_s: float) -> int:
        """Wait until that many nodes are connected or time is up; return how many are."""
        limit = time.monotonic() + timeout_s
        while True:
            connected = len(list(self._grid.get_node_ids()))
            if connected >= partners or time.monotonic() >= limit:
                return connected
            time.sleep(_POLL_S)

    def exchange(
        self, letters: Mapping[str, bytes], *, accept: Callable[[str, bytes], bool], timeout_s: float
    ) -> dict[str, bytes]:
        """Send each partner its letter; return one reply per partner, an accepted one if there is any.

        Args:
            letters: Sealed letters by partner.
            accept: Whether a reply is this partner's own, proved by its signature.
            timeout_s: How long to wait for accepted replies of all.
        """
        if all(partner in self._nodes for partner in letters):
            outgoing = [self._message({partner: letter}, self._nodes[partner]) for partner, letter in letters.items()]
        else:
            outgoing = [self._message(letters, node) for node in self._grid.get_node_ids()]
        accepted: dict[str, bytes] = {}
        others: dict[str, bytes] = {}
        for message in self._send_and_receive(outgoing, timeout_s=timeout_s):
            if message.has_error() or REPLY_RECORD not in message.content:
                continue
            record = message.content[REPLY_RECORD]
            partner, reply = record.get(PARTNER_FIELD), record.get(REPLY_FIELD)
            if not isinstance(partner, str) or not isinstance(reply, bytes) or partner not in letters:
                continue
            if accept(partner, reply):
                accepted[partner] = reply
                self._nodes[partner] = message.metadata.src_node_id
                if len(accepted) == len(letters):
                    break
            else:
                # A courier without its vault, or a stranger who claims the name: kept as an explanation only.
                others[partner] = reply
        return others | accepted

    def _send_and_receive(self, messages: list[Message], *, timeout_s: float) -> Iterator[Message]:
        """As the grid's own method of that name, which looks for replies only every three seconds."""
        limit = time.monotonic() + timeout_s
        waiting = set(self._grid.push_messages(messages))
        while waiting:
            for reply in self._grid.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                yield reply
            if time.monotonic() >= limit:
                return
            time.sleep(_POLL_S)

    @staticmethod
    def _message(letters: Mapping[str, bytes], node: int) -> Message:
        content = RecordDict({LETTERS_RECORD: ConfigRecord(dict(letters))})
        return Message(content, node, ACTION)
