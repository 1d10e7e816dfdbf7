"""The guarantee in words has the numbers of the guarantee in types."""

import pytest

from hanse_privacy.accounting import ReleaseEvent, epsilon_of
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.guarantee import Guarantee
from hanse_privacy.units import PrivacyBudget, PrivacyUnit


def event(times_the_clip: int = 1) -> ReleaseEvent:
    return ReleaseEvent(squared_sensitivity=times_the_clip**2 * 100**2, variance_parameter=300**2, shares=3, size=1_000)


def guarantee(releases: int = 2, *, partners: int = 4, honest_minimum: int = 3) -> Guarantee:
    return Guarantee.of(
        [event()] * releases,
        unit=PrivacyUnit.CUSTOMER_AT_ONE_PARTNER,
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
