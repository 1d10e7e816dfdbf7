"""What a controller does not have in order: beside what each rule's story tells."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.consent.law.scenarios_duties import (
    DAY,
    MICROSECOND,
    assessment,
    found,
    shop,
    transfer,
    words,
)
from tests.consent.law.small_registry import NOON, agreement, controller, purpose, registry

from hanse_consent.domain.parties import AgreementRole, AssessmentKind
from hanse_consent.law.duty_rules import AuditInTime
from hanse_consent.law.packs import load_shipped_packs

PACKS = load_shipped_packs()
PROCESSOR = AgreementRole.PROCESSOR
ENDED = agreement("centre", PROCESSOR, ends_at=NOON, returned_at=NOON)


def rules(known, **changes) -> list[str]:
    return [finding.rule for finding in found(PACKS, known, **changes)]


def test_a_controller_in_order_has_no_findings() -> None:
    known = registry(agreements=(agreement("centre", PROCESSOR),), transfers=(transfer(),), assessments=(assessment(),))
    assert rules(known) == []


def test_a_finding_cites_its_rule() -> None:
    (finding,) = found(PACKS, registry(agreements=(ENDED,)))
    rule = next(rule for pack in PACKS.packs for rule in pack.duties if rule.id == finding.rule)
    assert (finding.article, finding.code) == (rule.article, rule.code)


def test_laws_bind_a_controller_whose_customers_they_govern() -> None:
    big = registry(controllers=(shop("CN"),))
    assert rules(big, persons={"pipl": 20_000_000}) == ["P-52", "P-54"]
    early = PACKS.pack("pipl", at=NOON).in_force_from - MICROSECOND
    assert rules(big, persons={"pipl": 20_000_000}, at=early) == []


def test_what_follows_a_paper_must_be_of_its_sort() -> None:
    follows = agreement("centre", PROCESSOR, name="renewed", starts_at=NOON)
    assert rules(registry(agreements=(ENDED, follows))) == []
    for other in (
        agreement("agency", PROCESSOR, name="another-party"),
        agreement("centre", AgreementRole.INDEPENDENT_CONTROLLER, name="another-role"),
        agreement("centre", PROCESSOR, name="another-purpose", purposes=("training",)),
        agreement("centre", PROCESSOR, name="later", starts_at=NOON + MICROSECOND),
        agreement("centre", PROCESSOR, name="of-another", controller="other"),
    ):
        assert rules(registry(agreements=(ENDED, other))) == ["H-F1"], other.name
    of_all = assessment(ends_at=NOON)
    for other in (
        assessment(name="another-kind", kind=AssessmentKind.FAIRNESS),
        assessment(name="about-somebody", recipient="centre"),
    ):
        assert rules(registry(assessments=(of_all, other))) == ["H-F1"], other.name
    assert rules(registry(assessments=(of_all, assessment(name="renewed")))) == []


def test_only_the_purposes_that_nothing_covers_are_named() -> None:
    purposes = tuple(purpose(name) for name in ("statistics", "training", "offers"))
    ended = ENDED.model_copy(update={"purposes": ("statistics", "training", "offers", "given-up")})
    some = agreement("centre", PROCESSOR, name="renewed", purposes=("training",))
    (told,) = words("H-F1", found(PACKS, registry(purposes=purposes, agreements=(ended, some))))
    assert told.endswith("It is still needed for offers, statistics.")


def test_an_agreement_counts_whichever_side_registered_it() -> None:
    theirs = agreement("shop", AgreementRole.JOINT_CONTROLLER, controller="other", ends_at=NOON)
    both = (theirs, agreement("other", AgreementRole.JOINT_CONTROLLER, ends_at=NOON))
    controllers = (controller("shop", "DE"), controller("other", "DE"))
    (told,) = words("H-F1", found(PACKS, registry(controllers=controllers, agreements=(theirs,))))
    assert "with-shop with other" in told
    # Registered on both sides, it is one paper.
    assert rules(registry(controllers=controllers, agreements=both)) == ["H-F1"]
    of_others = ENDED.model_copy(update={"controller": "other"})
    assert rules(registry(controllers=controllers, agreements=(of_others,))) == []


def test_a_transfer_is_needed_for_what_its_recipient_has_an_agreement_about() -> None:
    ended = transfer(ends_at=NOON)
    assert rules(registry(transfers=(ended,))) == [], "nothing is sent there"
    through = agreement("agency", PROCESSOR, sub_processors=("centre",))
    assert rules(registry(transfers=(ended,), agreements=(through,))) == ["H-F1"]
    other_law = transfer(name="clauses", pack="gdpr")
    assert rules(registry(transfers=(ended, other_law), agreements=(through,))) == ["H-F1"]
    # Another mechanism to the same recipient under the same law will do.
    assessed = transfer(name="assessed", mechanism="security-assessment")
    assert rules(registry(transfers=(ended, assessed), agreements=(through,))) == []


def test_many_purposes_are_named_in_part() -> None:
    names = tuple(f"{'p' * 61}-{number}" for number in range(99))
    many = ENDED.model_copy(update={"purposes": names, "name": "a" * 160})
    known = registry(purposes=tuple(map(purpose, names)), agreements=(many,))
    (told,) = words("H-F1", found(PACKS, known))
    assert "and 89 more" in told


days = st.integers(0, 80)


@given(spans=st.lists(st.tuples(days, days).filter(lambda span: span[0] < span[1]), max_size=6), today=days)
def test_a_gap_is_found_once_whatever_papers_there_are(spans: list[tuple[int, int]], today: int) -> None:
    papers = tuple(
        agreement(
            "centre",
            PROCESSOR,
            name=f"paper-{number}",
            starts_at=NOON + first * DAY,
            ends_at=NOON + last * DAY,
            returned_at=NOON - DAY,
        )
        for number, (first, last) in enumerate(spans)
    )
    told = rules(registry(agreements=papers), at=NOON + today * DAY)
    covered = any(first <= today < last for first, last in spans)
    begun = any(first <= today for first, _ in spans)
    assert told.count("H-F1") == (begun and not covered)
    gaps = {
        last for _, last in spans if today < last <= today + 30 and not any(first <= last < end for first, end in spans)
    }
    assert told.count("H-F2") == len(gaps)
    assert set(told) <= {"H-F1", "H-F2"}


def test_a_zone_is_one_that_exists() -> None:
    assert ZoneInfo(AuditInTime(name="audit-in-time", matter="compliance-audit", zone="Asia/Shanghai").zone)
    for wrong in ("Asia/Atlantis", "", "/etc/passwd", "../UTC"):
        with pytest.raises(ValidationError, match="zone"):
            AuditInTime(name="audit-in-time", matter="compliance-audit", zone=wrong)


def test_an_audit_of_today_is_in_time_at_any_hour() -> None:
    for hours in range(24):
        at = NOON + timedelta(hours=hours)
        known = registry(controllers=(shop("CN", protection_officer="Li", audited_on=at.date()),))
        assert rules(known, persons={"pipl": 20_000_000}, at=at) == []
