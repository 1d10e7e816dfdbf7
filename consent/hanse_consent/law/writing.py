"""Which acts are accepted: the packs' rules about acts, made ready for one batch.

Every rule is applied whoever the customer is: an act that one law refuses is refused. Acts that some law wants accepted
whatever they lack (a withdrawal, an objection) are exempt from all of it but the clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.notices import Notice
from hanse_consent.domain.purposes import Purpose
from hanse_consent.domain.registry import Registry
from hanse_consent.errors import (
    NoticeDoesNotExplainError,
    NoticeUnknownError,
    PreselectedConsentError,
    PurposeUnknownError,
    SaidInFutureError,
    TierNotOfferedError,
)
from hanse_consent.law.act_conditions import (
    AlwaysAccepted,
    CategoryRegistered,
    NoticeExplainsMatter,
    NoticeExplainsPurpose,
    NoticeLanguageKnown,
    NoticePublished,
    NoticeRegistered,
    NotPreselected,
    NotSaidAhead,
    OneThingPerInteraction,
    PurposeInForce,
    RecipientRegistered,
    TierOffered,
)
from hanse_consent.law.errors import (
    BundledConsentError,
    CategoryUnknownError,
    NoticeLanguageUnknownError,
    NoticeNotPublishedError,
    RecipientUnknownError,
)
from hanse_consent.law.packs import LawPacks
from hanse_consent.law.rules import Rule
from hanse_consent.law.write_rules import WriteRule

_Of = TypeVar("_Of")

ABOUT_A_PURPOSE = frozenset({SeparateMatter.PUBLIC_DISCLOSURE, SeparateMatter.PUBLIC_PLACE_IMAGERY})
"""Separate consents whose subject is a purpose."""
ABOUT_A_RECIPIENT = frozenset({SeparateMatter.RECIPIENT, SeparateMatter.ABROAD})
"""Separate consents whose subject is a recipient."""

_NOBODY: frozenset[str] = frozenset()


def cited(rules: Iterable[Rule]) -> str:
    """Rules as an error names them: ``G-7.2, GDPR 7(2); P-14.1, PIPL 14``."""
    return "; ".join(f"{rule.id}, {rule.article}" for rule in rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What a customer saw: one notice in one language, or what it says in every language it exists in."""

    purposes: frozenset[str]
    published_at: datetime
    recipients: frozenset[str]
    countries: frozenset[str]


