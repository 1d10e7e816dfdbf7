"""docs/node.md and the services say what the code says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hanse_client.commands import app
from hanse_client.vault.policy import ConsentSection, LimitSection, NodeSection, PinSection

_ROOT = Path(__file__).parents[2]
_DEPLOYMENT = _ROOT / "client" / "deployment"


@pytest.fixture
def documentation() -> str:
    return (_ROOT / "docs" / "node.md").read_text(encoding="utf-8")


def test_every_code_of_a_node_is_explained(documentation: str) -> None:
    codes: set[str] = set()
    for path in (_ROOT / "client").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        codes |= set(re.findall(r'\bcode = "([A-Z_]+)"', source))
        codes |= set(
            re.findall(r'(?:RefusedError\(\s*|failure=|outcome, reason = Outcome.REFUSED, )"([A-Z_]+)"', source)
        )
    assert len(codes) > 20
    assert {code for code in codes if f"`{code}`" not in documentation} == set()


@pytest.mark.parametrize("section", [NodeSection, ConsentSection, PinSection, LimitSection])
def test_every_field_of_a_policy_is_explained(documentation: str, section: type) -> None:
    assert [name for name in section.model_fields if f"\n| `{name}` |" not in documentation] == []


def test_the_services_run_commands_that_exist() -> None:
    known = {command.name or command.callback.__name__: command for command in app.registered_commands}
    for unit in _DEPLOYMENT.glob("*.service"):
        line = re.search(r"^ExecStart=/opt/hanse/bin/hanse node ((?:.*\\\n)*.*)$", unit.read_text(), re.MULTILINE)
        name, *arguments = line[1].replace("\\\n", " ").split()
        parameters = known[name].callback.__annotations__
        options = {argument.removeprefix("--").replace("-", "_") for argument in arguments if argument.startswith("--")}
        assert options <= set(parameters)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_services(tmp_path: Path) -> None:
    # Only the program's path differs: systemd looks whether it is there.
    for unit in _DEPLOYMENT.glob("*.service"):
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/hanse/bin/hanse", "/bin/true"))
    units = sorted(str(path) for path in tmp_path.iterdir())
    assert len(units) == 2
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
