"""Which privacy units a partner lets in: its policy says; papers that its officers did not accept count for nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from written_terms import TRAINING, written_policy, written_proposal

from hanse_client.vault.policy import Policy
from hanse_client.vault.policy_check import PolicyViolationError, require_allowed
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal

CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
KEYS = {partner: SigningKey.generate() for partner in ("north", "south", "east")}
ACCEPTED, UNKNOWN = "ab" * 32, "cd" * 32
ONE_PARTNER = "customer-at-one-partner"
ROSTER = {"kind": "customer-across-the-roster", "partners_at_most": 3}


def proved(sha256: str) -> dict[str, Any]:
    return ROSTER | {"partners_at_most": 2, "proof": {"name": "Nobody enters twice", "sha256": sha256}}


def linked(sha256: str) -> dict[str, Any]:
    assurance = {"method": "card numbers", "sha256": sha256, "partners_at_most": 2}
    return {"kind": "linked-customer", "assurance": assurance}


def policy(**limits: Any) -> Policy:
    operations = {"churn-gradient": {"purposes": ["churn-training"], "lowest_tier": "standard"}}
    return written_policy(operations, centre=CENTRE, service=SERVICE, partners=KEYS, **limits)


def proposal(unit: Any) -> RunProposal:
    return written_proposal("churn-1", partners=KEYS, steps=[TRAINING], unit=unit)


def accepted(sha256: str, unit: str = "customer-across-the-roster", partners_at_most: int = 2) -> dict[str, Any]:
    return {"sha256": sha256, "unit": unit, "partners_at_most": partners_at_most}


LINKED = accepted(ACCEPTED, "linked-customer")
ALL_UNITS = ["customer-at-one-partner", "customer-across-the-roster", "linked-customer"]


@pytest.mark.parametrize(
    ("unit", "limits"),
    [
        (ONE_PARTNER, {}),
        (ROSTER, {}),
        (ROSTER, {"units": ["customer-across-the-roster"]}),
        (proved(ACCEPTED), {"accepted_proofs": [accepted(UNKNOWN), accepted(ACCEPTED)]}),
        (linked(ACCEPTED), {"units": ALL_UNITS, "accepted_proofs": [LINKED]}),
    ],
)
def test_what_is_let_in(unit: Any, limits: dict[str, Any]) -> None:
    require_allowed(policy(**limits), proposal(unit), now=datetime.now(tz=UTC))


@pytest.mark.parametrize(
    ("unit", "limits", "named"),
    [
        (ONE_PARTNER, {"units": ["customer-across-the-roster"]}, "unit customer-at-one-partner is not allowed"),
        (ROSTER, {"units": ["customer-at-one-partner"]}, "unit customer-across-the-roster is not allowed"),
        (proved(UNKNOWN), {}, f"SHA-256 {UNKNOWN}. is not among the accepted_proofs"),
        (proved(UNKNOWN), {"accepted_proofs": [accepted(ACCEPTED)]}, "enforcement proof “Nobody enters twice”"),
        # The paper shows less than the proposal counts on, or is for another unit.
        (
            proved(ACCEPTED),
            {"accepted_proofs": [accepted(ACCEPTED, partners_at_most=3)]},
            "for this unit at 2 partners",
        ),
        (proved(ACCEPTED), {"accepted_proofs": [LINKED]}, "for this unit at 2 partners"),
        # A linked customer needs both: to be named, and its paper accepted.
        (linked(ACCEPTED), {"accepted_proofs": [LINKED]}, "unit linked-customer is not allowed"),
        (linked(ACCEPTED), {"units": ALL_UNITS}, f"SHA-256 {ACCEPTED}. is not among the accepted_proofs"),
        (linked(UNKNOWN), {"units": ALL_UNITS, "accepted_proofs": [LINKED]}, "linkage assurance “card numbers”"),
    ],
)
def test_what_is_refused(unit: Any, limits: dict[str, Any], named: str) -> None:
    with pytest.raises(PolicyViolationError, match=named):
        require_allowed(policy(**limits), proposal(unit), now=datetime.now(tz=UTC))


@pytest.mark.parametrize(
    "limits",
    [
        {"units": []},
        {"units": ["household"]},
        {"accepted_proofs": [accepted("AB" * 32)]},
        {"accepted_proofs": [accepted("a paper")]},
        {"accepted_proofs": [accepted(ACCEPTED, partners_at_most=1)]},
        {"accepted_proofs": [ACCEPTED]},
    ],
)
def test_a_policy_names_units_and_digests(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(limits))):
        policy(**limits)
