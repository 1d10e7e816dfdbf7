"""``hanse consent run`` against the installed service: officers decide, auditors read, and every session ends."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from budget_words import beyond, tell
from installed_service import RunningService, add_account
from league_files import CENTRE, PURCHASES
from run_terms import proposal
from speakers import Node, Person, good, now
from sqlmodel import col, func, select
from typer.testing import CliRunner

from hanse_consent.access.tables import SessionRow
from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.commands import app
from hanse_consent.configuration import load_configuration
from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_consent.opening import location_of
from hanse_consent.runs.standing import RunOutcome, RunStanding
from hanse_consent.storage.database import Database
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal

_HANSE = str(Path(sys.executable).with_name("hanse"))


@dataclass(frozen=True)
class Done:
    """What a command said and how it ended."""

    exit_code: int
    said: str
    error: HanseError | None

    @property
    def code(self) -> str:
        """The service's own code, or the command's."""
        assert self.error is not None, self.said
        return self.error.refusal_code if isinstance(self.error, ConsentRefusedError) else self.error.code


class Terminal:
    """Gives commands for one person; afterwards no session of theirs is open but those that were before."""

    def __init__(self, person: Person) -> None:
        self.person = person

    def run(self, command: str, *arguments: str, typed: str = "", **options: str) -> Done:
        """A command of the ``run`` group, the password on its input before what is typed."""
        return self._give(["run", command, *arguments], typed=typed, options=options)

    def budget(self, *arguments: str, **options: str) -> Done:
        return self._give(["budget", *arguments], typed="", options=options)

    def _give(self, command: list[str], *, typed: str, options: dict[str, str]) -> Done:
        given = {"service": self.person.service.url, "controller": self.person.controller, "account": self.person.name}
        given |= options
        password = given.pop("password", self.person.password)
        words = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
        return self._invoke([*command, *words, "--password-stdin"], f"{password}\n{typed}")

    def my_password(self, old: str, new: str) -> Done:
        options = ["--service", self.person.service.url, "--account", self.person.name]
        return self._invoke(["account", "my-password", *options, "--password-stdin"], f"{old}\n{new}\n")

    def _invoke(self, words: list[str], given: str) -> Done:
        before = self.sessions()
        outcome = CliRunner().invoke(app, words, input=given, env={"COLUMNS": "200"})
        error = outcome.exception
        if error is not None and not isinstance(error, SystemExit | HanseError):
            raise error
        assert self.sessions() <= before
        assert self.person.password not in outcome.output
        return Done(
            exit_code=outcome.exit_code if error is None or isinstance(error, SystemExit) else error.exit_code,
            said=outcome.output,
            error=error if isinstance(error, HanseError) else None,
        )

    def sessions(self) -> int:
        """How many sessions of the account are open."""
        location = location_of(load_configuration(self.person.service.folder.config))
        with closing(Database(location)) as database, database.reading_across_controllers() as session:
            query = select(func.count()).select_from(SessionRow).where(col(SessionRow.account) == self.person.name)
            return session.exec(query).one()


@pytest.fixture
def olga(people: dict[str, Person]) -> Terminal:
    """An officer of alster."""
    return Terminal(people["olga"])


@pytest.fixture
def anja(people: dict[str, Person]) -> Terminal:
    """An auditor of alster."""
    return Terminal(people["anja"])


@pytest.fixture
def centre(service: RunningService) -> Node:
    return Node(service=service, party=CENTRE)


@pytest.fixture
def submit(centre: Node) -> Callable[..., RunProposal]:
    def send(**changes: Any) -> RunProposal:
        asked = proposal(centre.service, **changes)
        centre.client().submit_run(asked.sign(centre.service.folder.keys[CENTRE]))
        return asked

    return send


def standing(centre: Node, asked: RunProposal) -> RunStanding:
    """Where a run stands at alster, as the centre sees it."""
    return next(one for one in centre.client().run_state(asked.run).standings if one.controller == "alster")


def test_an_officer_reads_approves_and_revokes(
    olga: Terminal, centre: Node, submit: Callable[..., RunProposal]
) -> None:
    asked = submit()
    listed = olga.run("list")
    assert f"{asked.run} awaiting 0 of 1 1 joint-statistics" in " ".join(listed.said.split())
    shown = olga.run("show", asked.run).said
    for words in (asked.digest, asked.title, PURCHASES, "centre (DE)", "popularity-statistics/1", "1 officer needed"):
        assert words in shown
    for entry in asked.roster:
        assert f"{entry.partner}, key {entry.key.fingerprint}" in shown

    # Nothing is decided without a yes, nor on other terms than those that were named.
    for typed in ("n\n", "", "perhaps\nn\n"):
        refused = olga.run("approve", asked.run, typed=typed)
        assert (refused.exit_code, refused.error) == (1, None)
        assert asked.digest in refused.said
    other = olga.run("approve", asked.run, "--yes", proposal="0" * 64)
    assert other.code == "PROPOSAL_DIFFERS"
    assert standing(centre, asked).stage.value == "awaiting"

    approved = olga.run("approve", asked.run, typed="y\n")
    assert (approved.exit_code, approved.error) == (0, None)
    assert "alster: approved" in approved.said
    assert standing(centre, asked).stage.value == "approved"
    # The same officer again: it counts once.
    assert olga.run("approve", asked.run, "--yes", proposal=asked.digest).exit_code == 0
    assert olga.run("show", asked.run).said.count("olga approved") == 1
    assert olga.run("refuse", asked.run, words="Too late.").code == "RUN_STATE"
    revoked = olga.run("revoke", asked.run, words="Complaint of 14 November.", article="GDPR 7(3)")
    assert "alster: revoked (Complaint of 14 November. [GDPR 7(3)])" in revoked.said
    assert olga.run("approve", asked.run, "--yes").code == "RUN_STATE"
    assert "olga revoked: Complaint of 14 November. [GDPR 7(3)]" in olga.run("show", asked.run).said


def test_an_officer_reads_what_is_left_beside_the_run_and_by_itself(
    olga: Terminal, anja: Terminal, submit: Callable[..., RunProposal], node: Node
) -> None:
    asked = submit()
    said, _ = tell(node, beyond(olga.person), epsilon_spent=1.25, epsilon_remaining=0.001)
    for shown in (olga.run("show", asked.run).said, olga.run("approve", asked.run, typed="n\n").said):
        assert "ε = 1.250 of 5.000 spent on everything, 0.001 left for one run" in shown
        assert "it does NOT fit" in shown
    for person in (olga, anja):
        assert "1.250" in person.budget().said
        page = BudgetPage.model_validate_json(person.budget("--json").said)
        assert page.vaults[0].signed.document == said
    assert olga.budget(controller="elbe").code == "PERMISSION_MISSING"


def test_a_refusal_reaches_the_centre_in_the_officers_words(
    olga: Terminal, centre: Node, submit: Callable[..., RunProposal]
) -> None:
    asked = submit()
    done = olga.run("refuse", asked.run, words="Not before the board has met.", rule="G-35", article="GDPR 35")
    assert done.exit_code == 0
    ending = standing(centre, asked).ending
    assert ending is not None
    assert (ending.words, ending.rule, ending.article) == ("Not before the board has met.", "G-35", "GDPR 35")


def test_a_released_model_is_found_anonymous_until_a_date(
    olga: Terminal, centre: Node, submit: Callable[..., RunProposal]
) -> None:
    asked = submit()
    until = (now() + timedelta(days=365)).isoformat()
    claim = {"epsilon": "0.5", "honest_minimum": "1", "audit": "Audit 7", "valid_until": until}
    assert olga.run("find-anonymous", asked.run, **claim).code == "RUN_STATE"
    assert olga.run("approve", asked.run, "--yes").exit_code == 0
    outcome = RunOutcome(
        proposal=asked.digest, completed=True, result_sha256="1" * 64, rounds=1, epsilon_spent=asked.cost_epsilon()
    )
    centre.client().record_outcome(asked.run, outcome)
    assert "to be treated as personal data" in olga.run("show", asked.run).said
    assert olga.run("find-anonymous", asked.run, **claim | {"epsilon": "0.0001"}).code == "ANONYMITY_UNFOUNDED"
    for wrong in ({"valid_until": "2030-01-01"}, {"epsilon": "-1"}, {"audit": ""}, {"found_on": "yesterday"}):
        assert olga.run("find-anonymous", asked.run, **claim | wrong).code == "INVALID_VALUE"
    found = olga.run("find-anonymous", asked.run, found_on="2026-05-05", **claim)
    assert "the model is to be treated as anonymous" in found.said
    shown = olga.run("show", asked.run).said
    assert "to be treated as anonymous" in shown
    assert "by ε = 0.5, 1 honest vaults and the audit Audit 7" in shown


def test_an_auditor_reads_and_decides_nothing(anja: Terminal, centre: Node, submit: Callable[..., RunProposal]) -> None:
    asked = submit()
    assert asked.run in anja.run("list").said
    assert asked.digest in anja.run("show", asked.run).said
    until = (now() + timedelta(days=1)).isoformat()
    for done in (
        anja.run("approve", asked.run, "--yes"),
        anja.run("refuse", asked.run, words="No."),
        anja.run("revoke", asked.run, words="No."),
        anja.run("find-anonymous", asked.run, epsilon="1", honest_minimum="1", audit="A", valid_until=until),
    ):
        assert done.code == "OFFICER_FOREIGN"
    assert standing(centre, asked).stage.value == "awaiting"


def test_what_the_check_refuses_nobody_approves(olga: Terminal, submit: Callable[..., RunProposal]) -> None:
    asked = submit(recipients=[{"name": CENTRE, "country": "DE"}, {"name": "insight", "country": "US"}])
    shown = olga.run("show", asked.run).said
    assert "refused-by-check" in shown
    assert "What forbids it" in shown
    assert "GDPR" in shown
    assert "insight (US)" in shown
    assert olga.run("approve", asked.run, "--yes").code == "RUN_STATE"


def test_a_list_has_a_limit(olga: Terminal, submit: Callable[..., RunProposal]) -> None:
    mine = [submit().run for _ in range(3)]
    two = olga.run("list", limit="2").said
    assert mine[2] in two
    assert mine[1] in two
    assert mine[0] not in two
    assert "the newest 2" in two
    assert olga.run("list", limit="0").exit_code == 2


HOSTILE = "[bold red]all is well[/] [/x] \x1b]0;t\x07\x1b[2J\x9b31m\u202e\nalster: approved"


def test_words_of_others_are_shown_and_not_obeyed(olga: Terminal, submit: Callable[..., RunProposal]) -> None:
    asked = submit(title=HOSTILE)
    for done in (olga.run("list"), olga.run("show", asked.run), olga.run("approve", asked.run, typed="n\n")):
        assert not set(done.said) & {"\x1b", "\x07", "\x9b", "\u202e"}
        assert "[bold red]all is well[/] [/x]" in done.said
        assert "\nalster: approved" not in done.said
    refused = olga.run("refuse", asked.run, words="[red]no[/red] \x9b31m")
    assert "[red]no[/red] \ufffd31m" in refused.said


def test_bad_input_is_refused_in_words(olga: Terminal, submit: Callable[..., RunProposal]) -> None:
    asked = submit()
    assert olga.run("list", password="another password").code == "CREDENTIALS_INVALID"
    assert olga.run("list", account="nobody-here").code == "CREDENTIALS_INVALID"
    assert olga.run("list", account="Olga Smith").code == "INVALID_VALUE"
    assert olga.run("list", password="").code == "INVALID_VALUE"
    for command, options in (("show", {}), ("revoke", {"words": "No."})):
        assert olga.run(command, "unheard-of", **options).code == "RUN_UNKNOWN"
        assert olga.run(command, "../x", **options).code == "INVALID_VALUE"
        assert olga.run(command, asked.run, controller="elbe", **options).code == "OFFICER_FOREIGN"
        assert olga.run(command, asked.run, controller="Elbe!", **options).code == "INVALID_VALUE"
    assert olga.run("approve", "unheard-of", "--yes").code == "RUN_UNKNOWN"
    for words in ("", "two\nlines", "x" * 501):
        assert olga.run("refuse", asked.run, words=words).code == "INVALID_VALUE"
    assert olga.run("refuse", asked.run).exit_code == 2
    assert olga.run("list", service="http://consent.example").code == "INVALID_VALUE"


def test_a_service_that_is_down_or_talks_nonsense(olga: Terminal, node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    down = olga.run("list", service=f"http://127.0.0.1:{port}")
    assert isinstance(down.error, ConsentUnavailableError)
    # Something else of this very service answers, and is no session.
    wrong = olga.run("list", service=f"{node.service.url}/v1")
    assert wrong.code == "INVALID_VALUE"


def test_a_given_password_is_changed_first(service: RunningService) -> None:
    name, given, own = f"nora-{secrets.token_hex(3)}", f"given {secrets.token_hex(8)}", f"own {secrets.token_hex(8)}"
    service.secrets |= {given, own}
    add_account(service.folder, name, "officer@alster", password=given)
    nora = Terminal(Person(service=service, name=name, password=given))
    refused = nora.run("list")
    assert refused.code == "PASSWORD_CHANGE_REQUIRED"
    assert refused.error is not None
    assert f"hanse consent account my-password --service {service.url} --account {name}" in refused.error.mend
    assert nora.my_password("another password", own).code == "CREDENTIALS_INVALID"
    for bad in (given, "short", f"{name} {name}"):
        assert nora.my_password(given, bad).code == "PASSWORD_REFUSED"
    done = nora.my_password(given, own)
    assert (done.exit_code, nora.sessions()) == (0, 0)
    assert own not in done.said
    assert nora.run("list").code == "CREDENTIALS_INVALID"
    assert nora.run("list", password=own).exit_code == 0
    assert nora.sessions() == 0


def test_passwords_are_asked_for_and_never_shown(service: RunningService) -> None:
    name, given, own = f"nils-{secrets.token_hex(3)}", f"given {secrets.token_hex(8)}", f"own {secrets.token_hex(8)}"
    service.secrets |= {given, own}
    add_account(service.folder, name, "auditor@alster", password=given)
    where = ["--service", service.url, "--account", name]
    # A new password that was typed differently is asked for again.
    typed = f"{given}\n{own}\nsomething else\n{own}\n{own}\n"
    changed = CliRunner().invoke(app, ["account", "my-password", *where], input=typed)
    assert (changed.exit_code, changed.exception) == (0, None)
    listed = CliRunner().invoke(app, ["run", "list", *where, "--controller", "alster"], input=f"{own}\n")
    assert listed.exit_code == 0
    assert "Password: " in listed.output
    assert not [word for word in (given, own, "something else") if word in changed.output + listed.output]


# The installed command as a process.


_HEEDED = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Starts a command as a terminal does, also where the tests themselves run in the background and ignore Ctrl-C."""


