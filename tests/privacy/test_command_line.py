"""One way to end with an error, whatever went wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hanse_privacy.ports import PortTakenError, require_free

HANSE = str(Path(sys.executable).parent / "hanse")


def hanse(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HANSE, *arguments], check=False, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}
    )


def test_every_role_has_a_group() -> None:
    done = hanse("--help")
    assert done.returncode == 0
    for role in ("demo", "node", "consent", "league", "ask"):
        assert role in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("league", "run", "missing.toml", "--home", "nowhere"), "LEAGUE_INVALID"),
        (("league", "serve", "--home", "nowhere"), "LEAGUE_INVALID"),
        (("node", "serve", "--home", "nowhere"), "NODE_HOME"),
        (("node", "doctor", "--home", "nowhere"), "POLICY_INVALID"),
        (("demo", "--league", "nowhere"), "STORY_INVALID"),
    ],
)
def test_bad_input_is_one_sentence_with_its_mend(arguments: tuple[str, ...], code: str) -> None:
    done = hanse(*arguments)
    assert done.returncode == 2
    assert code in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_what_the_system_refuses_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = hanse("node", "keygen", "--home", str(tmp_path / "file" / "node"))
    assert done.returncode == 1
    assert "SYSTEM_REFUSED" in done.stderr
    assert "Traceback" not in done.stderr


def test_words_of_others_in_an_error_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = hanse("node", "keygen", "--home", str(tmp_path / "file" / "[/red] [bold]x\x1b[31m\u202e"))
    assert done.returncode == 1
    assert "[/red] [bold]x\ufffd[31m\ufffd" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_role_that_is_not_installed_is_named_with_its_extra(tmp_path: Path) -> None:
    # A module that cannot be found stands for an extra that was not installed.
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError('No module named fastapi', name='fastapi')")
    done = hanse("consent", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'hanse[consent]'" in done.stderr


def test_a_command_that_lacks_a_library_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "ibis.py").write_text("raise ModuleNotFoundError('No module named ibis', name='ibis')")
    done = hanse("node", "doctor", "--contract", "a", "--catalogue", "b", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'hanse[node]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            require_free("127.0.0.1", port, what="The SuperLink")
    require_free("127.0.0.1", port, what="The SuperLink")