class ActChecker:
    """Accepts or refuses acts under one registry, made once per batch.

    Args:
        registry: As of now.
        packs: Those in force at ``recorded_at`` are applied.
        recorded_at: The service's time for the batch.
    """

    def __init__(self, *, registry: Registry, packs: LawPacks, recorded_at: datetime) -> None:
        rules = tuple(rule for pack in packs.in_force(recorded_at) for rule in pack.writes)
        self._latest, self._ahead_rules = _latest(rules, recorded_at)
        self._exempt = frozenset(kind for _, accepted in _of(rules, AlwaysAccepted) for kind in accepted.kinds)
        self._preselected = _by_kind((rule, held.kinds) for rule, held in _of(rules, NotPreselected))
        self._bundled = _by_kind((rule, held.kinds) for rule, held in _of(rules, OneThingPerInteraction))
        self._matters = _by_kind((rule, held.matters) for rule, held in _of(rules, NoticeExplainsMatter))
        self._in_force = _citation(rules, PurposeInForce)
        self._offered = _citation(rules, TierOffered)
        self._registered = _citation(rules, NoticeRegistered)
        self._explains = _citation(rules, NoticeExplainsPurpose)
        self._published = _citation(rules, NoticePublished)
        self._language = _citation(rules, NoticeLanguageKnown)
        self._recipient = _citation(rules, RecipientRegistered)
        self._category = _citation(rules, CategoryRegistered)
        self._purposes: Mapping[str, Purpose] = {purpose.name: purpose for purpose in registry.purposes}
        self._tiers = {name: frozenset(purpose.tiers) for name, purpose in self._purposes.items()}
        self._categories = {name: _all_categories(purpose) for name, purpose in self._purposes.items()}
        self._countries = _countries(registry)
        self._languages: dict[str, frozenset[str]] = {}
        self._shown: dict[tuple[str, str | None], _Shown] = {}
        for reference in {notice.reference for notice in registry.notices}:
            self._know(reference, registry.notices_of(reference))

    def check(self, act: ConsentAct, place: str, bundled_with: frozenset[str] = _NOBODY) -> None:
        """Accept an act, or refuse it with an error that names its place and never its customer.

        Args:
            act: What was said.
            place: Where it stands in the batch, such as ``acts.3``.
            bundled_with: What the same customer has granted through the same interaction, in this batch or before:
                names of purposes, and topics of separate consents. The act's own may be among them.

        Raises:
            ConsentRefusal: Of the class that says why, citing rule and article.
        """
        if self._latest is not None and act.said_at > self._latest:
            raise SaidInFutureError(
                f"{place} was said later than now and the tolerance for clocks ({self._ahead_rules}).",
                "Set the clock right where consent is taken (NTP).",
            )
        kind = act.kind
        if kind in self._exempt:
            return
        if act.preselected and kind in self._preselected:
            raise PreselectedConsentError(
                f"{place} was ticked before the customer saw it ({self._preselected[kind]}).",
                "Ask the customer, with the box empty.",
            )
        if bundled_with and kind in self._bundled:
            self._check_alone(act, bundled_with, place)
        purpose = act.purpose
        if purpose is not None:
            self._check_purpose(act, purpose, place)
        if act.separate is not None:
            self._check_separate(act.separate, place)
        if act.notice is not None:
            self._check_notice(act, act.notice, place)

    def _check_alone(self, act: ConsentAct, bundled_with: frozenset[str], place: str) -> None:
        own = act.separate.topic if act.separate is not None else act.purpose
        others = bundled_with - {own}
        if others:
            raise BundledConsentError(
                f"{place} is one of {len(others) + 1} consents given in one gesture ({self._bundled[act.kind]}).",
                "Ask for each on its own, with a gesture of its own.",
            )

    def _check_purpose(self, act: ConsentAct, purpose: str, place: str) -> None:
        tiers = self._tiers.get(purpose)
        if tiers is None:
            if self._in_force is not None:
                raise PurposeUnknownError(
                    f"{place} names the purpose {purpose}, which is not registered or no longer in force "
                    f"({self._in_force}).",
                    "Use a purpose that /v1/purposes lists.",
                )
        elif act.tier is not None and act.tier not in tiers and self._offered is not None:
            raise TierNotOfferedError(
                f"{place} names {purpose} at tier {act.tier}, which does not exist ({self._offered}).",
                f"Its tiers are: {', '.join(self._purposes[purpose].tiers)}.",
            )

    def _check_separate(self, separate: SeparateConsent, place: str) -> None:
        subject = separate.subject
        if separate.matter in ABOUT_A_PURPOSE:
            if subject not in self._purposes and self._in_force is not None:
                raise PurposeUnknownError(
                    f"{place} names the purpose {subject}, which is not registered or no longer in force "
                    f"({self._in_force}).",
                    "Use a purpose that /v1/purposes lists.",
                )
        elif separate.matter in ABOUT_A_RECIPIENT:
            if subject not in self._countries and self._recipient is not None:
                raise RecipientUnknownError(
                    f"{place} names the recipient {subject}, which is not registered ({self._recipient}).",
                    "Register the recipient, or mend its name.",
                )
        elif self._category is not None and not any(subject in held for held in self._categories.values()):
            raise CategoryUnknownError(
                f"{place} names {subject}, which no purpose in force uses ({self._category}).",
                "Name a kind of data as /v1/purposes writes it.",
            )

    def _check_notice(self, act: ConsentAct, notice: str, place: str) -> None:
        languages = self._languages.get(notice)
        if languages is None:
            if self._registered is not None:
                raise NoticeUnknownError(
                    f"{place} cites the notice {notice}, which is not registered ({self._registered}).",
                    "Cite a notice that /v1/notices lists.",
                )
            return
        language = act.language
        # Where the language is not known, what the notice says in all of them counts.
        if language not in languages:
            if self._language is not None and (language is not None or len(languages) > 1):
                named = "in no language" if language is None else f"in {language}"
                raise NoticeLanguageUnknownError(
                    f"{place} cites the notice {notice} {named} ({self._language}).",
                    f"Name the language it was shown in, one of: {', '.join(sorted(languages))}.",
                )
            language = None
        shown = self._shown[notice, language]
        if self._published is not None and act.said_at < shown.published_at:
            raise NoticeNotPublishedError(
                f"{place} was said before the notice {notice} was published ({self._published}).",
                "Cite the notice that was shown.",
            )
        if act.separate is not None:
            self._check_explains_matter(act.separate, shown, place)
        purpose = act.purpose
        if purpose is not None and self._explains is not None and purpose not in shown.purposes:
            raise NoticeDoesNotExplainError(
                f"{place} names {purpose} under the notice {notice}, which does not explain it ({self._explains}).",
                f"Cite a notice that explains {purpose}.",
            )

    def _check_explains_matter(self, separate: SeparateConsent, shown: _Shown, place: str) -> None:
        rules = self._matters.get(separate.matter)
        if rules is not None and not self._is_explained(separate, shown):
            raise NoticeDoesNotExplainError(
                f"{place} is a separate consent to {separate.matter.value} {separate.subject}, which its notice does "
                f"not tell of ({rules}).",
                "Show a notice that tells of it, and cite that.",
            )

    def _is_explained(self, separate: SeparateConsent, shown: _Shown) -> bool:
        subject = separate.subject
        match separate.matter:
            case SeparateMatter.RECIPIENT:
                return subject in shown.recipients
            case SeparateMatter.ABROAD:
                return subject in shown.recipients and self._countries.get(subject) in shown.countries
            case SeparateMatter.SENSITIVE_CATEGORY:
                return any(subject in self._categories.get(purpose, _NOBODY) for purpose in shown.purposes)
            case _:
                return subject in shown.purposes

    def _know(self, reference: str, notices: tuple[Notice, ...]) -> None:
        self._languages[reference] = frozenset(notice.language for notice in notices)
        shown = {notice.language: _shown(notice) for notice in notices}
        for language, one in shown.items():
            self._shown[reference, language] = one
        every = tuple(shown.values())
        self._shown[reference, None] = _Shown(
            purposes=frozenset.intersection(*(one.purposes for one in every)),
            published_at=max(one.published_at for one in every),
            recipients=frozenset.intersection(*(one.recipients for one in every)),
            countries=frozenset.intersection(*(one.countries for one in every)),
        )


