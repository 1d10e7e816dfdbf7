"""The centre's own folder: who is in the league, its key, its catalogue, its runs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hanse_privacy.caps import Cap
from hanse_privacy.errors import HanseError, InvalidValueError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.ledger_report import SMALLEST_DELTA
from hanse_privacy.protocol.proposal import Recipient, RosterEntry
from hanse_privacy.protocol.question_steps import GroupName
from hanse_privacy.protocol.vocabulary import PartyName, PurposeName, Tier
from hanse_privacy.protocol.written_units import Unit
from hanse_privacy.settings_files import read_settings
from hanse_privacy.units import CustomerAtOnePartner, PrivacyBudget


class LeagueInvalidError(HanseError):
    """``league.toml`` cannot be read or is not valid."""

    code = "LEAGUE_INVALID"
    exit_code = 2


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Deadlines(_Section):
    """How long the centre waits, per phase; then the run ends and says who was missing."""

    nodes_s: float = Field(default=60, gt=0)
    """For all nodes of the roster to be connected."""
    admission_s: float = Field(default=120, gt=0)
    """For every vault to admit the run."""
    approval_s: float = Field(default=3600, gt=0)
    """For officers to approve the run, and for the owners of vaults that ask one."""
    round_s: float = Field(default=120, gt=0)
    """For every vault to answer one round."""


class ConsentServiceEntry(_Section):
    """A consent service whose officers decide for partners of the roster."""

    url: str = Field(pattern=r"^https?://")
    public_key: str
    """The service's key, compared out of band."""
    partners: tuple[PartyName, ...] = Field(min_length=1)
    """The partners of the roster whose controllers it serves."""

    @field_validator("public_key")
    @classmethod
    def _is_a_key(cls, text: str) -> str:
        try:
            PublicKey.from_text(text)
        except InvalidValueError as error:
            raise ValueError(str(error)) from error
        return text

    @property
    def key(self) -> PublicKey:
        """The service's key, parsed."""
        return PublicKey.from_text(self.public_key)


class BudgetSettings(_Section):
    """What all runs together may cost one person."""

    epsilon: float = Field(gt=0, le=1000)
    """The most that a person who is a customer of every partner may lose, ever, at ``delta``. Above 50 or so it
    promises such a person nothing, and only the vaults' own caps protect."""
    delta: float = Field(ge=SMALLEST_DELTA, lt=1e-3)

    @property
    def cap(self) -> Cap:
        """As the league's ledger reads it."""
        return Cap(name="person", budget=PrivacyBudget(epsilon=self.epsilon, delta=self.delta))


class QuestionSettings(_Section):
    """What questions over the league are for, and what every one of them states."""

    purpose: PurposeName
    """Questions use only customers who granted it."""
    tier: Tier
    data_categories: tuple[str, ...] = Field(min_length=1)
    minimum_cohort: int = Field(ge=1)
    honest_minimum: int = Field(ge=1)
    unit: Unit = CustomerAtOnePartner()
    units_per_clip: int = Field(default=65_536, ge=16, le=2**24)
    delta: float = Field(gt=0, lt=1e-3)
    valid_hours: float = Field(default=24, gt=0, le=24 * 90)
    """How long officers have to approve a question."""
    store_groups: tuple[GroupName, ...] = ()
    """The league's names for groups of stores, as partners' contracts use them."""


class League(_Section):
    """All of ``league.toml``."""

    name: str = Field(min_length=1)
    centre: Recipient
    week_one: date
    """First day of league week 1; every later week starts seven days after the one before."""
    catalogue: Path = Path("catalogue")
    roster: tuple[RosterEntry, ...] = Field(min_length=2)
    superlink: str = Field(default="127.0.0.1:8000", pattern=r"^[0-9A-Za-z.:\[\]-]+:\d+$")
    consent_services: tuple[ConsentServiceEntry, ...]
    """Where officers approve runs: each partner of the roster is served by exactly one."""
    budget: BudgetSettings
    deadlines: Deadlines = Deadlines()
    questions: QuestionSettings | None = None
    """Present where anyone of the central team may ask questions with ``hanse ask``."""

    @model_validator(mode="after")
    def _each_partner_has_one_consent_service(self) -> Self:
        served = sorted(partner for service in self.consent_services for partner in service.partners)
        if served != sorted(entry.partner for entry in self.roster):
            raise ValueError("consent_services must name each partner of the roster once, and no other")
        return self


@dataclass(frozen=True, kw_only=True)
class LeagueHome:
    """Paths under the centre's folder."""

    root: Path

    @property
    def signing_key(self) -> Path:
        """The centre's key."""
        return self.root / "keys" / "centre.key"

    @property
    def flower(self) -> Path:
        """What Flower keeps: its state file and configuration."""
        return self.root / "flower"

    @property
    def ledger(self) -> Path:
        """What was asked of every vault."""
        return self.root / "ledger.db"

    @property
    def vouchers(self) -> Path:
        """Partners' vouchers for each other's keys, one a file."""
        return self.root / "vouchers"

    def run_folder(self, run: str) -> Path:
        """Where one run's proposal, journal and result lie."""
        return self.root / "runs" / run

    def load(self) -> League:
        """Read ``league.toml``.

        Raises:
            LeagueInvalidError: Naming the field and its bound.
        """
        path = self.root / "league.toml"
        return read_settings(path, League, error=LeagueInvalidError, absent="Name the centre's folder with --home.")

    def key(self) -> SigningKey:
        """Read the centre's signing key."""
        return SigningKey.load(self.signing_key)


class RunFolder:
    """One run's files: the signed proposal, a journal to follow it by, and its result."""

    def __init__(self, home: LeagueHome, run: PartyName) -> None:
        self.path = home.run_folder(run)
        self._proposal = self.path / "proposal.json"
        self._journal = self.path / "journal.ndjson"
        self._result = self.path / "result.json"

    def create(self, signed_proposal: bytes) -> None:
        """Begin a run with its signed proposal."""
        try:
            self.path.mkdir(parents=True)
            self._proposal.write_bytes(signed_proposal)
            self._journal.touch()
        except OSError as error:
            raise LeagueInvalidError(
                f"The run's folder {self.path} cannot be written ({error.strerror}).", "Free disk space or mend it."
            ) from error

    def signed_proposal(self) -> bytes:
        """The proposal as it was signed."""
        try:
            return self._proposal.read_bytes()
        except OSError as error:
            raise LeagueInvalidError(
                f"There is no proposal in {self.path} ({error.strerror}).", "See the runs in the centre's folder."
            ) from error

    def note(self, event: dict[str, Any]) -> None:
        """Append one event to the journal."""
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """Read the journal's complete lines."""
        if self._journal.exists():
            for line in self._journal.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)

    def write_result(self, result: dict[str, Any]) -> None:
        """Keep what the run released; never over an earlier result."""
        temporary = self._result.with_suffix(".partial")
        temporary.write_text(json.dumps(result, indent=1), encoding="utf-8")
        temporary.rename(self._result)

    def result(self) -> dict[str, Any] | None:
        """What the run released; none while it has not finished."""
        if not self._result.exists():
            return None
        loaded: dict[str, Any] = json.loads(self._result.read_text(encoding="utf-8"))
        return loaded
