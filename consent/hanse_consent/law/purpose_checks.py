"""What may be wrong with a registry's purposes: one function per check, yielding what is wrong and how to mend it."""

from collections.abc import Iterator

from hanse_consent.domain.purposes import LegalBasis, Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPack, LawPacks
from hanse_consent.law.registry_conditions import BasisListed, CategoriesClassified, RetentionAtMost

Breach = tuple[str, str]
"""What is wrong, without a full stop, and what to do."""

_FLAGS = ("automated_decision", "sets_prices", "direct_marketing", "publishes")
"""What a purpose must not begin to do under the name that people agreed to."""
_PERIODS = ("retention_days", "consent_lasts_days")
"""What must not grow."""


def widened(new: Registry, *, before: Registry) -> Iterator[Breach]:
    """Purposes that reach further than when people agreed to them."""
    earlier = {purpose.name: purpose for purpose in before.purposes}
    for purpose in new.purposes:
        known = earlier.get(purpose.name)
        if known is not None and (ways := tuple(_widenings(purpose, known))):
            yield (
                f"Purpose {purpose.name} reaches further than registered: {'; '.join(ways)}",
                "Nobody has agreed to that: register it as a purpose with a new name.",
            )


def _widenings(purpose: Purpose, known: Purpose) -> Iterator[str]:
    for tier in known.tiers:
        added = set(purpose.data_categories.get(tier, ())) - set(known.data_categories[tier])
        if added:
            yield f"{', '.join(sorted(added))} at tier {tier}"
    # A tier put in below one that people agreed to is theirs, too; the type holds its data below that tier's.
    if purpose.kind is not known.kind:
        yield f"{purpose.kind} instead of {known.kind}"
    for flag in _FLAGS:
        if getattr(purpose, flag) and not getattr(known, flag):
            yield f"{flag} is new"
    for period in _PERIODS:
        if getattr(purpose, period) > getattr(known, period):
            yield f"{period} grew from {getattr(known, period)} to {getattr(purpose, period)}"
    for pack in sorted({*purpose.legal_basis, *known.legal_basis}):
        if known.basis(pack) is LegalBasis.CONSENT and purpose.basis(pack) is not LegalBasis.CONSENT:
            yield f"{purpose.basis(pack)} instead of consent under {pack}"


def packs_missing(new: Registry, *, packs: LawPacks) -> Iterator[Breach]:
    """Law packs that are named and do not exist."""
    known = packs.names
    named = {f"Purpose {purpose.name}": set(purpose.legal_basis) for purpose in new.purposes}
    named |= {f"Transfer {transfer.name}": {transfer.pack} for transfer in new.transfers}
    for place, names in named.items():
        if unknown := sorted(names - known):
            yield (
                f"{place} names the law pack {', '.join(unknown)}, which does not exist",
                f"Name one of: {', '.join(sorted(known))}.",
            )


def kept_too_long(new: Registry, condition: RetentionAtMost) -> Iterator[Breach]:
    """Purposes that keep data longer than the pack allows."""
    for purpose in new.purposes:
        if purpose.kind in condition.kinds and purpose.retention_days > condition.days:
            yield (
                f"Purpose {purpose.name} keeps data for {purpose.retention_days} days, at most {condition.days} for "
                f"{purpose.kind}",
                "Keep it as short as the purpose needs.",
            )


def unclassified(new: Registry, condition: CategoriesClassified) -> Iterator[Breach]:
    """Kinds of data without a class."""
    for purpose in new.purposes:
        used = {category for categories in purpose.data_categories.values() for category in categories}
        if unknown := sorted(category for category in used if condition.class_of(category) is None):
            yield (
                f"Purpose {purpose.name} uses {', '.join(unknown)}, which no class is known for",
                "Use a term of the pack's table, or have the term classified there.",
            )


def basis_unlisted(new: Registry, condition: BasisListed, *, pack: LawPack) -> Iterator[Breach]:
    """Legal bases that the law does not know."""
    for purpose in new.purposes:
        if purpose.basis(pack.name) not in condition.bases:
            yield (
                f"Purpose {purpose.name} rests on {purpose.basis(pack.name)}, which the pack {pack.name} does not know",
                f"Name one of: {', '.join(condition.bases)}; or leave it out: the basis is then consent.",
            )
