"""Law packs: one law each, as versioned data, and where and from when it applies.

A pack is a file of rules about decisions, writes, clocks, records and duties. The pack ``house`` holds Hanse's own
rules; it has no territory and governs everybody. A new law is a new file, not new code.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from importlib.resources import files
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
"""The packs that come with Hanse, by the name of their file."""
_SECTIONS = ("decisions", "writes", "clocks", "records", "duties")


class LawPack(BaseModel):
    """One law.

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
    """Decisions about earlier moments use no rule of it."""
    decisions: tuple[DecisionRule, ...] = ()
    writes: tuple[WriteRule, ...] = ()
    clocks: tuple[ClockRule, ...] = ()
    records: tuple[RecordRule, ...] = ()
    duties: tuple[DutyRule, ...] = ()

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
    """The packs that decisions are made by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    packs: tuple[LawPack, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_house_and_no_name_twice(self) -> Self:
        if repeated := _repeated(pack.name for pack in self.packs):
            raise ValueError(f"packs named twice: {repeated}")
        # Without rules that govern everybody, nothing would deny a customer whom no law reaches.
        if not any(pack.governs_everybody for pack in self.packs):
            raise ValueError("one pack without territories must be there: it denies what no law allows")
        owners = {(pack.name, rule_id) for pack in self.packs for rule_id in {rule.id for rule in pack.rules}}
        if repeated := _repeated(rule_id for _, rule_id in owners):
            raise ValueError(f"rules in two packs: {repeated}")
        return self

    @cached_property
    def rule_ids(self) -> tuple[str, ...]:
        """The id of every rule, sorted, each once."""
        return tuple(sorted({rule.id for pack in self.packs for rule in pack.rules}))

    def pack(self, name: str) -> LawPack | None:
        """One pack, or none of that name."""
        return next((pack for pack in self.packs if pack.name == name), None)

    def without(self, rule_id: str) -> "LawPacks":
        """The packs less the rules of one id: what shows that the rule is needed.

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
    """Read the packs that come with Hanse.

    Raises:
        LawPackInvalidError: If a file is missing or not valid.
    """
    folder = files("hanse_consent.law") / "packs"
    packs = []
    for name in SHIPPED_PACKS:
        try:
            text = (folder / f"{name}.toml").read_text(encoding="utf-8")
        except OSError as error:
            raise LawPackInvalidError(f"Law pack {name}.toml cannot be read.", "Install hanse again.") from error
        packs.append(parse_pack(text, place=f"{name}.toml"))
    return LawPacks(packs=tuple(packs))


def _repeated(names: Iterable[str]) -> str:
    return ", ".join(sorted(name for name, count in Counter(names).items() if count > 1))
