"""Vaults say how their budgets stand, over the socket of the installed service; their officers read it, nobody else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from installed_service import RunningService
from league_files import CENTRE, LeagueFolder
from speakers import Node, Person, good, now, problem

from hanse_consent.budgets.bodies import BudgetPage, VaultBudgetBody
from hanse_consent.errors import ConsentRefusedError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReport

ADDRESS = "/v1/budgets?controller=alster"
REPORTS = "/v1/budget-reports"


def report(position: int, head: str = "a", *, partner: str = "alster", **cap: Any) -> BudgetReport:
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
            "delta": 1e-5,
            "caps": [lifetime | cap],
            "runs": [run],
            "earlier_runs": 0,
        }
    )


def vaults(person: Person, controller: str = "alster") -> tuple[VaultBudgetBody, ...]:
    return BudgetPage.model_validate(good(person.get(f"/v1/budgets?controller={controller}"))).vaults


def refusal(node: Node, said: BudgetReport) -> str:
    with pytest.raises(ConsentRefusedError) as refused:
        node.client().report_budget(said)
    return refused.value.refusal_code


def test_what_a_vault_says_is_what_its_people_read(
    service: RunningService, node: Node, people: dict[str, Person]
) -> None:
    position = _beyond(people["olga"])
    said = report(position, epsilon_spent=1.25)
    receipt = node.client().report_budget(said)
    assert receipt.report == said.digest
    for name in ("olga", "anja", "petra", "sven"):
        (vault,) = vaults(people[name])
        assert vault.signed.document == said
        assert now() - vault.received_at < timedelta(minutes=1)
        # As it was signed: who has the vault's key need not believe the service.
        key = service.folder.keys["alster"].public
        assert BudgetReport.verify(vault.signed.model_dump_json().encode(), key=key) == said


def test_nobody_else_reads_it(node: Node, people: dict[str, Person]) -> None:
    node.client().report_budget(report(_beyond(people["olga"])))
    for name in ("otto", "till"):
        problem(people[name].get(ADDRESS), 403, "PERMISSION_MISSING")
    problem(node.get(ADDRESS), 401, "SESSION_INVALID")
    problem(people["olga"].get("/v1/budgets"), 400, "CONTROLLER_NOT_NAMED")
    problem(people["olga"].get(f"{ADDRESS}&controller=elbe"), 400, "CONTROLLER_NOT_NAMED")
    assert vaults(people["otto"], "taihu") == ()


def test_an_older_ledger_is_refused_and_shown_to_officers(node: Node, officer: Person) -> None:
    position = _beyond(officer)
    node.client().report_budget(report(position))
    assert refusal(node, report(position - 1)) == "LEDGER_OLDER"
    assert refusal(node, report(position, "b")) == "LEDGER_OLDER"
    (vault,) = vaults(officer)
    assert vault.signed.document.ledger.position == position
    assert vault.older_ledger is not None
    assert vault.older_ledger.position == position


def test_a_vault_speaks_of_its_own_budget_only(node: Node, other_node: Node, people: dict[str, Person]) -> None:
    before = vaults(people["olga"])
    said = report(_beyond(people["olga"]), partner="alster")
    assert refusal(other_node, said) == "BUDGET_REPORT_INVALID"
    signed = said.sign(SigningKey.generate())
    problem(node.send("POST", REPORTS, signed), 422, "BUDGET_REPORT_INVALID")
    for body in (b"", b"[]", b'{"document": {}}', json.dumps({"document": {"runs": [1] * 5000}}).encode()):
        problem(node.send("POST", REPORTS, body), 422, "BUDGET_REPORT_INVALID")
    problem(node.send("POST", REPORTS, b"x" * (1024 * 1024 + 1)), 413, "BODY_TOO_LARGE")
    assert vaults(people["olga"]) == before


def test_a_person_and_a_centre_report_nothing(service: RunningService, officer: Person) -> None:
    problem(officer.send("POST", REPORTS, b"{}"), 401, "SIGNATURE_INVALID")
    said = report(1, partner=CENTRE)
    centre = Node(service=service, party=CENTRE)
    assert refusal(centre, said) == "BUDGET_REPORT_INVALID"


def test_whatever_comes_at_once_the_newest_stays(node: Node, officer: Person) -> None:
    first = _beyond(officer)

    def say(position: int) -> str:
        try:
            node.client().report_budget(report(position))
        except ConsentRefusedError as error:
            return error.refusal_code
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(say, [first + place for place in (0, 7, 3, 5, 1, 6, 2, 4) * 3]))
    assert set(answers) <= {"taken", "LEDGER_OLDER"}
    assert answers[1] == "taken"
    (vault,) = vaults(officer)
    assert vault.signed.document.ledger.position == first + 7


def test_it_survives_a_restart(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService]
) -> None:
    folder = make_folder()
    service = start_service(folder)
    node = Node(service=service, party="alster")
    node.client().report_budget(report(5))
    service.kill()
    again = Node(service=start_service(folder), party="alster")
    assert refusal(again, report(4)) == "LEDGER_OLDER"
    again.client().report_budget(report(5))


def _beyond(person: Person) -> int:
    """A position that the vault of alster, shared by these tests, has not reached."""
    return max([vault.signed.document.ledger.position for vault in vaults(person)], default=0) + 10
