"""What the vault of alster, and the centre, say of budgets: of ledgers whose entries all have digests of one letter."""

from typing import Any

from league_files import CENTRE
from speakers import Node, Person, good, now

from hanse_consent.budgets.bodies import BudgetPage, LeagueBudgetBody, VaultBudgetBody
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome


def report(
    position: int, head: str = "a", *, before: int | None = None, partner: str = "alster", **cap: Any
) -> BudgetReport:
    """Of a ledger whose entries all have digests of one letter."""
    lifetime: dict[str, Any] = {
        "name": "lifetime",
        "epsilon_allowed": 5.0,
        "epsilon_spent": 1.0,
        "epsilon_remaining": 4.0,
        "charges": position,
    }
    run = {
        "run": "spring-1",
        "state": "admitted",
        "epsilon_requested": 2.0,
        "delta_requested": 1e-5,
        "epsilon_spent": 1.0,
        "attempts": position,
    }
    return BudgetReport.parse(
        {
            "partner": partner,
            "said_at": now().isoformat(),
            "ledger": {"position": position, "head": head * 64},
            "before": {"position": position if before is None else before, "head": head * 64},
            "delta": 1e-5,
            "caps": [lifetime | cap],
            "runs": [run],
            "earlier_runs": 0,
        }
    )


def league_report(
    position: int, head: str = "c", *, before: int | None = None, partner: str = "alster", centre: str = CENTRE
) -> LeagueBudgetReport:
    """What the centre says of alster."""
    run = {
        "run": "spring-1",
        "epsilon_requested": 2.0,
        "delta_requested": 1e-5,
        "asked": position,
        "answered": position,
        "epsilon_asked": 1.0,
        "epsilon_of_a_person": 7.5,
    }
    return LeagueBudgetReport.parse(
        {
            "partner": partner,
            "centre": centre,
            "said_at": now().isoformat(),
            "ledger": {"position": position, "head": head * 64},
            "before": {"position": position if before is None else before, "head": head * 64},
            "delta": 1e-5,
            "person": {
                "name": "person",
                "epsilon_allowed": 30.0,
                "epsilon_spent": 7.5,
                "epsilon_remaining": 21.0,
                "charges": position,
            },
            "epsilon_asked": 1.0,
            "runs": [run],
            "earlier_runs": 0,
            "vault": None,
        }
    )


def leagues(person: Person, controller: str = "alster") -> tuple[LeagueBudgetBody, ...]:
    return BudgetPage.model_validate(good(person.get(f"/v1/budgets?controller={controller}"))).leagues


def vaults(person: Person, controller: str = "alster") -> tuple[VaultBudgetBody, ...]:
    return BudgetPage.model_validate(good(person.get(f"/v1/budgets?controller={controller}"))).vaults


def tell(node: Node, position: int, head: str = "a", **cap: Any) -> tuple[BudgetReport, BudgetOutcome]:
    """Report as a vault does: once more if the last entry is to be shown."""
    said = report(position, head, **cap)
    receipt = node.client().report_budget(said)
    if receipt.outcome is BudgetOutcome.SHOW_LAST:
        said = report(position, head, before=receipt.last_position, **cap)
        receipt = node.client().report_budget(said)
    return said, receipt.outcome


def beyond(person: Person) -> int:
    """A position that the vault of alster, shared by these tests, has not reached."""
    return max([vault.signed.document.ledger.position for vault in vaults(person)], default=0) + 10
