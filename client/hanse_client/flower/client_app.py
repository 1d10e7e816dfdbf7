"""The Flower ClientApp of a node: it finds the letter addressed to its vault and carries it there.

Flower starts a fresh process for every message, so this module imports as little as it can.
"""

from pathlib import Path

import msgspec
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from hanse_client.courier import carry
from hanse_privacy.protocol.letters import CourierReply
from hanse_privacy.protocol.post import LETTERS_RECORD, PARTNER_FIELD, REPLY_FIELD, REPLY_RECORD

app = ClientApp()


@app.query()
def deliver(message: Message, context: Context) -> Message:
    """Carry this node's letter to the vault named in the node's own configuration."""
    partner = str(context.node_config.get("partner", ""))
    socket_path = str(context.node_config.get("vault-socket", ""))
    timeout_s = float(context.node_config.get("vault-timeout-s", 120.0))
    letter = message.content[LETTERS_RECORD].get(partner)
    if isinstance(letter, bytes):
        reply = carry(letter, socket_path=Path(socket_path), timeout_s=timeout_s)
    else:
        reply = msgspec.msgpack.encode(
            CourierReply(failure="NO_LETTER", explanation=f"No letter is addressed to the node {partner!r}.")
        )
    record = ConfigRecord({PARTNER_FIELD: partner, REPLY_FIELD: reply})
    return Message(RecordDict({REPLY_RECORD: record}), reply_to=message)
