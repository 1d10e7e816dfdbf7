"""Two shops in one league, everything they need registered, a clock that tests move, and officers."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hanse_consent.domain.notices import Notice, NoticeStatements
from hanse_consent.domain.parties import Agreement, AgreementRole, Controller, PresumedCustomer, Recipient
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks, load_shipped_packs
from hanse_consent.runs.approvals import Approvals
from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.deciding import Decisions
from hanse_consent.runs.officers import Officer
from hanse_consent.runs.proposing import Proposals
from hanse_consent.runs.register import RunRegister
from hanse_consent.storage.database import Database
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.approval import ApprovalRequest
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.vocabulary import Tier

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
KEYS = {name: SigningKey.generate() for name in ("alster", "elbe", "isar")}
PURCHASES = "pd:PurchasesAndSpendingHabit"
STATISTICS = "joint-statistics"


def purpose(**changes: Any) -> Purpose:
    fields: dict[str, Any] = {
        "name": STATISTICS,
        "title": "Joint statistics",
        "description": "How often kinds of products are bought.",
        "kind": PurposeKind.STATISTICS,
        "data_categories": {Tier.STANDARD: (PURCHASES,), Tier.ADVANCED: (PURCHASES,)},
        "retention_days": 365,
        "consent_lasts_days": 365,
    }
    return Purpose.model_validate(fields | changes)


def controller(name: str, **changes: Any) -> Controller:
    fields: dict[str, Any] = {
        "name": name,
        "legal_name": name.title(),
        "contact": f"Officer of {name}",
        "country": "DE",
        "public_key": KEYS[name].public.text,
        "presumed": PresumedCustomer(country="DE", adult=True),
    }
    return Controller.model_validate(fields | changes)


def agreement(owner: str, party: str, **changes: Any) -> Agreement:
    fields: dict[str, Any] = {
        "name": f"{owner}-{party}",
        "controller": owner,
        "party": party,
        "role": AgreementRole.JOINT_CONTROLLER,
        "purposes": (STATISTICS,),
        "starts_at": START - timedelta(days=30),
        "ends_at": START + timedelta(days=300),
        "document_sha256": "5f" * 32,
    }
    return Agreement.model_validate(fields | changes)


def notice(**changes: Any) -> Notice:
    fields: dict[str, Any] = {
        "name": "statistics",
        "version": "1",
        "language": "en",
        "purposes": (STATISTICS,),
        "published_at": START - timedelta(days=30),
        "text": "We count.",
        "statements": NoticeStatements(controllers=("alster", "elbe"), recipients=("centre",), countries=("DE",)),
    }
    return Notice.model_validate(fields | changes)


def registry(**changes: Any) -> Registry:
    """Everything that a run of alster and elbe needs."""
    parties = ("alster", "elbe", "centre")
    fields: dict[str, Any] = {
        "version": 3,
        "controllers": (controller("alster"), controller("elbe")),
        "recipients": (
            Recipient(name="centre", legal_name="The centre", contact="Officer of the centre", country="DE"),
        ),
        "purposes": (purpose(),),
        "notices": (notice(),),
        "agreements": tuple(
            agreement(owner, party) for owner in ("alster", "elbe") for party in parties if party != owner
        ),
    }
    return Registry.model_validate(fields | changes)


def step(**changes: Any) -> dict[str, Any]:
    return {
        "operation": "popularity-statistics",
        "purpose": STATISTICS,
        "tier": "standard",
        "noise_multiplier": 100.0,
        "last_week": 9,
        "half_life_weeks": 8.0,
        "items": 12,
        "rate": {"clip": 1.0, "share": 0.5},
        "breadth": {"clip": 1.0, "share": 0.4},
        "customers": {"clip": 1.0, "share": 0.1, "is_metric": True},
    } | changes


def proposal(**changes: Any) -> RunProposal:
    """A run of alster and elbe, a day long."""
    fields: dict[str, Any] = {
        "run": "spring-1",
        "title": "Spring statistics",
        "data_categories": [PURCHASES],
        "recipients": [{"name": "centre", "country": "DE"}],
        "roster": [{"partner": name, "public_key": KEYS[name].public.text} for name in ("alster", "elbe")],
        "catalogue": "0" * 64,
        "week_one": date(2026, 1, 5).isoformat(),
        "minimum_cohort": 10,
        "honest_minimum": 2,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 1.0,
        "delta": 1e-5,
        "steps": [step()],
        "created_at": START.isoformat(),
        "expires_at": (START + timedelta(days=1)).isoformat(),
    }
    return RunProposal.parse(fields | changes)


@dataclass
class Service:
    """The room of runs over a database of its own."""

    database: Database
    now: datetime = START
    registry: Registry = field(default_factory=registry)
    packs: LawPacks = field(default_factory=load_shipped_packs)
    approval_lasts: timedelta = timedelta(days=30)

    def __post_init__(self) -> None:
        def clock() -> datetime:
            return self.now

        self.register = RunRegister(self.database, now=clock)
        checker = ProposalChecker(registry=lambda: self.registry, packs=self.packs, approval_lasts=self.approval_lasts)
        self.proposals = Proposals(self.register, checker=checker, centres={"centre": CENTRE.public})
        self.decisions = Decisions(self.register, checker=checker)
        self.approvals = Approvals(self.register, checker=checker, key=SERVICE, now=clock)

    def submit(self, asked: RunProposal) -> Any:
        return self.proposals.submit(asked.sign(CENTRE), centre="centre")

    def approve(self, asked: RunProposal, *officers: Officer, controller: str = "alster") -> Any:
        for one in officers:
            here = self.decisions.approve(asked.run, controller=controller, officer=one, proposal=asked.digest)
        return here

    def question(self, asked: RunProposal, **changes: Any) -> ApprovalRequest:
        fields = {"partner": "alster", "run": asked.run, "proposal": asked.digest, "nonce": "ab" * 16}
        return ApprovalRequest.model_validate(fields | changes)


def officer(name: str, *controllers: str) -> Officer:
    return Officer(name=name, controllers=frozenset(controllers))


ANNA, ALEX, EMMA = officer("anna", "alster"), officer("alex", "alster"), officer("emma", "elbe")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "consent.db")
    yield opened
    opened.close()


@pytest.fixture
def service(database: Database) -> Service:
    return Service(database=database)


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """Everything that this file makes."""
    return sys.modules[__name__]
