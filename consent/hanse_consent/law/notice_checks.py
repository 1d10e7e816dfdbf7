"""What may be wrong with a registry's notices: one function per check, yielding what is wrong and how to mend it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from hanse_consent.domain.notices import Notice
from hanse_consent.domain.parties import AgreementRole
from hanse_consent.domain.purposes import Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.law.registry_conditions import StatementDemand, StatementField
from hanse_privacy.protocol.vocabulary import CountryCode

Breach = tuple[str, str]
"""What is wrong, without a full stop, and what to do."""


def fresh(new: Registry, *, before: Registry) -> tuple[Notice, ...]:
    """Notices that are published now."""
    known = {_key(notice) for notice in before.notices}
    return tuple(notice for notice in new.notices if _key(notice) not in known)


def explained(notice: Notice, registry: Registry) -> tuple[Purpose, ...]:
    """The registered purposes that a notice explains."""
    return tuple(purpose for purpose in registry.purposes if purpose.name in notice.purposes)


def categories_used(notice: Notice, registry: Registry) -> frozenset[str]:
    """The kinds of data that they use, at whatever tier."""
    return frozenset(
        category
        for purpose in explained(notice, registry)
        for categories in purpose.data_categories.values()
        for category in categories
    )


def removed(new: Registry, *, before: Registry) -> Iterator[Breach]:
    """Notices that are no longer there."""
    kept = {_key(notice) for notice in new.notices}
    for notice in before.notices:
        if _key(notice) not in kept:
            yield (
                f"{_named(notice)} is no longer registered, though people may have been shown it",
                "Put it back; it stays as evidence even when it is no longer shown.",
            )


def changed(new: Registry, *, before: Registry) -> Iterator[Breach]:
    """Notices that differ from what was registered under the same version."""
    earlier = {_key(notice): notice for notice in before.notices}
    for notice in new.notices:
        known = earlier.get(_key(notice))
        if known is not None and known != notice:
            fields = [name for name in Notice.model_fields if getattr(known, name) != getattr(notice, name)]
            yield (
                f"{_named(notice)} differs in {', '.join(fields)} from what is registered under the same version "
                f"(text with SHA-256 {known.sha256})",
                "Restore it, or publish it under a new version.",
            )


def unstated(notice: Notice, demands: Iterable[StatementDemand]) -> Iterator[Breach]:
    """Statements that are missing or empty."""
    missing = [demand for demand in demands if not _stated(notice, demand.statement)]
    if missing:
        told = ", ".join(f"{demand.statement} (ISO/IEC 29184, {demand.iso_29184})" for demand in missing)
        yield f"{_named(notice)} does not state: {told}", "State it in the notice's statements and in its text."


def categories_unnamed(notice: Notice, registry: Registry) -> Iterator[Breach]:
    """Kinds of data that its purposes use and that it does not name."""
    if unnamed := sorted(categories_used(notice, registry) - set(notice.statements.categories)):
        yield (
            f"{_named(notice)} does not name the data {', '.join(unnamed)}, which its purposes use "
            "(ISO/IEC 29184, 5.3.5)",
            "Name every kind of data among its categories, and in its text.",
        )


def parties_unnamed(
    notice: Notice, registry: Registry, *, roles: frozenset[AgreementRole], at: datetime
) -> Iterator[Breach]:
    """Parties of agreements, in force now or later, about the notice's purposes, whom it does not name."""
    named = {*notice.statements.controllers, *notice.statements.recipients}
    unnamed = {
        agreement.party
        for agreement in registry.agreements
        if agreement.role in roles
        and agreement.ends_at > at
        and agreement.controller in notice.statements.controllers
        and set(agreement.purposes) & set(notice.purposes)
    } - named
    if unnamed:
        yield (
            f"{_named(notice)} does not name {', '.join(sorted(unnamed))}, who have an agreement about its purposes",
            "Name them among its controllers or recipients, or end the agreement.",
        )


def countries_unnamed(notice: Notice, registry: Registry, *, inside: frozenset[CountryCode]) -> Iterator[Breach]:
    """Countries of recipients outside the pack's territories that the notice does not name."""
    parties = [registry.recipient(name) or registry.controller(name) for name in notice.statements.recipients]
    countries = {party.country for party in parties if party is not None}
    if unnamed := sorted(countries - inside - set(notice.statements.countries)):
        yield (
            f"{_named(notice)} does not say that data goes to {', '.join(unnamed)} (ISO/IEC 29184, 5.3.9)",
            "Name these countries.",
        )


def named_unregistered(notice: Notice, registry: Registry) -> Iterator[Breach]:
    """Names of parties that nobody knows."""
    unknown = [
        name
        for name in (*notice.statements.controllers, *notice.statements.recipients)
        if registry.controller(name) is None and registry.recipient(name) is None
    ]
    if unknown:
        yield (
            f"{_named(notice)} names {', '.join(unknown)}, whose name and contact are not registered",
            "Register them as recipients, or mend the names.",
        )


def purposes_unregistered(notice: Notice, registry: Registry) -> Iterator[Breach]:
    """Purposes that nobody registered."""
    if unknown := sorted(name for name in notice.purposes if registry.purpose(name) is None):
        yield f"{_named(notice)} explains {', '.join(unknown)}, which is not registered", "Register the purpose first."


def change_undeclared(
    notice: Notice, registry: Registry, fields: Iterable[StatementField], *, before: Registry
) -> Iterator[Breach]:
    """A version that changes one of these statements and does not call the change material.

    It is held against the version before it, in its own language if there is one: statements in two languages
    cannot be compared, and count as changed.
    """
    known = (*before.notices, *registry.notices)
    earlier = [one for one in known if one.name == notice.name and one.order < notice.order]
    if notice.material_change or not earlier:
        return
    last = max(earlier, key=lambda one: (one.language == notice.language, one.order))
    altered = [
        field for field in fields if getattr(last.statements, field.value) != getattr(notice.statements, field.value)
    ]
    if altered:
        yield (
            f"{_named(notice)} states {', '.join(altered)} otherwise than {_named(last)}, "
            "and does not say that the change is material",
            "Set material_change = true: who agreed before is then asked again.",
        )


def _key(notice: Notice) -> tuple[str, str]:
    return notice.reference, notice.language


def _named(notice: Notice) -> str:
    return f"Notice {notice.reference} ({notice.language})"


def _stated(notice: Notice, statement: StatementField) -> bool:
    held = getattr(notice.statements, statement.value)
    return bool(held.strip() if isinstance(held, str) else held)
