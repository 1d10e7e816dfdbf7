"""``consent.toml``: where a consent service keeps its store, where it listens, whom it believes."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hanse_consent.errors import ConsentConfigurationError
from hanse_consent.registry_files import RegistryFiles
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.vocabulary import PartyName
from hanse_privacy.settings_files import read_settings


class CentrePin(BaseModel):
    """The central team whose proposals the service takes, by its pinned key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PartyName
    public_key: str
    """The line that ``hanse league keygen`` printed, compared out of band."""

    @field_validator("public_key")
    @classmethod
    def _is_a_key(cls, text: str) -> str:
        try:
            PublicKey.from_text(text)
        except InvalidValueError as error:
            raise ValueError(f"{error.what} {error.mend}") from error
        return text

    @cached_property
    def key(self) -> PublicKey:
        """The pinned key."""
        return PublicKey.from_text(self.public_key)


class ConsentConfiguration(BaseModel):
    """A consent service's settings. Relative paths start at the folder of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PartyName
    """The party that runs the service: processor of every controller in ``parties.toml``."""
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(ge=0, le=65535)
    """0 takes any free port; the ready line names it."""
    database: str = Field(min_length=1)
    """A file for SQLite, or ``postgresql://user@host/name``."""
    key: Path
    """The service's private key, made by ``hanse consent keygen``."""
    purposes: Path
    notices: Path
    """Folder of ``notices.toml`` and the texts it names."""
    parties: Path
    manifest_lifetime_s: int = Field(default=300, ge=1, le=3600)
    centre: CentrePin | None = None
    """Without a centre the service takes no run proposals."""

    @model_validator(mode="after")
    def _centre_is_another_party(self) -> Self:
        if self.centre is not None and self.centre.name == self.name:
            raise ValueError("centre.name must differ from the service's own name")
        return self

    @property
    def registry_files(self) -> RegistryFiles:
        """Where the registry is written."""
        return RegistryFiles(purposes=self.purposes, notices=self.notices, parties=self.parties)


def load_configuration(path: Path) -> ConsentConfiguration:
    """Read ``consent.toml``.

    Raises:
        ConsentConfigurationError: Naming the file and the field that is wrong.
    """
    configuration = read_settings(
        path, ConsentConfiguration, error=ConsentConfigurationError, absent="Put it there, or name the right place."
    )
    folder = path.resolve().parent
    paths = {field: folder / getattr(configuration, field) for field in ("key", "purposes", "notices", "parties")}
    if not configuration.database.startswith("postgresql://"):
        paths["database"] = str(folder / configuration.database)
    return configuration.model_copy(update=paths)
