"""What may be registered: the packs' rules about notices and purposes, held against a new registry.

A pack governs a notice if it applies in the country of one of its controllers, where the controller says that its
customers live, or where the notice says that data may go; a notice whose controllers are not all known is governed by
all packs. It governs a purpose if it applies to one of the registry's controllers, who may all use it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hanse_consent.domain.notices import Notice
from hanse_consent.domain.registry import Registry
from hanse_consent.errors import NoticeChangedError, PurposeUnknownError, PurposeWidenedError
from hanse_consent.law import notice_checks, purpose_checks
from hanse_consent.law.errors import (
    CategoryUnclassifiedError,
    LegalBasisUnknownError,
    MaterialChangeUndeclaredError,
    NoticeIncompleteError,
    NoticeRemovedError,
    PackUnknownError,
    RecipientUnknownError,
    RetentionTooLongError,
)
from hanse_consent.law.packs import LawPack, LawPacks
from hanse_consent.law.registry_conditions import (
    BasisListed,
    CategoriesClassified,
    MaterialChangeDeclared,
    NoticeKept,
    NoticeNamesCategories,
    NoticeNamesCountries,
    NoticeNamesParties,
    NoticeNamesRegistered,
    NoticePurposesRegistered,
    NoticeStates,
    NoticeStatesOfAutomation,
    NoticeStatesOfBasis,
    NoticeStatesOfCategories,
    NoticeUnchanged,
    PacksLoaded,
    PurposeNotWidened,
    RetentionAtMost,
    StatementDemand,
)
from hanse_consent.law.write_rules import WriteCondition, WriteRule
from hanse_privacy.errors import HanseError

_MAX_TOLD = 20
"""Further findings that one error names."""

_ERRORS: dict[str, type[HanseError]] = {
    error.code: error
    for error in (
        CategoryUnclassifiedError,
        LegalBasisUnknownError,
        MaterialChangeUndeclaredError,
        NoticeChangedError,
        NoticeIncompleteError,
        NoticeRemovedError,
        PackUnknownError,
        PurposeUnknownError,
        PurposeWidenedError,
        RecipientUnknownError,
        RetentionTooLongError,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One breach of one rule.

    Args:
        rule: The rule.
        what: What is wrong, with the names that matter; without a full stop.
        mend: What to do about it.
    """

    rule: WriteRule
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what} ({self.rule.id}, {self.rule.article})"


def check_registry(new: Registry, *, before: Registry, packs: LawPacks, at: datetime) -> None:
    """Refuse a registry that breaks a rule of a pack in force.

    Args:
        new: What is to be registered.
        before: What was registered last; of purposes no longer in force, what was registered last of each, too, so
            that none comes back wider than people agreed to. Notices that stand in it are not held against today's
            demands again: they were complete when they were published, and are evidence now.
        packs: The law packs.
        at: Now.

    Raises:
        HanseError: Of the class of the first finding's code; its text names all findings with rule and article.
    """
    findings = registry_findings(new, before=before, packs=packs, at=at)
    if not findings:
        return
    first, *others = findings
    told = [f"{first}.", *(f"Also: {finding}." for finding in others[:_MAX_TOLD])]
    if len(others) > _MAX_TOLD:
        told.append(f"And {len(others) - _MAX_TOLD} more.")
    raise _ERRORS[first.rule.code](" ".join(told), first.mend)


def registry_findings(new: Registry, *, before: Registry, packs: LawPacks, at: datetime) -> tuple[Finding, ...]:
    """Every breach, in the order of packs and rules. Arguments as for :func:`check_registry`."""
    return tuple(
        Finding(rule=rule, what=what, mend=mend)
        for pack in packs.in_force(at)
        for rule in pack.writes
        for what, mend in _breaches(rule, pack=pack, new=new, before=before, packs=packs, at=at)
    )


def _breaches(
    rule: WriteRule, *, pack: LawPack, new: Registry, before: Registry, packs: LawPacks, at: datetime
) -> Iterator[tuple[str, str]]:
    match rule.condition:
        case NoticeKept():
            yield from notice_checks.removed(new, before=before)
        case NoticeUnchanged():
            yield from notice_checks.changed(new, before=before)
        case PurposeNotWidened():
            yield from purpose_checks.widened(new, before=before)
        case PacksLoaded():
            yield from purpose_checks.packs_missing(new, packs=packs)
        case RetentionAtMost() as condition if governs_purposes(pack, new):
            yield from purpose_checks.kept_too_long(new, condition)
        case CategoriesClassified() as condition if governs_purposes(pack, new):
            yield from purpose_checks.unclassified(new, condition)
        case BasisListed() as condition if governs_purposes(pack, new):
            yield from purpose_checks.basis_unlisted(new, condition, pack=pack)
        case _:
            for notice in notice_checks.fresh(new, before=before):
                if governs_notice(pack, notice, new):
                    yield from _notice_breaches(rule, notice, pack=pack, registry=new, before=before, at=at)


def _notice_breaches(
    rule: WriteRule, notice: Notice, *, pack: LawPack, registry: Registry, before: Registry, at: datetime
) -> Iterator[tuple[str, str]]:
    yield from notice_checks.unstated(notice, _demanded(rule.condition, notice, pack=pack, registry=registry))
    match rule.condition:
        case NoticeNamesCategories():
            yield from notice_checks.categories_unnamed(notice, registry)
        case NoticeNamesParties(roles=roles):
            yield from notice_checks.parties_unnamed(notice, registry, roles=frozenset(roles), at=at)
        case NoticeNamesCountries():
            yield from notice_checks.countries_unnamed(notice, registry, inside=pack.territories)
        case NoticeNamesRegistered():
            yield from notice_checks.named_unregistered(notice, registry)
        case NoticePurposesRegistered():
            yield from notice_checks.purposes_unregistered(notice, registry)
        case MaterialChangeDeclared(statements=fields):
            yield from notice_checks.change_undeclared(notice, registry, fields, before=before)


def _demanded(
    condition: WriteCondition, notice: Notice, *, pack: LawPack, registry: Registry
) -> tuple[StatementDemand, ...]:
    """The statements that a rule wants in a notice, for what its purposes are."""
    purposes = notice_checks.explained(notice, registry)
    match condition:
        case NoticeStates():
            wanted = True
        case NoticeStatesOfAutomation():
            wanted = any(purpose.automated_decision for purpose in purposes)
        case NoticeStatesOfCategories(categories=categories):
            wanted = not notice_checks.categories_used(notice, registry).isdisjoint(categories)
        case NoticeStatesOfBasis(bases=bases):
            wanted = any(purpose.basis(pack.name) in bases for purpose in purposes)
        case _:
            return ()
    return condition.statements if wanted else ()


def governs_notice(pack: LawPack, notice: Notice, registry: Registry) -> bool:
    """Whether a pack's demands hold for a notice."""
    if pack.governs_everybody:
        return True
    named = [registry.controller(name) for name in notice.statements.controllers]
    known = [controller for controller in named if controller is not None]
    if not known or len(known) < len(named):
        return True
    lived_in = {controller.presumed.country for controller in known if controller.presumed is not None}
    established = {controller.country for controller in known}
    return bool(pack.territories & (established | lived_in | set(notice.statements.countries)))


def governs_purposes(pack: LawPack, registry: Registry) -> bool:
    """Whether a pack's demands hold for the registry's purposes."""
    if pack.governs_everybody or not registry.controllers:
        return True
    lived_in = {controller.presumed.country for controller in registry.controllers if controller.presumed is not None}
    return bool(pack.territories & ({controller.country for controller in registry.controllers} | lived_in))
