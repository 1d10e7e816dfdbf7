"""What records say under each law: jurisdiction, schema, legal bases, rights. Data, read from ``terms/laws.toml``."""

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from hanse_consent.domain.acts import SeparateMatter
from hanse_consent.domain.names import PackName
from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.records.errors import RecordSourceError


class RecordLaw(BaseModel):
    """One law in the terms of the vocabularies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pack: PackName
    """The law pack it speaks for."""
    title: str = Field(min_length=1)
    law: str
    jurisdiction: str
    record_schemas: tuple[str, ...] = Field(min_length=1)
    receipt_schemas: tuple[str, ...] = Field(min_length=1)
    guardian: str
    """Legal basis of what a guardian consents to."""
    rights: tuple[str, ...] = Field(min_length=1)
    bases: dict[LegalBasis, str]
    separate: dict[SeparateMatter, str] = Field(default_factory=dict)
    """Basis of each separate consent that the law knows."""


@cache
def shipped_laws() -> tuple[RecordLaw, ...]:
    """The laws that come with Hanse."""
    text = (files("hanse_consent.records") / "terms" / "laws.toml").read_text(encoding="utf-8")
    return tuple(RecordLaw.model_validate(entry) for entry in tomllib.loads(text)["laws"])


def laws_named(packs: Iterable[str]) -> tuple[RecordLaw, ...]:
    """The laws of the named packs, in the order in which they ship.

    Raises:
        RecordSourceError: If none is named, or one has no terms for records.
    """
    named = frozenset(packs)
    known = {law.pack for law in shipped_laws()}
    if not named or named - known:
        raise RecordSourceError(
            f"A record was asked for under the law packs {sorted(named)}.",
            f"Name one or more of {', '.join(sorted(known))}: the laws that apply to the customer.",
        )
    return tuple(law for law in shipped_laws() if law.pack in named)
