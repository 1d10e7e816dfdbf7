"""What a controller does not have in order, over HTTP and by command."""

import subprocess
import sys

from installed_service import RunningService, hanse
from league_files import CHURN, SOON
from speakers import Node, Person, good, problem

from hanse_consent.domain.findings import FindingReport


def report(person: Person) -> FindingReport:
    return FindingReport.model_validate(good(person.get(f"/v1/findings?controller={person.controller}")))


def test_officers_and_auditors_see_what_is_not_in_order(people: dict[str, Person], officer: Person) -> None:
    found = report(officer)
    assert found.controller == "alster"
    (finding,) = found.findings
    assert (finding.rule, finding.code) == ("H-F2", "PAPER_ENDS_SOON")
    assert f"assessment fairness-of-alster ends on {SOON.isoformat(timespec='minutes')}" in finding.words
    assert CHURN in finding.words
    assert set(found.pack_versions) == {"gdpr", "pipl", "house"}
    assert report(people["anja"]).findings == found.findings


def test_nobody_else_sees_them(people: dict[str, Person], node: Node) -> None:
    address = "/v1/findings?controller=alster"
    for name in ("petra", "sven", "till"):
        problem(people[name].get(address), 403, "PERMISSION_MISSING")
    problem(people["otto"].get(address), 403, "PERMISSION_MISSING")  # an officer elsewhere
    problem(node.get(address), 401, "SESSION_INVALID")
    stranger = Person(service=node.service)
    problem(stranger.get(address), 401, "SESSION_INVALID")


def test_each_controller_has_its_own(people: dict[str, Person]) -> None:
    otto = people["otto"]
    for name in ("elbe", "taihu"):
        assert good(otto.get(f"/v1/findings?controller={name}"))["findings"] == []
    problem(otto.get("/v1/findings"), 400, "CONTROLLER_NOT_NAMED")
    problem(otto.get("/v1/findings?controller=elbe&controller=taihu"), 400, "CONTROLLER_NOT_NAMED")


def test_the_command_says_the_same(service: RunningService) -> None:
    config = str(service.folder.config)
    done = hanse("findings", "--controller", "alster", "--config", config)
    assert done.returncode == 0, done.stderr
    line, total = done.stdout.splitlines()
    assert line.startswith("H-F2 (Hanse; GDPR 26")
    assert "PAPER_ENDS_SOON: The assessment fairness-of-alster ends on" in line
    assert total == "Findings for alster: 1."
    assert hanse("findings", "--controller", "taihu", "--config", config).stdout == "Findings for taihu: 0.\n"
    unknown = hanse("findings", "--controller", "nobody", "--config", config)
    assert unknown.returncode == 1
    assert "CONTROLLER_UNKNOWN" in unknown.stderr


def test_the_answer_can_be_read_without_the_service() -> None:
    heavy = "{'fastapi', 'sqlalchemy', 'sqlmodel', 'chinese_calendar'}"
    program = f"import sys, hanse_consent.domain.findings; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
