"""A registry that breaks no rule under either law, for tests to change one thing in; and packs, one law at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.notices import Notice, NoticeStatements
from hanse_consent.domain.parties import Agreement, AgreementRole, Controller, PresumedCustomer, Recipient
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PUBLISHED = NOON - timedelta(days=30)
DIGEST = "ab" * 32
KEY = SigningKey.generate().public.text
CUSTOMER = "0f" * 16

EMPTY = Registry(version=0)


def only(packs: LawPacks, *names: str) -> LawPacks:
    """Some of the packs, and the house's: rules of another law must not hide that one is gone."""
    return LawPacks(packs=tuple(pack for pack in packs.packs if pack.name in (*names, "house")))


def controller(name: str, country: str, *, customers_in: str | None = None) -> Controller:
    presumed = PresumedCustomer(country=customers_in, adult=True) if customers_in is not None else None
    return Controller(
        name=name, legal_name=name, contact=f"{name}, 1 Street", country=country, public_key=KEY, presumed=presumed
    )


def recipient(name: str, country: str) -> Recipient:
    return Recipient(name=name, legal_name=name, contact=f"{name}, 2 Street", country=country)


def agreement(party: str, role: AgreementRole, **changes: Any) -> Agreement:
    values = {
        "name": f"with-{party}",
        "controller": "shop",
        "party": party,
        "role": role,
        "purposes": ("statistics",),
        "starts_at": PUBLISHED,
        "ends_at": NOON + timedelta(days=365),
        "document_sha256": DIGEST,
    }
    return Agreement(**(values | changes))


def purpose(name: str = "statistics", **changes: Any) -> Purpose:
    values = {
        "name": name,
        "title": "Shared statistics",
        "description": "Counts of what is bought.",
        "kind": PurposeKind.STATISTICS,
        "data_categories": {
            Tier.BASIC: ("pd:Purchase",),
            Tier.STANDARD: ("pd:Purchase", "pd:PurchasesAndSpendingHabit"),
        },
        "retention_days": 365,
        "consent_lasts_days": 365,
    }
    return Purpose(**(values | changes))


STATEMENTS = NoticeStatements(
    controllers=("shop",),
    contact="Data protection officer, shop",
    categories=(
        "pd:Purchase",
        "pd:PurchasesAndSpendingHabit",
        "pd:Age",
        "pd:Biometric",
        "pd:FinancialAccount",
        "pd:Health",
        "pd:Location",
        "pd:Religion",
        "hanse:ShoeSize",
    ),
    legal_basis="What you buy is delivered under the contract with you.",
    means="Counts with noise.",
    retention="One year.",
    recipients=("centre",),
    countries=("DE", "CN", "SG"),
    rights="Access, correction, erasure.",
    withdrawal="In the app, at any time.",
    complaint="The authority of your country.",
    necessity="Needed to recommend food; may reveal where you were.",
    automated_decision="None is made without a person.",
)


def notice(statements: dict[str, Any] | None = None, **changes: Any) -> Notice:
    values = {
        "name": "sharing",
        "version": "1",
        "language": "en",
        "purposes": ("statistics",),
        "published_at": PUBLISHED,
        "text": "We count what you buy.",
        "statements": STATEMENTS.model_copy(update=statements or {}),
    }
    return Notice(**(values | changes))


def registry(country: str = "DE", **changes: Any) -> Registry:
    values = {
        "version": 1,
        "controllers": (controller("shop", country),),
        "recipients": (recipient("centre", country),),
        "purposes": (purpose(),),
        "notices": (notice(),),
    }
    return Registry(**(values | changes))


def act(kind: ActKind = ActKind.GRANT, **changes: Any) -> ConsentAct:
    values: dict[str, Any] = {"kind": kind, "customer": CUSTOMER, "said_at": NOON, "key": "k1"}
    if kind in (ActKind.GRANT, ActKind.RENEWAL):
        values |= {"purpose": "statistics", "tier": Tier.BASIC, "notice": "sharing@1", "language": "en"}
    if kind in (ActKind.REFUSAL, ActKind.DEFERRAL, ActKind.GUARDIAN_WITHDRAWAL):
        values |= {"purpose": "statistics"}
    if kind is ActKind.GUARDIAN_GRANT:
        values |= {"purpose": "statistics", "notice": "sharing@1"}
    if kind is ActKind.NOTICE_SERVED:
        values |= {"notice": "sharing@1"}
    if kind is ActKind.SEPARATE_GRANT:
        values |= {"notice": "sharing@1"}
    if kind in (ActKind.SEPARATE_GRANT, ActKind.SEPARATE_WITHDRAWAL):
        values |= {"separate": SeparateConsent(matter=SeparateMatter.RECIPIENT, subject="centre")}
    if kind is ActKind.PROFILE:
        values |= {"country": "DE"}
    return ConsentAct(**(values | changes))
