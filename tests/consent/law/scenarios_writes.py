"""For each rule about writes, a story that fails if the rule is not kept. Each uses one law and the house's rules."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.consent.law.small_registry import (
    DIGEST,
    EMPTY,
    NOON,
    PUBLISHED,
    act,
    agreement,
    controller,
    notice,
    only,
    purpose,
    recipient,
    registry,
)

from hanse_consent.domain.acts import ActKind, ConsentAct, SeparateConsent, SeparateMatter
from hanse_consent.domain.parties import AgreementRole, Transfer, TransferMechanism
from hanse_consent.domain.purposes import LegalBasis, PurposeKind
from hanse_consent.domain.registry import Registry
from hanse_consent.errors import ConsentRefusal
from hanse_consent.law.packs import LawPacks
from hanse_consent.law.publishing import check_registry
from hanse_consent.law.writing import ActChecker
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.vocabulary import Tier

SECTION = "writes"
"""The packs' section that these scenarios need."""

GIVING = (ActKind.GRANT, ActKind.RENEWAL, ActKind.SEPARATE_GRANT, ActKind.GUARDIAN_GRANT)
WITHDRAWING = (ActKind.WITHDRAWAL, ActKind.SEPARATE_WITHDRAWAL, ActKind.GUARDIAN_WITHDRAWAL, ActKind.REFUSAL)
PROTECTING = (ActKind.OBJECTION, ActKind.RESTRICTION, ActKind.ERASURE, ActKind.AUTOMATED_OPT_OUT)


def refusal(packs: LawPacks, said: ConsentAct, *, known: Registry | None = None, bundled: frozenset[str] = frozenset()):
    """Code and text of the refusal; none if the act is accepted."""
    checker = ActChecker(registry=known if known is not None else registry(), packs=packs, recorded_at=NOON)
    try:
        checker.check(said, "acts.0", bundled)
    except ConsentRefusal as error:
        return error.code, error.what
    return None


def finding(packs: LawPacks, new: Registry, *, before: Registry = EMPTY):
    """Code and text of what is wrong with a registry; none if nothing is."""
    try:
        check_registry(new, before=before, packs=packs, at=NOON)
    except HanseError as error:
        return error.code, error.what
    return None


def expect(found: tuple[str, str] | None, code: str, rule: str) -> None:
    """The refusal has this code, and cites this rule."""
    assert found is not None, f"accepted; expected {code} under {rule}"
    assert found[0] == code
    assert f"({rule}, " in found[1]
    assert "0f0f" not in found[1], "names the customer"


