"""What is registered in the measured service: as many rules of the law packs as possible read a customer.

A retailer in Germany runs a league purpose that decides without a person, reads faces from shop cameras, publishes,
and sends its outcome to the league's centre at home and to another handler in Singapore. Agreements, assessments and
transfers are in order, so that no rule excludes everybody: what is left is decided customer by customer.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hanse_consent.decisions.question import Question
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
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

RETAILER, NEIGHBOUR, CENTRE, SERVICE = "aurora", "borealis", "centre", "consent"
EXCHANGE = "exchange"
ASKED = "offers-model"
PURPOSES = ("models", ASKED, "churn-model", "statistics", "evaluation")
PARENTS = {ASKED: "models", "churn-model": "models", "evaluation": "statistics"}
HABIT, AGE, FACE = "pd:PurchasesAndSpendingHabit", "pd:Age", "pd:FacialPrint"
CATEGORIES = (HABIT, AGE, FACE)
_DIGEST = "5f" * 32
_STATEMENTS = {
    "contact": "The data protection officer of Aurora, Harbour Street 1, Hamburg",
    "means": "Counted and learnt from together with other retailers, under noise.",
    "retention": "Two years.",
    "rights": "Access, correction, erasure, restriction, objection, portability.",
    "withdrawal": "In the app, at any till, or by letter.",
    "complaint": "Your data protection authority.",
    "necessity": "A face is known again at the door; a mistake may take you for somebody else.",
    "automated_decision": "A model chooses which offers you see; you can ask for a person.",
}


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Private keys of everybody who signs."""

    retailer: SigningKey = field(default_factory=SigningKey.generate)
    neighbour: SigningKey = field(default_factory=SigningKey.generate)
    centre: SigningKey = field(default_factory=SigningKey.generate)
    service: SigningKey = field(default_factory=SigningKey.generate)


@dataclass(frozen=True, kw_only=True)
class World:
    """The registry, and the question that every measurement asks.

    Args:
        began_at: The moment that all dates are counted from: now, to the second.
        keys: Of everybody who signs.
    """

    keys: Keys = field(default_factory=Keys)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @property
    def question(self) -> Question:
        """Who may be used for the league's deepest purpose?"""
        return Question(
            controller=RETAILER,
            purpose=ASKED,
            tier=Tier.ADVANCED,
            categories=CATEGORIES,
            recipients=(EXCHANGE, CENTRE),
            joint_controllers=(NEIGHBOUR,),
            league_run=True,
        )

    def first_registry(self) -> Registry:
        """As it was before the other handlers came: then the older notices were complete."""
        return self.registry().model_copy(update={"agreements": (), "transfers": (), "assessments": ()})

    def registry(self) -> Registry:
        """As it is now."""
        return Registry(
            version=0,
            controllers=(
                self._controller(RETAILER, self.keys.retailer),
                self._controller(NEIGHBOUR, self.keys.neighbour),
            ),
            recipients=(
                Recipient(name=CENTRE, legal_name="The league's centre", contact="dpo@centre", country="DE"),
                Recipient(name=EXCHANGE, legal_name="The exchange", contact="dpo@exchange", country="SG"),
            ),
            purposes=tuple(map(_purpose, PURPOSES)),
            notices=tuple(self._notices()),
            agreements=(
                self._agreement(NEIGHBOUR, AgreementRole.JOINT_CONTROLLER),
                self._agreement(CENTRE, AgreementRole.PROCESSOR),
                self._agreement(EXCHANGE, AgreementRole.INDEPENDENT_CONTROLLER),
            ),
            transfers=(
                self._transfer(EXCHANGE, "gdpr", TransferMechanism.EXPLICIT_CONSENT_DEROGATION),
                self._transfer(EXCHANGE, "pipl", TransferMechanism.STANDARD_CONTRACT),
                self._transfer(CENTRE, "pipl", TransferMechanism.STANDARD_CONTRACT),
            ),
            assessments=tuple(map(self._assessment, AssessmentKind)),
        )

    def days_ago(self, days: float) -> datetime:
        """A moment before now."""
        return self.began_at - timedelta(days=days)

    def _controller(self, name: str, key: SigningKey) -> Controller:
        return Controller(
            name=name,
            legal_name=name.capitalize(),
            contact=f"dpo@{name}",
            address="Harbour Street 1, Hamburg",
            country="DE",
            public_key=key.public.text,
        )

    def _notices(self) -> tuple[Notice, ...]:
        return (
            self._notice("terms", "1", published=700),
            self._notice("terms", "2", published=500, material_change=True),
            self._notice("terms", "3", published=60),
            self._notice("leaflet", "1", published=500, recipients=(CENTRE,)),
            self._notice("flyer", "1", published=500, controllers=(RETAILER,)),
        )

    def _notice(
        self,
        name: str,
        version: str,
        *,
        published: int,
        material_change: bool = False,
        recipients: tuple[str, ...] = (EXCHANGE, CENTRE),
        controllers: tuple[str, ...] = (RETAILER, NEIGHBOUR),
    ) -> Notice:
        return Notice(
            name=name,
            version=version,
            language="en",
            purposes=PURPOSES,
            published_at=self.days_ago(published),
            material_change=material_change,
            text=f"What we do with your data, {name} {version}.",
            statements=NoticeStatements(
                controllers=controllers,
                recipients=recipients,
                countries=("CN", "DE", "SG"),
                categories=CATEGORIES,
                **_STATEMENTS,
            ),
        )

    def _agreement(self, party: str, role: AgreementRole) -> Agreement:
        return Agreement(
            name=f"{RETAILER}-{party}",
            controller=RETAILER,
            party=party,
            role=role,
            purposes=PURPOSES,
            starts_at=self.days_ago(600),
            ends_at=self.days_ago(-600),
            document_sha256=_DIGEST,
        )

    def _transfer(self, to: str, pack: str, mechanism: TransferMechanism) -> Transfer:
        return Transfer(
            name=f"{to}-{pack}",
            controller=RETAILER,
            recipient=to,
            pack=pack,
            mechanism=mechanism,
            starts_at=self.days_ago(600),
            ends_at=self.days_ago(-600),
            document_sha256=_DIGEST,
            persons_this_year=1000,
            sensitive_persons_this_year=1000,
        )

    def _assessment(self, kind: AssessmentKind) -> Assessment:
        return Assessment(
            name=kind.value,
            controller=RETAILER,
            kind=kind,
            purposes=PURPOSES,
            recipient=EXCHANGE if kind is AssessmentKind.TRANSFER_IMPACT else None,
            approved_by="The data protection officer",
            starts_at=self.days_ago(600),
            ends_at=self.days_ago(-600),
            document_sha256=_DIGEST,
        )


def _purpose(name: str) -> Purpose:
    asked = name == ASKED
    tiers = {Tier.BASIC: (HABIT,), Tier.STANDARD: (HABIT, AGE), Tier.ADVANCED: CATEGORIES}
    return Purpose(
        name=name,
        title=name.replace("-", " ").capitalize(),
        description=f"What {name} does.",
        kind=PurposeKind.STATISTICS if name == "statistics" else PurposeKind.TRAINING,
        parent=PARENTS.get(name),
        data_categories=tiers,
        retention_days=700,
        consent_lasts_days=365,
        automated_decision=asked,
        sets_prices=asked,
        publishes=asked,
        high_risk=asked,
    )
