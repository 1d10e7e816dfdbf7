"""The centre's own folder: who is in the league, its key, its catalogue, its runs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import Recipient, RosterEntry
from hanse_privacy.protocol.vocabulary import PartyName
from hanse_privacy.settings_files import read_settings


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
    """For people at the partners to approve, where a vault asks one."""
    round_s: float = Field(default=120, gt=0)
    """For every vault to answer one round."""


class League(_Section):
    """All of ``league.toml``."""

    name: str = Field(min_length=1)
    centre: Recipient
    week_one: date
    """First day of league week 1; every later week starts seven days after the one before."""
    catalogue: Path = Path("catalogue")
    roster: tuple[RosterEntry, ...] = Field(min_length=2)
    superlink: str = Field(default="127.0.0.1:8000", pattern=r"^[0-9A-Za-z.:\[\]-]+:\d+$")
    deadlines: Deadlines = Deadlines()


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
