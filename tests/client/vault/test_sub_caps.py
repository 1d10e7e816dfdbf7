"""Narrower caps in a policy: each becomes one of the ledger's, and one that could never count is a mistake."""

from typing import Any

import pytest
from pydantic import ValidationError
from written_terms import CATEGORY, TRAINING, written_policy, written_proposal

from hanse_client.vault.policy import Policy
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import MOST_CAPS_REPORTED
from hanse_privacy.protocol.proposal import READS

CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
KEYS = {partner: SigningKey.generate() for partner in ("north", "south", "east")}


def policy_of(caps: list[dict[str, Any]]) -> Policy:
    operations = {
        "churn-gradient": {"purposes": ["churn-training"], "lowest_tier": "standard"},
        "popularity-statistics": {"purposes": ["recommendation-statistics"], "lowest_tier": "standard"},
    }
    categories = [CATEGORY, "pd:Age"]
    return written_policy(
        operations, centre=CENTRE, service=SERVICE, partners=KEYS, sub_caps=caps, data_categories=categories
    )


def policy(**cap: Any) -> Policy:
    return policy_of([{"name": "narrow", "epsilon": 0.5} | cap])


@pytest.mark.parametrize(
    "cap",
    [
        {},
        {"purpose": "churn-training"},
        {"operation": "churn-gradient"},
        {"data_category": CATEGORY},
        {"data_category": CATEGORY, "purpose": "churn-training", "operation": "churn-gradient", "period_days": 30},
    ],
)
def test_a_sub_cap_counts_what_a_run_reads(cap: dict[str, Any]) -> None:
    narrow = policy(**cap).caps[1]
    proposal = written_proposal("churn-1", partners=KEYS, steps=[TRAINING], unit="customer-at-one-partner")
    moment = proposal.created_at
    assert all(narrow.counts(charge, at=moment, now=moment) for charge in proposal.charges())


@pytest.mark.parametrize(
    "cap",
    [
        {"purpose": "churn-trainnig"},
        {"operation": "churn-gradiant"},
        {"data_category": "pd:PurchasesAndSpendingHabits"},
        {"purpose": "recommendation-statistics", "operation": "churn-gradient"},
        # Allowed, and read by no operation.
        {"data_category": "pd:Age"},
    ],
)
def test_a_sub_cap_that_would_cap_nothing_is_refused(cap: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="sub-cap 'narrow' would cap nothing"):
        policy(**cap)


def test_no_more_caps_than_a_report_can_name() -> None:
    with pytest.raises(ValidationError, match="sub_caps"):
        policy_of([{"name": f"cap {number}", "epsilon": 0.5} for number in range(MOST_CAPS_REPORTED)])
    assert len(policy_of([{"name": f"cap {number}", "epsilon": 0.5} for number in range(199)]).caps) == 200


def test_what_operations_read_is_what_their_steps_say() -> None:
    assert set(READS) == {
        "popularity-statistics",
        "churn-gradient",
        "churn-evaluation",
        "count-question",
        "histogram-question",
        "quantile-question",
    }
    assert set(READS.values()) == {(CATEGORY,)}