def _shown(notice: Notice) -> _Shown:
    return _Shown(
        purposes=frozenset(notice.purposes),
        published_at=notice.published_at,
        recipients=frozenset(notice.statements.recipients) | frozenset(notice.statements.controllers),
        countries=frozenset(notice.statements.countries),
    )


def _all_categories(purpose: Purpose) -> frozenset[str]:
    return frozenset(category for categories in purpose.data_categories.values() for category in categories)


def _countries(registry: Registry) -> dict[str, str]:
    """Country by name, of everybody who may receive."""
    controllers = {party.name: party.country for party in registry.controllers}
    return controllers | {party.name: party.country for party in registry.recipients}


def _of(rules: Iterable[WriteRule], condition: type[_Of]) -> Iterable[tuple[WriteRule, _Of]]:
    return ((rule, rule.condition) for rule in rules if isinstance(rule.condition, condition))


def _citation(rules: Iterable[WriteRule], condition: type[_Of]) -> str | None:
    """The rules with this condition as an error names them; none if no pack has one."""
    return cited(rule for rule, _ in _of(rules, condition)) or None


_Key = TypeVar("_Key", ActKind, SeparateMatter)


def _by_kind(found: Iterable[tuple[WriteRule, Iterable[_Key]]]) -> dict[_Key, str]:
    by_kind: dict[_Key, list[WriteRule]] = {}
    for rule, kinds in found:
        for kind in kinds:
            by_kind.setdefault(kind, []).append(rule)
    return {kind: cited(rules) for kind, rules in by_kind.items()}


def _latest(rules: Iterable[WriteRule], recorded_at: datetime) -> tuple[datetime | None, str]:
    found = tuple(_of(rules, NotSaidAhead))
    if not found:
        return None, ""
    tolerance = min(held.tolerance_seconds for _, held in found)
    return recorded_at.astimezone(UTC) + timedelta(seconds=tolerance), cited(rule for rule, _ in found)
