"""Flower's messages under letters: strangers on the fleet path, deadlines."""

import msgspec
from flwr.app import ConfigRecord, Context, Message, RecordDict

from hanse_privacy.protocol.letters import CourierReply
from hanse_privacy.protocol.post import PARTNER_FIELD, REPLY_FIELD, REPLY_RECORD
from hanse_server.flower.memory_grid import MemoryGrid
from hanse_server.flower.transport import FlowerTransport

LETTERS = {"alder": b"letter to alder", "birch": b"letter to birch"}


def reply(partner: str, answer: bytes, message: Message) -> Message:
    encoded = msgspec.msgpack.encode(CourierReply(answer=answer))
    return Message(
        RecordDict({REPLY_RECORD: ConfigRecord({PARTNER_FIELD: partner, REPLY_FIELD: encoded})}), reply_to=message
    )


def node(message: Message, context: Context) -> Message:
    """Two honest nodes, and one that answers in alder's name before alder does."""
    kind = context.node_config["kind"]
    if kind == "stranger":
        return reply("alder", b"forged", message)
    if kind == "silent":
        raise RuntimeError("its ClientApp failed")
    return reply(str(kind), b"genuine " + str(kind).encode(), message)


def genuine(_: str, encoded: bytes) -> bool:
    return msgspec.msgpack.decode(encoded, type=CourierReply).answer.startswith(b"genuine")


def answers(replies: dict[str, bytes]) -> dict[str, bytes]:
    return {partner: msgspec.msgpack.decode(encoded, type=CourierReply).answer for partner, encoded in replies.items()}


def test_a_stranger_cannot_answer_in_a_partners_place() -> None:
    grid = MemoryGrid(node, {1: {"kind": "stranger"}, 2: {"kind": "alder"}, 3: {"kind": "birch"}})
    transport = FlowerTransport(grid)
    assert transport.wait_for(3, timeout_s=1) == 3
    for _ in range(2):
        found = answers(transport.exchange(LETTERS, accept=genuine, timeout_s=5))
        assert found == {"alder": b"genuine alder", "birch": b"genuine birch"}
    # From the second exchange on, each letter goes to its own node only.
    assert [message.metadata.dst_node_id for message in grid.delivered] == [1, 2, 3, 2, 3]


def test_where_only_a_stranger_answers_its_word_proves_nothing() -> None:
    transport = FlowerTransport(MemoryGrid(node, {1: {"kind": "stranger"}, 3: {"kind": "birch"}}))
    found = transport.exchange(LETTERS, accept=genuine, timeout_s=5)
    assert not genuine("alder", found["alder"])
    assert genuine("birch", found["birch"])


def test_a_failing_node_is_missing_from_the_replies() -> None:
    transport = FlowerTransport(MemoryGrid(node, {1: {"kind": "silent"}, 3: {"kind": "birch"}}))
    assert set(transport.exchange(LETTERS, accept=genuine, timeout_s=5)) == {"birch"}


def test_too_few_nodes_are_counted_at_the_deadline() -> None:
    assert FlowerTransport(MemoryGrid(node, {3: {"kind": "birch"}})).wait_for(2, timeout_s=0.3) == 1
