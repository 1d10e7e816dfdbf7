"""The purposes and notices that people consent to, read from files and checked at the door."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hanse_consent.errors import ConsentConfigurationError
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.vocabulary import PurposeName, Tier
from hanse_privacy.settings_files import read_settings

CategoryName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
"""A kind of data, such as ``basket-categories``."""

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
"""BCP 47, language with at most one subtag: ``en``, ``zh-Hans``."""

_Model = TypeVar("_Model", bound=BaseModel)


class Purpose(BaseModel):
    """What data may be used for, and which kinds of data at each tier it exists at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PurposeName
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=2000)
    data_categories: dict[Tier, tuple[CategoryName, ...]] = Field(min_length=1)
    """Per tier offered. A higher tier holds at least what the lower ones hold."""

    @model_validator(mode="after")
    def _each_tier_holds_the_lower_ones(self) -> Self:
        below: frozenset[str] = frozenset()
        for tier in self.tiers:
            categories = frozenset(self.data_categories[tier])
            if not categories:
                raise ValueError(f"data_categories.{tier} must name at least one kind of data")
            if missing := sorted(below - categories):
                raise ValueError(f"data_categories.{tier} lacks {missing} of the tier below it")
            below = categories
        return self

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers at which the purpose is offered, lowest first."""
        return tuple(tier for tier in Tier if tier in self.data_categories)


class NoticeEntry(BaseModel):
    """One line of ``notices.toml``: a text in one language and the purposes it explains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    version: str = Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){0,2}$")
    language: LanguageTag
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@._-]{0,127}$")
    """File name inside the notices folder."""
    purposes: tuple[PurposeName, ...] = Field(min_length=1)

    @property
    def reference(self) -> str:
        """How a grant cites it: ``name@version``."""
        return f"{self.name}@{self.version}"


class Notice(NoticeEntry):
    """A notice with the exact text that people are shown."""

    text: str = Field(min_length=1)

    @property
    def sha256(self) -> str:
        """SHA-256 of the text as UTF-8, hexadecimal: that of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Catalogue(BaseModel):
    """All purposes and notices of one service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purposes: tuple[Purpose, ...] = Field(min_length=1)
    notices: tuple[Notice, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [purpose.name for purpose in self.purposes]
        if repeated := _repeated(names):
            raise ValueError(f"purposes named twice: {repeated}")
        if repeated := _repeated([f"{notice.reference}.{notice.language}" for notice in self.notices]):
            raise ValueError(f"notices named twice: {repeated}")
        explained: dict[str, frozenset[str]] = {}
        for notice in self.notices:
            if unknown := sorted(set(notice.purposes) - set(names)):
                raise ValueError(f"notice {notice.reference} explains unknown purposes: {unknown}")
            purposes = frozenset(notice.purposes)
            if explained.setdefault(notice.reference, purposes) != purposes:
                raise ValueError(f"notice {notice.reference} explains other purposes in another language")
        return self


class _PurposesFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    purposes: tuple[Purpose, ...]


class _NoticesFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    notices: tuple[NoticeEntry, ...]


def load_catalogue(*, purposes: Path, notices: Path) -> Catalogue:
    """Read a purposes file and a folder of notices (``notices.toml`` and the texts it names).

    Raises:
        ConsentConfigurationError: Naming the file and the field that is wrong.
    """
    index = notices / "notices.toml"
    texts = [
        {**entry.model_dump(), "text": _read_text(notices / entry.file)}
        for entry in parse_toml(index, _NoticesFile).notices
    ]
    return validated(
        Catalogue,
        {"purposes": parse_toml(purposes, _PurposesFile).purposes, "notices": texts},
        source=f"{purposes.name} with {index.name}",
    )


def parse_toml(path: Path, model: type[_Model]) -> _Model:
    """Read a TOML file into a model.

    Raises:
        ConsentConfigurationError: Naming the file and the field that is wrong.
    """
    return read_settings(path, model, error=ConsentConfigurationError, absent="Put it there, or name the right place.")


def validated(model: type[_Model], content: dict[str, Any], *, source: str) -> _Model:
    """Validate the content of a configuration file.

    Raises:
        ConsentConfigurationError: Naming ``source`` and each field that is wrong.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConsentConfigurationError(
            f"{source} is not valid: {describe(error)}.", "Mend the named fields and try again."
        ) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConsentConfigurationError(
            f"The file {path.name} cannot be read ({error.strerror}).", "Put it there, or name the right place."
        ) from error
    except UnicodeDecodeError as error:
        raise ConsentConfigurationError(f"The file {path.name} is not UTF-8 text.", "Save it as UTF-8.") from error


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
