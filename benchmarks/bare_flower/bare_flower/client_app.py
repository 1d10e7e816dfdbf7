"""The node's side: load the shop's prepared customers, compute clipped gradients, reply with their sum."""

from typing import cast

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Answer one round. Each trainer is imported late, so that the one not chosen costs nothing."""
    features = str(context.node_config["features"])
    sent = cast(ArrayRecord, message.content["arrays"])
    if context.run_config["trainer"] == "torch":
        from bare_flower.torch_step import reply_arrays  # noqa: PLC0415 - see above
    else:
        from bare_flower.numpy_step import reply_arrays  # noqa: PLC0415 - see above
    arrays, customers = reply_arrays(sent, features)
    return Message(
        RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": customers})}), reply_to=message
    )
