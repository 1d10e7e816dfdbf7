"""A node that sends batches until the service is gone, and writes down what it was told."""

import random
import secrets
import threading
from http.client import HTTPException

from consent.acts import abroad, batch_body, grant, profile, withdrawal
from consent.aftermath import Sent
from consent.customers import pseudonym
from consent.signed_posts import Node
from consent.workplace import Workplace, utc_now
from hanse_consent.domain.acts import ConsentAct

_CUSTOMERS = 2_000
_PEOPLE_PER_BATCH = 25


def send_batches(workplace: Workplace, port: int, sent: list[Sent], stop: threading.Event) -> None:
    """Send one batch after the other; each is noted before it is sent, and again once it is acknowledged.

    Args:
        workplace: The service's.
        port: Where it listens.
        sent: What was sent, by all nodes.
        stop: Set once the service is dead.

    Raises:
        RuntimeError: If the service refuses a batch.
    """
    keys = workplace.world.keys
    node = Node(port, key=keys.retailer, service=keys.service.public)
    chance = random.Random(secrets.randbits(64))  # noqa: S311 - who says something
    while not stop.is_set():
        acts = _some_acts(chance)
        one = Sent(keys=tuple(act.key for act in acts), customers=tuple(sorted({act.customer for act in acts})))
        sent.append(one)
        try:
            answer = node.post("/v1/acts", batch_body(acts))
        except (OSError, HTTPException):
            return
        if answer.status != 200:
            raise RuntimeError(f"the service refused a batch: {answer.body[:500]!r}")
        one.position = answer.json["position"]


def _some_acts(chance: random.Random) -> list[ConsentAct]:
    at = utc_now()
    customers = [pseudonym(number) for number in chance.sample(range(1, _CUSTOMERS + 1), _PEOPLE_PER_BATCH)]
    says = (profile, grant, abroad, withdrawal)
    return [say(one, at) for one in customers for say in says]
