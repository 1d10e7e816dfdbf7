"""Law packs: one law each, as versioned data, and where and from when it applies.

A pack is a file of rules about decisions, writes, clocks, records and duties. The pack ``house`` holds Hanse's own
rules; it has no territory and governs everybody. A new law is a new file, not new code.

A law that changes has several versions side by side: ``gdpr.toml``, then ``gdpr-2027.3.toml``. Each is in force from
its date until the next one is, so that what was right at a moment is asked of the law of that moment.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import PackName
from hanse_consent.law.clock_rules import ClockRule
from hanse_consent.law.decision_rules import DecisionRule
from hanse_consent.law.duty_rules import DutyRule
from hanse_consent.law.errors import LawPackInvalidError
from hanse_consent.law.record_rules import RecordRule
from hanse_consent.law.rules import Rule
from hanse_consent.law.write_rules import WriteRule
from hanse_privacy.protocol.vocabulary import CountryCode

SHIPPED_PACKS = ("gdpr", "pipl", "house")
"""The laws that come with Hanse, by the name of their first file."""
_SECTIONS = ("decisions", "writes", "clocks", "records", "duties")


class LawPack(BaseModel):
    """One version of one law.

    A row of the law's table may ask something of a decision and something of a write: the same id may then stand once
    in each section.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: PackName
    version: str = Field(pattern=r"^[0-9]{4}\.[0-9]{1,2}(\.[0-9]{1,3})?$")
    """Year and month of the reading, such as ``2026.11``: changes whenever a rule does."""
    title: str = Field(min_length=1, max_length=200)
    territories: frozenset[CountryCode] = frozenset()
    """Countries where it applies; none for the house's own rules, which apply everywhere."""
    in_force_from: Moment
    """Until the law's next version is in force. What is asked of another moment uses no rule of it."""
    decisions: tuple[DecisionRule, ...] = ()
    writes: tuple[WriteRule, ...] = ()
    clocks: tuple[ClockRule, ...] = ()
    records: tuple[RecordRule, ...] = ()
    duties: tuple[DutyRule, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """For comparing versions of one law."""
        return tuple(int(part) for part in self.version.split("."))

    @property
    def governs_everybody(self) -> bool:
        """Whether it applies whoever the controller and wherever the customer."""
        return not self.territories

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules of all sections."""
        return (*self.decisions, *self.writes, *self.clocks, *self.records, *self.duties)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        for section in _SECTIONS:
            if repeated := _repeated(rule.id for rule in getattr(self, section)):
                raise ValueError(f"{section} names twice: {repeated}")
        return self

    def without(self, rule_id: str) -> "LawPack":
        """The pack less the rules of one id."""
        return self.model_copy(
            update={
                section: tuple(rule for rule in getattr(self, section) if rule.id != rule_id) for section in _SECTIONS
            }
        )


class LawPacks(BaseModel):
    """All versions of all laws; which of them are in force depends on the moment asked about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packs: tuple[LawPack, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in sorted(self.names):
            versions = sorted((pack for pack in self.packs if pack.name == name), key=lambda pack: pack.in_force_from)
            if len({pack.governs_everybody for pack in versions}) > 1:
                raise ValueError(f"versions of {name}: some have territories and some have none")
            for earlier, later in pairwise(versions):
                if earlier.in_force_from == later.in_force_from or earlier.order >= later.order:
                    raise ValueError(
                        f"versions of {name}: {later.version} must be a later version than {earlier.version}, in force "
                        "from a later date"
                    )
        # Without rules that govern everybody, nothing would deny a customer whom no law reaches.
        if not any(pack.governs_everybody for pack in self.packs):
            raise ValueError("one pack without territories must be there: it denies what no law allows")
        for moment in self.changes:
            owners = [rule_id for pack in self.in_force(moment) for rule_id in {rule.id for rule in pack.rules}]
            if repeated := _repeated(owners):
                raise ValueError(f"rules in two packs from {moment.isoformat()} on: {repeated}")
        return self

    def in_force(self, at: datetime) -> tuple[LawPack, ...]:
        """Of each law the version in force at a moment; none of a law that was not there yet.

        Args:
            at: The moment asked about, with its time zone.
        """
        found: dict[str, LawPack] = {}
        for pack in self.packs:
            known = found.get(pack.name)
            if pack.in_force_from <= at and (known is None or known.in_force_from < pack.in_force_from):
                found[pack.name] = pack
        return tuple(found.values())

    def pack(self, name: str, *, at: datetime) -> LawPack | None:
        """The version of one law in force at a moment, or none."""
        return next((pack for pack in self.in_force(at) if pack.name == name), None)

    def versions(self, at: datetime) -> dict[str, str]:
        """The version of each law in force at a moment, by its name: with it an answer can be repeated."""
        return {pack.name: pack.version for pack in self.in_force(at)}

    @cached_property
    def names(self) -> frozenset[str]:
        """Every law, whenever in force."""
        return frozenset(pack.name for pack in self.packs)

    @cached_property
    def changes(self) -> tuple[datetime, ...]:
        """The moments at which a version begins to be in force, in order."""
        return tuple(sorted({pack.in_force_from for pack in self.packs}))

    @cached_property
    def rule_ids(self) -> tuple[str, ...]:
        """The id of every rule of every version, sorted, each once."""
        return tuple(sorted({rule.id for pack in self.packs for rule in pack.rules}))

    def without(self, rule_id: str) -> "LawPacks":
        """The packs less the rules of one id, in every version: what shows that the rule is needed.

        Raises:
            KeyError: If no rule has this id.
        """
        if rule_id not in self.rule_ids:
            raise KeyError(rule_id)
        return LawPacks(packs=tuple(pack.without(rule_id) for pack in self.packs))


def parse_pack(text: str, *, place: str) -> LawPack:
    """Read one pack from the text of its file.

    Args:
        text: TOML with the pack's head and its sections.
        place: Name for error messages.

    Raises:
        LawPackInvalidError: If it is not TOML, or not a valid pack.
    """
    try:
        return LawPack.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise LawPackInvalidError(f"{place} is not TOML: {error}.", "Mend the line it names.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise LawPackInvalidError(
            f"{place} is no valid law pack: {where}: {first['msg']}.", "Mend it, or restore the shipped file."
        ) from error


def load_shipped_packs() -> LawPacks:
    """Read the packs that come with Hanse, in all their versions.

    Raises:
        LawPackInvalidError: If a file is missing or not valid.
    """
    return read_packs(files("hanse_consent.law") / "packs")


def read_packs(folder: Traversable) -> LawPacks:
    """Read a folder of packs: for each shipped law ``NAME.toml``, and ``NAME-VERSION.toml`` for each later version.

    Raises:
        LawPackInvalidError: If a law's first file is missing, a file is not valid or not named after what it holds, or
            the versions do not fit together.
    """
    packs = []
    try:
        stems = sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))
        for name in SHIPPED_PACKS:
            for stem in (name, *(stem for stem in stems if stem.startswith(f"{name}-"))):
                packs.append(_named_after(stem, (folder / f"{stem}.toml").read_text(encoding="utf-8"), law=name))
                stems = [other for other in stems if other != stem]
    except OSError as error:
        raise LawPackInvalidError(
            f"The law packs cannot be read ({error.strerror}).", "Install hanse again."
        ) from error
    if stems:
        raise LawPackInvalidError(
            f"{stems[0]}.toml is no version of a law that is known here.",
            f"Name it after its law, one of {', '.join(SHIPPED_PACKS)}, and its version.",
        )
    try:
        return LawPacks(packs=tuple(packs))
    except ValidationError as error:
        raise LawPackInvalidError(
            f"The law packs do not fit together: {error.errors(include_url=False, include_input=False)[0]['msg']}.",
            "Mend the versions, or restore the shipped files.",
        ) from error


def _named_after(stem: str, text: str, *, law: str) -> LawPack:
    pack = parse_pack(text, place=f"{stem}.toml")
    if pack.name != law or stem not in (law, f"{law}-{pack.version}"):
        raise LawPackInvalidError(
            f"{stem}.toml holds version {pack.version} of {pack.name}.", "Name a file after what it holds."
        )
    return pack


def _repeated(names: Iterable[str]) -> str:
    return ", ".join(sorted(name for name, count in Counter(names).items() if count > 1))
