"""The vendored terms: complete, closed, and with their notice."""

import hashlib
from importlib.resources import files

import pytest

from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.records.errors import RecordSourceError, TermUnknownError
from hanse_consent.records.laws import laws_named, shipped_laws
from hanse_consent.records.vocabulary import broader, context, iri, is_sensitive, known_category, term, vocabulary

TERMS = files("hanse_consent.records") / "terms"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pd:PurchasesAndSpendingHabit", True),
        ("pd:Health", True),
        ("hanse:VisitTime", True),
        ("pd:NoSuchThing", False),
        ("dpv:Purpose", False),
        ("hanse:PIPL-29", False),
        ("hanse:TrainingPurpose", False),
    ],
)
def test_only_kinds_of_personal_data_are_categories(name, expected):
    assert known_category(name) is expected


def test_a_term_has_its_full_iri():
    assert iri("pd:Health") == "https://w3id.org/dpv/pd#Health"
    assert iri("eu-gdpr:A7-3") == "https://w3id.org/dpv/legal/eu/gdpr#A7-3"
    with pytest.raises(TermUnknownError, match="pd:Helth"):
        iri("pd:Helth")


def test_every_iri_is_the_one_that_the_context_makes_of_the_name():
    for name, known in vocabulary().items():
        prefix, local = name.split(":")
        assert known.iri == context()[prefix] + local


def test_parents_are_known_and_never_circular():
    for name, known in vocabulary().items():
        assert set(known.parents) <= vocabulary().keys()
        assert name not in broader(name)


def test_what_is_sensitive_follows_from_its_parents():
    assert is_sensitive("pd:Health")
    assert is_sensitive("pd:BloodType")
    assert not is_sensitive("pd:PurchasesAndSpendingHabit")


def test_own_terms_are_aligned_with_dpv_and_stand_in_no_other_namespace():
    for name, known in vocabulary().items():
        if name.startswith("hanse:") and not known.is_property:
            assert any(above.startswith("dpv:") for above in broader(name)), name


def test_the_notice_of_the_licence_is_beside_the_subset():
    notice = (TERMS / "LICENSE-W3C.md").read_text()
    assert "includes material copied from or derived from Data Privacy Vocabulary (DPV) 2.3" in notice
    assert "Permission to copy, modify, and distribute this work" in notice
    assert "Changed: a selection of terms" in notice


def test_the_first_context_is_never_changed():
    # Signed receipts carry it: another context needs a new file and a new version of the receipt.
    digest = hashlib.sha256((TERMS / "context-1.json").read_bytes()).hexdigest()
    assert digest == "bf6f2b1e44c5c02b64063491d130bac13450fda68e33c01c80e7b77fae296089"


def test_every_term_of_the_laws_is_known():
    for law in shipped_laws():
        named = [law.law, law.jurisdiction, law.guardian, *law.rights, *law.bases.values(), *law.separate.values()]
        assert all(term(name) for name in named)
        assert LegalBasis.CONSENT in law.bases
        assert all("dpv:DataSubjectRight" in broader(right) for right in law.rights)
        assert all("dpv:ExplicitlyExpressedConsent" in broader(basis) for basis in law.separate.values())


def test_china_knows_no_legitimate_interests():
    assert LegalBasis.LEGITIMATE_INTERESTS not in laws_named(["pipl"])[0].bases


@pytest.mark.parametrize("packs", [(), ("house",), ("gdpr", "lgpd")])
def test_laws_without_terms_are_refused(packs):
    with pytest.raises(RecordSourceError, match="gdpr, pipl"):
        laws_named(packs)
