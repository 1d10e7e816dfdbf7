"""Questions about customers: with reasons, in bulk, of now, of a position, of a past moment."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from league_files import AGE_RANGE, CENTRE, CHURN, HEALTH, HEALTH_DATA, PURCHASES, STATISTICS
from speakers import Node, act, good, now, problem, use


def test_a_decision_cites_rule_and_article_and_everything_to_repeat_it(node: Node, known: Callable[..., str]) -> None:
    customer = known()
    answer = good(node.check(customer))
    assert answer["permitted"]
    assert {"MINIMISE", "RETENTION"} & {one["code"] for one in answer["obligations"]} or answer["obligations"]
    assert set(answer["pack_versions"]) == {"gdpr", "pipl", "house"}
    assert answer["registry_version"] == 1
    good(node.record(act("withdrawal", customer=customer)))
    denied = good(node.check(customer))
    assert denied["position"] == answer["position"] + 1
    cited = {reason["article"] for reason in denied["reasons"]}
    assert cited
    assert {reason["code"] for reason in denied["reasons"]} == {"CONSENT_WITHDRAWN"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": "unheard-of"}, "PURPOSE_UNKNOWN"),
        ({"tier": "advanced"}, "TIER_NOT_OFFERED"),
        ({"categories": [HEALTH_DATA]}, "CATEGORY_NOT_COVERED"),
        ({"recipients": ["somebody"]}, "RECIPIENT_UNKNOWN"),
        ({"recipients": ["insight"]}, "AGREEMENT_MISSING"),
        ({"joint_controllers": ["somebody"]}, "AGREEMENT_MISSING"),
    ],
)
def test_a_use_that_is_not_registered_is_denied_with_its_reason(
    node: Node, known: Callable[..., str], changes: dict[str, Any], code: str
) -> None:
    customer = known()
    used = use(**changes)
    assert code in node.codes(customer, use=used)


def test_everything_said_for_chinas_law_is_asked_for(chinese_node: Node) -> None:
    node, customer = chinese_node, chinese_node.customer()
    abroad = {"recipients": [CENTRE]}
    good(node.record(act(customer=customer, purpose=CHURN)))
    assert node.codes(customer, CHURN) == set()
    assert {"SEPARATE_CONSENT_ABROAD", "SEPARATE_CONSENT_RECIPIENT"} <= node.codes(customer, CHURN, use=abroad)
    for matter in ("abroad", "recipient"):
        consent = {"matter": matter, "subject": CENTRE}
        good(node.record(act("separate-grant", customer=customer, notice="churn@1", separate=consent)))
    assert node.codes(customer, CHURN, use=abroad) == set()
    good(node.record(act(customer=customer, purpose=HEALTH)))
    assert "SEPARATE_CONSENT_SENSITIVE" in node.codes(customer, HEALTH)
    assert "SEPARATE_CONSENT_SENSITIVE" not in node.codes(customer, HEALTH, use={"categories": [PURCHASES]})


def test_bulk_checks_agree_with_single_ones(node: Node, known: Callable[..., str]) -> None:
    customers = [
        known(),
        node.customer(),
        known({"purpose": CHURN, "tier": "advanced"}),
        known({}, {"kind": "withdrawal"}),
        known({"kind": "erasure"}),
        known({"kind": "restriction"}),
    ]
    for purpose in (STATISTICS, CHURN, "unheard-of"):
        answer = good(node.bulk(*customers, customers[0], purpose=purpose))
        assert len(answer["answers"]) == len(customers) + 1
        assert answer["answers"][0] == answer["answers"][-1]
        for customer, one in zip(customers, answer["answers"], strict=False):
            single = good(node.check(customer, purpose))
            assert one == {
                "permitted": single["permitted"],
                "codes": list(dict.fromkeys(reason["code"] for reason in single["reasons"])),
            }
            assert single["position"] == answer["position"]


def test_a_bulk_check_has_a_largest_size(node: Node) -> None:
    good(node.bulk(*[f"{n:032x}" for n in range(1000)]))
    problem(node.bulk(*[f"{n:032x}" for n in range(1001)]), 400, "BODY_INVALID")
    problem(node.bulk(), 400, "BODY_INVALID")


def test_an_answer_has_seen_the_position_named(node: Node, known: Callable[..., str]) -> None:
    customer = known()
    position = node.position()
    assert good(node.check(customer, at_least=position))["position"] == position
    assert good(node.bulk(customer, at_least=position))["position"] == position
    for unseen in (position + 1, 2**63, 10**30):
        problem(node.check(customer, at_least=unseen), 409, "POSITION_NOT_REACHED")
        problem(node.bulk(customer, at_least=unseen), 409, "POSITION_NOT_REACHED")
    problem(node.check(customer, at_least=-1), 400, "BODY_INVALID")


def test_a_past_moment_is_answered_by_what_was_recorded_by_then(node: Node, known: Callable[..., str]) -> None:
    customer = known()
    granted = good(node.timeline(customer))["acts"][0]["recorded_at"]
    time.sleep(0.01)
    # Said two days ago, recorded now: the answer for before the recording does not know it.
    long_ago = (now() - timedelta(days=2)).isoformat()
    good(node.record(act("objection", customer=customer, said_at=long_ago)))
    objected = good(node.timeline(customer))["acts"][1]["recorded_at"]
    assert node.codes(customer, at=granted) == set()
    assert node.codes(customer, at=objected) == {"OBJECTED"}
    assert node.codes(customer) == {"OBJECTED"}
    problem(node.check(customer, at=(now() - timedelta(days=1)).isoformat()), 422, "MOMENT_BEFORE_START")
    assert good(node.check(customer, at=granted))["decided_for"] == granted
    problem(node.check(customer, at=(now() + timedelta(minutes=1)).isoformat()), 422, "MOMENT_IN_FUTURE")
    problem(node.check(customer, at=granted, at_least=1), 400, "BODY_INVALID")
    problem(node.check(customer, at="noon"), 400, "BODY_INVALID")


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00-14:00", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2000-01-01T00:00:00-23:59"]
)
def test_nobody_may_be_used_at_a_moment_before_anything(node: Node, known: Callable[..., str], at: str) -> None:
    for customer in (known(), node.customer()):
        problem(node.check(customer, at=at), 422, "MOMENT_BEFORE_START")


def test_who_looks_says_why(node: Node, known: Callable[..., str]) -> None:
    customer = known()
    for reason in ("", "why", "x" * 201, f"asked by {customer}", "a\u0000b because", "two\nlines of it"):
        problem(node.check(customer, reason=reason), 400, "BODY_INVALID")
        problem(node.timeline(customer, reason=reason), 400, "BODY_INVALID")
    question = {"use": use(), "customer": customer}
    problem(node.post("/v1/checks", question), 400, "BODY_INVALID")


def test_categories_left_out_are_all_of_the_tier(node: Node, known: Callable[..., str]) -> None:
    customer = known({"purpose": CHURN, "tier": "advanced"})
    assert node.codes(customer, CHURN, use={"tier": "standard"}) == set()
    assert node.codes(customer, CHURN, use={"tier": "standard", "categories": [AGE_RANGE]}) == {"CATEGORY_NOT_COVERED"}
    assert node.codes(customer, CHURN, use={"tier": "advanced", "categories": [AGE_RANGE]}) == set()
