"""What may be registered: beside what each rule's story tells."""

from datetime import timedelta

import pytest
from tests.consent.law.small_registry import (
    EMPTY,
    NOON,
    STATEMENTS,
    agreement,
    controller,
    notice,
    only,
    purpose,
    recipient,
    registry,
)

from hanse_consent.domain.parties import AgreementRole
from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.law.errors import NoticeIncompleteError
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.law.publishing import check_registry, registry_findings
from hanse_consent.law.registry_conditions import (
    BasisListed,
    CategoriesClassified,
    CategoryClass,
    NoticeStatesOfCategories,
    StatementField,
)
from hanse_consent.law.sharing_conditions import SeparateConsentForCategories
from hanse_consent.law.use_conditions import AssessmentMissing, BasisNotAccepted

PACKS = load_shipped_packs()


def found(new, *, before=EMPTY, packs=PACKS) -> list[str]:
    return [finding.rule.id for finding in registry_findings(new, before=before, packs=packs, at=NOON)]


@pytest.mark.parametrize("country", ["DE", "CN"])
def test_a_registry_in_order_is_accepted(country: str) -> None:
    assert found(registry(country)) == []
    assert found(registry(country), before=registry(country)) == []
    assert found(EMPTY) == []


def test_which_laws_govern_a_notice() -> None:
    # What only China's law wants in a notice is how data is processed.
    silent = notice(statements={"means": "", "countries": ("DE",)})
    assert found(registry("DE", notices=(silent,))) == []
    at_home = notice(statements={"means": "", "countries": ("CN",)})
    assert found(registry("CN", notices=(at_home,))) == ["P-17"]
    living_there = controller("shop", "DE", customers_in="CN")
    assert found(registry(controllers=(living_there,), notices=(silent,))) == ["P-17"]
    going_there = notice(statements={"means": "", "countries": ("DE", "CN")})
    assert found(registry("DE", notices=(going_there,))) == ["P-17"]
    nobody_named = notice(statements={"means": "", "countries": ("DE",), "controllers": ()})
    assert set(found(registry("DE", notices=(nobody_named,)))) == {"G-13", "P-17"}
    one_unknown = notice(statements={"means": "", "countries": ("DE",), "controllers": ("shop", "nobody")})
    assert set(found(registry("DE", notices=(one_unknown,)))) == {"P-17", "H-W13"}
    # Jointly with a shop in China.
    both = registry(
        controllers=(controller("shop", "DE"), controller("store", "CN")),
        notices=(notice(statements={"means": "", "countries": ("DE",), "controllers": ("shop", "store")}),),
    )
    assert found(both) == ["P-17"]


@pytest.mark.parametrize("statement", list(StatementField))
def test_without_any_statement_that_some_law_wants_a_notice_is_refused(statement: StatementField) -> None:
    empty = () if isinstance(getattr(STATEMENTS, statement.value), tuple) else "  "
    new = registry(
        controllers=(controller("shop", "CN", customers_in="DE"),),
        recipients=(recipient("centre", "SG"),),
        purposes=(
            purpose(
                automated_decision=True,
                data_categories={"basic": ("pd:Location",)},
                legal_basis={"gdpr": LegalBasis.CONTRACT},
            ),
        ),
        agreements=(agreement("centre", AgreementRole.INDEPENDENT_CONTROLLER),),
        notices=(notice(statements={statement.value: empty}),),
    )
    with pytest.raises(NoticeIncompleteError, match="Notice sharing@1 \\(en\\)"):
        check_registry(new, before=EMPTY, packs=PACKS, at=NOON)


def test_one_error_tells_all_that_is_wrong_with_rule_article_and_clause() -> None:
    bare = notice(statements=dict.fromkeys(("contact", "retention", "rights", "withdrawal", "complaint"), ""))
    with pytest.raises(NoticeIncompleteError) as refused:
        check_registry(registry(notices=(bare,)), before=EMPTY, packs=PACKS, at=NOON)
    told = refused.value.what
    for part in ("contact", "ISO/IEC 29184, 5.3.11", "G-13, GDPR 13", "Also: ", "P-17, PIPL 15, 17"):
        assert part in told, part