def _preselected(rule: str, law: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        for kind in GIVING:
            assert refusal(only(packs, law), act(kind)) is None
            expect(refusal(only(packs, law), act(kind, preselected=True)), "PRESELECTED_CONSENT", rule)

    return scenario


def _bundled(rule: str, law: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        others = frozenset(f"purpose-{number}" for number in range(22))
        for kind in GIVING:
            said = act(kind, interaction="click-1")
            own = said.separate.topic if said.separate is not None else str(said.purpose)
            assert refusal(only(packs, law), said, bundled=frozenset({own})) is None
            expect(refusal(only(packs, law), said, bundled=others), "BUNDLED_CONSENT", rule)

    return scenario


def _accepted(kinds: tuple[ActKind, ...], law: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        for kind in kinds:
            # Of everything that can be wrong with an act, all of it.
            wrong: dict[str, Any] = {"notice": "never-registered@9", "language": "xx", "preselected": True}
            if kind in (ActKind.WITHDRAWAL, ActKind.GUARDIAN_WITHDRAWAL, ActKind.REFUSAL, ActKind.OBJECTION):
                wrong["purpose"] = "long-gone"
            found = refusal(only(packs, law), act(kind, **wrong), bundled=frozenset({"another", "more"}))
            assert found is None, f"{kind}: {found}"

    return scenario


def _unstated(rule: str, law: str, country: str, *fields: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        assert finding(only(packs, law), registry(country)) is None
        for field in fields:
            empty = () if field == "controllers" else " "
            incomplete = registry(country, notices=(notice(statements={field: empty}),))
            expect(finding(only(packs, law), incomplete), "NOTICE_INCOMPLETE", rule)

    return scenario


def _automation_unexplained(rule: str, law: str, country: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        silent = (notice(statements={"automated_decision": ""}),)
        assert finding(only(packs, law), registry(country, notices=silent)) is None
        decides = registry(country, notices=silent, purposes=(purpose(automated_decision=True),))
        expect(finding(only(packs, law), decides), "NOTICE_INCOMPLETE", rule)

    return scenario


def _party_unnamed(rule: str, law: str, country: str, role: AgreementRole) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        told = registry(country, agreements=(agreement("centre", role),))
        assert finding(only(packs, law), told) is None
        untold = registry(country, agreements=(agreement("broker", role),))
        expect(finding(only(packs, law), untold), "NOTICE_INCOMPLETE", rule)

    return scenario


def _country_unnamed(rule: str, law: str, country: str) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        abroad = (recipient("centre", "SG"),)
        assert finding(only(packs, law), registry(country, recipients=abroad)) is None
        hidden = registry(country, recipients=abroad, notices=(notice(statements={"countries": (country,)}),))
        expect(finding(only(packs, law), hidden), "NOTICE_INCOMPLETE", rule)

    return scenario


def _basis(rule: str, law: str, country: str, basis: LegalBasis) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        contract = registry(country, purposes=(purpose(legal_basis={law: LegalBasis.CONTRACT}),))
        assert finding(only(packs, law), contract) is None
        unknown = registry(country, purposes=(purpose(legal_basis={law: basis}),))
        expect(finding(only(packs, law), unknown), "LEGAL_BASIS_UNKNOWN", rule)

    return scenario


def scenario_g_13_1c(packs: LawPacks) -> None:
    law = only(packs, "gdpr")
    silent = (notice(statements={"legal_basis": " "}),)
    assert finding(law, registry(notices=silent)) is None, "how to withdraw says that it is consent"
    for basis in (LegalBasis.CONTRACT, LegalBasis.LEGITIMATE_INTERESTS, LegalBasis.LEGAL_OBLIGATION):
        other_ground = (purpose(legal_basis={"gdpr": basis}),)
        assert finding(law, registry(purposes=other_ground)) is None
        expect(finding(law, registry(notices=silent, purposes=other_ground)), "NOTICE_INCOMPLETE", "G-13.1c")


def scenario_p_17_1(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    named = (notice(statements={"categories": ("pd:Purchase", "pd:PurchasesAndSpendingHabit")}),)
    assert finding(law, registry("CN", notices=named)) is None
    # The higher tier reads more; it counts, too.
    for told in ((), ("pd:Purchase",)):
        untold = (notice(statements={"categories": told}),)
        expect(finding(law, registry("CN", notices=untold)), "NOTICE_INCOMPLETE", "P-17.1")


def _separate(matter: SeparateMatter, subject: str, **changes: Any) -> ConsentAct:
    return act(ActKind.SEPARATE_GRANT, separate=SeparateConsent(matter=matter, subject=subject), **changes)


def _retention(rule: str, kind: PurposeKind, most: int) -> Callable[[LawPacks], None]:
    def scenario(packs: LawPacks) -> None:
        law = only(packs, "pipl")
        assert finding(law, registry("CN", purposes=(purpose(kind=kind, retention_days=most),))) is None
        longer = registry("CN", purposes=(purpose(kind=kind, retention_days=most + 1),))
        expect(finding(law, longer), "RETENTION_TOO_LONG", rule)

    return scenario


def scenario_g_7_1w(packs: LawPacks) -> None:
    law = only(packs, "gdpr")
    before = registry(notices=(notice(), notice(version="2")))
    assert finding(law, before, before=registry()) is None
    expect(finding(law, registry(), before=before), "NOTICE_REMOVED", "G-7.1w")


def scenario_p_14_3(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    before = registry("CN")
    for statement in ("means", "automated_decision"):
        second = notice(version="1.1", statements={statement: "Otherwise than before."})
        expect(
            finding(law, registry("CN", notices=(notice(), second)), before=before),
            "MATERIAL_CHANGE_UNDECLARED",
            "P-14.3",
        )
        declared = second.model_copy(update={"material_change": True})
        assert finding(law, registry("CN", notices=(notice(), declared)), before=before) is None
    reworded = notice(version="1.1", text="We count the things that you buy.")
    assert finding(law, registry("CN", notices=(notice(), reworded)), before=before) is None


def scenario_p_23_2(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    known = registry("CN", recipients=(recipient("centre", "CN"), recipient("broker", "CN")))
    assert refusal(law, _separate(SeparateMatter.RECIPIENT, "centre"), known=known) is None
    found = refusal(law, _separate(SeparateMatter.RECIPIENT, "broker"), known=known)
    expect(found, "NOTICE_DOES_NOT_EXPLAIN", "P-23.2")


def scenario_p_25_1(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    known = registry("CN", purposes=(purpose(), purpose("billboard")))
    for matter in (SeparateMatter.PUBLIC_DISCLOSURE, SeparateMatter.PUBLIC_PLACE_IMAGERY):
        assert refusal(law, _separate(matter, "statistics"), known=known) is None
        found = refusal(law, _separate(matter, "billboard"), known=known)
        expect(found, "NOTICE_DOES_NOT_EXPLAIN", "P-25.1")


def scenario_p_29_1(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    where = {Tier.BASIC: ("pd:Location",)}
    elsewhere = registry("CN", purposes=(purpose(), purpose("routing", data_categories=where)))
    used = registry("CN", purposes=(purpose(data_categories=where),))
    said = _separate(SeparateMatter.SENSITIVE_CATEGORY, "pd:Location")
    assert refusal(law, said, known=used) is None
    expect(refusal(law, said, known=elsewhere), "NOTICE_DOES_NOT_EXPLAIN", "P-29.1")


def scenario_p_30(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    silent = (notice(statements={"necessity": ""}),)
    assert finding(law, registry("CN", notices=silent)) is None
    for category in ("pd:Location", "pd:Health", "pd:FinancialAccount", "pd:Biometric", "pd:Religion"):
        sensitive = registry("CN", notices=silent, purposes=(purpose(data_categories={Tier.BASIC: (category,)}),))
        expect(finding(law, sensitive), "NOTICE_INCOMPLETE", "P-30")


def scenario_p_39_2(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    said = _separate(SeparateMatter.ABROAD, "centre")
    told = registry("CN", recipients=(recipient("centre", "SG"),))
    assert refusal(law, said, known=told) is None
    for hidden in ({"countries": ("CN",)}, {"recipients": ()}):
        untold = registry("CN", recipients=(recipient("centre", "SG"),), notices=(notice(statements=hidden),))
        expect(refusal(law, said, known=untold), "NOTICE_DOES_NOT_EXPLAIN", "P-39.2")


def scenario_p_51(packs: LawPacks) -> None:
    law = only(packs, "pipl")
    unknown = registry("CN", purposes=(purpose(data_categories={Tier.BASIC: ("hanse:ShoeSize",)}),))
    expect(finding(law, unknown), "CATEGORY_UNCLASSIFIED", "P-51")
    elsewhere = unknown.model_copy(update={"controllers": (controller("shop", "DE"),)})
    assert finding(law, elsewhere) is None, "a shop outside China is not under this law"


def scenario_h_w1(packs: LawPacks) -> None:
    five_minutes = timedelta(minutes=5)
    for kind in ActKind:
        assert refusal(packs, act(kind, said_at=NOON + five_minutes)) is None, kind
        ahead = act(kind, said_at=NOON + five_minutes + timedelta(microseconds=1))
        expect(refusal(packs, ahead), "SAID_IN_FUTURE", "H-W1")


def scenario_h_w2(packs: LawPacks) -> None:
    for kind in (ActKind.GRANT, ActKind.RENEWAL, ActKind.GUARDIAN_GRANT, ActKind.DEFERRAL, ActKind.OBJECTION_LIFTED):
        expect(refusal(packs, act(kind, purpose="long-gone")), "PURPOSE_UNKNOWN", "H-W2")
    expect(refusal(packs, _separate(SeparateMatter.PUBLIC_DISCLOSURE, "long-gone")), "PURPOSE_UNKNOWN", "H-W2")


def scenario_h_w3(packs: LawPacks) -> None:
    for kind in (ActKind.GRANT, ActKind.RENEWAL):
        assert refusal(packs, act(kind, tier=Tier.STANDARD)) is None
        expect(refusal(packs, act(kind, tier=Tier.ADVANCED)), "TIER_NOT_OFFERED", "H-W3")


def scenario_h_w4(packs: LawPacks) -> None:
    for kind in (*GIVING, ActKind.NOTICE_SERVED):
        expect(refusal(packs, act(kind, notice="sharing@2")), "NOTICE_UNKNOWN", "H-W4")


def scenario_h_w5(packs: LawPacks) -> None:
    known = registry(purposes=(purpose(), purpose("training")))
    for kind in (ActKind.GRANT, ActKind.RENEWAL, ActKind.GUARDIAN_GRANT):
        found = refusal(packs, act(kind, purpose="training"), known=known)
        expect(found, "NOTICE_DOES_NOT_EXPLAIN", "H-W5")


def scenario_h_w6(packs: LawPacks) -> None:
    for kind in (*GIVING, ActKind.NOTICE_SERVED):
        assert refusal(packs, act(kind, said_at=PUBLISHED)) is None
        early = act(kind, said_at=PUBLISHED - timedelta(microseconds=1))
        expect(refusal(packs, early), "NOTICE_NOT_PUBLISHED", "H-W6")


def scenario_h_w7(packs: LawPacks) -> None:
    bilingual = registry(notices=(notice(), notice(language="zh-Hans")))
    assert refusal(packs, act(language=None)) is None, "where there is one language only, it is that"
    assert refusal(packs, act(language="zh-Hans"), known=bilingual) is None
    expect(refusal(packs, act(language="de")), "NOTICE_LANGUAGE_UNKNOWN", "H-W7")
    expect(refusal(packs, act(language=None), known=bilingual), "NOTICE_LANGUAGE_UNKNOWN", "H-W7")


def scenario_h_w8(packs: LawPacks) -> None:
    law = only(packs)
    for matter in (SeparateMatter.RECIPIENT, SeparateMatter.ABROAD):
        assert refusal(law, _separate(matter, "centre")) is None
        expect(refusal(law, _separate(matter, "nobody")), "RECIPIENT_UNKNOWN", "H-W8")


def scenario_h_w9(packs: LawPacks) -> None:
    law = only(packs)
    assert refusal(law, _separate(SeparateMatter.SENSITIVE_CATEGORY, "pd:Purchase")) is None
    expect(refusal(law, _separate(SeparateMatter.SENSITIVE_CATEGORY, "pd:Health")), "CATEGORY_UNKNOWN", "H-W9")


def scenario_h_w10(packs: LawPacks) -> None:
    for changed in (
        notice(text="We sell what you buy."),
        notice(statements={"complaint": "Nowhere."}),
        notice(published_at=PUBLISHED - timedelta(days=1)),
        notice(material_change=True),
    ):
        expect(finding(packs, registry(notices=(changed,)), before=registry()), "NOTICE_CHANGED", "H-W10")


def scenario_h_w11(packs: LawPacks) -> None:
    before = registry(purposes=(purpose(legal_basis={"pipl": LegalBasis.CONTRACT}),))
    wider: tuple[dict[str, Any], ...] = (
        {"data_categories": {Tier.BASIC: ("pd:Purchase", "pd:Age"), Tier.STANDARD: ("pd:Purchase", "pd:Age")}},
        {"kind": PurposeKind.TRAINING},
        {"automated_decision": True},
        {"sets_prices": True},
        {"direct_marketing": True},
        {"retention_days": 366},
        {"consent_lasts_days": 366},
        {"legal_basis": {"gdpr": LegalBasis.LEGITIMATE_INTERESTS, "pipl": LegalBasis.CONTRACT}},
    )
    for change in wider:
        expect(finding(packs, registry(purposes=(purpose(**change),)), before=before), "PURPOSE_WIDENED", "H-W11")
    narrower = purpose(data_categories={Tier.BASIC: ("pd:Purchase",)}, retention_days=30)
    assert finding(packs, registry(purposes=(narrower,)), before=before) is None


def scenario_h_w12(packs: LawPacks) -> None:
    law = only(packs, "gdpr")
    misspelt = registry(purposes=(purpose(legal_basis={"gpdr": LegalBasis.CONTRACT}),))
    expect(finding(law, misspelt), "PACK_UNKNOWN", "H-W12")
    transfer = Transfer(
        name="clauses",
        controller="shop",
        recipient="centre",
        pack="gpdr",
        mechanism=TransferMechanism.STANDARD_CONTRACTUAL_CLAUSES,
        starts_at=PUBLISHED,
        ends_at=NOON + timedelta(days=30),
        document_sha256=DIGEST,
        persons_this_year=0,
        sensitive_persons_this_year=0,
    )
    expect(finding(law, registry(transfers=(transfer,))), "PACK_UNKNOWN", "H-W12")


def scenario_h_w13(packs: LawPacks) -> None:
    for statements in ({"recipients": ("centre", "nobody")}, {"controllers": ("shop", "nobody")}):
        found = finding(only(packs), registry(notices=(notice(statements=statements),)))
        expect(found, "RECIPIENT_UNKNOWN", "H-W13")


def scenario_h_w14(packs: LawPacks) -> None:
    found = finding(packs, registry(notices=(notice(purposes=("statistics", "long-gone")),)))
    expect(found, "PURPOSE_UNKNOWN", "H-W14")


SCENARIOS: dict[str, Callable[[LawPacks], None]] = {
    "G-7.2": _preselected("G-7.2", "gdpr"),
    "G-7.2b": _bundled("G-7.2b", "gdpr"),
    "G-7.3w": _accepted(WITHDRAWING, "gdpr"),
    "G-12.2": _accepted(PROTECTING, "gdpr"),
    "G-7.1w": scenario_g_7_1w,
    "G-6w": _basis("G-6w", "gdpr", "DE", LegalBasis.NEWS_REPORTING),
    "G-13": _unstated("G-13", "gdpr", "DE", "controllers", "contact", "retention", "rights", "withdrawal", "complaint"),
    "G-13.1c": scenario_g_13_1c,
    "G-13.1e": _party_unnamed("G-13.1e", "gdpr", "DE", AgreementRole.JOINT_CONTROLLER),
    "G-13.1f": _country_unnamed("G-13.1f", "gdpr", "DE"),
    "G-13.2f": _automation_unexplained("G-13.2f", "gdpr", "DE"),
    "P-14.1": _preselected("P-14.1", "pipl"),
    "P-14.2": _bundled("P-14.2", "pipl"),
    "P-14.3": scenario_p_14_3,
    "P-13.1": _basis("P-13.1", "pipl", "CN", LegalBasis.LEGITIMATE_INTERESTS),
    "P-15w": _accepted(WITHDRAWING, "pipl"),
    "P-17": _unstated("P-17", "pipl", "CN", "controllers", "contact", "means", "retention", "rights", "withdrawal"),
    "P-17.1": scenario_p_17_1,
    "P-19": _retention("P-19", PurposeKind.TRAINING, 1095),
    "P-19.1": _retention("P-19.1", PurposeKind.OPERATIONS, 3650),
    "P-23.1": _party_unnamed("P-23.1", "pipl", "CN", AgreementRole.INDEPENDENT_CONTROLLER),
    "P-23.2": scenario_p_23_2,
    "P-24.2": _automation_unexplained("P-24.2", "pipl", "CN"),
    "P-25.1": scenario_p_25_1,
    "P-29.1": scenario_p_29_1,
    "P-30": scenario_p_30,
    "P-39.1": _country_unnamed("P-39.1", "pipl", "CN"),
    "P-39.2": scenario_p_39_2,
    "P-44w": _accepted(PROTECTING, "pipl"),
    "P-51": scenario_p_51,
    "H-W1": scenario_h_w1,
    "H-W2": scenario_h_w2,
    "H-W3": scenario_h_w3,
    "H-W4": scenario_h_w4,
    "H-W5": scenario_h_w5,
    "H-W6": scenario_h_w6,
    "H-W7": scenario_h_w7,
    "H-W8": scenario_h_w8,
    "H-W9": scenario_h_w9,
    "H-W10": scenario_h_w10,
    "H-W11": scenario_h_w11,
    "H-W12": scenario_h_w12,
    "H-W13": scenario_h_w13,
    "H-W14": scenario_h_w14,
}
