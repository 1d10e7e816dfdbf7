"""One controller with a joint one, a recipient, two purposes, notices in two languages, and a customer's history."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.notices import Notice, NoticeStatements
from hanse_consent.domain.parties import Agreement, AgreementRole, Assessment, AssessmentKind, Controller, Recipient
from hanse_consent.domain.purposes import LegalBasis, Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.records.history import RecordedAct
from hanse_consent.records.record import RecordSource
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CUSTOMER = "00112233445566778899aabbccddeeff"
PURPOSE = "shared-recommendations"
KEY = "hanse-ed25519:" + "A" * 43 + "="

STATEMENTS = NoticeStatements(
    controllers=("north", "south"),
    contact="privacy@north.example",
    means="Counts are made in the shop's own computer.",
    retention="Two years.",
    recipients=("model-house",),
    countries=("DE",),
    rights="You may ask what is known of you, have it corrected or deleted, and complain.",
    withdrawal="Say no in the app under Privacy, or at any till.",
    complaint="The data protection authority of your country.",
)


def purpose(**changes: object) -> Purpose:
    return Purpose.model_validate(
        {
            "name": PURPOSE,
            "title": "Recommendations learnt together",
            "description": "A model of what is bought together, learnt by several shops.",
            "kind": PurposeKind.TRAINING,
            "data_categories": {
                Tier.BASIC: ("hanse:ProductGroupPurchase",),
                Tier.STANDARD: ("hanse:ProductGroupPurchase", "pd:PurchasesAndSpendingHabit", "pd:Health"),
            },
            "retention_days": 730,
            "consent_lasts_days": 365,
        }
        | changes
    )


def notice(**changes: object) -> Notice:
    return Notice.model_validate(
        {
            "name": "joint-model",
            "version": "1.0",
            "language": "en",
            "purposes": (PURPOSE,),
            "published_at": NOON - timedelta(days=30),
            "statements": STATEMENTS,
            "text": "Several shops learn together what is bought together.\n",
        }
        | changes
    )


def registry(**changes: object) -> Registry:
    return Registry.model_validate(
        {
            "version": 7,
            "controllers": (
                Controller(
                    name="north",
                    legal_name="Nordmarkt GmbH",
                    contact="privacy@north.example",
                    address="Hafenweg 1, 20457 Hamburg",
                    country="DE",
                    public_key=KEY,
                ),
                Controller(
                    name="south", legal_name="Südmarkt AG", contact="dpo@south.example", country="AT", public_key=KEY
                ),
            ),
            "recipients": (
                Recipient(
                    name="model-house", legal_name="Model House BV", contact="office@model.example", country="NL"
                ),
            ),
            "purposes": (
                purpose(name="all-learning", title="All learning"),
                purpose(parent="all-learning"),
                purpose(name="delivery", kind=PurposeKind.OPERATIONS, legal_basis={"gdpr": LegalBasis.CONTRACT}),
            ),
            "notices": (
                notice(),
                notice(language="de", text="Mehrere Läden lernen gemeinsam, was zusammen gekauft wird.\n"),
                notice(version="1.1", text="Several shops learn together what is bought together; now also by week.\n"),
            ),
            "agreements": (
                Agreement(
                    name="model-contract",
                    controller="north",
                    party="model-house",
                    role=AgreementRole.PROCESSOR,
                    purposes=(PURPOSE,),
                    document_sha256="a" * 64,
                    starts_at=NOON - timedelta(days=10),
                    ends_at=NOON + timedelta(days=1000),
                ),
            ),
            "assessments": (
                Assessment(
                    name="learning-dpia",
                    controller="north",
                    kind=AssessmentKind.DATA_PROTECTION_IMPACT,
                    purposes=(PURPOSE,),
                    approved_by="J. Hansen",
                    document_sha256="b" * 64,
                    starts_at=NOON - timedelta(days=10),
                    ends_at=NOON + timedelta(days=1000),
                ),
            ),
        }
        | changes
    )


def act(kind: ActKind = ActKind.GRANT, *, after: timedelta = timedelta(), **fields: object) -> ConsentAct:
    said: dict[str, object] = {"kind": kind, "customer": CUSTOMER, "said_at": NOON + after, "key": f"k{after.days}"}
    if kind in (ActKind.GRANT, ActKind.RENEWAL):
        said |= {"purpose": PURPOSE, "tier": Tier.STANDARD, "notice": "joint-model@1.0", "language": "en"}
    return ConsentAct.model_validate(said | fields)


def recorded(*acts: ConsentAct) -> tuple[RecordedAct, ...]:
    return tuple(
        RecordedAct(position=number, recorded_at=each.said_at + timedelta(seconds=2), act=each)
        for number, each in enumerate(acts, start=1)
    )


def source(**changes: object) -> RecordSource:
    settings: dict[str, object] = {
        "controller": "north",
        "registry": registry(),
        "packs": ("gdpr",),
        "at": NOON + timedelta(days=100),
        "position": 40,
    }
    return RecordSource(**(settings | changes))  # type: ignore[arg-type]


def full_history() -> tuple[RecordedAct, ...]:
    """Shown, put off, granted, sensitive data granted, withdrawn, granted again under a newer notice."""
    day = timedelta(days=1)
    return recorded(
        act(ActKind.NOTICE_SERVED, notice="joint-model@1.0", language="en", channel="app"),
        act(ActKind.DEFERRAL, after=day, purpose=PURPOSE, channel="app"),
        act(after=2 * day, channel="app"),
        act(
            ActKind.SEPARATE_GRANT,
            after=3 * day,
            notice="joint-model@1.0",
            language="de",
            explicit=True,
            separate=SeparateConsent(matter=SeparateMatter.SENSITIVE_CATEGORY, subject="pd:Health"),
        ),
        act(ActKind.WITHDRAWAL, after=4 * day, purpose="all-learning", channel="till"),
        act(ActKind.RENEWAL, after=5 * day, notice="joint-model@1.1", explicit=True, channel="app"),
    )


@pytest.fixture(scope="session")
def shop() -> SimpleNamespace:
    """What the tests build their cases from; nothing in it changes."""
    return SimpleNamespace(
        noon=NOON,
        customer=CUSTOMER,
        name=PURPOSE,
        statements=STATEMENTS,
        act=act,
        notice=notice,
        purpose=purpose,
        recorded=recorded,
        registry=registry,
        source=source,
        full_history=full_history,
    )


@pytest.fixture(scope="session")
def service_key() -> SigningKey:
    return SigningKey.generate()
