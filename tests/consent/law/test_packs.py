"""Packs are read whole or not at all."""

import pytest
from tests.consent.law.small_registry import NOON

from hanse_consent.law.errors import LawPackInvalidError
from hanse_consent.law.packs import LawPacks, load_shipped_packs, parse_pack

HEAD = """
name = "test"
version = "2026.1"
title = "A law"
territories = ["XK"]
in_force_from = "2026-01-01T00:00:00Z"
"""
RULE = """
[[decisions]]
id = "T-1"
article = "1"
title = "t"
source = "s"
provenance = "read"
code = "ERASED"
condition = { name = "erasure" }
"""


def test_a_pack_is_read() -> None:
    pack = parse_pack(HEAD + RULE, place="test.toml")
    assert [rule.id for rule in pack.decisions] == ["T-1"]
    assert not pack.governs_everybody


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name = ", "TOML"),
        (HEAD.replace('"2026.1"', '"new"'), "version"),
        (HEAD + RULE + RULE, "T-1"),
        (HEAD + RULE.replace("erasure", "no-such-condition"), "decisions.0.condition"),
        (HEAD + RULE.replace('code = "ERASED"\n', ""), "T-1"),
        (HEAD + RULE.replace('name = "erasure"', 'name = "erasure", age = 3'), "decisions.0.condition"),
        (HEAD + RULE.replace("erasure", "every-use"), "T-1"),
        (HEAD + RULE.replace('code = "ERASED"\n', "").replace("erasure", "every-use"), "T-1"),
        (HEAD.replace("T00:00:00Z", ""), "in_force_from"),
        (HEAD + "[[nonsense]]\n", "nonsense"),
    ],
)
def test_a_faulty_pack_is_refused_with_the_place(text: str, named: str) -> None:
    with pytest.raises(LawPackInvalidError, match=r"test\.toml") as refusal:
        parse_pack(text, place="test.toml")
    assert named in str(refusal.value)


def test_a_country_has_one_age() -> None:
    condition = """{ name = "child-without-guardian", bases = ["consent"], default_age = 16,
        groups = [{ age = 13, countries = ["SE"] }, { age = 14, countries = ["SE"] }] }"""
    text = HEAD + RULE.replace('{ name = "erasure" }', condition.replace("\n", " "))
    with pytest.raises(LawPackInvalidError, match="SE"):
        parse_pack(text, place="test.toml")


def test_without_takes_one_rule_away() -> None:
    packs = load_shipped_packs()
    assert set(packs.rule_ids) - set(packs.without("G-9").rule_ids) == {"G-9"}
    with pytest.raises(KeyError):
        packs.without("G-none")


def test_packs_are_refused_twice_and_without_a_house() -> None:
    packs = load_shipped_packs().packs
    with pytest.raises(ValueError, match="gdpr"):
        LawPacks(packs=(*packs, packs[0]))
    with pytest.raises(ValueError, match="without territories"):
        LawPacks(packs=packs[:2])
    with pytest.raises(ValueError, match="G-9"):
        LawPacks(packs=(*packs, packs[0].model_copy(update={"name": "other"})))


def test_thirty_states_of_the_economic_area_each_have_an_age() -> None:
    gdpr = load_shipped_packs().pack("gdpr", at=NOON)
    assert len(gdpr.territories) == 30
    rule = next(rule for rule in gdpr.decisions if rule.id == "G-8")
    named = {country for group in rule.condition.groups for country in group.countries}
    assert named == gdpr.territories


def test_what_is_classed_sensitive_is_what_needs_a_separate_consent_and_an_assessment() -> None:
    pipl = load_shipped_packs().pack("pipl", at=NOON)
    decisions = {rule.id: rule.condition for rule in pipl.decisions}
    classes = next(rule.condition.classes for rule in pipl.writes if rule.id == "P-51")
    sensitive = {term for kind, terms in classes.items() if kind.value == "sensitive" for term in terms}
    assert decisions["P-28"].categories == sensitive
    assert decisions["P-55"].if_categories == sensitive
    assert decisions["P-26"].categories <= sensitive
