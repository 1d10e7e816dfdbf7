"""People at the door: passwords, sessions, and what each role may and may not."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from installed_service import RunningService, add_account, hanse
from league_files import LeagueFolder
from speakers import Node, Person, act, good, problem

RUN = "spring-1"
EVERYTHING: dict[str, Callable[[Person, str], Any]] = {
    "record": lambda who, customer: who.record(act("refusal", customer=customer, purpose="joint-statistics")),
    "check": lambda who, customer: who.check(customer),
    "bulk": lambda who, customer: who.bulk(customer),
    "timeline": lambda who, customer: who.timeline(customer),
    "consent-record": lambda who, customer: who.document("consent-records", customer),
    "receipt": lambda who, customer: who.document("receipts", customer),
    "runs": lambda who, _: who.get(f"/v1/runs?controller={who.controller}"),
    "look-ups": lambda who, _: who.get(f"/v1/look-ups?controller={who.controller}&limit=1"),
    "resume": lambda who, _: who.send("DELETE", f"/v1/nodes/{who.controller}/suspension?reason=all+is+well+again"),
}
"""What a person can ask of a customer or a controller."""

LOOKS = {"check", "bulk", "timeline", "consent-record"}
ALLOWED = {
    "olga": LOOKS | {"runs", "resume"},
    "anja": {"runs", "look-ups"},
    "petra": {"runs"},
    "sven": {"runs"},
    "till": {"record", "check", "bulk", "receipt"},
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("what", EVERYTHING)
def test_what_each_role_may(
    people: dict[str, Person], node: Node, known: Callable[..., str], name: str, what: str
) -> None:
    customer = known()
    before = node.position()
    answer = EVERYTHING[what](people[name], customer)
    if what in ALLOWED[name]:
        assert answer.status_code in (200, 204), answer.text
        return
    problem(answer, 403, "OFFICER_FOREIGN" if what == "runs" else "PERMISSION_MISSING")
    assert node.position() == before


@pytest.mark.parametrize("what", EVERYTHING)
def test_a_role_is_held_at_one_controller(people: dict[str, Person], node: Node, what: str) -> None:
    for name, person in people.items():
        if name == "otto":
            continue
        away = Person(service=person.service, controller="elbe", token=person.token)
        may = name == "till" and what in ("runs", "look-ups")
        assert EVERYTHING[what](away, node.customer()).status_code == (200 if may else 403)


def test_a_person_names_exactly_one_controller(officer: Person) -> None:
    customer = officer.customer()
    question = {"customer": customer, "reason": officer.reason()}
    for query in ("", "?controller=alster&controller=alster", "?controller=alster&controller=elbe"):
        problem(officer.post(f"/v1/timelines{query}", question), 400, "CONTROLLER_NOT_NAMED")
    for name in ("weser", "", "%00", "alster%20", "ALSTER"):
        problem(officer.post(f"/v1/timelines?controller={name}", question), 403, "PERMISSION_MISSING")


def test_a_node_speaks_for_itself_only(node: Node) -> None:
    question = {"customer": node.customer(), "reason": node.reason()}
    good(node.post("/v1/timelines?controller=alster", question))
    problem(node.post("/v1/timelines?controller=elbe", question), 403, "PARTNER_MISMATCH")
    problem(node.post("/v1/timelines?controller=alster&controller=elbe", question), 403, "PARTNER_MISMATCH")


def test_no_session_no_answer(service: RunningService, node: Node) -> None:
    nobody = Person(service=service)
    for ask in EVERYTHING.values():
        refused = ask(nobody, node.customer())
        problem(refused, 401, "SESSION_INVALID")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("credentials", [b"Bearer", b"Bearer x", b"Bearer " + b"x" * 500, b"Bearer a b", b"Basic \xe9"])
def test_tokens_that_are_none(service: RunningService, credentials: bytes) -> None:
    answer = Person(service=service).http.get("/v1/sessions/current", headers=[(b"authorization", credentials)])
    problem(answer, 401, "SESSION_INVALID")


def test_a_new_account_changes_its_password_first(service: RunningService) -> None:
    name, given, own = f"new{secrets.token_hex(4)}", secrets.token_hex(12), secrets.token_hex(12)
    service.secrets |= {given, own}
    add_account(service.folder, name, "officer@alster", "auditor@alster", "channel@alster", password=given)
    person = Person(service=service)
    problem(person.sign_in(name, own), 401, "CREDENTIALS_INVALID")
    problem(person.sign_in("nobody", given), 401, "CREDENTIALS_INVALID")
    assert person.sign_in(name, given).status_code == 201
    for ask in EVERYTHING.values():
        problem(ask(person, person.customer()), 403, "PASSWORD_CHANGE_REQUIRED")
    assert good(person.get("/v1/sessions/current"))["must_change_password"]
    problem(person.change_password(given, given), 422, "PASSWORD_REFUSED")
    problem(person.change_password(given, "short"), 422, "PASSWORD_REFUSED")
    problem(person.change_password(own, own + "x"), 401, "CREDENTIALS_INVALID")
    first = Person(service=service, token=person.token)
    assert person.change_password(given, own).status_code == 200
    problem(first.get("/v1/sessions/current"), 401, "SESSION_INVALID")
    me = good(person.get("/v1/sessions/current"))
    assert (me["name"], me["must_change_password"]) == (name, False)
    assert {grant["role"] for grant in me["grants"]} == {"officer", "auditor", "channel"}
    assert person.send("DELETE", "/v1/sessions/current").status_code == 204
    problem(person.get("/v1/sessions/current"), 401, "SESSION_INVALID")


def test_a_disabled_account_is_out_at_once(service: RunningService) -> None:
    name, given = f"gone{secrets.token_hex(4)}", secrets.token_hex(12)
    service.secrets.add(given)
    added = hanse(
        "account", "add", name, "--config", str(service.folder.config), "--role", "partner@alster", "--password-stdin",
        said=f"{given}\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    person = Person(service=service)
    person.sign_in(name, given)
    good(person.get("/v1/sessions/current"))
    assert hanse("account", "disable", name, "--config", str(service.folder.config)).returncode == 0
    problem(person.get("/v1/sessions/current"), 401, "SESSION_INVALID")
    problem(person.sign_in(name, given), 401, "CREDENTIALS_INVALID")


def test_every_look_is_in_the_log_of_look_ups_without_whom(
    people: dict[str, Person], node: Node, known: Callable[..., str]
) -> None:
    auditor, officer = people["anja"], people["olga"]
    customer, other = known(), known()
    reasons = [officer.reason() for _ in range(3)]
    good(officer.check(customer, reason=reasons[0]))
    good(officer.timeline(customer, reason=reasons[1]))
    good(officer.check(other, reason=reasons[2]))
    page = good(auditor.get("/v1/look-ups?controller=alster&actor=olga&limit=3"))
    newest = page["look_ups"]
    assert [one["reason"] for one in newest] == reasons[::-1]
    assert [one["kind"] for one in newest] == ["check", "timeline", "check"]
    assert newest[1]["person"] == newest[2]["person"] != newest[0]["person"]
    assert customer not in str(page)
    assert page["next_before"] == newest[-1]["number"]
    older = good(auditor.get(f"/v1/look-ups?controller=alster&before={page['next_before']}&limit=500"))
    assert all(one["number"] < page["next_before"] for one in older["look_ups"])


def test_a_look_that_is_refused_for_its_form_is_none(people: dict[str, Person]) -> None:
    newest = "/v1/look-ups?controller=alster&limit=1"
    before = good(people["anja"].get(newest))
    problem(people["olga"].timeline("nobody"), 400, "BODY_INVALID")
    assert good(people["anja"].get(newest)) == before


@pytest.mark.parametrize(
    "query",
    [
        "controller=alster&before=" + "9" * 30,
        "controller=alster&before=9223372036854775808",
        "controller=alster&actor=%00",
        "controller=alster&actor=a%00b",
        "controller=alster&actor=%ED%A0%80",
        "controller=alster&limit=0",
        "controller=alster&limit=501",
        "controller=alster&before=0",
        "controller=alster&whatever=1",
    ],
)
def test_look_ups_that_cannot_be_listed(people: dict[str, Person], query: str) -> None:
    answer = people["anja"].get(f"/v1/look-ups?{query}")
    assert answer.status_code in (200, 400), answer.text


def test_accounts_are_added_with_care(service: RunningService) -> None:
    folder: LeagueFolder = service.folder
    config = ("--config", str(folder.config), "--password-stdin")
    for arguments, said in (
        (("NoName", "--role", "officer@alster"), "a long enough password"),
        (("nadja", "--role", "king@alster"), "a long enough password"),
        (("nadja", "--role", "officer@alster"), "short"),
    ):
        refused = hanse("account", "add", *arguments, *config, said=f"{said}\n")
        assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
        assert said not in refused.stderr
