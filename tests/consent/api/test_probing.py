"""A partner who tries another partner's pseudonyms learns nothing, neither from an answer nor from its time.

``HANSE_TIMING_REQUESTS`` sets how many requests are timed; the figures are printed with ``-s``.
"""

import os
import re
import secrets
import sys
import time
from typing import Any

import httpx
import numpy as np
import pytest
from installed_service import RunningService
from speakers import Node, act, good, use

TIMED = int(os.environ.get("HANSE_TIMING_REQUESTS", "600"))
LARGEST_AUC = 0.55
_MOMENT = re.compile(rb'"decided_for":"[^"]*"')


def plain(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """An answer without the moments in it."""
    headers = [(name, value) for name, value in answer.headers.items() if name != "date"]
    return answer.status_code, _MOMENT.sub(b"", answer.content), headers


def grant_everything(node: Node, count: int) -> list[str]:
    customers = [secrets.token_hex(16) for _ in range(count)]
    node.service.secrets |= set(customers)
    good(node.record(*(act(customer=customer) for customer in customers)))
    return customers


@pytest.mark.parametrize("purpose", ["joint-statistics", "unheard-of"])
def test_another_partners_customer_is_as_unknown_as_nobody(node: Node, other_node: Node, purpose: str) -> None:
    (theirs,) = grant_everything(other_node, 1)
    good(other_node.record(act("objection", customer=theirs)))
    nobody, reason = node.customer(), node.reason()
    questions: list[tuple[str, dict[str, Any]]] = [
        ("checks", {"use": use(purpose)}),
        ("timelines", {}),
        ("consent-records", {"purpose": purpose}),
        ("receipts", {"purpose": purpose}),
    ]
    for name, question in questions:
        answers = [
            plain(node.post(f"/v1/{name}", question | {"customer": customer, "reason": reason}))
            for customer in (theirs, nobody)
        ]
        assert answers[0] == answers[1]
    seen = [node.post("/v1/customer-look-ups", {"customer": one, "reason": reason}) for one in (theirs, nobody)]
    assert len({len(good(answer)["look_ups"]) for answer in seen}) == 1
    bulk = good(node.bulk(theirs, nobody, purpose=purpose))
    assert bulk["answers"][0] == bulk["answers"][1]
    # What is sent about it is taken as of a customer of one's own, and changes nothing for the other.
    good(node.record(act("erasure", customer=theirs)))
    assert other_node.codes(theirs) == {"OBJECTED"}


def separation(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """The area under the curve of the best threshold on times: 0.5 for none, by ranks (Mann and Whitney)."""
    both = np.concatenate([one, other])
    ranks = np.empty(len(both))
    ranks[np.argsort(both, kind="stable")] = np.arange(1, len(both) + 1)
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.bincount(places, weights=ranks) / counts)[places]
    area = (ranks[: len(one)].sum() - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))
    return float(max(area, 1 - area))


def test_the_measure_tells_two_times_apart() -> None:
    drawn = np.random.default_rng(7)
    one, other = drawn.normal(1.0, 0.1, 4000), drawn.normal(1.02, 0.1, 4000)
    assert separation(one, drawn.normal(1.0, 0.1, 4000)) < 0.52
    assert separation(one, other) > LARGEST_AUC - 0.01
    assert separation(one, one + 1) == 1


def test_answers_take_as_long_for_another_partners_customers(
    service: RunningService, node: Node, other_node: Node, engine: str
) -> None:
    theirs = grant_everything(other_node, TIMED // 2)
    nobody = [secrets.token_hex(16) for _ in theirs]
    service.secrets |= set(nobody)
    for customer in nobody[:50]:
        good(node.check(customer))
    times = np.empty((len(theirs), 2))
    for turn, pair in enumerate(zip(theirs, nobody, strict=True)):
        # Which comes first changes by chance, so that what one request leaves behind for the next is no trace.
        for which in (0, 1) if secrets.randbits(1) else (1, 0):
            body = httpx.Request("POST", "http://x", json={
                "use": use(), "customer": pair[which], "reason": "asked by the customer"}).content  # fmt: skip
            headers = node.headers("POST", "/v1/checks", body)
            began = time.perf_counter()
            answer = node.http.post("/v1/checks", content=body, headers=headers)
            times[turn, which] = time.perf_counter() - began
            assert answer.status_code == 200, answer.text
    area = separation(times[:, 0], times[:, 1])
    medians = np.median(times, axis=0) * 1000
    slower = float((times[:, 0] > times[:, 1]).mean())
    sys.stdout.write(
        f"{engine}: {times.size} requests, AUC {area:.4f}, medians {medians[0]:.3f} and {medians[1]:.3f} ms,"
        f" theirs slower in {slower:.4f} of the pairs\n"
    )
    assert area <= LARGEST_AUC
    # Two requests of one moment share what else the machine is doing: the finer measure.
    assert abs(slower - 0.5) <= LARGEST_AUC - 0.5 + 2 / np.sqrt(len(times))
