"""A small service folder, a clock that tests set, and the service as a real process."""

import os
import secrets
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hanse_consent.acts import ActKind, ConsentAct
from hanse_consent.catalogue import load_catalogue
from hanse_consent.client import ConsentClient
from hanse_consent.store import ConsentStore
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import CohortRequest
from hanse_privacy.protocol.vocabulary import Tier

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

PURPOSES = """
[[purposes]]
name = "shared-statistics"
title = "Shared shopping statistics"
description = "Counts of what is bought, summed with other shops under noise."
[purposes.data_categories]
basic = ["product-groups"]
standard = ["product-groups", "products"]
advanced = ["product-groups", "products", "visit-times"]

[[purposes]]
name = "churn-model"
title = "Model of who may stop coming"
description = "A model trained jointly with other shops."
[purposes.data_categories]
standard = ["visit-times"]
"""

NOTICES = """
[[notices]]
name = "joint-statistics"
version = "1"
language = "en"
file = "joint-statistics@1.en.md"
purposes = ["shared-statistics"]

[[notices]]
name = "joint-statistics"
version = "1"
language = "de"
file = "joint-statistics@1.de.md"
purposes = ["shared-statistics"]

[[notices]]
name = "joint-model"
version = "2.1"
language = "en"
file = "joint-model@2.1.en.md"
purposes = ["churn-model"]
"""


@dataclass
class Clock:
    """A clock that stands until it is set."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **delta: float) -> None:
        self.at += timedelta(**delta)


@dataclass
class ServiceFolder:
    """Everything a service reads, on disk, with the keys of its partners."""

    path: Path
    service_key: SigningKey
    partner_keys: dict[str, SigningKey]

    @property
    def config(self) -> Path:
        return self.path / "consent.toml"

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hanse_consent", *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_folder() -> Callable[[Path], ServiceFolder]:
    def make(path: Path) -> ServiceFolder:
        keys = {name: SigningKey.generate() for name in ("alster", "elbe")}
        service_key = SigningKey.generate()
        service_key.save(path / "service.pem")
        (path / "purposes.toml").write_text(PURPOSES)
        notices = path / "notices"
        notices.mkdir()
        (notices / "notices.toml").write_text(NOTICES)
        for name in ("joint-statistics@1.en", "joint-statistics@1.de", "joint-model@2.1.en"):
            (notices / f"{name}.md").write_text(f"# {name}\n\nWhat we do, and how to say no.\n")
        partners = "".join(
            f'[[partners]]\nname = "{name}"\npublic_key = "{key.public.text}"\n'
            f'display_name = "{name.title()} Markt"\ncountry = "DE"\n'
            for name, key in keys.items()
        )
        (path / "consent.toml").write_text(
            'name = "league-consent"\nport = 0\ndatabase = "consent.sqlite"\nkey = "service.pem"\n'
            f'purposes = "purposes.toml"\nnotices = "notices"\n{partners}'
        )
        return ServiceFolder(path=path, service_key=service_key, partner_keys=keys)

    return make


@pytest.fixture
def folder(tmp_path: Path, make_folder: Callable[[Path], ServiceFolder]) -> ServiceFolder:
    return make_folder(tmp_path)


@pytest.fixture
def store(folder: ServiceFolder, clock: Clock) -> Iterator[ConsentStore]:
    opened = ConsentStore(database=folder.path / "consent.sqlite", now=clock)
    opened.register(load_catalogue(purposes=folder.path / "purposes.toml", notices=folder.path / "notices"))
    yield opened
    opened.close()


@pytest.fixture
def act() -> Callable[..., ConsentAct]:
    """Build an act; whatever is not named is an ordinary grant said at noon."""

    def build(
        kind: ActKind = ActKind.GRANT,
        customer: str = "0" * 32,
        *,
        purpose: str = "shared-statistics",
        tier: Tier = Tier.STANDARD,
        notice: str = "joint-statistics@1",
        said_at: datetime = NOON,
        preselected: bool = False,
        key: str | None = None,
    ) -> ConsentAct:
        grant = kind is ActKind.GRANT
        return ConsentAct(
            kind=kind,
            customer=customer,
            purpose=purpose,
            tier=tier if grant else None,
            notice=notice if grant else None,
            said_at=said_at,
            preselected=preselected,
            key=key or secrets.token_hex(8),
        )

    return build


@pytest.fixture
def question() -> Callable[..., CohortRequest]:
    def build(
        partner: str = "alster", *, purpose: str = "shared-statistics", tier: Tier = Tier.STANDARD, round_: int = 1
    ) -> CohortRequest:
        return CohortRequest(
            partner=partner, run="spring-1", round=round_, purpose=purpose, tier=tier, nonce=secrets.token_hex(16)
        )

    return build


@dataclass
class RunningService:
    """The service as a process of its own."""

    folder: ServiceFolder
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def client(self, partner: str = "alster", timeout_s: float = 10.0) -> ConsentClient:
        keys = self.folder.partner_keys
        return ConsentClient(self.url, partner, keys[partner], self.folder.service_key.public, timeout_s)


@pytest.fixture
def start_service() -> Iterator[Callable[[ServiceFolder], RunningService]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: ServiceFolder) -> RunningService:
        log = folder.path / "service.log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "hanse_consent", "serve", "--config", str(folder.config)],
                env=folder.environment(),
                stdout=subprocess.PIPE,
                stderr=sink,
            )
        started.append(process)
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], 30)
        line = process.stdout.readline().decode() if ready else ""
        assert " is ready on http://127.0.0.1:" in line, log.read_text()
        return RunningService(folder=folder, process=process, url=line.split()[-1], log=log)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def service(folder: ServiceFolder, start_service: Callable[[ServiceFolder], RunningService]) -> RunningService:
    return start_service(folder)