def test_a_published_notice_is_not_held_against_later_demands() -> None:
    old = notice(statements={"complaint": "", "countries": ("DE",)})
    known = registry(notices=(old,))
    assert found(known) == ["G-13"]
    assert found(known, before=known) == []
    # Nor does an agreement made later change what was published; decisions deny whom it does not name.
    later = known.model_copy(update={"agreements": (agreement("broker", AgreementRole.INDEPENDENT_CONTROLLER),)})
    assert found(later, before=known) == []
    # Its translation is published now, and is.
    translated = registry(notices=(old, old.model_copy(update={"language": "de"})))
    assert found(translated, before=known) == ["G-13"]


def test_an_agreement_that_has_ended_need_not_be_told() -> None:
    ended = agreement("broker", AgreementRole.INDEPENDENT_CONTROLLER, ends_at=NOON)
    assert found(registry(agreements=(ended,))) == []
    running = agreement("broker", AgreementRole.INDEPENDENT_CONTROLLER, ends_at=NOON + timedelta(microseconds=1))
    assert set(found(registry(agreements=(running,)))) == {"G-13.1e", "P-23.1"}
    for other in (
        agreement("broker", AgreementRole.PROCESSOR),
        agreement("broker", AgreementRole.INDEPENDENT_CONTROLLER, purposes=("training",)),
        agreement("broker", AgreementRole.INDEPENDENT_CONTROLLER, controller="other"),
    ):
        assert found(registry(agreements=(other,))) == []


def test_a_new_tier_above_or_below_widens_nothing() -> None:
    before = registry(purposes=(purpose(data_categories={"standard": ("pd:Purchase",)}),))
    ladder = {
        "basic": ("pd:Purchase",),
        "standard": ("pd:Purchase",),
        "advanced": ("pd:Purchase", "pd:PurchasesAndSpendingHabit"),
    }
    assert found(registry(purposes=(purpose(data_categories=ladder),)), before=before) == []


def test_versions_are_compared_as_numbers_and_languages_apart() -> None:
    def version(number: str, means: str, language: str = "en"):
        return notice(version=number, language=language, statements={"means": means})

    before = registry("CN", notices=(version("2", "a"), version("10", "b"), version("2", "甲", "zh")))
    # After 10 comes 11; that 2 said the same does not help.
    assert found(registry("CN", notices=(*before.notices, version("11", "a"))), before=before) == ["P-14.3"]
    assert found(registry("CN", notices=(*before.notices, version("11", "b"))), before=before) == []
    assert found(registry("CN", notices=(*before.notices, version("11", "甲", "zh"))), before=before) == []
    # A language that no earlier version has cannot be compared, and counts as changed.
    assert found(registry("CN", notices=(*before.notices, version("11", "α", "el"))), before=before) == ["P-14.3"]


def test_a_version_that_was_dropped_is_still_the_one_before() -> None:
    before = registry("CN", notices=(notice(statements={"means": "a"}),))
    replaced = registry("CN", notices=(notice(version="2", statements={"means": "b"}),))
    assert set(found(replaced, before=before)) == {"G-7.1w", "P-14.3"}


def test_a_law_not_yet_in_force_asks_nothing() -> None:
    law = only(PACKS, "pipl")
    long_ago = law.packs[0].in_force_from - timedelta(seconds=1)
    silent = registry("CN", notices=(notice(statements={"means": ""}),))
    assert not registry_findings(silent, before=EMPTY, packs=law, at=long_ago)


def test_what_one_rule_calls_sensitive_every_rule_does() -> None:
    pipl = PACKS.pack("pipl", at=NOON)
    assert pipl is not None
    (classes,) = (rule.condition for rule in pipl.writes if isinstance(rule.condition, CategoriesClassified))
    (told,) = (rule.condition for rule in pipl.writes if isinstance(rule.condition, NoticeStatesOfCategories))
    sensitive = set(classes.classes[CategoryClass.SENSITIVE])
    assert set(told.categories) == sensitive
    for rule in pipl.decisions:
        if isinstance(rule.condition, SeparateConsentForCategories):
            assert set(rule.condition.categories) <= sensitive
        if isinstance(rule.condition, AssessmentMissing):
            assert set(rule.condition.if_categories) <= sensitive


@pytest.mark.parametrize("law", ["gdpr", "pipl"])
def test_a_basis_that_may_be_registered_may_be_used(law: str) -> None:
    pack = PACKS.pack(law, at=NOON)
    assert pack is not None
    (listed,) = (rule.condition for rule in pack.writes if isinstance(rule.condition, BasisListed))
    (used,) = (rule.condition for rule in pack.decisions if isinstance(rule.condition, BasisNotAccepted))
    assert set(listed.bases) == set(used.accepted)
