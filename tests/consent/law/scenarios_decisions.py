"""For each rule about decisions: what it forbids is denied by it, and the lawful case beside it is permitted.

Every scenario stays in one jurisdiction, so that no rule of another law covers for a missing one.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "decisions"))

from lawful_world import (
    HEALTH,
    NOW,
    ORDINARY,
    YEAR,
    agreement,
    assessment,
    birthday,
    fact,
    guardian,
    lawful_world,
    lives_in,
    notice,
    own_business,
    purpose,
    separately,
    transfer,
)

from hanse_consent.decisions.facts import AUTOMATED, ERASURE, RESTRICTION, FactState, consent_topic, objection_topic
from hanse_consent.domain.acts import SeparateMatter
from hanse_consent.domain.parties import AgreementRole, AssessmentKind, PresumedCustomer, TransferMechanism
from hanse_consent.domain.purposes import LegalBasis, PurposeKind
from hanse_consent.law.packs import LawPacks
from hanse_privacy.protocol.vocabulary import Tier

Scenario = Callable[[LawPacks], None]
SCENARIOS: dict[str, Scenario] = {}
SECTION = "decisions"
"""The only section of the packs that these scenarios are given."""

CONSENT = consent_topic("statistics")
OBJECTION = objection_topic("statistics")
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def scenario(rule_id: str) -> Callable[[Scenario], Scenario]:
    """Register what shows that a rule is kept."""

    def register(function: Scenario) -> Scenario:
        assert rule_id not in SCENARIOS
        SCENARIOS[rule_id] = function
        return function

    return register


# --- What is registered -----------------------------------------------------------------------------------------------


@scenario("G-5a")
def scenario_g_5a(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    # The purpose was retired; the grant is still there.
    world.registering(purposes=()).must_deny(packs, "G-5a", "PURPOSE_UNKNOWN")


@scenario("P-5")
def scenario_p_5(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.must_permit(packs)
    world.registering(purposes=()).must_deny(packs, "P-5", "PURPOSE_UNKNOWN")


@scenario("G-5b")
def scenario_g_5b(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.asking(categories=(ORDINARY, "pd:Age")).must_permit(packs)
    world.asking(categories=(ORDINARY, "pd:Height")).must_deny(packs, "G-5b", "CATEGORY_NOT_COVERED")
    # The tier above holds it, the tier asked for does not.
    world.asking(categories=("pd:Age",), tier=Tier.BASIC).must_deny(packs, "G-5b", "CATEGORY_NOT_COVERED")


@scenario("P-6")
def scenario_p_6(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.asking(categories=("pd:Age",)).must_permit(packs)
    world.asking(categories=("pd:Age",), tier=Tier.BASIC).must_deny(packs, "P-6", "CATEGORY_NOT_COVERED")


@scenario("G-6")
def scenario_g_6(packs: LawPacks) -> None:
    own_business("DE", LegalBasis.CONTRACT).must_permit(packs)
    own_business("DE", LegalBasis.LEGITIMATE_INTERESTS).must_permit(packs)
    own_business("DE", LegalBasis.NEWS_REPORTING).must_deny(packs, "G-6", "NO_LEGAL_BASIS")


@scenario("P-13")
def scenario_p_13(packs: LawPacks) -> None:
    own_business("CN", LegalBasis.CONTRACT).must_permit(packs)
    own_business("CN", LegalBasis.LEGITIMATE_INTERESTS).must_deny(packs, "P-13", "NO_PIPL_BASIS")


@scenario("H-D01")
def scenario_h_d01(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.registering(controllers=()).must_deny(packs, "H-D01", "CONTROLLER_UNKNOWN")


@scenario("H-D02")
def scenario_h_d02(packs: LawPacks) -> None:
    world = lawful_world("DE").granting(tier=Tier.ADVANCED)
    world.must_permit(packs)
    world.asking(tier=Tier.ADVANCED).must_deny(packs, "H-D02", "TIER_NOT_OFFERED")


@scenario("H-D03")
def scenario_h_d03(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.asking(recipients=("nobody",)).must_deny(packs, "H-D03", "RECIPIENT_UNKNOWN")


@scenario("H-D11")
def scenario_h_d11(packs: LawPacks) -> None:
    for basis in (LegalBasis.CONTRACT, LegalBasis.LEGITIMATE_INTERESTS, LegalBasis.LEGAL_OBLIGATION):
        world = own_business("DE", basis)
        world.must_permit(packs)
        world.asking(league_run=True).must_deny(packs, "H-D11", "LEAGUE_RUN_NEEDS_CONSENT")
        # Also where the customer did grant.
        world.granting().asking(league_run=True).must_deny(packs, "H-D11", "LEAGUE_RUN_NEEDS_CONSENT")


@scenario("H-D12")
def scenario_h_d12(packs: LawPacks) -> None:
    world = lawful_world("DE").with_purpose(kind=PurposeKind.OPERATIONS)
    world.asking(league_run=False).must_permit(packs)
    world.must_deny(packs, "H-D12", "PURPOSE_NOT_FOR_LEAGUE")


@scenario("H-D13")
def scenario_h_d13(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.registering(agreements=(agreement(),)).must_deny(packs, "H-D13", "AGREEMENT_MISSING")
    only_processor = (agreement(), agreement("other", AgreementRole.PROCESSOR))
    world.registering(agreements=only_processor).must_deny(packs, "H-D13", "AGREEMENT_MISSING")


def _joint_handling(packs: LawPacks, country: str, rule: str) -> None:
    world = lawful_world(country).asking(league_run=False)
    world.must_permit(packs)
    until_now = agreement("other", AgreementRole.JOINT_CONTROLLER, ends_at=NOW)
    ended = world.registering(agreements=(agreement(), until_now))
    ended.must_deny(packs, rule, "AGREEMENT_MISSING")
    ended.when(NOW - MICROSECOND).must_permit(packs)
    elsewhere = agreement("other", AgreementRole.JOINT_CONTROLLER, purposes=("churn",))
    world.registering(agreements=(agreement(), elsewhere)).must_deny(packs, rule, "AGREEMENT_MISSING")


@scenario("G-26")
def scenario_g_26(packs: LawPacks) -> None:
    _joint_handling(packs, "DE", "G-26")


@scenario("P-20")
def scenario_p_20(packs: LawPacks) -> None:
    _joint_handling(packs, "CN", "P-20")


@scenario("G-28")
def scenario_g_28(packs: LawPacks) -> None:
    world = lawful_world("DE").asking(joint_controllers=())
    world.must_permit(packs)
    world.registering(agreements=()).must_deny(packs, "G-28", "AGREEMENT_MISSING")
    from_tomorrow = agreement(starts_at=NOW + DAY)
    world.registering(agreements=(from_tomorrow,)).must_deny(packs, "G-28", "AGREEMENT_MISSING")
    through_another = agreement("agency", sub_processors=("centre",))
    world.registering(agreements=(through_another,)).must_permit(packs)


@scenario("P-21")
def scenario_p_21(packs: LawPacks) -> None:
    world = lawful_world("CN").asking(joint_controllers=())
    world.must_permit(packs)
    ended = (agreement(ends_at=NOW - DAY),)
    # The separate consent to the recipient does not stand in for an agreement.
    told = separately(SeparateMatter.RECIPIENT, "centre")
    world.registering(agreements=ended).knowing(told).must_deny(packs, "P-21", "AGREEMENT_MISSING")


@scenario("P-21.1")
def scenario_p_21_1(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.must_oblige(packs, "P-21.1", "RETURN_OR_DELETE")
    world.asking(recipients=()).must_not_oblige(packs, "RETURN_OR_DELETE")


# --- Assessments ------------------------------------------------------------------------------------------------------


@scenario("G-35")
def scenario_g_35(packs: LawPacks) -> None:
    world = lawful_world("DE").with_purpose(high_risk=True)
    world.must_deny(packs, "G-35", "DPIA_MISSING")
    ended = assessment(AssessmentKind.DATA_PROTECTION_IMPACT, ends_at=NOW)
    world.registering(assessments=(ended,)).must_deny(packs, "G-35", "DPIA_MISSING")
    world.registering(assessments=(assessment(AssessmentKind.DATA_PROTECTION_IMPACT),)).must_permit(packs)


@scenario("P-55")
def scenario_p_55(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.must_permit(packs)
    without = world.registering(assessments=())
    without.must_deny(packs, "P-55", "PIPIA_MISSING")
    # Nobody receives it, the customer is an adult, nothing is sensitive: none is needed.
    alone = without.asking(recipients=())
    alone.must_permit(packs)
    alone.knowing(birthday(13)).must_deny(packs, "P-55", "PIPIA_MISSING")
    for change in ({"high_risk": True}, {"automated_decision": True}, {"publishes": True}):
        alone.with_purpose(**change).must_deny(packs, "P-55", "PIPIA_MISSING")
    camera = alone.with_purpose(data_categories={Tier.STANDARD: (ORDINARY, "hanse:InStoreCamera")})
    camera.must_permit(packs)
    camera.asking(categories=("hanse:InStoreCamera",)).must_deny(packs, "P-55", "PIPIA_MISSING")
    without.asking(recipients=("faraway",)).must_deny(packs, "P-55", "PIPIA_MISSING")


_FAIR = assessment(AssessmentKind.FAIRNESS)
_THOUGHT_THROUGH = assessment(AssessmentKind.ALGORITHM_IMPACT)


@scenario("H-S3")
def scenario_h_s3(packs: LawPacks) -> None:
    world = lawful_world("DE").with_purpose(automated_decision=True).granting(explicit=True)
    world.registering(assessments=(_FAIR, _THOUGHT_THROUGH)).must_permit(packs)
    expired = assessment(AssessmentKind.FAIRNESS, ends_at=NOW)
    world.registering(assessments=(expired, _THOUGHT_THROUGH)).must_deny(packs, "H-S3", "FAIRNESS_REPORT_MISSING")


@scenario("H-S3.1")
def scenario_h_s3_1(packs: LawPacks) -> None:
    world = lawful_world("DE").with_purpose(automated_decision=True).granting(explicit=True)
    world.registering(assessments=(_FAIR, _THOUGHT_THROUGH)).must_permit(packs)
    world.registering(assessments=(_FAIR,)).must_deny(packs, "H-S3.1", "ALGORITHM_ASSESSMENT_MISSING")


@scenario("P-24.1")
def scenario_p_24_1(packs: LawPacks) -> None:
    world = lawful_world("CN").with_purpose(sets_prices=True)
    world.must_deny(packs, "P-24.1", "FAIRNESS_REPORT_MISSING")
    world.adding(assessments=(_FAIR,)).must_permit(packs)


# --- Grants -----------------------------------------------------------------------------------------------------------


@scenario("G-25")
def scenario_g_25(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.forgetting(CONSENT).must_deny(packs, "G-25", "CONSENT_MISSING")


@scenario("H-D05")
def scenario_h_d05(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.must_permit(packs)
    # A grant of the purpose above does not reach down.
    above = world.forgetting(CONSENT).adding(purposes=(purpose("everything"),))
    above = above.registering(purposes=(purpose(parent="everything"), purpose("everything")))
    above.knowing({consent_topic("everything"): fact(tier_rank=2, notice="leaflet@1", explicit=True)}).must_deny(
        packs, "H-D05", "CONSENT_MISSING"
    )


@scenario("H-D06")
def scenario_h_d06(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.saying(CONSENT, FactState.REFUSED).must_deny(packs, "H-D06", "CONSENT_REFUSED")


def _withdrawal(packs: LawPacks, country: str, rule: str) -> None:
    world = lawful_world(country)
    world.must_permit(packs)
    world.saying(CONSENT, FactState.WITHDRAWN).must_deny(packs, rule, "CONSENT_WITHDRAWN")


@scenario("G-7.3")
def scenario_g_7_3(packs: LawPacks) -> None:
    _withdrawal(packs, "DE", "G-7.3")


@scenario("P-15")
def scenario_p_15(packs: LawPacks) -> None:
    _withdrawal(packs, "CN", "P-15")


@scenario("H-D07")
def scenario_h_d07(packs: LawPacks) -> None:
    _withdrawal(packs, "FR", "H-D07")


def _no_detriment(packs: LawPacks, country: str, rule: str) -> None:
    lawful_world(country).must_oblige(packs, rule, "NO_DETRIMENT")
    service = own_business(country, LegalBasis.CONTRACT)
    service.must_not_oblige(packs, "NO_DETRIMENT")
    # Whoever refused, or withdrew, is still served.
    service.saying(CONSENT, FactState.REFUSED).must_permit(packs)
    service.saying(CONSENT, FactState.WITHDRAWN).must_permit(packs)


@scenario("G-7.4")
def scenario_g_7_4(packs: LawPacks) -> None:
    _no_detriment(packs, "DE", "G-7.4")


@scenario("P-16")
def scenario_p_16(packs: LawPacks) -> None:
    _no_detriment(packs, "CN", "P-16")


def _expiry(packs: LawPacks, country: str, rule: str) -> None:
    world = lawful_world(country).granting(ends=NOW)
    world.when(NOW - MICROSECOND).must_permit(packs)
    world.must_deny(packs, rule, "CONSENT_EXPIRED")


@scenario("G-5c")
def scenario_g_5c(packs: LawPacks) -> None:
    _expiry(packs, "DE", "G-5c")
    lawful_world("DE").must_oblige(packs, "G-5c", "RETENTION")
    text = next(due.text for due in lawful_world("DE").decided(packs).obligations if due.rule == "G-5c")
    assert "400 days" in text


@scenario("H-D08")
def scenario_h_d08(packs: LawPacks) -> None:
    _expiry(packs, "CN", "H-D08")


@scenario("H-D09")
def scenario_h_d09(packs: LawPacks) -> None:
    world = lawful_world("DE").granting(tier=Tier.BASIC)
    world.asking(tier=Tier.BASIC).must_permit(packs)
    world.must_deny(packs, "H-D09", "TIER_TOO_LOW")


@scenario("H-D14")
def scenario_h_d14(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.adding(notices=(notice("2"),)).granting(notice="leaflet@2").must_permit(packs)
    world.adding(notices=(notice("2", purposes=("churn",)),)).granting(notice="leaflet@2").must_deny(
        packs, "H-D14", "NOTICE_UNFIT"
    )
    world.adding(notices=(notice("2", published_at=NOW + DAY),)).granting(notice="leaflet@2").must_deny(
        packs, "H-D14", "NOTICE_UNFIT"
    )


def _material_change(packs: LawPacks, country: str, rule: str) -> None:
    world = lawful_world(country).adding(notices=(notice("2", material_change=True, published_at=NOW),))
    world.when(NOW - MICROSECOND).must_permit(packs)
    world.must_deny(packs, rule, "RECONSENT")
    world.granting(notice="leaflet@2").must_permit(packs)
    # Versions are numbers: 10 comes after 2.
    later = lawful_world(country).adding(notices=(notice("2", material_change=True), notice("10")))
    later.granting(notice="leaflet@10").must_permit(packs)
    lawful_world(country).adding(notices=(notice("2"),)).must_permit(packs)


@scenario("G-4.11")
def scenario_g_4_11(packs: LawPacks) -> None:
    _material_change(packs, "DE", "G-4.11")


@scenario("P-14")
def scenario_p_14(packs: LawPacks) -> None:
    _material_change(packs, "CN", "P-14")


@scenario("H-D10")
def scenario_h_d10(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    silent = notice(statements={"recipients": ("faraway",)})
    world.registering(notices=(silent,)).must_deny(packs, "H-D10", "RECIPIENT_NOT_DISCLOSED")
    # Named in English only: who read the German text was not told.
    german = notice(language="de", statements={"recipients": ()})
    world.adding(notices=(german,)).must_deny(packs, "H-D10", "RECIPIENT_NOT_DISCLOSED")


@scenario("H-D15")
def scenario_h_d15(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    silent = world.registering(notices=(notice(statements={"controllers": ("shop",)}),))
    silent.asking(joint_controllers=()).must_permit(packs)
    silent.must_deny(packs, "H-D15", "CONTROLLER_NOT_DISCLOSED")


@scenario("P-22")
def scenario_p_22(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.must_permit(packs)
    # The shop took over another's customers: they agreed to the other.
    taken_over = world.registering(notices=(notice(statements={"controllers": ("other",)}),))
    taken_over.must_deny(packs, "P-22", "CONTROLLER_NOT_DISCLOSED")


# --- Express and separate consent -------------------------------------------------------------------------------------


@scenario("G-9")
def scenario_g_9(packs: LawPacks) -> None:
    world = lawful_world("DE").with_purpose(
        data_categories={Tier.BASIC: (ORDINARY,), Tier.STANDARD: (ORDINARY, HEALTH)}
    )
    world.must_permit(packs)
    special = world.asking(categories=(ORDINARY, HEALTH))
    special.must_deny(packs, "G-9", "EXPLICIT_REQUIRED")
    # An express grant of the purpose is not yet one to the use of health data.
    special.granting(explicit=True).must_deny(packs, "G-9", "EXPLICIT_REQUIRED")
    own = SeparateMatter.SENSITIVE_CATEGORY
    special.knowing(separately(own, HEALTH)).must_deny(packs, "G-9", "EXPLICIT_REQUIRED")
    special.knowing(separately(own, HEALTH, explicit=True)).must_permit(packs)
    # A contract is no ground for health data; a legal obligation can be.
    held = {Tier.STANDARD: (HEALTH,)}
    contract = own_business("DE", LegalBasis.CONTRACT, data_categories=held).asking(categories=(HEALTH,))
    contract.must_deny(packs, "G-9", "EXPLICIT_REQUIRED")
    duty = own_business("DE", LegalBasis.LEGAL_OBLIGATION, data_categories=held).asking(categories=(HEALTH,))
    duty.must_permit(packs)


@scenario("G-22.2")
def scenario_g_22_2(packs: LawPacks) -> None:
    world = lawful_world("DE").with_purpose(automated_decision=True).adding(assessments=(_FAIR, _THOUGHT_THROUGH))
    world.must_deny(packs, "G-22.2", "EXPLICIT_REQUIRED")
    world.granting(explicit=True).must_permit(packs)


def _automated_opt_out(packs: LawPacks, country: str, rule: str) -> None:
    world = lawful_world(country).granting(explicit=True)
    world.saying(AUTOMATED, FactState.IN_FORCE).must_permit(packs)
    automated = world.with_purpose(automated_decision=True).adding(assessments=(_FAIR, _THOUGHT_THROUGH))
    automated.must_permit(packs)
    automated.saying(AUTOMATED, FactState.IN_FORCE).must_deny(packs, rule, "AUTOMATED_OPT_OUT")
    automated.saying(AUTOMATED, FactState.LIFTED).must_permit(packs)


@scenario("G-22")
def scenario_g_22(packs: LawPacks) -> None:
    _automated_opt_out(packs, "DE", "G-22")
    lawful_world("DE").must_not_oblige(packs, "HUMAN_REVIEW")
    lawful_world("DE").with_purpose(automated_decision=True).must_oblige(packs, "G-22", "HUMAN_REVIEW")


@scenario("P-24")
def scenario_p_24(packs: LawPacks) -> None:
    _automated_opt_out(packs, "CN", "P-24")
    automated = lawful_world("CN").with_purpose(automated_decision=True)
    automated.must_oblige(packs, "P-24", "EXPLAIN_AND_OFFER_NON_PERSONAL")


@scenario("P-23")
def scenario_p_23(packs: LawPacks) -> None:
    processed = lawful_world("CN")
    processed.must_permit(packs)
    independent = agreement("centre", AgreementRole.INDEPENDENT_CONTROLLER)
    joint = agreement("other", AgreementRole.JOINT_CONTROLLER)
    world = processed.registering(agreements=(independent, joint))
    world.must_deny(packs, "P-23", "SEPARATE_CONSENT_RECIPIENT")
    told = separately(SeparateMatter.RECIPIENT, "centre")
    world.knowing(told).must_permit(packs)
    other = separately(SeparateMatter.RECIPIENT, "faraway")
    world.knowing(other).must_deny(packs, "P-23", "SEPARATE_CONSENT_RECIPIENT")
    withdrawn = separately(SeparateMatter.RECIPIENT, "centre", state=FactState.WITHDRAWN)
    world.knowing(withdrawn).must_deny(packs, "P-23", "SEPARATE_CONSENT_RECIPIENT")


@scenario("P-25")
def scenario_p_25(packs: LawPacks) -> None:
    world = lawful_world("CN").with_purpose(publishes=True)
    world.must_deny(packs, "P-25", "SEPARATE_CONSENT_PUBLICATION")
    world.knowing(separately(SeparateMatter.PUBLIC_DISCLOSURE, "statistics")).must_permit(packs)
    world.knowing(separately(SeparateMatter.PUBLIC_DISCLOSURE, "churn")).must_deny(
        packs, "P-25", "SEPARATE_CONSENT_PUBLICATION"
    )


@scenario("P-26")
def scenario_p_26(packs: LawPacks) -> None:
    camera = "hanse:InStoreCamera"
    world = lawful_world("CN").with_purpose(data_categories={Tier.STANDARD: (ORDINARY, camera)})
    world = world.knowing(separately(SeparateMatter.SENSITIVE_CATEGORY, camera))
    world.must_permit(packs)
    filmed = world.asking(categories=(camera,))
    filmed.must_deny(packs, "P-26", "SEPARATE_CONSENT_IMAGERY")
    filmed.knowing(separately(SeparateMatter.PUBLIC_PLACE_IMAGERY, "statistics")).must_permit(packs)


@scenario("P-28")
def scenario_p_28(packs: LawPacks) -> None:
    location = "pd:Location"
    world = lawful_world("CN").with_purpose(data_categories={Tier.STANDARD: (ORDINARY, location)})
    world.must_permit(packs)
    sensitive = world.asking(categories=(ORDINARY, location))
    sensitive.must_deny(packs, "P-28", "SEPARATE_CONSENT_SENSITIVE")
    separate = separately(SeparateMatter.SENSITIVE_CATEGORY, location)
    sensitive.knowing(separate).must_permit(packs)
    # Its own end counts, too.
    ended = {topic: fact(until_us=known.effective_us + 1) for topic, known in separate.items()}
    sensitive.knowing(ended).must_deny(packs, "P-28", "SEPARATE_CONSENT_SENSITIVE")
    # Whatever is known of a child is sensitive.
    child = world.knowing(birthday(13)).knowing(guardian())
    child.must_deny(packs, "P-28", "SEPARATE_CONSENT_SENSITIVE")
    child.knowing(separately(SeparateMatter.SENSITIVE_CATEGORY, ORDINARY)).must_permit(packs)


# --- Rights -----------------------------------------------------------------------------------------------------------


def _restriction(packs: LawPacks, country: str, rule: str) -> None:
    for world in (lawful_world(country), own_business(country, LegalBasis.CONTRACT)):
        world.must_permit(packs)
        world.saying(RESTRICTION, FactState.IN_FORCE).must_deny(packs, rule, "RESTRICTED")
        world.saying(RESTRICTION, FactState.LIFTED).must_permit(packs)


@scenario("G-16")
def scenario_g_16(packs: LawPacks) -> None:
    _restriction(packs, "DE", "G-16")


@scenario("P-44")
def scenario_p_44(packs: LawPacks) -> None:
    _restriction(packs, "CN", "P-44")


def _erasure(packs: LawPacks, country: str, rule: str) -> None:
    for world in (lawful_world(country), own_business(country, LegalBasis.CONTRACT)):
        world.must_permit(packs)
        world.saying(ERASURE, FactState.IN_FORCE).must_deny(packs, rule, "ERASED")


@scenario("G-17")
def scenario_g_17(packs: LawPacks) -> None:
    _erasure(packs, "DE", "G-17")


@scenario("P-47")
def scenario_p_47(packs: LawPacks) -> None:
    _erasure(packs, "CN", "P-47")


@scenario("G-21")
def scenario_g_21(packs: LawPacks) -> None:
    interests = own_business("DE", LegalBasis.LEGITIMATE_INTERESTS)
    interests.must_permit(packs)
    interests.saying(OBJECTION, FactState.IN_FORCE).must_deny(packs, "G-21", "OBJECTED")
    interests.saying(OBJECTION, FactState.LIFTED).must_permit(packs)
    contract = own_business("DE", LegalBasis.CONTRACT)
    contract.saying(OBJECTION, FactState.IN_FORCE).must_permit(packs)
    marketing = own_business("DE", LegalBasis.CONTRACT, direct_marketing=True)
    marketing.saying(OBJECTION, FactState.IN_FORCE).must_deny(packs, "G-21", "OBJECTED")


@scenario("P-44.1")
def scenario_p_44_1(packs: LawPacks) -> None:
    world = lawful_world("CN")
    world.must_permit(packs)
    world.saying(OBJECTION, FactState.IN_FORCE).must_deny(packs, "P-44.1", "OBJECTED")


@scenario("G-8")
def scenario_g_8(packs: LawPacks) -> None:
    world = lawful_world("DE")
    child = world.knowing(birthday(16, days_short=1))
    child.must_deny(packs, "G-8", "CHILD_WITHOUT_GUARDIAN")
    child.knowing(guardian()).must_permit(packs)
    child.knowing(guardian(state=FactState.WITHDRAWN)).must_deny(packs, "G-8", "CHILD_WITHOUT_GUARDIAN")
    child.knowing(guardian("churn")).must_deny(packs, "G-8", "CHILD_WITHOUT_GUARDIAN")
    world.knowing(birthday(16)).must_permit(packs)
    # Sweden lets a child of 13 decide, also at a German shop.
    world.knowing(lives_in("SE")).knowing(birthday(13)).must_permit(packs)
    world.knowing(lives_in("SE")).knowing(birthday(13, days_short=1)).must_deny(packs, "G-8", "CHILD_WITHOUT_GUARDIAN")
    # Nothing known of the age: a child. Presumed adult by the shop's own statement: not.
    ageless = world.forgetting("age")
    ageless.must_deny(packs, "G-8", "CHILD_WITHOUT_GUARDIAN")
    stated = tuple(
        shop.model_copy(update={"presumed": PresumedCustomer(country="DE", adult=True)})
        for shop in world.registry.controllers
    )
    ageless.registering(controllers=stated).must_permit(packs)


@scenario("P-31")
def scenario_p_31(packs: LawPacks) -> None:
    separate = separately(SeparateMatter.SENSITIVE_CATEGORY, ORDINARY)
    world = lawful_world("CN").knowing(separate)
    child = world.knowing(birthday(14, days_short=1))
    child.must_deny(packs, "P-31", "CHILD_WITHOUT_GUARDIAN")
    child.knowing(guardian()).must_permit(packs)
    # From the birthday on the customer's own consent counts, and a guardian's no longer matters.
    grown = world.knowing(birthday(14))
    grown.must_permit(packs)
    grown.knowing(guardian(state=FactState.WITHDRAWN)).must_permit(packs)


# --- Transfers --------------------------------------------------------------------------------------------------------

_TRANSFER_ASSESSED = assessment(AssessmentKind.TRANSFER_IMPACT, recipient="faraway")
_TO_FARAWAY = agreement("faraway")


@scenario("G-44")
def scenario_g_44(packs: LawPacks) -> None:
    world = lawful_world("DE").asking(recipients=("faraway",)).adding(agreements=(_TO_FARAWAY,))
    world.must_deny(packs, "G-44", "TRANSFER_MECHANISM_MISSING")
    clauses = transfer("faraway", "gdpr", TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES)
    safe = world.adding(transfers=(clauses,), assessments=(_TRANSFER_ASSESSED,))
    safe.must_permit(packs)
    safe.when(clauses.ends_at).asking(joint_controllers=()).must_deny(packs, "G-44", "TRANSFER_MECHANISM_MISSING")
    chinese = transfer("faraway", "pipl", TransferMechanism.STANDARD_CONTRACT)
    world.adding(transfers=(chinese,)).must_deny(packs, "G-44", "TRANSFER_MECHANISM_MISSING")
    # An adequate country needs nothing.
    japan = tuple(
        party.model_copy(update={"country": "JP"}) if party.name == "faraway" else party
        for party in world.registry.recipients
    )
    world.registering(recipients=japan).must_permit(packs)


@scenario("G-44.1")
def scenario_g_44_1(packs: LawPacks) -> None:
    clauses = transfer("faraway", "gdpr", TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES)
    world = lawful_world("DE").asking(recipients=("faraway",)).adding(agreements=(_TO_FARAWAY,), transfers=(clauses,))
    world.must_deny(packs, "G-44.1", "TRANSFER_ASSESSMENT_MISSING")
    world.adding(assessments=(_TRANSFER_ASSESSED,)).must_permit(packs)
    of_another = assessment(AssessmentKind.TRANSFER_IMPACT, recipient="centre")
    world.adding(assessments=(of_another,)).must_deny(packs, "G-44.1", "TRANSFER_ASSESSMENT_MISSING")


@scenario("G-49")
def scenario_g_49(packs: LawPacks) -> None:
    derogation = transfer("faraway", "gdpr", TransferMechanism.EXPLICIT_CONSENT_DEROGATION)
    world = (
        lawful_world("DE").asking(recipients=("faraway",)).adding(agreements=(_TO_FARAWAY,), transfers=(derogation,))
    )
    world.must_deny(packs, "G-49", "TRANSFER_CONSENT_REQUIRED")
    world.knowing(separately(SeparateMatter.ABROAD, "faraway")).must_deny(packs, "G-49", "TRANSFER_CONSENT_REQUIRED")
    world.knowing(separately(SeparateMatter.ABROAD, "faraway", explicit=True)).must_permit(packs)


_ABROAD = separately(SeparateMatter.ABROAD, "faraway")
_STANDARD_CONTRACT = transfer("faraway", "pipl", TransferMechanism.STANDARD_CONTRACT)


@scenario("P-38")
def scenario_p_38(packs: LawPacks) -> None:
    world = lawful_world("CN").asking(recipients=("faraway",)).adding(agreements=(_TO_FARAWAY,)).knowing(_ABROAD)
    world.must_deny(packs, "P-38", "TRANSFER_MECHANISM_MISSING")
    world.adding(transfers=(_STANDARD_CONTRACT,)).must_permit(packs)
    clauses = transfer("faraway", "pipl", TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES)
    world.adding(transfers=(clauses,)).must_deny(packs, "P-38", "TRANSFER_MECHANISM_MISSING")


@scenario("P-39")
def scenario_p_39(packs: LawPacks) -> None:
    registered = {"agreements": (_TO_FARAWAY,), "transfers": (_STANDARD_CONTRACT,)}
    world = lawful_world("CN").asking(recipients=("faraway",)).adding(**registered)
    world.must_deny(packs, "P-39", "SEPARATE_CONSENT_ABROAD")
    world.knowing(_ABROAD).must_permit(packs)
    # Where consent is not the basis, none is asked for.
    contract = own_business("CN", LegalBasis.CONTRACT).asking(recipients=("faraway",)).adding(**registered)
    contract.must_permit(packs)


@scenario("P-40")
def scenario_p_40(packs: LawPacks) -> None:
    world = lawful_world("CN").asking(recipients=("faraway",)).adding(agreements=(_TO_FARAWAY,)).knowing(_ABROAD)

    def exporting(persons: int, sensitive: int = 0, mechanism=TransferMechanism.STANDARD_CONTRACT):
        counted = {"persons_this_year": persons, "sensitive_persons_this_year": sensitive}
        return world.adding(transfers=(transfer("faraway", "pipl", mechanism, **counted),))

    exporting(999_999).must_permit(packs)
    exporting(1_000_000).must_deny(packs, "P-40", "EXPORT_THRESHOLD")
    exporting(1_000_000, mechanism=TransferMechanism.SECURITY_ASSESSMENT).must_permit(packs)
    exporting(20_000, 9_999).must_permit(packs)
    exporting(20_000, 10_000).must_deny(packs, "P-40", "EXPORT_THRESHOLD")
    # The first level: from 100,000 persons on, or one whose data is sensitive, some mechanism of the list.
    elsewhere_accepted = TransferMechanism.BINDING_CORPORATE_RULES
    assert "P-40" not in {reason.rule for reason in exporting(99_999, 0, elsewhere_accepted).decided(packs).reasons}
    exporting(100_000, 0, elsewhere_accepted).must_deny(packs, "P-40", "EXPORT_THRESHOLD")
    exporting(0, 1, elsewhere_accepted).must_deny(packs, "P-40", "EXPORT_THRESHOLD")
    exporting(100_000).must_permit(packs)
    # What goes to other recipients counts, too.
    elsewhere = transfer("elsewhere", "pipl", TransferMechanism.STANDARD_CONTRACT, persons_this_year=400_000)
    exporting(600_000).adding(transfers=(elsewhere,)).must_deny(packs, "P-40", "EXPORT_THRESHOLD")


@scenario("P-40.1")
def scenario_p_40_1(packs: LawPacks) -> None:
    world = lawful_world("CN").asking(recipients=("faraway",)).adding(agreements=(_TO_FARAWAY,)).knowing(_ABROAD)
    contract = world.adding(transfers=(_STANDARD_CONTRACT,))
    contract.must_permit(packs)
    critical = tuple(shop.model_copy(update={"critical_infrastructure": True}) for shop in world.registry.controllers)
    contract.registering(controllers=critical).must_deny(packs, "P-40.1", "SECURITY_ASSESSMENT_MISSING")
    assessed = world.adding(transfers=(transfer("faraway", "pipl", TransferMechanism.SECURITY_ASSESSMENT),))
    assessed.registering(controllers=critical).must_permit(packs)
    lawful_world("CN").registering(controllers=critical).must_permit(packs)


@scenario("H-D04")
def scenario_h_d04(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_permit(packs)
    world.knowing(lives_in("US")).must_deny(packs, "H-D04", "JURISDICTION_NOT_COVERED")
    # Nobody covered China before its law was in force.
    chinese = lawful_world("CN")
    long_ago = NOW - 10 * YEAR
    chinese.when(long_ago).must_deny(packs, "H-D04", "JURISDICTION_NOT_COVERED")
    chinese.when(long_ago).forgetting("residence").must_deny(packs, "H-D04", "JURISDICTION_NOT_COVERED")


@scenario("G-32")
def scenario_g_32(packs: LawPacks) -> None:
    own_business("DE", LegalBasis.CONTRACT).must_oblige(packs, "G-32", "SECURITY_OF_PROCESSING")
    lawful_world("DE").must_oblige(packs, "G-32", "SECURITY_OF_PROCESSING")


@scenario("P-51.1")
def scenario_p_51_1(packs: LawPacks) -> None:
    own_business("CN", LegalBasis.CONTRACT).must_oblige(packs, "P-51.1", "SECURITY_OF_PROCESSING")


@scenario("G-19")
def scenario_g_19(packs: LawPacks) -> None:
    world = lawful_world("DE")
    world.must_oblige(packs, "G-19", "TELL_RECIPIENTS")
    world.asking(recipients=()).must_not_oblige(packs, "TELL_RECIPIENTS")
    # The controller itself need not be told.
    world.asking(recipients=("shop",)).must_not_oblige(packs, "TELL_RECIPIENTS")


@scenario("P-47.1")
def scenario_p_47_1(packs: LawPacks) -> None:
    lawful_world("CN").must_oblige(packs, "P-47.1", "DELETE_WHEN_OVER")
    own_business("CN", LegalBasis.CONTRACT).must_not_oblige(packs, "DELETE_WHEN_OVER")
