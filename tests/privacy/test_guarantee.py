"""The guarantee in words has the numbers of the guarantee in types."""

from fractions import Fraction

import pytest

from hanse_privacy.accounting import ReleaseEvent, epsilon_from_rho, epsilon_of
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.guarantee import Guarantee
from hanse_privacy.papers import EnforcementProof, LinkageAssurance
from hanse_privacy.units import (
    CustomerAcrossTheRoster,
    CustomerAtOnePartner,
    LinkedCustomer,
    PrivacyBudget,
    PrivacyUnit,
)


def event(times_the_clip: int = 1) -> ReleaseEvent:
    return ReleaseEvent(squared_sensitivity=times_the_clip**2 * 100**2, variance_parameter=300**2, shares=3, size=1_000)


ONE_PARTNER = CustomerAtOnePartner()
ROSTER = CustomerAcrossTheRoster(partners_at_most=4)
PROOF = CustomerAcrossTheRoster(
    partners_at_most=3, proof=EnforcementProof(name="Nobody enters twice", sha256="ab" * 32)
)
LINKED = LinkedCustomer(assurance=LinkageAssurance(method="card numbers", sha256="cd" * 32, partners_at_most=3))


def guarantee(
    releases: int = 2, *, partners: int = 4, honest_minimum: int = 3, unit: PrivacyUnit = ONE_PARTNER
) -> Guarantee:
    return Guarantee.of(
        [event()] * releases,
        unit=unit,
        budget=PrivacyBudget(epsilon=3.0, delta=1e-6),
        partners=partners,
        honest_minimum=honest_minimum,
    )


def test_it_is_that_of_the_events() -> None:
    found = guarantee()
    assert found.spent_epsilon == epsilon_of([event()] * 2, delta=1e-6)
    assert found.rho == 2 * event().rho


@pytest.mark.parametrize("partners", [1, 2, 5])
def test_a_person_at_several_partners_weighs_as_often(partners: int) -> None:
    weighing = epsilon_of([event(partners)] * 2, delta=1e-6)
    assert guarantee().epsilon_at(partners) == pytest.approx(weighing, rel=1e-9)
    with pytest.raises(InvalidValueError):
        guarantee().epsilon_at(0)


def test_the_words_name_every_number_and_what_is_not_protected() -> None:
    said = guarantee().explain()
    for words in (
        "2 noisy sums over all 4 partners",
        "e^3",
        "δ = 1e-06",
        "together with up to 1 of the 4 partners' vaults",
        "the other 3 keep",
        f"ε = {guarantee().epsilon_at(2):.3g}",
        "Not protected are a partner's totals",
    ):
        assert words in said
    assert "\n" not in said
    alone = guarantee(1, honest_minimum=4).explain()
    assert "1 noisy sum over" in alone
    assert "together with up to" not in alone


@pytest.mark.parametrize("unit", [ROSTER, PROOF, LINKED])
def test_a_person_weighs_as_many_vaults_as_they_are_at(unit: PrivacyUnit) -> None:
    found = guarantee(unit=unit)
    assert found.epsilon_at(unit.vaults) == pytest.approx(found.spent_epsilon, rel=1e-9)
    # At one partner only: ρ / m², and at k it is that times k².
    alone = [ReleaseEvent(squared_sensitivity=10_000 // 9 + 1, variance_parameter=300**2, shares=3, size=1_000)] * 2
    if unit.vaults == 3:
        assert found.epsilon_at(1) == pytest.approx(epsilon_of(alone, delta=1e-6), rel=1e-9)
    for partners in range(1, 9):
        weighing = epsilon_from_rho(Fraction(partners, unit.vaults) ** 2 * found.rho, delta=1e-6)
        assert found.epsilon_at(partners) == pytest.approx(weighing, rel=1e-3)
    assert found.epsilon_at(1) < found.spent_epsilon < found.epsilon_at(unit.vaults + 1)


def test_less_than_a_unit_never_costs_less_than_its_part() -> None:
    # Shares so narrow that τ counts: it does not shrink with the vectors, so ρ / m² alone would promise too much.
    narrow = ReleaseEvent(squared_sensitivity=16**2, variance_parameter=1, shares=3, size=1_000)
    part = narrow.weighing(Fraction(1, 4))
    assert part.squared_sensitivity == 4**2
    assert part.rho > narrow.rho / 16
    assert narrow.weighing(Fraction(4)).rho <= narrow.rho * 16
    assert narrow.weighing(Fraction(1)) == narrow
    # Never rounded down, and never nothing.
    assert narrow.weighing(Fraction(1, 3)).squared_sensitivity == 29
    assert narrow.weighing(Fraction(1, 100)).squared_sensitivity == 1


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (
            ONE_PARTNER,
            (
                "Whether everything that one partner holds about one of its customers was used or not changes",
                "It does not hold against the customer's own partner.",
                "A person who is a customer of two partners is protected less: ε = ",
            ),
        ),
        (
            ROSTER,
            (
                "Whether everything that all partners together hold about one person, who is one customer at each of"
                " up to 4 of them, was used or not changes",
                "A person who is a customer of one partner only is protected more: ε = ",
                "against a person's own partners about what they hold themselves",
            ),
        ),
        (
            PROOF,
            (
                "one customer at each of up to 3 of them",
                f"It rests on the enforcement proof “Nobody enters twice” (SHA-256 {'ab' * 32})",
                "from more than 3 of the 4 partners",
                "a person whose data did from all 4 would have ε = ",
            ),
        ),
        (
            LINKED,
            (
                "Whether everything that was linked to one person by “card numbers”, one customer at each of up to 3"
                " partners,",
                "It holds for people who were linked rightly only",
                f"linkage assurance “card numbers” (SHA-256 {'cd' * 32})",
                "a person with unlinked records at all 4 partners may have ε = ",
            ),
        ),
    ],
)
def test_each_unit_says_whom_it_protects_and_whom_less(unit: PrivacyUnit, words: tuple[str, ...]) -> None:
    found = guarantee(unit=unit)
    said = found.explain()
    for one in words:
        assert one in said
    numbers = {ONE_PARTNER: (2,), ROSTER: (1,), PROOF: (1, 4), LINKED: (1, 4)}[unit]
    for partners in numbers:
        assert f"ε = {found.epsilon_at(partners):.3g}" in said
    assert "e^3" in said
    assert "\n" not in said
    assert "  " not in said


def test_where_all_are_linked_nobody_is_missed() -> None:
    assert "unlinked" not in guarantee(partners=3, unit=LINKED).explain()
