"""Whether what a customer said speaks against what a manifest was used for. Pure."""

from dataclasses import dataclass
from typing import Self

from hanse_consent.domain.acts import ActKind, SeparateConsent, SeparateMatter
from hanse_consent.domain.registry import Registry
from hanse_privacy.protocol.proposal import RunProposal

PROTECTIVE = frozenset(
    {
        ActKind.WITHDRAWAL,
        ActKind.REFUSAL,
        ActKind.OBJECTION,
        ActKind.RESTRICTION,
        ActKind.AUTOMATED_OPT_OUT,
        ActKind.SEPARATE_WITHDRAWAL,
        ActKind.GUARDIAN_WITHDRAWAL,
        ActKind.ERASURE,
    }
)
"""Acts by which a customer, or a guardian, says no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedFor:
    """What a manifest's customers were used for.

    Args:
        purpose: The purpose.
        lineage: The purpose and all above it, as registered when the manifest was issued.
        automated: Whether it decides without a person, or might.
        categories: Kinds of data read; none if they are not known.
        recipients: Who received the outcome; none if that is not known.
    """

    purpose: str
    lineage: frozenset[str]
    automated: bool
    categories: frozenset[str] | None
    recipients: frozenset[str] | None

    @classmethod
    def of(cls, purpose: str, *, registry: Registry, proposal: RunProposal | None) -> Self:
        """What a proposal's step did.

        Args:
            purpose: Of the step.
            registry: In force when the manifest was issued.
            proposal: The run's terms, if they are known.
        """
        registered = registry.purpose(purpose)
        return cls(
            purpose=purpose,
            lineage=frozenset(registry.with_ancestors(purpose)),
            automated=registered is None or registered.automated_decision,
            categories=None if proposal is None else frozenset(proposal.data_categories),
            recipients=None if proposal is None else frozenset(recipient.name for recipient in proposal.recipients),
        )


def speaks_against(use: UsedFor, *, kind: ActKind, purpose: str | None, separate: SeparateConsent | None) -> bool:
    """Whether an act of a protective kind is about a use; in doubt it is.

    Args:
        use: What the customers were used for.
        kind: What was said.
        purpose: Of which purpose, if the act names one.
        separate: Of which separate consent, if it is about one.
    """
    match kind:
        case ActKind.WITHDRAWAL | ActKind.OBJECTION:
            return purpose is None or purpose in use.lineage
        case ActKind.REFUSAL | ActKind.GUARDIAN_WITHDRAWAL:
            return purpose == use.purpose
        case ActKind.AUTOMATED_OPT_OUT:
            return use.automated
        case ActKind.SEPARATE_WITHDRAWAL if separate is not None:
            return _separately(use, separate)
        case _:
            return True


def _separately(use: UsedFor, separate: SeparateConsent) -> bool:
    match separate.matter:
        case SeparateMatter.SENSITIVE_CATEGORY:
            return use.categories is None or separate.subject in use.categories
        case SeparateMatter.RECIPIENT | SeparateMatter.ABROAD:
            return use.recipients is None or separate.subject in use.recipients
        case _:
            return separate.subject == use.purpose
