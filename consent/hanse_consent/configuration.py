"""``consent.toml``: whom a consent service serves, where it keeps its store, where it listens."""

from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hanse_consent.catalogue import parse_toml
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.vocabulary import CountryCode, PartyName


class ServedPartner(BaseModel):
    """A controller for whose customers the service keeps consent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PartyName
    public_key: str
    """The line that the partner's ``keygen`` printed."""
    display_name: str = Field(min_length=1, max_length=120)
    country: CountryCode

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
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(ge=0, le=65535)
    """0 takes any free port; the ready line names it."""
    database: Path
    key: Path
    """The service's private key, made by ``hanse consent keygen``."""
    purposes: Path
    notices: Path
    """Folder of ``notices.toml`` and the texts it names."""
    manifest_lifetime_s: int = Field(default=300, ge=1, le=3600)
    partners: tuple[ServedPartner, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _partners_differ(self) -> Self:
        for field in ("name", "public_key"):
            if len({getattr(partner, field) for partner in self.partners}) < len(self.partners):
                raise ValueError(f"two partners have the same {field}")
        return self

    @cached_property
    def keys_by_partner(self) -> dict[str, PublicKey]:
        """The pinned key of each partner served."""
        return {partner.name: partner.key for partner in self.partners}


def load_configuration(path: Path) -> ConsentConfiguration:
    """Read ``consent.toml``.

    Raises:
        ConsentConfigurationError: Naming the file and the field that is wrong.
    """
    configuration = parse_toml(path, ConsentConfiguration)
    folder = path.resolve().parent
    return configuration.model_copy(
        update={field: folder / getattr(configuration, field) for field in ("database", "key", "purposes", "notices")}
    )
