"""Which acts are accepted: beside what each rule's story tells."""

import time
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from tests.consent.law.small_registry import CUSTOMER, NOON, PUBLISHED, act, notice, only, purpose, recipient, registry

from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.errors import ConsentRefusal, NoticeDoesNotExplainError
from hanse_consent.law.act_conditions import AlwaysAccepted, OneThingPerInteraction
from hanse_consent.law.errors import BundledConsentError, NoticeNotPublishedError
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.law.writing import ActChecker

PACKS = load_shipped_packs()


def checker(**changes: Any) -> ActChecker:
    return ActChecker(registry=registry(**changes), packs=PACKS, recorded_at=NOON)


@pytest.mark.parametrize("kind", list(ActKind))
def test_an_act_that_is_in_order_is_accepted(kind: ActKind) -> None:
    checker().check(act(kind), "acts.0")


def needed_fields(full: ConsentAct) -> set[str]:
    """Fields without which the act is refused: each taken out in turn."""
    given = {name: getattr(full, name) for name in ConsentAct.model_fields if getattr(full, name) is not None}
    needed = set()
    for name in given:
        try:
            checker().check(ConsentAct(**{key: value for key, value in given.items() if key != name}), "acts.0")
        except (ValidationError, ConsentRefusal):
            needed.add(name)
    return needed


def test_withdrawing_needs_fewer_fields_than_granting() -> None:
    granting = needed_fields(act(ActKind.GRANT))
    withdrawing = needed_fields(act(ActKind.WITHDRAWAL, purpose="statistics"))
    assert withdrawing < granting
    assert withdrawing == {"kind", "customer", "said_at", "key"}
    separately = needed_fields(act(ActKind.SEPARATE_GRANT))
    assert needed_fields(act(ActKind.SEPARATE_WITHDRAWAL)) < separately
    assert needed_fields(act(ActKind.GUARDIAN_WITHDRAWAL)) < needed_fields(act(ActKind.GUARDIAN_GRANT))


@pytest.mark.parametrize("kind", [ActKind.WITHDRAWAL, ActKind.OBJECTION])
def test_an_end_to_everything_needs_no_purpose(kind: ActKind) -> None:
    checker(purposes=()).check(act(kind), "acts.0")


def test_the_own_purpose_is_no_bundle_and_two_are() -> None:
    said = act(interaction="click-1")
    checker().check(said, "acts.0", frozenset({"statistics"}))
    with pytest.raises(BundledConsentError, match=r"acts.7 .* 2 consents .*G-7.2b.*P-14.2"):
        checker().check(said, "acts.7", frozenset({"training"}))


def test_a_separate_consent_is_not_given_together_with_another() -> None:
    said = act(ActKind.SEPARATE_GRANT, interaction="click-1")
    with pytest.raises(BundledConsentError):
        checker().check(said, "acts.0", frozenset({"statistics"}))
    assert said.separate is not None
    checker().check(said, "acts.0", frozenset({said.separate.topic}))


def test_a_law_not_yet_in_force_binds_nobody() -> None:
    early = PACKS.packs[0].in_force_from - timedelta(seconds=1)
    law = only(PACKS, "gdpr")
    said = act(said_at=early, preselected=True)
    known = registry(notices=(notice(published_at=early),))
    ActChecker(registry=known, packs=law, recorded_at=early).check(said, "acts.0")


def test_the_language_shown_decides_what_was_told() -> None:
    later = notice(language="zh-Hans", published_at=NOON, statements={"recipients": ()})
    bilingual = checker(notices=(notice(), later))
    bilingual.check(act(said_at=PUBLISHED), "acts.0")
    with pytest.raises(NoticeNotPublishedError):
        bilingual.check(act(said_at=PUBLISHED, language="zh-Hans"), "acts.0")
    separate = SeparateConsent(matter=SeparateMatter.RECIPIENT, subject="centre")
    bilingual.check(act(ActKind.SEPARATE_GRANT, separate=separate, language="en"), "acts.0")
    with pytest.raises(NoticeDoesNotExplainError):
        bilingual.check(act(ActKind.SEPARATE_GRANT, separate=separate, language="zh-Hans"), "acts.0")


def test_where_the_language_is_not_asked_for_what_every_language_says_counts() -> None:
    known = registry(notices=(notice(), notice(language="zh-Hans", published_at=NOON)))
    lenient = ActChecker(registry=known, packs=PACKS.without("H-W7"), recorded_at=NOON)
    lenient.check(act(language=None), "acts.0")
    with pytest.raises(NoticeNotPublishedError):
        lenient.check(act(language=None, said_at=PUBLISHED), "acts.0")


def test_no_error_names_the_customer() -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"purpose": "gone"},
        {"tier": "advanced"},
        {"notice": "gone@1"},
        {"language": "de"},
        {"said_at": NOON + timedelta(hours=1)},
        {"preselected": True},
    )
    for change in wrong:
        with pytest.raises(ConsentRefusal) as refused:
            checker().check(act(**change), "acts.0")
        assert CUSTOMER not in str(refused.value)
        assert refused.value.what.startswith("acts.0 ")


def test_both_laws_ask_the_same_of_a_bundle_and_spare_the_same_acts() -> None:
    for condition in (AlwaysAccepted, OneThingPerInteraction):
        kinds = [
            {kind for rule in pack.writes if isinstance(rule.condition, condition) for kind in rule.condition.kinds}
            for pack in PACKS.packs
            if pack.name != "house"
        ]
        assert kinds[0] == kinds[1]
        assert kinds[0]


def test_an_ordinary_grant_is_checked_in_ten_microseconds() -> None:
    many = tuple(purpose(f"purpose-{number}") for number in range(50))
    known = registry(
        purposes=(purpose(), *many),
        recipients=(*(recipient(f"party-{number}", "DE") for number in range(50)), recipient("centre", "DE")),
    )
    check = ActChecker(registry=known, packs=PACKS, recorded_at=NOON).check
    said = act(interaction="click-1")
    bundle = frozenset({"statistics"})
    fastest = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(1000):
            check(said, "acts.0", bundle)
        fastest = min(fastest, (time.perf_counter() - started) / 1000)
    assert fastest < 10e-6, f"{fastest * 1e6:.1f} µs"
