"""Findings of a real store: what is counted is what the rules ask for."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse_consent.domain.acts import ActKind, Age, ConsentAct
from hanse_consent.domain.findings import FindingReport
from hanse_consent.domain.notices import Notice
from hanse_consent.domain.parties import Controller
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.finding_service import FindingService
from hanse_consent.law.duty_rules import ProtectionOfficerNamed
from hanse_consent.law.packs import LawPack, LawPacks, load_shipped_packs
from hanse_consent.storage.counting import CustomerCounting
from hanse_consent.storage.database import Database
from hanse_consent.storage.errors import ControllerUnknownError
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.vocabulary import Tier

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PURPOSES = tuple(f"purpose-{number}" for number in range(5))
KEY = SigningKey.generate().public.text


def small_figures(pack: LawPack) -> LawPack:
    """Three customers in place of a million: the figure is the pack's own."""
    return pack.model_copy(
        update={
            "duties": tuple(
                rule.model_copy(update={"condition": rule.condition.model_copy(update={"persons_from": 3})})
                if isinstance(rule.condition, ProtectionOfficerNamed)
                else rule
                for rule in pack.duties
            )
        }
    )


PACKS = LawPacks(packs=tuple(map(small_figures, load_shipped_packs().packs)))


def registry(**changes: Any) -> Registry:
    shop = {"name": "shop", "legal_name": "Shop", "contact": "dpo", "country": "DE", "public_key": KEY}
    return Registry(
        version=0,
        controllers=(Controller(**(shop | changes)),),
        purposes=tuple(
            Purpose(
                name=name,
                title=name,
                description=name,
                kind=PurposeKind.STATISTICS,
                data_categories={Tier.BASIC: ("pd:Purchase",)},
                retention_days=30,
                consent_lasts_days=365,
            )
            for name in PURPOSES
        ),
        notices=(
            Notice(
                name="all", version="1", language="en", purposes=PURPOSES, published_at=NOON - 400 * DAY, text="All."
            ),
        ),
    )


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "consent.sqlite")
    yield opened
    opened.close()


class Shop:
    """A store with one controller, and its findings."""

    def __init__(self, database: Database) -> None:
        self.store = ConsentStore(database, packs=PACKS, now=lambda: NOON, check_registry=lambda *_, **__: None)
        counting = CustomerCounting(database)
        self.service = FindingService(store=self.store, counting=counting, packs=PACKS, now=lambda: NOON)

    def say(self, kind: ActKind, customer: int, number: int = 0, **fields: Any) -> ConsentAct:
        said = {"kind": kind, "customer": f"{customer:032x}", "said_at": NOON - 9 * DAY, "key": f"{customer}-{number}"}
        return ConsentAct.model_validate(said | fields)

    def grant(self, customer: int, number: int, **fields: Any) -> ConsentAct:
        about = {"purpose": PURPOSES[number], "tier": Tier.BASIC, "notice": "all@1"}
        return self.say(ActKind.GRANT, customer, number, **(about | fields))

    def found(self) -> dict[str, str]:
        return {finding.rule: finding.words for finding in self.service.report("shop").findings}


@pytest.fixture
def shop(database: Database) -> Shop:
    made = Shop(database)
    made.store.register(registry())
    return made


def test_customers_count_who_are_under_the_law(shop: Shop) -> None:
    home = [shop.say(ActKind.PROFILE, number, country="CN" if number < 3 else "DE") for number in range(1, 9)]
    shop.store.record("shop", home)
    assert "P-52" not in shop.found(), "two live in China"
    # A third of whom nobody knows: perhaps.
    shop.store.record("shop", [shop.grant(99, 0)])
    assert shop.found()["P-52"].startswith("Customers under this law: 3.")
    shop.store.register(registry(protection_officer="Li Na, li@shop.example"))
    assert "P-52" not in shop.found()
    # Established in China, the shop has all of them under it.
    shop.store.register(registry(country="CN"))
    assert shop.found()["P-52"].startswith("Customers under this law: 9.")


def test_who_was_asked_everything_at_once_and_who_was_a_child(shop: Shop) -> None:
    shop.store.record("shop", [shop.grant(1, number, interaction=f"box-{number}") for number in range(5)])
    shop.store.record("shop", [shop.grant(2, 0, said_at=NOON - 40 * DAY)])
    child = Age(adult=False, born_on=date(2012, 5, 1))
    shop.store.record("shop", [shop.say(ActKind.PROFILE, 2, 1, age=child, country="CN")])
    assert "5 or more purposes within one second: 1." in shop.found()["H-S1"]
    assert "or on it: 1." in shop.found()["P-31.1"]
    # In Germany the parents' word lasts until the child takes it back.
    shop.store.record("shop", [shop.say(ActKind.PROFILE, 2, 2, country="DE", said_at=NOON)])
    assert "P-31.1" not in shop.found()


def test_a_report_names_nobody_and_what_it_was_made_from(shop: Shop) -> None:
    shop.store.record("shop", [shop.grant(0xABCDEF, number) for number in range(5)])
    report = shop.service.report("shop")
    assert "abcdef" not in report.model_dump_json()
    assert FindingReport.model_validate_json(report.model_dump_json()) == report
    assert (report.found_at, report.registry_version) == (NOON, 1)
    assert report.pack_versions == {pack.name: pack.version for pack in PACKS.packs}


def test_nobody_has_findings_who_is_not_registered(shop: Shop) -> None:
    with pytest.raises(ControllerUnknownError):
        shop.service.report("other")
