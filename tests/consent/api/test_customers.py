"""One customer's papers: timelines, records, receipts; and what an erasure leaves of them."""

import base64
import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from installed_service import hanse
from league_files import CHURN, SERVICE, STATISTICS
from speakers import Node, Person, act, good, now, problem


def test_a_timeline_holds_every_act_in_order_and_in_pages(node: Node) -> None:
    customer = node.customer()
    said = now() - timedelta(hours=1)
    kinds = ["grant", "withdrawal", "renewal", "refusal", "deferral", "objection", "objection-lifted"]
    acts = [
        act(kind, customer=customer, said_at=(said + timedelta(minutes=n)).isoformat(), channel="app")
        | ({"purpose": STATISTICS} if kind in ("refusal", "deferral") else {})
        for n, kind in enumerate(kinds)
    ]
    for one in acts:
        good(node.record(one))
        good(node.record(act()))  # of somebody else
    whole = good(node.timeline(customer))
    assert [one["kind"] for one in whole["acts"]] == kinds
    assert [one["key"] for one in whole["acts"]] == [one["key"] for one in acts]
    assert whole["next_after"] is None
    pages, after = [], 0
    for _ in range(len(kinds)):
        page = good(node.timeline(customer, after=after, limit=2))
        pages += page["acts"]
        if page["next_after"] is None:
            break
        after = page["next_after"]
    assert pages == whole["acts"]
    assert good(node.timeline(customer, after=10**30))["acts"] == []
    for limit in (0, 201, -1):
        problem(node.timeline(customer, limit=limit), 400, "BODY_INVALID")
    problem(node.timeline(customer, after=-1), 400, "BODY_INVALID")


def test_who_looked_at_one_customer(node: Node, people: dict[str, Person]) -> None:
    customer, other = node.customer(), node.customer()
    good(node.record(act(customer=customer), act(customer=other)))
    reason = node.reason()
    good(node.check(customer, reason=reason))
    good(node.check(other))
    good(node.bulk(other, customer, other))
    good(people["olga"].timeline(customer))
    asked = {"customer": customer, "reason": node.reason()}
    found = good(node.post("/v1/customer-look-ups", asked))
    assert [(one["kind"], one["people"]) for one in found["look_ups"]] == [
        ("look-ups", 1),
        ("timeline", 1),
        ("check", 3),
        ("check", 1),
    ]
    assert found["look_ups"][-1]["reason"] == reason
    assert {one["actor_kind"] for one in found["look_ups"]} == {"node", "account"}
    page = good(node.post("/v1/customer-look-ups", asked | {"before": found["look_ups"][1]["number"], "limit": 1}))
    assert page["look_ups"] == found["look_ups"][2:3]
    assert page["next_before"] == found["look_ups"][2]["number"]
    problem(people["anja"].post(people["anja"].path("customer-look-ups"), asked), 403, "PERMISSION_MISSING")
    problem(node.post("/v1/customer-look-ups", asked | {"reason": ""}), 400, "BODY_INVALID")
    problem(node.post("/v1/customer-look-ups", asked | {"limit": 501}), 400, "BODY_INVALID")


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_what_lies_beyond_time_is_refused(node: Node, value: str) -> None:
    customer = node.customer()
    for field in ("said_at", "ends_at"):
        problem(node.record(act("withdrawal", customer=customer, **{field: value})), 400, "BODY_INVALID")
    problem(node.check(customer, at=value), 400, "BODY_INVALID")


def test_the_ends_of_time_can_be_read_again(node: Node) -> None:
    good(node.record(act("erasure", customer=node.customer())))  # from then on, new customers are compared with it
    customer = node.customer()
    for said_at in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z"):
        good(node.record(act("withdrawal", customer=customer, said_at=said_at)))
    good(node.record(act(customer=customer, ends_at="9999-12-31T23:59:59.999999Z")))
    acts = good(node.timeline(customer))["acts"]
    assert [one["said_at"] for one in acts][:2] == ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z"]
    assert acts[2]["ends_at"] == "9999-12-31T23:59:59.999999Z"
    assert node.codes(customer) == set()
    assert node.document("consent-records", customer).status_code == 200


def test_a_record_and_a_receipt_that_others_can_verify(
    node: Node, people: dict[str, Person], known: Callable[..., str], tmp_path
) -> None:
    customer = known({})
    answer = node.document("consent-records", customer)
    assert answer.headers["content-type"] == "application/ld+json"
    record = json.dumps(answer.json())
    assert customer in record
    assert STATISTICS in record
    receipt = people["till"].document("receipts", customer)
    assert receipt.status_code == 200, receipt.text
    assert SERVICE in receipt.text
    file = tmp_path / "receipt.json"
    file.write_bytes(receipt.content)
    key = tmp_path / "service.pub"
    key.write_text(node.service.folder.service_key.public.text)
    public = node.service.folder.service_key.public.text
    verified = hanse("verify-receipt", str(file), "--key", public)
    assert verified.returncode == 0, verified.stderr
    forged = json.loads(receipt.content)
    text = json.dumps(forged).replace(customer, secrets.token_hex(16))
    file.write_text(text)
    assert hanse("verify-receipt", str(file), "--key", public).returncode != 0


def test_nothing_recorded_has_no_record(node: Node, known: Callable[..., str]) -> None:
    for document in ("consent-records", "receipts"):
        problem(node.document(document, node.customer()), 404, "NOTHING_RECORDED")
        refused = node.document(document, known(), CHURN)
        assert refused.status_code in (404, 422), refused.text


def same_but_for_time(answer: Any) -> Any:
    content = answer.json()
    if isinstance(content, dict):
        content.pop("decided_for", None)
    return answer.status_code, content


def test_after_an_erasure_nobody_is_there(node: Node, known: Callable[..., str]) -> None:
    customer = known({}, {"purpose": CHURN})
    receipt = good(node.record(act("erasure", customer=customer)))
    assert receipt["effects"] == ["effective"]
    stranger = node.customer()
    for ask in (
        node.check,
        lambda who: node.check(who, CHURN),
        lambda who: node.bulk(who, stranger),
        node.timeline,
        lambda who: node.document("consent-records", who),
        lambda who: node.document("receipts", who),
    ):
        assert same_but_for_time(ask(customer)) == same_but_for_time(ask(stranger))


def test_what_was_said_before_an_erasure_does_not_come_back(node: Node, known: Callable[..., str]) -> None:
    customer, before = known(), now() - timedelta(hours=1)
    erasure = act("erasure", customer=customer)
    good(node.record(erasure))
    position = node.position()
    problem(node.record(act(customer=customer, said_at=before.isoformat())), 410, "CUSTOMER_ERASED")
    assert node.position() == position
    assert good(node.record(erasure))["effects"] == ["repeated"]
    good(node.record(act(customer=customer)))
    assert node.codes(customer) == set()
    assert len(good(node.timeline(customer))["acts"]) == 1


def test_the_receipts_signature_is_the_services(node: Node, known: Callable[..., str]) -> None:
    outer = node.document("receipts", known()).json()
    assert len(base64.b64decode(outer["signature"])) == 64
