"""What a vault may say of its budget: all of it is bounded, and every change of it shows in the signature."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hanse_privacy.errors import InvalidValueError, SignatureInvalidError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.ledger_report import MOST_RUNS_REPORTED

KEY = SigningKey.generate()
CAP: dict[str, Any] = {
    "name": "lifetime",
    "epsilon_allowed": 5.0,
    "epsilon_spent": 1.5,
    "epsilon_remaining": 4.25,
    "charges": 3,
}
RUN: dict[str, Any] = {
    "run": "churn-1",
    "state": "admitted",
    "epsilon_requested": 2.0,
    "delta_requested": 1e-5,
    "epsilon_spent": 1.5,
    "attempts": 3,
}
REPORT: dict[str, Any] = {
    "partner": "north",
    "said_at": datetime(2026, 5, 4, 12, 0, tzinfo=UTC).isoformat(),
    "ledger": {"position": 3, "head": "ab" * 32},
    "before": {"position": 2, "head": "cd" * 32},
    "delta": 1e-5,
    "caps": [CAP],
    "runs": [RUN],
    "earlier_runs": 0,
}


def test_a_signed_report_is_read_back_as_it_was() -> None:
    report = BudgetReport.parse(REPORT)
    assert BudgetReport.verify(report.sign(KEY), key=KEY.public) == report
    with pytest.raises(SignatureInvalidError):
        BudgetReport.verify(report.sign(KEY).replace(b"4.25", b"4.75"), key=KEY.public)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("said_at", {"said_at": "2026-05-04T12:00:00"}),
        ("ledger.position", {"ledger": {"position": -1, "head": "ab" * 32}}),
        ("ledger.position", {"ledger": {"position": 2**63, "head": "ab" * 32}}),
        ("ledger.head", {"ledger": {"position": 3, "head": "AB" * 32}}),
        ("before must not be after", {"before": {"position": 4, "head": "ab" * 32}}),
        ("one digest", {"before": {"position": 3, "head": "cd" * 32}}),
        ("delta", {"delta": 1e-31}),
        ("caps", {"caps": []}),
        ("caps.0.epsilon_spent", {"caps": [CAP | {"epsilon_spent": -0.1}]}),
        ("caps.0.epsilon_spent", {"caps": [CAP | {"epsilon_spent": float("inf")}]}),
        ("caps.0.customers", {"caps": [CAP | {"customers": 17}]}),
        ("runs.0.attempts", {"runs": [RUN | {"attempts": -1}]}),
        ("runs", {"runs": [RUN] * (MOST_RUNS_REPORTED + 1)}),
        ("earlier_runs", {"earlier_runs": -1}),
        ("partner", {"partner": "North, and others"}),
    ],
)
def test_what_a_report_cannot_say(words: str, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match=words):
        BudgetReport.parse(REPORT | change)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ({}, "everything"),
        ({"purpose": "statistics"}, "statistics"),
        ({"purpose": "statistics", "operation": "count", "data_category": "pd:Age"}, "statistics, count, pd:Age"),
    ],
)
def test_a_cap_says_what_it_is_over(scope: dict[str, str], words: str) -> None:
    (cap,) = BudgetReport.parse(REPORT | {"caps": [CAP | scope]}).caps
    assert str(cap.scope) == words
