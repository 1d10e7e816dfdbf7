"""Narrower caps in a policy: each becomes one of the ledger's, and one that could never count is a mistake."""

from typing import Any

import pytest
from pydantic import ValidationError
from written_terms import CATEGORY, TRAINING, written_policy, written_proposal

from hanse_client.vault.policy import Policy
from hanse_privacy.identity import SigningKey

CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
KEYS = {partner: SigningKey.generate() for partner in ("north", "south", "east")}


def policy(**cap: Any) -> Policy:
    operations = {"churn-gradient": {"purposes": ["churn-training"], "lowest_tier": "standard"}}
    caps = [{"name": "narrow", "epsilon": 0.5} | cap]
    return written_policy(operations, centre=CENTRE, service=SERVICE, partners=KEYS, sub_caps=caps)


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
    ("field", "value"),
    [
        ("purpose", "churn-trainnig"),
        ("operation", "churn-gradiant"),
        ("data_category", "pd:PurchasesAndSpendingHabits"),
    ],
)
def test_a_sub_cap_that_would_cap_nothing_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValidationError, match=f"sub-cap 'narrow' has {field} '{value}'"):
        policy(**{field: value})
