"""Vaults and the centre say how budgets stand, over the installed service's socket; officers read it, nobody else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from budget_words import beyond, league_report, leagues, report, tell, vaults
from installed_service import RunningService
from league_files import CENTRE, LeagueFolder
from speakers import Node, Person, now, problem

from hanse_consent.errors import ConsentRefusedError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.budget_report import BudgetReport
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome

ADDRESS = "/v1/budgets?controller=alster"
REPORTS = "/v1/budget-reports"
LEAGUE_REPORTS = "/v1/league-budget-reports"
TAKEN, OLDER = BudgetOutcome.TAKEN, BudgetOutcome.OLDER_LEDGER


def refusal(node: Node, position: int, head: str = "a", *, partner: str = "alster") -> str:
    with pytest.raises(ConsentRefusedError) as refused:
        tell(node, position, head, partner=partner)
    return refused.value.refusal_code


def test_what_a_vault_says_is_what_its_people_read(
    service: RunningService, node: Node, people: dict[str, Person]
) -> None:
    said, outcome = tell(node, beyond(people["olga"]), epsilon_spent=1.25)
    assert outcome is TAKEN
    for name in ("olga", "anja", "petra", "sven"):
        (vault,) = vaults(people[name])
        assert vault.signed.document == said
        assert now() - vault.received_at < timedelta(minutes=1)
        # As it was signed: who has the vault's key need not believe the service.
        key = service.folder.keys["alster"].public
        assert BudgetReport.verify(vault.signed.model_dump_json().encode(), key=key) == said


def test_nobody_else_reads_it(node: Node, people: dict[str, Person]) -> None:
    tell(node, beyond(people["olga"]))
    for name in ("otto", "till"):
        problem(people[name].get(ADDRESS), 403, "PERMISSION_MISSING")
    problem(node.get(ADDRESS), 401, "SESSION_INVALID")
    problem(people["olga"].get("/v1/budgets"), 400, "CONTROLLER_NOT_NAMED")
    problem(people["olga"].get(f"{ADDRESS}&controller=elbe"), 400, "CONTROLLER_NOT_NAMED")
    assert vaults(people["otto"], "taihu") == ()


def test_an_older_ledger_and_another_are_refused_and_shown_to_officers(node: Node, officer: Person) -> None:
    position = beyond(officer)
    tell(node, position)
    for older, head in ((position - 1, "a"), (position, "b"), (position + 5, "b")):
        assert tell(node, older, head)[1] is OLDER
        (vault,) = vaults(officer)
        assert vault.signed.document.ledger.position == position
        assert vault.older_ledger is not None
        assert vault.older_ledger.position == older


def test_a_report_that_was_held_up_changes_nothing(node: Node, officer: Person) -> None:
    position = beyond(officer)
    held_up = report(position - 1)
    said, _ = tell(node, position)
    before = vaults(officer)
    with pytest.raises(ConsentRefusedError) as refused:
        node.client().report_budget(held_up)
    assert refused.value.refusal_code == "BUDGET_REPORT_OUTDATED"
    assert vaults(officer) == before
    assert before[0].signed.document == said


def test_a_vault_speaks_of_its_own_budget_only(node: Node, other_node: Node, people: dict[str, Person]) -> None:
    before = vaults(people["olga"])
    said = report(beyond(people["olga"]), partner="alster")
    assert refusal(other_node, said.ledger.position) == "BUDGET_REPORT_INVALID"
    signed = said.sign(SigningKey.generate())
    problem(node.send("POST", REPORTS, signed), 422, "BUDGET_REPORT_INVALID")
    for body in (b"", b"[]", b'{"document": {}}', json.dumps({"document": {"runs": [1] * 5000}}).encode()):
        problem(node.send("POST", REPORTS, body), 422, "BUDGET_REPORT_INVALID")
    problem(node.send("POST", REPORTS, b"x" * (1024 * 1024 + 1)), 413, "BODY_TOO_LARGE")
    assert vaults(people["olga"]) == before


def test_a_person_and_a_centre_report_nothing(service: RunningService, officer: Person) -> None:
    problem(officer.send("POST", REPORTS, b"{}"), 401, "SIGNATURE_INVALID")
    assert refusal(Node(service=service, party=CENTRE), 1, partner=CENTRE) == "BUDGET_REPORT_INVALID"


def test_whatever_comes_at_once_the_newest_stays(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService]
) -> None:
    """Also the very first reports, when there is nothing yet to be locked."""
    node = Node(service=start_service(make_folder()), party="alster")

    def say(position: int) -> str:
        try:
            return tell(node, position)[1].value
        except ConsentRefusedError as error:
            return error.refusal_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(say, [1 + place for place in (0, 7, 3, 5, 1, 6, 2, 4) * 3]))
    # Overtaken in between, one may be asked once more to show the last entry.
    assert set(answers) <= {*BudgetOutcome, "BUDGET_REPORT_OUTDATED"}
    assert "taken" in answers
    assert tell(node, 8)[1] is TAKEN
    for _ in range(2):
        assert tell(node, 7)[1] is OLDER


def test_it_survives_a_restart(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService]
) -> None:
    folder = make_folder()
    service = start_service(folder)
    tell(Node(service=service, party="alster"), 5)
    service.kill()
    again = Node(service=start_service(folder), party="alster")
    assert tell(again, 4)[1] is OLDER
    assert tell(again, 5)[1] is TAKEN


def test_what_the_centre_says_of_a_partner_is_what_that_partners_people_read(
    service: RunningService, people: dict[str, Person]
) -> None:
    centre = Node(service=service, party=CENTRE)
    before = vaults(people["olga"])
    said = league_report(4)
    assert centre.client().report_league_budget(said).outcome is TAKEN
    for name in ("olga", "anja", "petra", "sven"):
        (league,) = leagues(people[name])
        assert league.signed.document == said
        key = service.folder.keys[CENTRE].public
        assert LeagueBudgetReport.verify(league.signed.model_dump_json().encode(), key=key) == said
    # Of others nothing is said yet; a vault's own word is another one.
    assert leagues(people["otto"], "elbe") == leagues(people["otto"], "taihu") == ()
    assert vaults(people["olga"]) == before
    centre.client().report_league_budget(league_report(5, partner="elbe"))
    assert [one.signed.document.partner for one in leagues(people["otto"], "elbe")] == ["elbe"]
    assert [one.signed.document for one in leagues(people["olga"])] == [said]
    # Its ledger went back, or is another one.
    for position, head in ((3, "c"), (4, "d"), (9, "d")):
        receipt = centre.client().report_league_budget(league_report(position, head))
        if receipt.outcome is BudgetOutcome.SHOW_LAST:
            receipt = centre.client().report_league_budget(league_report(position, head, before=4))
        assert receipt.outcome is OLDER
        (league,) = leagues(people["olga"])
        assert league.signed.document == said
        assert league.older_ledger is not None
        assert league.older_ledger.position == position


def test_only_the_centre_speaks_of_its_league(service: RunningService, node: Node, people: dict[str, Person]) -> None:
    centre, before = Node(service=service, party=CENTRE), leagues(people["olga"])
    problem(people["olga"].send("POST", LEAGUE_REPORTS, b"{}"), 401, "SIGNATURE_INVALID")
    keys = service.folder.keys
    for speaker, signed in (
        (node, league_report(90).sign(keys["alster"])),
        (node, league_report(90).sign(keys[CENTRE])),
        (centre, league_report(90).sign(keys["alster"])),
        (centre, league_report(90, centre="alster").sign(keys[CENTRE])),
        (centre, league_report(90, partner="nobody").sign(keys[CENTRE])),
        (centre, report(90).sign(keys[CENTRE])),
        (centre, b""),
        (centre, b"[]"),
    ):
        problem(speaker.send("POST", LEAGUE_REPORTS, signed), 422, "BUDGET_REPORT_INVALID")
    problem(node.send("POST", REPORTS, league_report(90).sign(keys["alster"])), 422, "BUDGET_REPORT_INVALID")
    problem(centre.send("POST", LEAGUE_REPORTS, b"x" * (1024 * 1024 + 1)), 413, "BODY_TOO_LARGE")
    assert leagues(people["olga"]) == before
