"""A small world that breaks no rule, for tests to change one thing in: a shop, its customer, and what is registered."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from hanse_consent.decisions.decide import Decision, decide
from hanse_consent.decisions.facts import (
    AGE,
    RESIDENCE,
    CustomerFacts,
    Fact,
    FactState,
    consent_topic,
    guardian_topic,
)
from hanse_consent.decisions.question import Question
from hanse_consent.domain.acts import SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import to_day_number, to_microseconds
from hanse_consent.domain.notices import Notice, NoticeStatements
from hanse_consent.domain.parties import (
    Agreement,
    AgreementRole,
    Assessment,
    AssessmentKind,
    Controller,
    Recipient,
    Transfer,
    TransferMechanism,
)
from hanse_consent.domain.purposes import LegalBasis, Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
KEY = SigningKey.generate().public.text
DIGEST = "ab" * 32
ORDINARY = "pd:PurchasesAndSpendingHabit"
HEALTH = "pd:Health"


def controller(name: str = "shop", country: str = "DE") -> Controller:
    return Controller(name=name, legal_name=name, contact="dpo", country=country, public_key=KEY)


def recipient(name: str = "centre", country: str = "DE") -> Recipient:
    return Recipient(name=name, legal_name=name, contact="dpo", country=country)


def purpose(name: str = "statistics", **changes) -> Purpose:
    fields = {
        "name": name,
        "title": name,
        "description": name,
        "kind": PurposeKind.STATISTICS,
        "data_categories": {Tier.BASIC: (ORDINARY,), Tier.STANDARD: (ORDINARY, "pd:Age")},
        "retention_days": 400,
        "consent_lasts_days": 730,
    }
    return Purpose(**(fields | changes))


def notice(version: str = "1", *, name: str = "leaflet", **changes) -> Notice:
    statements = {
        "controllers": ("shop", "other"),
        "recipients": ("centre", "faraway"),
    } | changes.pop("statements", {})
    fields = {
        "name": name,
        "version": version,
        "language": "en",
        "purposes": ("statistics",),
        "published_at": NOW - YEAR,
        "text": f"{name} {version}",
    }
    return Notice(**(fields | changes), statements=NoticeStatements(**statements))


def agreement(party: str = "centre", role: AgreementRole = AgreementRole.PROCESSOR, **changes) -> Agreement:
    fields = {
        "name": f"agreement-{party}-{role.value}",
        "controller": "shop",
        "party": party,
        "role": role,
        "purposes": ("statistics",),
        "starts_at": NOW - YEAR,
        "ends_at": NOW + YEAR,
        "document_sha256": DIGEST,
    }
    return Agreement(**(fields | changes))


def transfer(to: str, pack: str, mechanism: TransferMechanism, **changes) -> Transfer:
    fields = {
        "name": f"transfer-{to}-{pack}-{mechanism.value}",
        "controller": "shop",
        "recipient": to,
        "pack": pack,
        "mechanism": mechanism,
        "starts_at": NOW - YEAR,
        "ends_at": NOW + YEAR,
        "document_sha256": DIGEST,
        "persons_this_year": 0,
        "sensitive_persons_this_year": 0,
    }
    return Transfer(**(fields | changes))


def assessment(kind: AssessmentKind, **changes) -> Assessment:
    fields = {
        "name": f"assessment-{kind.value}",
        "controller": "shop",
        "kind": kind,
        "purposes": ("statistics",),
        "approved_by": "officer",
        "starts_at": NOW - YEAR,
        "ends_at": NOW + YEAR,
        "document_sha256": DIGEST,
    }
    return Assessment(**(fields | changes))


def fact(state: FactState = FactState.GIVEN, *, days_ago: int = 30, **changes) -> Fact:
    return Fact(state=state, effective_us=to_microseconds(NOW - timedelta(days=days_ago)), **changes)


def grant(*, tier: Tier = Tier.STANDARD, notice: str = "leaflet@1", ends: datetime = NOW + YEAR, **changes) -> Fact:
    return fact(tier_rank=tier.rank, notice=notice, until_us=to_microseconds(ends), **changes)


def lives_in(country: str) -> dict[str, Fact]:
    return {RESIDENCE: fact(country=country)}


def born_on(day: date | None) -> dict[str, Fact]:
    return {AGE: fact(born_on=to_day_number(day) if day is not None else None)}


def birthday(years: int, *, days_short: int = 0) -> dict[str, Fact]:
    """Whoever is that old today; with ``days_short``, so many days too young."""
    return born_on(date(NOW.year - years, NOW.month, NOW.day) + timedelta(days=days_short))


def separately(matter: SeparateMatter, subject: str, **changes) -> dict[str, Fact]:
    return {SeparateConsent(matter=matter, subject=subject).topic: fact(**changes)}


def guardian(name: str = "statistics", **changes) -> dict[str, Fact]:
    return {guardian_topic(name): fact(**changes)}


@dataclass(frozen=True, kw_only=True)
class World:
    """What is registered, what is known of the customer, and what is asked: all of it lawful as it stands."""

    registry: Registry
    facts: dict[str, Fact] = field(default_factory=dict)
    question: Question
    at: datetime = NOW

    def registering(self, **changes) -> "World":
        """With these parts of the registry instead."""
        return replace(self, registry=Registry(**(_parts(self.registry) | changes)))

    def adding(self, **changes) -> "World":
        """With these records in the registry, too."""
        parts = _parts(self.registry)
        return self.registering(**{name: (*parts[name], *records) for name, records in changes.items()})

    def with_purpose(self, **changes) -> "World":
        """With the purpose registered differently."""
        return self.registering(purposes=(purpose(**changes),))

    def knowing(self, facts: dict[str, Fact]) -> "World":
        """With these facts, too."""
        return replace(self, facts=self.facts | facts)

    def granting(self, **changes) -> "World":
        """With another grant."""
        return self.knowing({consent_topic("statistics"): grant(**changes)})

    def saying(self, topic: str, state: FactState, **changes) -> "World":
        """With another saying on a topic."""
        return self.knowing({topic: fact(state, **changes)})

    def forgetting(self, topic: str) -> "World":
        """Without any fact on a topic."""
        return replace(self, facts={name: known for name, known in self.facts.items() if name != topic})

    def asking(self, **changes) -> "World":
        """With another question."""
        return replace(self, question=self.question.model_copy(update=changes))

    def when(self, at: datetime) -> "World":
        """At another moment."""
        return replace(self, at=at)

    def decided(self, packs: LawPacks) -> Decision:
        """What is decided by these packs."""
        return decide(
            self.question,
            facts=CustomerFacts(by_topic=self.facts),
            registry=self.registry,
            packs=packs,
            at=self.at,
            position=7,
        )

    def must_permit(self, packs: LawPacks) -> None:
        """Fail unless the customer may be used."""
        reasons = self.decided(packs).reasons
        assert not reasons, f"denied: {sorted((reason.rule, reason.code) for reason in reasons)}"

    def must_deny(self, packs: LawPacks, rule: str, code: str) -> None:
        """Fail unless this rule is among the reasons against the customer, under this code."""
        decision = self.decided(packs)
        named = {(reason.rule, reason.code) for reason in decision.reasons}
        assert not decision.permitted
        assert (rule, code) in named, f"{rule} {code} is not among {sorted(named)}"

    def must_oblige(self, packs: LawPacks, rule: str, code: str) -> None:
        """Fail unless this rule obliges whoever uses the customer."""
        assert (rule, code) in {(due.rule, due.code) for due in self.decided(packs).obligations}

    def must_not_oblige(self, packs: LawPacks, code: str) -> None:
        """Fail if anything obliges under this code."""
        assert code not in {due.code for due in self.decided(packs).obligations}


def _parts(registry: Registry) -> dict:
    return {name: getattr(registry, name) for name in Registry.model_fields}


def lawful_world(country: str) -> World:
    """A shop and an adult customer in one country, a grant, and one recipient in the same country: all in order."""
    registry = Registry(
        version=3,
        controllers=(controller(country=country), controller("other", country)),
        recipients=(recipient(country=country), recipient("faraway", "BR")),
        purposes=(purpose(),),
        notices=(notice(),),
        agreements=(agreement(), agreement("other", AgreementRole.JOINT_CONTROLLER)),
        assessments=(assessment(AssessmentKind.PERSONAL_INFORMATION_PROTECTION_IMPACT),),
    )
    question = Question(
        controller="shop",
        purpose="statistics",
        tier=Tier.STANDARD,
        categories=(ORDINARY,),
        recipients=("centre",),
        joint_controllers=("other",),
    )
    facts = lives_in(country) | born_on(None) | {consent_topic("statistics"): grant()}
    return World(registry=registry, facts=facts, question=question)


def own_business(country: str, basis: LegalBasis, **purpose_changes) -> World:
    """The same shop's own business on another ground than consent: no grant, no league run."""
    world = lawful_world(country).with_purpose(legal_basis={"gdpr": basis, "pipl": basis}, **purpose_changes)
    return world.asking(league_run=False, joint_controllers=()).forgetting(consent_topic("statistics"))
