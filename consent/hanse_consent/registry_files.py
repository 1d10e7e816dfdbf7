"""The files in which a service's operator writes what is registered: purposes, notices, parties.

``purposes.toml`` holds purposes, a folder holds ``notices.toml`` and the texts it names, ``parties.toml`` holds
controllers, recipients and what they agreed. They are read at start; the store keeps every version there ever was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import RecordName, Sha256
from hanse_consent.domain.notices import Notice, NoticeEntry
from hanse_consent.domain.parties import Agreement, AgreementRole, Assessment, Controller, Recipient, Transfer
from hanse_consent.domain.purposes import Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.errors import ConsentConfigurationError
from hanse_consent.records.vocabulary import known_category
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.vocabulary import PartyName, PurposeName
from hanse_privacy.settings_files import read_settings

_Model = TypeVar("_Model", bound=BaseModel)


class JointArrangement(BaseModel):
    """One paper that several controllers signed: an agreement of each with every other (GDPR 26, PIPL 20)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: RecordName
    parties: tuple[PartyName, ...] = Field(min_length=2)
    purposes: tuple[PurposeName, ...] = Field(min_length=1)
    starts_at: Moment
    ends_at: Moment
    document_sha256: Sha256

    def agreements(self, controllers: frozenset[str]) -> tuple[Agreement, ...]:
        """The agreements it stands for: one of every controller served here with every other party."""
        return tuple(
            Agreement(
                name=f"{self.name}--{controller}--{party}",
                controller=controller,
                party=party,
                role=AgreementRole.JOINT_CONTROLLER,
                purposes=self.purposes,
                starts_at=self.starts_at,
                ends_at=self.ends_at,
                document_sha256=self.document_sha256,
            )
            for controller, party in permutations(self.parties, 2)
            if controller in controllers
        )


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _PurposesFile(_File):
    purposes: tuple[Purpose, ...] = Field(min_length=1)


class _NoticeLine(NoticeEntry):
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@._-]{0,127}$")


class _NoticesFile(_File):
    notices: tuple[_NoticeLine, ...]


class _PartiesFile(_File):
    controllers: tuple[Controller, ...] = Field(min_length=1)
    recipients: tuple[Recipient, ...] = ()
    joint_arrangements: tuple[JointArrangement, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    assessments: tuple[Assessment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RegistryFiles:
    """Where the files lie."""

    purposes: Path
    notices: Path
    """Folder of ``notices.toml`` and the texts it names."""
    parties: Path


def read_registry(files: RegistryFiles) -> Registry:
    """Read and check all files; the registry's version is the store's to give, here 0.

    Raises:
        ConsentConfigurationError: Naming the file and the field that is wrong.
    """
    parties = _read(files.parties, _PartiesFile)
    index = files.notices / "notices.toml"
    notices = tuple(
        _validated(
            Notice,
            {**line.model_dump(exclude={"file"}), "text": _read_text(files.notices / line.file)},
            source=f"{index.name}, notice {line.reference} ({line.language})",
        )
        for line in _read(index, _NoticesFile).notices
    )
    purposes = _read(files.purposes, _PurposesFile).purposes
    _require_known_categories(purposes, source=files.purposes.name)
    served = frozenset(controller.name for controller in parties.controllers)
    arranged = tuple(agreement for paper in parties.joint_arrangements for agreement in paper.agreements(served))
    return _validated(
        Registry,
        {
            "version": 0,
            "controllers": parties.controllers,
            "recipients": parties.recipients,
            "purposes": purposes,
            "notices": notices,
            "agreements": (*arranged, *parties.agreements),
            "transfers": parties.transfers,
            "assessments": parties.assessments,
        },
        source=f"{files.purposes.name} with {index.name} and {files.parties.name}",
    )


def _require_known_categories(purposes: Iterable[Purpose], *, source: str) -> None:
    named = {term for purpose in purposes for terms in purpose.data_categories.values() for term in terms}
    unknown = sorted(term for term in named if not known_category(term))
    if unknown:
        raise ConsentConfigurationError(
            f"{source} names kinds of data that neither DPV-PD 2.3 nor Hanse has: {', '.join(unknown)}.",
            "Use a term such as pd:PurchasesAndSpendingHabit.",
        )


def _read(path: Path, model: type[_Model]) -> _Model:
    return read_settings(path, model, error=ConsentConfigurationError, absent="Put it there, or name the right place.")


def _validated(model: type[_Model], content: dict[str, object], *, source: str) -> _Model:
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
