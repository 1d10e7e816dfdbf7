"""The centre's side: a plain loop over Flower's Message API that notes how long each round takes."""

import json
import time
from collections import OrderedDict
from pathlib import Path
from typing import cast

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid, ServerApp
from numpy.typing import NDArray

_WEIGHTS = 15
_LEARNING_RATE = 2.0
_SHORT_POLL_S = 0.25
_ROUND_TIMEOUT_S = 120.0

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Descend for some rounds; the journal ends with ``finished``."""
    settings = context.run_config
    with_torch, short = settings["trainer"] == "torch", settings["replies"] == "short"
    nodes = _wait_for(grid, int(settings["nodes"]))
    weights = np.zeros(_WEIGHTS)
    with Path(str(settings["journal"])).open("a", encoding="utf-8") as journal:
        for number in range(1, int(settings["rounds"]) + 1):
            started = time.monotonic()
            arrays = _encode(weights, with_torch=with_torch)
            messages = [Message(RecordDict({"arrays": arrays}), node, "train") for node in nodes]
            if short:
                replies = _send_and_receive(grid, messages)
            else:
                replies = list(grid.send_and_receive(messages, timeout=_ROUND_TIMEOUT_S))
            if len(replies) != len(nodes) or any(reply.has_error() for reply in replies):
                raise RuntimeError(f"round {number}: {len(replies)} of {len(nodes)} nodes answered")
            decoded = [_decode(reply) for reply in replies]
            gradient = np.sum([summed for summed, _ in decoded], axis=0)
            customers = sum(count for _, count in decoded)
            weights = weights - _LEARNING_RATE * gradient / customers
            seconds = time.monotonic() - started
            event = {"event": "round-finished", "round": number, "seconds": seconds, "customers": customers}
            print(json.dumps(event), file=journal, flush=True)
        event = {"event": "finished", "weights": [float(weight) for weight in weights]}
        print(json.dumps(event), file=journal, flush=True)


def _wait_for(grid: Grid, count: int) -> list[int]:
    while len(nodes := list(grid.get_node_ids())) < count:
        time.sleep(_SHORT_POLL_S)
    return nodes


def _send_and_receive(grid: Grid, messages: list[Message]) -> list[Message]:
    waiting, replies = set(grid.push_messages(messages)), []
    limit = time.monotonic() + _ROUND_TIMEOUT_S
    while waiting and time.monotonic() < limit:
        for reply in grid.pull_messages(waiting):
            waiting.discard(reply.metadata.reply_to_message_id)
            replies.append(reply)
        time.sleep(_SHORT_POLL_S)
    return replies


def _encode(weights: NDArray[np.float64], *, with_torch: bool) -> ArrayRecord:
    if not with_torch:
        return ArrayRecord({"weights": Array(weights)})
    import torch  # noqa: PLC0415 - only the app that trains with it pays for it

    return ArrayRecord(OrderedDict(weights=torch.from_numpy(weights)))


def _decode(reply: Message) -> tuple[NDArray[np.float64], int]:
    arrays, metrics = cast(ArrayRecord, reply.content["arrays"]), cast(MetricRecord, reply.content["metrics"])
    return arrays["weights"].numpy(), int(cast(int, metrics["num-examples"]))
