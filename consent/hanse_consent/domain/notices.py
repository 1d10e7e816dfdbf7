"""Notices: the exact text people were shown, and the facts that the law wants in it."""

import hashlib
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import CategoryTerm, LanguageTag, NoticeReference
from hanse_privacy.protocol.vocabulary import CountryCode, PartyName, PurposeName


class NoticeStatements(BaseModel):
    """What a notice tells, field by field, so that a missing statement can be refused before anybody reads it.

    All optional here: which of them a notice must hold is a rule of the law packs (GDPR 13 and 14, PIPL 17, 23, 30
    and 39; ISO/IEC 29184:2020, 5.3). An empty statement counts as missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    controllers: tuple[PartyName, ...] = ()
    """Controllers who rely on it; joint controllers are all named."""
    contact: str = Field(default="", max_length=500)
    categories: tuple[CategoryTerm, ...] = ()
    """Kinds of data that are processed."""
    legal_basis: str = Field(default="", max_length=1000)
    """On what ground, where that is not consent, and which interests are pursued."""
    means: str = Field(default="", max_length=2000)
    """How data is processed."""
    retention: str = Field(default="", max_length=500)
    recipients: tuple[PartyName, ...] = ()
    """Recipients disclosed: a recipient that is not named here has no grant under this notice."""
    countries: tuple[CountryCode, ...] = ()
    """Countries that data may go to."""
    rights: str = Field(default="", max_length=2000)
    withdrawal: str = Field(default="", max_length=2000)
    """How to withdraw."""
    complaint: str = Field(default="", max_length=500)
    """Where to complain."""
    necessity: str = Field(default="", max_length=2000)
    """Why sensitive data is needed and what it may do to the person."""
    automated_decision: str = Field(default="", max_length=2000)
    """How it is decided without a person, and with what consequences."""


class NoticeEntry(BaseModel):
    """One notice in one language, without its text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")
    version: str = Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){0,2}$")
    language: LanguageTag
    purposes: tuple[PurposeName, ...] = Field(min_length=1)
    published_at: Moment
    material_change: bool = False
    """Whether it changes purpose, means or categories: grants under earlier versions then need renewing (PIPL 14)."""
    statements: NoticeStatements = Field(default_factory=NoticeStatements)

    @property
    def reference(self) -> NoticeReference:
        """How a grant cites it: ``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def order(self) -> tuple[int, ...]:
        """For comparing versions of one notice."""
        return tuple(int(part) for part in self.version.split("."))


class Notice(NoticeEntry):
    """A notice with the exact text that people are shown."""

    text: str = Field(min_length=1, max_length=200_000)

    @property
    def sha256(self) -> str:
        """SHA-256 of the text as UTF-8, hexadecimal: that of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @model_validator(mode="after")
    def _text_is_there(self) -> Self:
        if not self.text.strip():
            raise ValueError("the text must not be empty")
        return self
