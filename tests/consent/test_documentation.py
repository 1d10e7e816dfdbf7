"""docs/consent.md says what the code says, and its examples do what it says they do."""

import importlib
import inspect
import json
import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from fastapi.testclient import TestClient
from pydantic import BaseModel
from rich.console import Console
from typer.testing import CliRunner

import hanse_consent
from hanse_consent.access.roles import Role, permission_table
from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.commands import app
from hanse_consent.commands.run_pages import list_page
from hanse_consent.configuration import ConsentConfiguration, load_configuration
from hanse_consent.domain.acts import ActKind
from hanse_consent.domain.notices import NoticeEntry, NoticeStatements
from hanse_consent.domain.parties import Agreement, Assessment, Controller, Recipient, Transfer
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.opening import open_service
from hanse_consent.records.export import ACT_COLUMNS
from hanse_consent.registry_files import JointArrangement
from hanse_consent.runs.standing import RunStage
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey

_ROOT = Path(__file__).parents[2]
_DOCUMENTS = (*(_ROOT / "docs").glob("*.md"), *_ROOT.glob("*.md"), *_ROOT.glob("*/README.md"))
_FIRST, _SECOND = "lantern orbit mustard", "seven quiet herons walk"

_NOT_MET = {
    # Of the law packs' clocks and record rules, which no command uses yet.
    "CLOCK_REFUSED",
    "EXPORT_FORMAT_NOT_PORTABLE",
    "RECORD_HOLDS_TOO_MUCH",
    "RECORD_MUST_BE_KEPT",
}


@pytest.fixture(scope="module")
def text() -> str:
    return (_ROOT / "docs" / "consent.md").read_text(encoding="utf-8")


def section(text: str, begins: str, ends: str) -> str:
    return text.partition(begins)[2].partition(ends)[0]


