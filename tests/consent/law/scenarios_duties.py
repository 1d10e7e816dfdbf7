"""For each rule about duties, a story that fails if the rule is not kept. Given all sections: one reads a clock."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from tests.consent.law.small_registry import DIGEST, NOON, PUBLISHED, agreement, controller, purpose, registry

from hanse_consent.domain.findings import ComplianceFinding
from hanse_consent.domain.parties import (
    AgreementRole,
    Assessment,
    AssessmentKind,
    Controller,
    Transfer,
    TransferMechanism,
)
from hanse_consent.domain.registry import Registry
from hanse_consent.law.duties import CustomerCounts, duty_findings
from hanse_consent.law.packs import LawPacks

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
PROCESSOR = AgreementRole.PROCESSOR


def shop(country: str = "DE", **changes: Any) -> Controller:
    return controller("shop", country).model_copy(update=changes)


def found(
    packs: LawPacks,
    known: Registry,
    *,
    persons: dict[str, int] | None = None,
    counted: dict[str, int] | None = None,
    at: datetime = NOON,
) -> tuple[ComplianceFinding, ...]:
    """What the shop does not have in order; a customer under every law, if nothing else is said."""
    asked = known.controller("shop")
    assert asked is not None
    counts = CustomerCounts(governed={"gdpr": 1, "pipl": 1} | (persons or {}), by_rule=counted or {})
    return duty_findings(asked, registry=known, packs=packs, counts=counts, at=at)


def words(rule: str, findings: tuple[ComplianceFinding, ...]) -> list[str]:
    """What the findings of one rule say."""
    return [finding.words for finding in findings if finding.rule == rule]


def the_one(rule: str, code: str, findings: tuple[ComplianceFinding, ...]) -> str:
    """What the one finding of a rule says."""
    own = [finding for finding in findings if finding.rule == rule]
    assert [finding.code for finding in own] == [code]
    return own[0].words


def single(told: list[str]) -> str:
    """The only one."""
    assert len(told) == 1, told
    return told[0]


def transfer(**changes: Any) -> Transfer:
    values = {
        "name": "contract",
        "controller": "shop",
        "recipient": "centre",
        "pack": "pipl",
        "mechanism": TransferMechanism.STANDARD_CONTRACT,
        "starts_at": PUBLISHED,
        "ends_at": NOON + 365 * DAY,
        "document_sha256": DIGEST,
        "persons_this_year": 0,
        "sensitive_persons_this_year": 0,
    }
    return Transfer(**(values | changes))


def assessment(**changes: Any) -> Assessment:
    values = {
        "name": "impact",
        "controller": "shop",
        "kind": AssessmentKind.DATA_PROTECTION_IMPACT,
        "purposes": ("statistics",),
        "approved_by": "officer",
        "starts_at": PUBLISHED,
        "ends_at": NOON + 365 * DAY,
        "document_sha256": DIGEST,
    }
    return Assessment(**(values | changes))


def scenario_p_52(packs: LawPacks) -> None:
    nobody, named = registry(controllers=(shop("CN"),)), registry(controllers=(shop("CN", protection_officer="Li"),))
    told = the_one("P-52", "PROTECTION_OFFICER_MISSING", found(packs, nobody, persons={"pipl": 1_000_000}))
    assert "Customers under this law: 1,000,000." in told
    assert not words("P-52", found(packs, nobody, persons={"pipl": 999_999}))
    assert not words("P-52", found(packs, named, persons={"pipl": 1_000_000}))
    blank = registry(controllers=(shop("CN", protection_officer="  "),))
    assert words("P-52", found(packs, blank, persons={"pipl": 1_000_000}))
    # Customers under another law do not count.
    assert not words("P-52", found(packs, nobody, persons={"gdpr": 50_000_000, "pipl": 999_999}))


def scenario_p_54(packs: LawPacks) -> None:
    def audited(on: date | None, persons: int = 10_000_001) -> list[str]:
        known = registry(controllers=(shop("CN", audited_on=on, protection_officer="Li"),))
        return words("P-54", found(packs, known, persons={"pipl": persons}))

    # Two years to the day end with that day in Shanghai, where it is evening now.
    assert not audited(date(2024, 5, 4))
    overdue = single(audited(date(2024, 5, 3)))
    assert "2024-05-03" in overdue and "2026-05-03" in overdue
    assert "No compliance audit is on record" in single(audited(None))
    assert not audited(None, persons=10_000_000)


def _returned(rule: str, law: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        def told(*papers: Any, governs: int = 1) -> list[str]:
            return words(rule, found(packs, registry(agreements=papers), persons={law: governs}))

        running = agreement("centre", PROCESSOR, ends_at=NOON + MICROSECOND)
        ended = agreement("centre", PROCESSOR, ends_at=NOON)
        assert not told(running)
        assert "with-centre with centre ended on 2026-05-04" in single(told(ended))
        assert not told(ended.model_copy(update={"returned_at": NOON}))
        assert told(ended.model_copy(update={"returned_at": NOON + DAY})), "tomorrow is not yet"
        # The work goes on under another paper: nothing has to come back.
        assert not told(ended, running.model_copy(update={"name": "renewed"}))
        assert told(ended, running.model_copy(update={"name": "other-work", "purposes": ("training",)}))
        assert not told(agreement("centre", AgreementRole.JOINT_CONTROLLER, ends_at=NOON))
        assert not told(ended, governs=0), "a law that governs nobody asks nothing"

    return scenario


def scenario_h_s1(packs: LawPacks) -> None:
    told = the_one("H-S1", "BUNDLE_SUSPECTED", found(packs, registry(), counted={"H-S1": 1234}))
    assert "who said yes to 5 or more purposes within one second: 1,234." in told
    assert not words("H-S1", found(packs, registry(), counted={"H-S1": 0}))


def scenario_p_31_1(packs: LawPacks) -> None:
    told = the_one("P-31.1", "CONSENT_OUTGROWN", found(packs, registry("CN"), counted={"P-31.1": 7}))
    assert "Customers of 14 or more by now" in told and ": 7." in told
    assert not words("P-31.1", found(packs, registry("CN"), counted={"P-31.1": 0}))


def _papers(**dates: Any) -> dict[str, Registry]:
    """The same dates on an agreement, a transfer and an assessment, each in a registry of its own."""
    lasting = agreement("centre", PROCESSOR)
    return {
        "agreement with-centre with centre": registry(agreements=(agreement("centre", PROCESSOR, **dates),)),
        "transfer contract to centre": registry(agreements=(lasting,), transfers=(transfer(**dates),)),
        "assessment impact": registry(assessments=(assessment(**dates),)),
    }


def scenario_h_f1(packs: LawPacks) -> None:
    for title, known in _papers(ends_at=NOON).items():
        told = the_one("H-F1", "PAPER_ENDED", found(packs, known))
        assert f"The {title} ended on 2026-05-04T12:00+00:00" in told
        assert "statistics" in told
        assert not words("H-F1", found(packs, known, at=NOON - MICROSECOND))
        # The purpose is given up: nothing needs the paper.
        without = known.model_copy(update={"purposes": (purpose("another"),)})
        assert not words("H-F1", found(packs, without))


def scenario_h_f2(packs: LawPacks) -> None:
    ends_at = NOON + 30 * DAY
    for title, known in _papers(ends_at=ends_at).items():
        told = the_one("H-F2", "PAPER_ENDS_SOON", found(packs, known))
        assert f"The {title} ends on 2026-06-03T12:00+00:00" in told
        assert not words("H-F2", found(packs, known, at=NOON - MICROSECOND)), "thirty days and a little"
        assert not words("H-F2", found(packs, known, at=ends_at)), "then it has ended"
        without = known.model_copy(update={"purposes": (purpose("another"),)})
        assert not words("H-F2", found(packs, without))


SCENARIOS: dict[str, Callable[[LawPacks], None]] = {
    "G-28.3": _returned("G-28.3", "gdpr"),
    "P-21.2": _returned("P-21.2", "pipl"),
    "P-31.1": scenario_p_31_1,
    "P-52": scenario_p_52,
    "P-54": scenario_p_54,
    "H-S1": scenario_h_s1,
    "H-F1": scenario_h_f1,
    "H-F2": scenario_h_f2,
}
