"""What tests write for a vault that they make by hand, from its policy to an approval; the vault is north's."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hanse_client.vault.budget import BudgetReader
from hanse_client.vault.budget_reports import BudgetReports
from hanse_client.vault.policy import Policy
from hanse_client.vault.run_register import RunRegister
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval, SignedApproval
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt
from hanse_privacy.protocol.letters import AdmitParameters, Instruction, NoParameters
from hanse_privacy.protocol.proposal import RunProposal

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
COUNTRY, CATEGORY, WEEK_ONE = "DE", "pd:PurchasesAndSpendingHabit", "2024-12-30"
TRAINING: dict[str, Any] = {
    "operation": "churn-gradient",
    "purpose": "churn-training",
    "tier": "standard",
    "noise_multiplier": 20.0,
    "rounds": 2,
    "last_week": 30,
    "horizon_weeks": 8,
    "weights": 15,
    "gradient": {"clip": 1.0, "share": 1.0},
}
POPULARITY: dict[str, Any] = {
    "operation": "popularity-statistics",
    "purpose": "recommendation-statistics",
    "tier": "standard",
    "noise_multiplier": 20.0,
    "last_week": 30,
    "half_life_weeks": 8.0,
    "items": 4,
    "rate": {"clip": 1.0, "share": 0.5},
    "breadth": {"clip": 1.0, "share": 0.4},
    "customers": {"clip": 1.0, "share": 0.1, "is_metric": True},
}


def written_policy(
    operations: Mapping[str, Any],
    *,
    centre: SigningKey,
    service: SigningKey,
    partners: Mapping[str, SigningKey],
    **limits: Any,
) -> Policy:
    """North's policy: some operations, and whatever limits a test changes."""
    return Policy.model_validate(
        {
            "node": {"partner": "north", "catalogue": "catalogue", "socket": "vault.sock"},
            "consent": {"url": "http://127.0.0.1:1", "public_key": service.public.text},
            "pins": {
                "centre": "centre",
                "centre_key": centre.public.text,
                "partners": {partner: key.public.text for partner, key in partners.items()},
            },
            "limits": {
                "operations": operations,
                "highest_tier": "standard",
                "week_one": WEEK_ONE,
                "data_categories": [CATEGORY],
                "recipients": ["centre"],
                "countries": [COUNTRY],
                "minimum_cohort": 10,
                "minimum_partners": 2,
                "run_epsilon": 3.0,
                "total_epsilon": 5.0,
                "delta": 1e-5,
                "ask_a_person": False,
            }
            | limits,
        }
    )


def written_proposal(
    run: str,
    *,
    partners: Mapping[str, SigningKey],
    steps: Sequence[Mapping[str, Any]],
    unit: Any = "customer-at-one-partner",
) -> RunProposal:
    """A proposal to some partners that such a policy allows."""
    return RunProposal.parse(
        {
            "run": run,
            "title": "A model",
            "data_categories": [CATEGORY],
            "recipients": [{"name": "centre", "country": COUNTRY}],
            "roster": [{"partner": partner, "public_key": key.public.text} for partner, key in partners.items()],
            "catalogue": "ab" * 32,
            "week_one": WEEK_ONE,
            "minimum_cohort": 10,
            "honest_minimum": 1,
            "unit": unit,
            "units_per_clip": 65536,
            "epsilon": 2.0,
            "delta": 1e-5,
            "steps": list(steps),
            "created_at": NOON.isoformat(),
            "expires_at": (NOON + timedelta(days=1)).isoformat(),
        }
    )


def written_instruction(run: RunProposal, round_number: int, parameters: AdmitParameters | NoParameters) -> Instruction:
    """What the centre asks of north: to admit a run, or a round of its first step."""
    return Instruction(
        protocol=2,
        run=run.run,
        proposal=run.digest,
        round=round_number,
        attempt=min(round_number, 1),
        session_keys=[],
        operation=run.steps[0].operation if round_number else "admit",
        operation_version=1,
        sender="centre",
        recipient="north",
        nonce=secrets.token_bytes(16),
        sent_at=NOON,
        parameters=msgspec.Raw(msgspec.msgpack.encode(parameters)),
    )


def written_approval(request: ApprovalRequest, *, service: SigningKey) -> SignedApproval:
    """An officer's yes to what is asked."""
    approval = RunApproval(
        **request.model_dump(),
        approved_by=("officer",),
        approved_at=NOON,
        high_risk=False,
        registry_version=1,
        pack_versions={"gdpr": "1"},
        issued_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )
    return SignedApproval(approval=approval, signed=approval.sign(service))


@dataclass
class BudgetTaker:
    """Takes every report of a budget."""

    taken: list[BudgetReport] = field(default_factory=list)

    def report_budget(self, report: BudgetReport) -> BudgetReceipt:
        self.taken.append(report)
        return BudgetReceipt(
            partner=report.partner,
            report=report.digest,
            received_at=NOON,
            outcome=BudgetOutcome.TAKEN,
            last_position=None,
        )


def taken_reports(policy: Policy, ledger: PrivacyLedger, register: RunRegister) -> BudgetReports:
    """North's reports of its budget, all of them taken."""
    reader = BudgetReader(policy=policy, ledger=ledger, register=register, clock=lambda: NOON)
    return BudgetReports(reader=reader, service=BudgetTaker())


@dataclass
class Officers:
    """Approve everything."""

    service: SigningKey
    asked: list[ApprovalRequest] = field(default_factory=list)

    def run_approval(self, request: ApprovalRequest) -> SignedApproval:
        self.asked.append(request)
        return written_approval(request, service=self.service)
