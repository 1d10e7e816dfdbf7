"""What an act speaks against."""

import pytest
from tests.consent.cohorts.conftest import NOON, proposal

from hanse_consent.cohorts.reach import PROTECTIVE, UsedFor, speaks_against
from hanse_consent.decisions.facts import FactState, facts_of
from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.purposes import Purpose, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_privacy.protocol.vocabulary import Tier

USE = UsedFor(
    purpose="churn-detail",
    lineage=frozenset({"churn-detail", "churn"}),
    automated=False,
    categories=frozenset({"pd:Health"}),
    recipients=frozenset({"centre"}),
)
UNKNOWN = UsedFor(purpose="churn", lineage=frozenset({"churn"}), automated=True, categories=None, recipients=None)


def against(
    kind: ActKind, use: UsedFor = USE, purpose: str | None = None, about: tuple[str, str] | None = None
) -> bool:
    separate = None if about is None else SeparateConsent(matter=SeparateMatter(about[0]), subject=about[1])
    return speaks_against(use, kind=kind, purpose=purpose, separate=separate)


@pytest.mark.parametrize("kind", [ActKind.WITHDRAWAL, ActKind.OBJECTION])
def test_what_is_said_of_a_purpose_reaches_those_below_it(kind: ActKind) -> None:
    assert against(kind)
    assert against(kind, purpose="churn-detail")
    assert against(kind, purpose="churn")
    assert not against(kind, purpose="statistics")
    assert not against(kind, UNKNOWN, purpose="churn-detail")


@pytest.mark.parametrize("kind", [ActKind.REFUSAL, ActKind.GUARDIAN_WITHDRAWAL])
def test_a_refusal_is_of_one_purpose(kind: ActKind) -> None:
    assert against(kind, purpose="churn-detail")
    assert not against(kind, purpose="churn")


def test_a_restriction_and_an_erasure_are_of_everything() -> None:
    assert against(ActKind.RESTRICTION) and against(ActKind.ERASURE)


def test_an_opt_out_is_of_purposes_that_decide_without_a_person() -> None:
    assert not against(ActKind.AUTOMATED_OPT_OUT)
    assert against(ActKind.AUTOMATED_OPT_OUT, UNKNOWN)


@pytest.mark.parametrize(
    ("about", "spoken_against"),
    [
        (("sensitive-category", "pd:Health"), True),
        (("sensitive-category", "pd:Religion"), False),
        (("recipient", "centre"), True),
        (("abroad", "centre"), True),
        (("abroad", "elsewhere"), False),
        (("public-disclosure", "churn-detail"), True),
        (("public-place-imagery", "churn"), False),
    ],
)
def test_a_separate_withdrawal_is_of_its_matter(about: tuple[str, str], spoken_against: bool) -> None:
    assert against(ActKind.SEPARATE_WITHDRAWAL, about=about) == spoken_against
    if about[0] not in ("public-disclosure", "public-place-imagery"):
        assert against(ActKind.SEPARATE_WITHDRAWAL, UNKNOWN, about=about), "in doubt it is"


def purpose(name: str, **changes: object) -> Purpose:
    fields = {
        "name": name,
        "title": name,
        "description": name,
        "kind": PurposeKind.TRAINING,
        "data_categories": {Tier.BASIC: ("pd:Purchase",)},
        "retention_days": 1,
        "consent_lasts_days": 1,
    }
    return Purpose.model_validate(fields | changes)


def test_what_was_used_for_what_is_read_from_registry_and_proposal() -> None:
    registry = Registry(version=1, purposes=(purpose("churn"), purpose("churn-training", parent="churn")))
    terms = proposal()
    use = UsedFor.of("churn-training", registry=registry, proposal=terms)
    assert use.lineage == {"churn-training", "churn"}
    assert (use.categories, use.recipients) == ({"pd:PurchasesAndSpendingHabit"}, {"centre", "north"})
    assert not use.automated
    unknown = UsedFor.of("gone", registry=registry, proposal=None)
    assert unknown.automated and unknown.categories is None and unknown.recipients is None


def test_every_act_that_protects_is_looked_at() -> None:
    """Whatever puts down a fact that denies is protective, and nothing else is."""
    protective_states = {FactState.WITHDRAWN, FactState.REFUSED, FactState.IN_FORCE}
    registry = Registry(version=1, purposes=(purpose("churn"),))
    needs = {
        "purpose": {k for k in ActKind if k.value.startswith(("grant", "renewal", "refusal", "deferral", "guardian"))},
        "separate": {ActKind.SEPARATE_GRANT, ActKind.SEPARATE_WITHDRAWAL},
    }
    for kind in ActKind:
        fields: dict[str, object] = {"kind": kind, "customer": "0" * 32, "said_at": NOON, "key": "k"}
        if kind in needs["purpose"]:
            fields["purpose"] = "churn"
        if kind in needs["separate"]:
            fields["separate"] = {"matter": "recipient", "subject": "centre"}
        if kind in (ActKind.GRANT, ActKind.RENEWAL):
            fields["tier"] = "basic"
        if kind.value.endswith("grant") or kind in (ActKind.RENEWAL, ActKind.NOTICE_SERVED):
            fields["notice"] = "all@1"
        if kind is ActKind.PROFILE:
            fields["country"] = "DE"
        facts = facts_of(ConsentAct.model_validate(fields), registry=registry, recorded_us=to_microseconds(NOON))
        protects = any(fact.state in protective_states for fact in facts.values())
        assert protects == (kind in PROTECTIVE), kind
