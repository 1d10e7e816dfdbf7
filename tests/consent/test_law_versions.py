"""A law changes while a service runs: one store, answers about moments before the change and after it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.consent.law.changed_law import BEFORE, CHANGE, changed_packs
from tests.consent.law.small_registry import agreement, notice, purpose, recipient

from hanse_consent.api.questions import CheckAnswer
from hanse_consent.api.reading_routes import reading_routes
from hanse_consent.decision_service import DatedDecision, DecisionService
from hanse_consent.decisions.question import Question
from hanse_consent.domain.acts import ActKind, ConsentAct
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.parties import AgreementRole, Controller, PresumedCustomer
from hanse_consent.domain.registry import Registry
from hanse_consent.finding_service import FindingService
from hanse_consent.law.packs import LawPacks, load_shipped_packs
from hanse_consent.law.record_checks import required_fields
from hanse_consent.law.record_rules import RecordKind
from hanse_consent.record_service import RecordService
from hanse_consent.records.errors import RecordIncompleteError
from hanse_consent.storage.bitmaps import BitmapCache
from hanse_consent.storage.counting import CustomerCounting
from hanse_consent.storage.database import Database
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import CohortManifest, CohortRequest
from hanse_privacy.protocol.vocabulary import Tier

DAY = timedelta(days=1)
CUSTOMER, OTHER = "0f" * 16, "1e" * 16
FIRST = load_shipped_packs().versions(BEFORE)["gdpr"]
QUESTION = Question(
    controller="shop", purpose="statistics", tier=Tier.BASIC, categories=("pd:Purchase",), recipients=("centre",)
)


def registry(**changes: Any) -> Registry:
    shop = Controller(
        name="shop",
        legal_name="Shop",
        contact="dpo@shop.example",
        address="Market 1",
        country="DE",
        public_key=SigningKey.generate().public.text,
        presumed=PresumedCustomer(country="DE", adult=True),
    )
    centre = recipient("centre", "DE").model_copy(update={"address": "Harbour 2"})
    values = {
        "version": 0,
        "controllers": (shop,),
        "recipients": (centre,),
        "purposes": (purpose(),),
        "notices": (notice(),),
        "agreements": (agreement("centre", AgreementRole.PROCESSOR, ends_at=CHANGE + 365 * DAY),),
    }
    return Registry(**(values | changes))


@dataclass
class Service:
    """A store under packs that change, and a clock."""

    database: Database
    packs: LawPacks
    at: datetime = CHANGE - DAY
    key: SigningKey = field(default_factory=SigningKey.generate)

    def __post_init__(self) -> None:
        self.store = ConsentStore(self.database, packs=self.packs, now=self.now)
        self.decisions = DecisionService(
            store=self.store, packs=self.packs, cache=BitmapCache(self.store), now=self.now
        )

    def now(self) -> datetime:
        return self.at

    def say(self, kind: ActKind, customer: str = CUSTOMER, **fields: Any) -> None:
        said = {"kind": kind, "customer": customer, "said_at": self.at, "key": f"{kind}-{customer[:8]}"}
        self.store.record("shop", [ConsentAct.model_validate(said | fields)])

    def grant(self, customer: str) -> None:
        about = {"purpose": "statistics", "tier": "basic", "notice": "sharing@1", "language": "en"}
        self.say(ActKind.GRANT, customer, **about)

    def check(self, at: datetime) -> DatedDecision:
        self.at = at
        return self.decisions.check(QUESTION, CUSTOMER)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "packs").mkdir()
    database = Database(tmp_path / "consent.sqlite")
    made = Service(database=database, packs=changed_packs(tmp_path / "packs"))
    made.store.register(registry())
    made.grant(CUSTOMER)
    made.grant(OTHER)
    yield made
    database.close()


def codes(dated: DatedDecision) -> list[str]:
    return [reason.code for reason in dated.decision.reasons]


def test_a_decision_is_made_by_the_law_of_its_moment(service: Service) -> None:
    before, after = service.check(BEFORE), service.check(CHANGE)
    assert before.decision.permitted
    assert before.decision.pack_versions["gdpr"] == FIRST
    assert codes(after) == ["NOT_ANY_MORE"]
    assert [reason.rule for reason in after.decision.reasons] == ["G-99"]
    assert after.decision.pack_versions == {**before.decision.pack_versions, "gdpr": "2027.3"}


def test_a_plan_made_just_before_the_change_is_not_used_after_it(service: Service) -> None:
    service.at = BEFORE
    bulk = service.decisions.check_many(QUESTION, [CUSTOMER, OTHER])
    everybody = service.decisions.enumerate_at(QUESTION, at=service.at)
    assert bulk.codes == ((), ())
    assert everybody.numbers.tolist() == [1, 2]
    assert everybody.plan.until_us == to_microseconds(CHANGE)
    service.at = CHANGE
    bulk = service.decisions.check_many(QUESTION, [CUSTOMER, OTHER])
    nobody = service.decisions.enumerate_at(QUESTION, at=service.at)
    assert bulk.codes == (("NOT_ANY_MORE",),) * 2
    assert nobody.numbers.tolist() == []
    assert nobody.excluded_by_reason["NOT_ANY_MORE"] == 2
    assert nobody.plan.from_us == to_microseconds(CHANGE)
    assert (everybody.plan.pack_versions["gdpr"], nobody.plan.pack_versions["gdpr"]) == (FIRST, "2027.3")


def test_a_past_moment_is_answered_by_the_law_of_then(service: Service) -> None:
    service.at = CHANGE + 99 * DAY
    for at, reasons, version in ((BEFORE, [], FIRST), (CHANGE, ["NOT_ANY_MORE"], "2027.3")):
        then = service.decisions.check_then(QUESTION, CUSTOMER, at=at)
        assert (codes(then), then.decision.pack_versions["gdpr"]) == (reasons, version)


def test_a_decision_can_be_made_again_whatever_has_changed_since(service: Service) -> None:
    made = service.check(BEFORE)
    # Everything changes: what the customer says, what is registered, and the law.
    service.at = CHANGE + DAY
    service.say(ActKind.WITHDRAWAL)
    service.store.register(registry(agreements=(), purposes=(purpose(retention_days=30),)))
    again = service.decisions.check_then(QUESTION, CUSTOMER, at=made.decided_for)
    assert again == made
    answers = [CheckAnswer.of(one.decision, decided_for=one.decided_for).model_dump_json() for one in (made, again)]
    assert answers[0] == answers[1]
    assert codes(service.check(service.at)) != []


def test_whatever_is_answered_holds_what_is_needed_to_make_it_again(service: Service) -> None:
    for at in (BEFORE, CHANGE):
        wanted = required_fields(RecordKind.DECISION, packs=service.packs, at=at)
        assert wanted
        # Whoever gets an answer has asked; a manifest repeats what was asked.
        in_answer = {"decided_at": "decided_for"}
        assert {in_answer.get(name, name) for name in wanted - {"question"}} <= set(CheckAnswer.model_fields)
        in_manifest = {"decided_at": "issued_at", "reasons": "excluded_by_reason"}
        assert {in_manifest.get(name, name) for name in wanted - {"question"}} <= set(CohortManifest.model_fields)
        assert set(CohortRequest.model_fields) <= set(CohortManifest.model_fields)


def test_a_record_holds_what_the_law_of_its_moment_wants(service: Service) -> None:
    records = RecordService(
        store=service.store, packs=service.packs, key=service.key, service="consent", now=service.now
    )
    service.at = BEFORE
    assert records.record("shop", CUSTOMER, "statistics")
    service.at = CHANGE
    with pytest.raises(RecordIncompleteError, match="impact_assessment"):
        records.record("shop", CUSTOMER, "statistics")


def test_findings_are_those_of_the_law_of_now(service: Service) -> None:
    ended = agreement("centre", AgreementRole.PROCESSOR, ends_at=CHANGE - 9 * DAY)
    service.store.register(registry(agreements=(ended,)))
    findings = FindingService(
        store=service.store, counting=CustomerCounting(service.database), packs=service.packs, now=service.now
    )
    for at, code in ((BEFORE, "RETURN_NOT_ATTESTED"), (CHANGE, "PAPER_ENDED")):
        service.at = at
        report = findings.report("shop")
        assert [finding.code for finding in report.findings if finding.rule == "G-28.3"] == [code]
        assert report.pack_versions == service.packs.versions(at)


def test_the_service_says_which_versions_are_in_force_now(service: Service) -> None:
    web = FastAPI()
    web.include_router(reading_routes("consent", store=service.store, packs=service.packs, now=service.now))
    with TestClient(web) as client:
        for at, version in ((BEFORE, FIRST), (CHANGE, "2027.3")):
            service.at = at
            assert client.get("/v1/ready").json()["pack_versions"]["gdpr"] == version
