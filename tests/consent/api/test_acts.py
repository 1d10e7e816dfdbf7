"""Recording what customers say: accepted acts, refusals that change nothing, and acts sent again."""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from league_files import CHURN, DETAIL, HEALTH, HEALTH_DATA, STATISTICS
from speakers import Node, act, good, now, problem

RECIPIENT = {"matter": "recipient", "subject": "insight"}


def separate(matter: str, subject: str, **changes: Any) -> dict[str, Any]:
    return act("separate-grant", notice="health@1", separate={"matter": matter, "subject": subject}, **changes)


REFUSED = {
    "one gesture for two purposes": (
        [act(interaction="click-1"), act(purpose=CHURN, interaction="click-1")],
        422,
        "BUNDLED_CONSENT",
        "acts.1",
    ),
    "one gesture for a purpose and a separate consent": (
        [
            act(purpose=HEALTH, interaction="click-2"),
            separate("sensitive-category", HEALTH_DATA, interaction="click-2"),
        ],
        422,
        "BUNDLED_CONSENT",
        "acts.1",
    ),
    "a box ticked beforehand": ([act(preselected=True)], 422, "PRESELECTED_CONSENT", "acts.0"),
    "a separate consent ticked beforehand": (
        [separate("sensitive-category", HEALTH_DATA, preselected=True)],
        422,
        "PRESELECTED_CONSENT",
        "acts.0",
    ),
    "said in the future": (
        [act(said_at=(now() + timedelta(minutes=30)).isoformat())],
        422,
        "SAID_IN_FUTURE",
        "acts.0",
    ),
    "a withdrawal said in the future": (
        [act("withdrawal", said_at=(now() + timedelta(minutes=30)).isoformat())],
        422,
        "SAID_IN_FUTURE",
        "acts.0",
    ),
    "unknown purpose": ([act(purpose="unheard-of")], 422, "PURPOSE_UNKNOWN", "acts.0"),
    "a tier that is not offered": ([act(tier="advanced")], 422, "TIER_NOT_OFFERED", "acts.0"),
    "no such tier": ([act(tier="everything")], 400, "BODY_INVALID", "acts.0.tier"),
    "unknown notice": ([act(notice="statistics@9")], 422, "NOTICE_UNKNOWN", "acts.0"),
    "a notice of something else": ([act(notice="churn@1", language=None)], 422, "NOTICE_DOES_NOT_EXPLAIN", "acts.0"),
    "a notice not yet published": ([act(notice="later@1")], 422, "NOTICE_NOT_PUBLISHED", "acts.0"),
    "a notice in no such language": ([act(language="fr")], 422, "NOTICE_LANGUAGE_UNKNOWN", "acts.0"),
    "a notice in several languages, none named": ([act(language=None)], 422, "NOTICE_LANGUAGE_UNKNOWN", "acts.0"),
    "unknown kind of data": ([separate("sensitive-category", "pd:Genetic")], 422, "CATEGORY_UNKNOWN", "acts.0"),
    "unknown recipient": ([separate("recipient", "somebody")], 422, "RECIPIENT_UNKNOWN", "acts.0"),
    "a separate consent under a notice of something else": (
        [separate("sensitive-category", HEALTH_DATA) | {"notice": "churn@1"}],
        422,
        "NOTICE_DOES_NOT_EXPLAIN",
        "acts.0",
    ),
    "two acts under one key": (
        [act(key="twice"), act(key="twice", customer="1" * 32)],
        409,
        "KEY_REUSED",
        "acts.1",
    ),
    "several purposes in one act": ([act() | {"purposes": [STATISTICS, CHURN]}], 400, "BODY_INVALID", "an unknown"),
    "a grant without a purpose": ([act(purpose=None)], 400, "BODY_INVALID", "acts.0"),
    "a grant without a notice": ([act(notice=None)], 400, "BODY_INVALID", "acts.0"),
    "no acts": ([], 400, "BODY_INVALID", "acts"),
    "a time that is none": ([act(said_at="noon")], 400, "BODY_INVALID", "acts.0.said_at"),
    "a time without a zone": ([act(said_at="2026-05-04T12:00:00")], 400, "BODY_INVALID", "acts.0.said_at"),
    "a number for a time": ([act(said_at=1777896000)], 400, "BODY_INVALID", "acts.0.said_at"),
    "a pseudonym that is none": ([act(customer="somebody")], 400, "BODY_INVALID", "acts.0.customer"),
    "an end before the beginning": ([act(ends_at="2020-01-01T00:00:00Z")], 400, "BODY_INVALID", "acts.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_the_place_and_changes_nothing(node: Node, known: Callable[..., str], name: str) -> None:
    acts, status, code, place = REFUSED[name]
    customer = known({"purpose": CHURN, "key": secrets.token_hex(12)})
    before = (node.position(), node.codes(customer, CHURN), node.codes(customer))
    # A withdrawal before the faulty act shows that the batch is recorded all or none.
    first = act("withdrawal", customer=customer, purpose=CHURN, said_at=now().isoformat())
    mine = [json.loads(json.dumps(one).replace('"' + "0" * 32 + '"', f'"{customer}"')) for one in acts]
    places = place.replace("acts.1", "acts.2").replace("acts.0", "acts.1") if mine else place
    refusal = problem(node.record(*([first, *mine] if mine else [])), status, code)
    assert places in refusal["detail"]
    assert customer not in json.dumps(refusal)
    assert (node.position(), node.codes(customer, CHURN), node.codes(customer)) == before


def test_a_gesture_is_a_bundle_over_several_requests_too(node: Node) -> None:
    customer, gesture = node.customer(), secrets.token_hex(8)
    good(node.record(act(customer=customer, interaction=gesture)))
    problem(node.record(act(customer=customer, purpose=CHURN, interaction=gesture)), 422, "BUNDLED_CONSENT")
    good(node.record(act("withdrawal", customer=customer, interaction=gesture)))
    assert node.codes(customer) == {"CONSENT_WITHDRAWN"}


def test_what_protects_is_accepted_whatever_it_lacks(node: Node) -> None:
    customer = node.customer()
    good(node.record(act("withdrawal", customer=customer, purpose="unheard-of", preselected=True)))
    good(node.record(act("objection", customer=customer, notice="unheard-of@1")))
    assert "OBJECTED" in node.codes(customer)


def test_effects_and_a_batch_sent_again(node: Node) -> None:
    customer, old = node.customer(), now() - timedelta(days=2)
    acts = [
        act(customer=customer),
        act("notice-served", customer=customer, notice="statistics@1", language="en"),
        act("withdrawal", customer=customer, purpose=STATISTICS, said_at=old.isoformat()),
    ]
    first = good(node.record(*acts))
    assert first["effects"] == ["effective", "evidence", "superseded"]
    assert node.codes(customer) == set()
    again = good(node.record(*acts))
    assert again == {"position": first["position"], "effects": ["repeated"] * 3}
    mixed = good(node.record(acts[0], act("withdrawal", customer=customer)))
    assert mixed == {"position": first["position"] + 1, "effects": ["repeated", "effective"]}
    changed = acts[0] | {"said_at": old.isoformat()}
    problem(node.record(changed), 409, "KEY_REUSED")
    assert node.position() == first["position"] + 1


def test_keys_and_positions_are_each_controllers_own(node: Node, other_node: Node) -> None:
    customer, theirs = node.customer(), act()
    before = other_node.position()
    mine = theirs | {"customer": customer}
    good(node.record(mine))
    good(other_node.record(mine | {"tier": "standard"}))
    assert other_node.position() == before + 1
    good(node.record(act("withdrawal", customer=customer)))
    assert node.codes(customer) == {"CONSENT_WITHDRAWN"}
    assert other_node.codes(customer) == set()


def test_a_withdrawal_reaches_what_lies_below_and_a_grant_does_not(node: Node) -> None:
    customer = node.customer()
    good(node.record(act(customer=customer, purpose=CHURN, tier="advanced")))
    assert "CONSENT_MISSING" in node.codes(customer, DETAIL)
    good(node.record(act(customer=customer, purpose=DETAIL)))
    assert node.codes(customer, DETAIL) == set()
    good(node.record(act("withdrawal", customer=customer, purpose=CHURN)))
    assert node.codes(customer, DETAIL) == {"CONSENT_WITHDRAWN"}


def test_a_tier_is_a_ceiling(node: Node, known: Callable[..., str]) -> None:
    customer = known({"purpose": CHURN, "tier": "standard"})
    assert node.codes(customer, CHURN) == set()
    assert node.codes(customer, CHURN, use={"tier": "advanced"}) == {"TIER_TOO_LOW"}


def test_the_most_acts_of_one_request(node: Node) -> None:
    said_at, tail = now().isoformat(), secrets.token_hex(8)
    acts = [
        act("refusal", customer=f"{n:016x}{tail}", purpose=STATISTICS, key=f"{n}-{tail}", said_at=said_at)
        for n in range(10_001)
    ]
    problem(node.record(*acts), 400, "BODY_INVALID")
    before = node.position()
    assert good(node.record(*acts[1:]))["position"] == before + 10_000


def test_a_person_of_the_channel_records_and_a_node_sees_it(people: dict[str, Any], node: Node) -> None:
    channel, customer = people["till"], node.customer()
    receipt = good(channel.record(act(customer=customer, channel="till")))
    assert node.codes(customer, at_least=receipt["position"]) == set()
    assert good(node.timeline(customer))["acts"][0]["channel"] == "till"
