"""Every shipped mechanism and training path, audited; and broken in every way that the audit has to notice.

False alarms are one in a million per audit. Mutants draw from a seeded source: whether they are caught is not luck.
"""

import pytest
from audits.catalogue import DELTA, GAUSSIAN_EPSILON, audited

from hanse_privacy.randomness import SystemRandomness, UnsafeSeededRandomness

CONFIDENCE = 1 - 1e-6
RELEASES = 60_000
"""With the canary, and as many without."""
FEWER_RELEASES = 12_000
BROKEN = {
    "noise off": FEWER_RELEASES,
    "half the noise": FEWER_RELEASES,
    "clip off": FEWER_RELEASES,
    "clip undivided": FEWER_RELEASES,
    "canary twice": FEWER_RELEASES,
    "customer twice": FEWER_RELEASES,
    # These keep 0.7 of the noise's deviation.
    "shares for two more": RELEASES,
    "a share missing": RELEASES,
}
AUDITED = audited()


@pytest.mark.parametrize("name", AUDITED)
def test_what_is_shipped_is_not_refuted(name: str) -> None:
    mechanism = AUDITED[name]
    found = mechanism.shipped(RELEASES, SystemRandomness()).audit(delta=DELTA, confidence=CONFIDENCE)
    # The exact ε is below the claim, to which it was converted from zero-concentrated privacy.
    assert not found.refutes(GAUSSIAN_EPSILON)
    assert mechanism.claimed_epsilon > GAUSSIAN_EPSILON
    # An audit that never comes near would notice nothing.
    assert found.epsilon_lower_bound > 0.5 * GAUSSIAN_EPSILON


@pytest.mark.parametrize(
    ("name", "mutant"),
    [(name, mutant) for name, mechanism in AUDITED.items() for mutant in mechanism.mutants if mutant in BROKEN],
)
def test_what_is_broken_is_refuted(name: str, mutant: str) -> None:
    mechanism = AUDITED[name]
    found = mechanism.mutants[mutant](BROKEN[mutant], UnsafeSeededRandomness(1)).audit(
        delta=DELTA, confidence=CONFIDENCE
    )
    assert found.refutes(mechanism.claimed_epsilon)


@pytest.mark.parametrize("name", AUDITED)
def test_shares_for_one_vault_more_than_there_are_cost_more_than_they_should(name: str) -> None:
    # Two shares made for three keep 0.8 of the deviation: within the claim, which is a bound, not within the exact ε.
    found = (
        AUDITED[name]
        .mutants["shares for one more"](RELEASES, UnsafeSeededRandomness(1))
        .audit(delta=DELTA, confidence=CONFIDENCE)
    )
    assert found.refutes(GAUSSIAN_EPSILON)


def test_every_mutant_is_played() -> None:
    assert {mutant for mechanism in AUDITED.values() for mutant in mechanism.mutants} == {
        *BROKEN,
        "shares for one more",
    }