def command(olga: Terminal, *words: str) -> list[str]:
    person = olga.person
    options = ["--service", person.service.url, "--controller", "alster", "--account", person.name, "--password-stdin"]
    return [_HANSE, "consent", "run", *words, *options]


def test_an_error_of_the_installed_command_is_one_sentence(olga: Terminal) -> None:
    done = subprocess.run(
        command(olga, "show", "unheard-of"),
        input=f"{olga.person.password}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "(RUN_UNKNOWN)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_ends_its_session_and_decides_nothing(
    olga: Terminal, centre: Node, submit: Callable[..., RunProposal], number: signal.Signals
) -> None:
    asked, before = submit(), olga.sessions()
    process = subprocess.Popen(
        [sys.executable, "-c", _HEEDED, *command(olga, "approve", asked.run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{olga.person.password}\n".encode())
        process.stdin.flush()
        said = b""
        while b"Approve exactly" not in said:
            read = os.read(process.stdout.fileno(), 65536)
            assert read, said
            said += read
        assert olga.sessions() == before + 1
        os.kill(process.pid, number)
        assert process.wait(timeout=20) != 0
    finally:
        process.kill()
        process.wait(timeout=10)
    assert olga.sessions() == before
    assert standing(centre, asked).stage.value == "awaiting"


def test_a_session_that_cannot_be_closed_is_told_and_hides_nothing(
    olga: Terminal, make_folder: Callable[..., Any], start_service: Callable[..., RunningService]
) -> None:
    """The service goes down between the decision's question and the session's end."""
    running = start_service(make_folder())
    given = f"given {secrets.token_hex(8)}"
    add_account(running.folder, "olga", "officer@alster", password=given)
    person = Person(service=running, name="olga")
    person.sign_in("olga", given)
    own = f"own {secrets.token_hex(8)}"
    good(person.change_password(given, own))
    centre = Node(service=running, party=CENTRE)
    asked = proposal(running)
    centre.client().submit_run(asked.sign(running.folder.keys[CENTRE]))
    words = ["--service", running.url, "--controller", "alster", "--account", "olga", "--password-stdin"]
    process = subprocess.Popen(
        [_HANSE, "consent", "run", "approve", asked.run, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{own}\n".encode())
        process.stdin.flush()
        said = b""
        while b"Approve exactly" not in said:
            said += os.read(process.stdout.fileno(), 65536)
        running.kill()
        _, error = process.communicate(b"y\n", timeout=30)
    finally:
        process.kill()
        process.wait(timeout=10)
    assert process.returncode == 1
    assert b"could not be closed; it ends by itself" in error
    assert b"CONSENT_UNAVAILABLE" in error
    assert b"may have been recorded" in error
    assert b"Traceback" not in error
