"""A store, a cohort that tests change at will, an approved run, and the service's key."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse_consent.cohorts import tables  # noqa: F401 - its import is what declares the tables
from hanse_consent.cohorts.issuing import ManifestIssuer
from hanse_consent.cohorts.membership import Memberships
from hanse_consent.cohorts.reports import CohortReports
from hanse_consent.cohorts.source import EligibleCohort
from hanse_consent.decisions.question import Question
from hanse_consent.errors import ConsentRefusal
from hanse_consent.storage.database import Database
from hanse_consent.storage.members import Members
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.cohort import Cohort, decode_answer
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest, CohortRequest
from hanse_privacy.protocol.proposal import RunProposal

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LIFETIME_S = 300


class NotApprovedError(ConsentRefusal):
    """As the room of runs says it."""

    code = "RUN_NOT_APPROVED"
    status = HTTPStatus.FORBIDDEN


@dataclass
class Clock:
    """A clock that stands until it is set."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


def pseudonym_of(number: int) -> bytes:
    return hashlib.sha256(f"customer {number}".encode()).digest()[:16]


def key_of(number: int) -> bytes:
    return hashlib.sha256(f"key {number}".encode()).digest()


@dataclass
class ToySource:
    """Customers 1 to 20 of every controller; some eligible, some erased."""

    position: int = 40
    eligible: set[int] = field(default_factory=lambda: {1, 2, 3, 5, 8, 13})
    erased: set[int] = field(default_factory=set)
    asked: list[tuple[Question, datetime]] = field(default_factory=list)

    def cohort(self, question: Question, *, at: datetime) -> EligibleCohort:
        self.asked.append((question, at))
        return EligibleCohort(
            position=self.position,
            registry_version=3,
            pack_versions={"gdpr": "2026.1"},
            notices=("churn-model@1", "churn-model@2"),
            members=self._members(self.eligible),
            excluded_by_reason={"NO_CONSENT": 20 - len(self.eligible)},
        )

    def members(self, controller: str, numbers: NDArray[np.uint32]) -> Members:
        return self._members(set(numbers.tolist()))

    def find(self, controller: str, pseudonyms: Sequence[bytes]) -> Members:
        return self._members({number for number in range(1, 21) if pseudonym_of(number) in pseudonyms})

    def _members(self, numbers: set[int]) -> Members:
        there = sorted(numbers - self.erased)
        return Members(
            numbers=np.array(there, dtype=np.uint32),
            pseudonyms=_rows([pseudonym_of(number) for number in there], width=16),
            keys=_rows([key_of(number) for number in there], width=32),
        )


def _rows(rows: list[bytes], *, width: int) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), width)


def proposal(run: str = "churn-1", **changes: Any) -> RunProposal:
    step = {
        "operation": "churn-gradient",
        "purpose": "churn-training",
        "tier": "standard",
        "noise_multiplier": 20.0,
        "rounds": 3,
        "last_week": 37,
        "horizon_weeks": 8,
        "weights": 15,
        "gradient": {"clip": 1.0, "share": 1.0},
    }
    payload: dict[str, Any] = {
        "run": run,
        "title": "A model",
        "data_categories": ["pd:PurchasesAndSpendingHabit"],
        "recipients": [{"name": "centre", "country": "DE"}, {"name": "north", "country": "DE"}],
        "roster": [
            {"partner": partner, "public_key": SigningKey.generate().public.text} for partner in ("north", "south")
        ],
        "catalogue": "ab" * 32,
        "week_one": "2024-12-30",
        "minimum_cohort": 40,
        "honest_minimum": 1,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 2.0,
        "delta": 1e-5,
        "steps": [step],
        "created_at": NOON.isoformat(),
        "expires_at": (NOON + timedelta(days=1)).isoformat(),
    }
    return RunProposal.parse(payload | changes)


@dataclass
class Runs:
    """Approved runs and flags, as the room of runs keeps them."""

    approved: dict[tuple[str, str], RunProposal] = field(default_factory=dict)
    flagged: list[tuple[str, str, str]] = field(default_factory=list)

    def require_approved(self, *, controller: str, run: str, at: datetime) -> RunProposal:
        if (controller, run) not in self.approved or any(flag[:2] == (controller, run) for flag in self.flagged):
            raise NotApprovedError("The run is not approved here.", "Have officers decide.")
        return self.approved[controller, run]

    def flag(self, *, controller: str, run: str, why: str) -> None:
        self.flagged.append((controller, run, why))


@dataclass
class Room:
    """Everything under test."""

    database: Database
    source: ToySource
    runs: Runs
    clock: Clock
    key: SigningKey
    issuer: ManifestIssuer
    reports: CohortReports
    memberships: Memberships

    def request(self, *, run: str = "churn-1", partner: str = "north", **changes: Any) -> CohortRequest:
        approved = self.runs.approved.get((partner, run))
        fields = {
            "partner": partner,
            "run": run,
            "round": 1,
            "proposal": approved.digest if approved is not None else "00" * 32,
            "purpose": "churn-training",
            "tier": "standard",
            "known": NO_PREVIOUS,
            "nonce": "0f" * 16,
        }
        return CohortRequest.model_validate(fields | changes)

    def cohort(self, **changes: Any) -> Cohort:
        """Ask for a cohort and verify it as a vault does."""
        return self.opened(self.issuer.issue(self.request(**changes)))

    def opened(self, answer: bytes) -> Cohort:
        parts = decode_answer(answer)
        manifest, *missed = (CohortManifest.verify(one, key=self.key.public) for one in (parts.manifest, *parts.missed))
        return Cohort(manifest, members=parts.members, missed=tuple(missed))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    database = Database(tmp_path / "consent.sqlite")
    source, runs, clock, key = ToySource(), Runs(), Clock(), SigningKey.generate()
    for run in ("churn-1", "churn-2"):
        terms = proposal(run)
        for partner in terms.partners():
            runs.approved[partner, run] = terms
    yield Room(
        database=database,
        source=source,
        runs=runs,
        clock=clock,
        key=key,
        issuer=ManifestIssuer(
            database=database,
            source=source,
            require_approved=runs.require_approved,
            key=key,
            lifetime_s=LIFETIME_S,
            now=clock,
        ),
        reports=CohortReports(database=database, source=source, flag=runs.flag, key=key, now=clock),
        memberships=Memberships(database=database, source=source),
    )
    database.close()


@pytest.fixture
def pseudonyms() -> dict[int, str]:
    """Pseudonym of every customer, hexadecimal, by number."""
    return {number: pseudonym_of(number).hex() for number in range(1, 21)}


@pytest.fixture
def keys() -> dict[int, bytes]:
    """Key of every customer, by number."""
    return {number: key_of(number) for number in range(1, 21)}