def first_column(table: str) -> list[str]:
    """The names in the first column, of all tables of a text."""
    cells = re.findall(r"^\| ([^|]*?) \|", table, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def commands(group: typer.Typer, *prefix: str) -> Iterator[tuple[str, Any]]:
    for command in group.registered_commands:
        name = command.name or command.callback.__name__.replace("_", "-")
        yield " ".join((*prefix, name)), command.callback
    for below in group.registered_groups:
        yield from commands(below.typer_instance, *prefix, below.name)


def test_permissions(text: str) -> None:
    assert f"\n{permission_table()}\n" in text
    assert {f"`{role.value}`" for role in Role} <= set(re.findall(r"`[a-z]+`", section(text, "### 6.", "A role is")))


def test_every_command_is_explained_and_every_one_named_exists(text: str) -> None:
    known = dict(commands(app))
    table = section(text, "## Commands", "## Addresses")
    assert sorted(first_column(table)) == sorted(f"hanse consent {name}" for name in known)
    for document in _DOCUMENTS:
        for line in re.findall(r"hanse consent (?!…)([^\n`|]+)", document.read_text(encoding="utf-8")):
            words = [word for word in line.split() if re.fullmatch(r"[a-z-]+", word)]
            name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
            assert name is not None, (document.name, line)
            source = inspect.signature(known[name]).parameters
            options = {option.replace("-", "_") for option in re.findall(r"--([a-z-]+)", line)}
            spelled = {str(parameter.annotation) for parameter in source.values()}
            for option in options:
                declared = any(f"--{option.replace('_', '-')}" in annotation for annotation in spelled)
                assert option in source or declared, (document.name, name, option)


@pytest.mark.parametrize(
    ("model", "begins", "ends"),
    [
        (ConsentConfiguration, "`consent.toml`:", "`purposes.toml`:"),
        (Purpose, "`purposes.toml`:", "`parties.toml`:"),
        (Controller, "**`[[controllers]]`**", "**`[[recipients]]`**"),
        (Recipient, "`parties.toml`:", "**`[[agreements]]`**"),
        (Agreement, "`parties.toml`:", "**`[[joint_arrangements]]`**"),
        (JointArrangement, "`parties.toml`:", "**`[[transfers]]`**"),
        (Transfer, "`parties.toml`:", "**`[[assessments]]`**"),
        (Assessment, "`parties.toml`:", "`notices/notices.toml`:"),
        (NoticeEntry, "`notices/churn-model@1.en.md`:", "### 3."),
        (NoticeStatements, "`notices/churn-model@1.en.md`:", "### 3."),
    ],
)
def test_every_field_of_the_files_is_explained(text: str, model: type[BaseModel], begins: str, ends: str) -> None:
    lines = [line for line in section(text, begins, ends).splitlines() if line.startswith("| ")]
    assert [name for name in model.model_fields if not any(f"`{name}`" in line for line in lines)] == []


def test_lists_are_those_of_the_code(text: str) -> None:
    assert first_column(section(text, "| stage |", "Nothing leads back")) == [stage.value for stage in RunStage]
    kinds = first_column(section(text, "## Record what customers say", "Every act needs"))
    assert sorted(kinds) == sorted(kind.value for kind in ActKind)
    assert ", ".join(f"`{column}`" for column in ACT_COLUMNS) in text.replace("\n", " ")
    line = next(line for line in text.splitlines() if line.startswith("| `kind` | `training`"))
    assert {kind.value for kind in PurposeKind} <= set(re.findall(r"`([a-z]+)`", line))


def test_every_code_that_can_be_met_says_what_to_do(text: str) -> None:
    for module in pkgutil.walk_packages(hanse_consent.__path__, "hanse_consent."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    codes = {
        kind.code for kind in _below(HanseError) if kind.__module__.startswith("hanse_consent") and "code" in vars(kind)
    }
    explained = set(first_column(section(text, "## What an error", "## What is not there")))
    receipts = set(first_column((_ROOT / "docs" / "consent-records.md").read_text(encoding="utf-8")))
    assert len(codes) > 70
    assert codes - explained - receipts - _NOT_MET == set()
    outside = {"INVALID_VALUE", "KEY_FILE", "SIGNATURE_INVALID"}
    assert explained - codes - outside == set()


def _below(kind: type[HanseError]) -> Iterator[type[HanseError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def test_a_list_of_runs_has_the_columns_that_the_page_shows(text: str) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(list_page(()))
    columns = captured.get().split("\n")[1].split()
    assert columns in [line.split() for line in text.splitlines()]


@pytest.fixture(scope="module")
def folder(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of somebody who followed the page."""
    path = tmp_path_factory.mktemp("page")
    SigningKey.generate().save(path / "consent.key")
    files = re.findall(r"^[^\n]*`([^`\n]+)`:\n\n```(?:toml|markdown|csv)\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == [
        "consent.toml",
        "purposes.toml",
        "parties.toml",
        "notices/notices.toml",
        "notices/churn-model@1.en.md",
        "acts.csv",
    ]
    for name, content in files:
        (path / name).parent.mkdir(exist_ok=True)
        keyed = content.replace("hanse-ed25519:…", SigningKey.generate().public.text)
        (path / name).write_text(keyed, encoding="utf-8")
    return path


def run(folder: Path, line: str, **settings: Any) -> str:
    """Run a command of the page in its folder."""
    words = [word.replace("consent.toml", str(folder / "consent.toml")) for word in shlex.split(line)]
    words = [str(folder / word) if word.endswith(".csv") else word for word in words]
    done = CliRunner().invoke(app, words[2:], catch_exceptions=False, **settings)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def said(text: str, folder: Path) -> dict[str, str]:
    """What the page's commands print, by the command."""

    def lines(command: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(f"hanse consent {command} ")]

    told = {"check": run(folder, lines("check")[0])}
    with open_service(load_configuration(folder / "consent.toml"), metrics=ServiceMetrics()):
        told["import"] = run(folder, lines("import")[0])
    for line in lines("account add"):
        run(folder, f"{line} --password-stdin", input=f"{_FIRST}\n")
    return told


def test_the_files_of_the_page_pass_their_check(text: str, said: dict[str, str]) -> None:
    assert re.sub(r"SHA256:\S+\.", "SHA256:….", said["check"]) in text
    assert f"\n{said['import']}```" in text


class Page:
    """Sends the page's requests to a service."""

    def __init__(self, text: str, client: TestClient) -> None:
        self.client = client
        self.variables = {"RUN": "no-such-run", "PROPOSAL": "0" * 64}
        blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
        self.blocks = [*blocks, ("", "")]

    def examples(self) -> Iterator[tuple[str, str, str]]:
        """Address, command, and the answer that the page shows next, if it shows one."""
        for (kind, command), (next_kind, answer) in zip(self.blocks, self.blocks[1:], strict=False):
            if kind == "sh" and command.startswith("curl"):
                address = re.search(r"127\.0\.0\.1:8700(\S+?)['\"\s]", command)
                assert address is not None
                yield address[1], command.split("\nhanse", 1)[0], answer if next_kind == "json" else ""

    def send(self, command: str) -> httpx.Response:
        for name, value in self.variables.items():
            command = command.replace(f"${name}", value)
        words = shlex.split(command.replace("\\\n", " "))
        url = next(word for word in words if word.startswith("http://"))
        headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
        body = next((words[at + 1] for at, word in enumerate(words) if word == "-d"), None)
        return self.client.request("GET" if body is None else "POST", url, content=body, headers=headers)


def test_the_requests_of_the_page_are_answered_as_it_says(text: str, folder: Path, said: dict[str, str]) -> None:
    assert said
    with open_service(load_configuration(folder / "consent.toml"), metrics=ServiceMetrics()) as service:
        page = Page(text, TestClient(service))
        for variable, name in (("TOKEN", "alba"), ("TILL", "till"), ("OTTO", "otto")):
            opened = page.client.post("/v1/sessions", json={"name": name, "password": _FIRST}).json()
            changed = page.client.post(
                "/v1/accounts/me/password",
                json={"old": _FIRST, "new": _SECOND},
                headers={"authorization": f"Bearer {opened['token']}"},
            )
            page.variables[variable] = changed.json()["token"]
        met = []
        for address, command, shown in page.examples():
            met.append(address.partition("?")[0])
            answer = page.send(command)
            if address in ("/v1/sessions", "/v1/accounts/me/password"):
                assert answer.json()["code"] == "CREDENTIALS_INVALID"  # well formed; the password is changed by now
            elif "$RUN" in address:
                assert answer.json()["code"] == "RUN_UNKNOWN"
            else:
                assert answer.status_code == 200, (address, answer.text)
                if shown:
                    compare(answer.json(), json.loads(shown))
        assert len(met) == 10
        assert addresses(text) == {
            (method.upper(), path) for path, methods in service.openapi()["paths"].items() for method in methods
        }


def addresses(text: str) -> set[tuple[str, str]]:
    rows = re.findall(r"^\| ([A-Z, ]+) \| (.+?) \|", section(text, "## Addresses", "## What an error"), re.MULTILINE)
    return {(method, path) for methods, paths in rows for method in methods.split(", ") for path in path_list(paths)}


def path_list(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def compare(answer: dict[str, Any], shown: dict[str, Any]) -> None:
    """Same fields; same content where it does not depend on time or on chance."""
    assert set(answer) == set(shown)
    for name in ("permitted", "reasons", "answers", "position", "effects", "registry_version", "pack_versions"):
        assert answer.get(name) == shown.get(name), name
    for name in ("obligations", "look_ups"):
        for entry in shown.get(name, ()):
            assert any(set(entry) == set(one) for one in answer[name])
    assert all(entry in answer["obligations"] for entry in shown.get("obligations", ()))
