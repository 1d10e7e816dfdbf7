"""The installed command and the process it starts; and databases on a PostgreSQL server."""

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from league_files import LeagueFolder
from typer.testing import CliRunner

from hanse_consent.commands import app

SERVER = "postgresql://postgres@127.0.0.1:5432"
_HANSE = str(Path(sys.executable).with_name("hanse"))
_READY = "is ready on "


def hanse(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``hanse consent …`` to its end."""
    return subprocess.run(
        [_HANSE, "consent", *arguments], input=said, capture_output=True, text=True, timeout=60, check=False
    )


def add_account(folder: LeagueFolder, name: str, *roles: str, password: str) -> None:
    """``hanse consent account add``."""
    options = [part for role in roles for part in ("--role", role)]
    arguments = ["account", "add", name, "--config", str(folder.config), *options, "--password-stdin"]
    result = CliRunner().invoke(app, arguments, input=f"{password}\n")
    assert result.exit_code == 0, result.exception or result.output


@dataclass
class RunningService:
    """A service process, and what of its callers must never be in its log."""

    folder: LeagueFolder
    log: Path
    process: subprocess.Popen[bytes]
    url: str
    secrets: set[str] = field(default_factory=set)

    def leaked(self) -> list[str]:
        """What of the secrets the log holds."""
        written = self.log.read_text(errors="replace")
        return sorted(secret for secret in self.secrets if secret in written)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=15)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=15)


def start(folder: LeagueFolder, *options: str) -> RunningService:
    """Start the installed service and wait until it says that it is ready."""
    log = folder.path / f"log-{secrets.token_hex(4)}.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [_HANSE, "consent", "serve", "--config", str(folder.config), *options],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if _READY in line:
                return RunningService(folder=folder, log=log, process=process, url=line.rpartition(_READY)[2].strip())
        time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"the service did not start: {log.read_text()}")


def server_is_there() -> bool:
    """Whether a PostgreSQL server answers."""
    try:
        psycopg.connect(f"{SERVER}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def served_database(folder: LeagueFolder) -> Iterator[LeagueFolder]:
    """A database made by ``hanse consent migrate`` as its owner, and a role for the service that owns nothing."""
    name = f"hanse_test_{secrets.token_hex(6)}"
    server = f"{name}_service"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOBYPASSRLS")
        admin.execute(f"CREATE ROLE {server} LOGIN NOSUPERUSER NOBYPASSRLS")
        admin.execute(f"CREATE DATABASE {name} OWNER {name}")
    try:
        owners = folder.with_database(f"postgresql://{name}@127.0.0.1:5432/{name}", name="owner.toml")
        migrated = hanse("migrate", "--config", str(owners.config))
        if migrated.returncode != 0:
            raise RuntimeError(migrated.stderr)
        with psycopg.connect(f"postgresql://{name}@127.0.0.1:5432/{name}", autocommit=True) as owner:
            owner.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {server}")
            owner.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {server}")
        yield folder.with_database(f"postgresql://{server}@127.0.0.1:5432/{name}", name="served.toml")
    finally:
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            admin.execute(f"DROP ROLE {server}")
            admin.execute(f"DROP ROLE {name}")
