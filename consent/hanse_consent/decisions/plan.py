"""A question made ready: which customers each rule excludes, and until when that holds.

Everything that does not depend on the customer (agreements, assessments, transfers, dates) is decided while the plan
is made; what is left are set expressions over customers' facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hanse_consent.decisions.question import Question
from hanse_consent.decisions.sets import CustomerSet, complement, union


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a customer may not be used.

    Args:
        rule: Id of the rule, such as ``G-9``.
        article: Where the law says so, such as ``GDPR 9(2)(a)``.
        code: Stable, for programs, such as ``EXPLICIT_REQUIRED``.
    """

    rule: str
    article: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """The customers that one rule excludes."""

    reason: Reason
    excluded: CustomerSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What whoever uses the permitted customers must do."""

    rule: str
    article: str
    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One question under one version of registry and packs.

    Args:
        question: What is asked.
        registry_version: Version of the registry it was made from.
        pack_versions: Version of each law pack it was made from, by pack.
        exclusions: Every rule that may exclude somebody, in order of rule id. Deny overrides: one is enough.
        obligations: In order of rule id.
        from_us: First moment at which the plan holds (microseconds since 1970).
        until_us: First moment at which it no longer holds: something dated begins or ends then.
    """

    question: Question
    registry_version: int
    pack_versions: Mapping[str, str]
    exclusions: tuple[Exclusion, ...]
    obligations: tuple[Obligation, ...]
    from_us: int
    until_us: int

    @property
    def eligible(self) -> CustomerSet:
        """Those whom no rule excludes."""
        return complement(union(exclusion.excluded for exclusion in self.exclusions))
