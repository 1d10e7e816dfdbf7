"""Partners that are vouched for: who lets them in, and what they never count for."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from written_terms import NOON, TRAINING, written_policy, written_proposal

from hanse_client.vault.policy import Policy
from hanse_client.vault.policy_check import PolicyViolationError, require_allowed
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.vouchers import Voucher, sign_voucher

CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
PINNED = ("north", "south", "east", "west")
NEW = ("echo", "fir", "gorse", "holly", "ivy", "juniper")
KEYS = {partner: SigningKey.generate() for partner in (*PINNED, *NEW)}


def policy(**limits: Any) -> Policy:
    return written_policy(
        {"churn-gradient": {"purposes": ["churn-training"], "lowest_tier": "standard"}},
        centre=CENTRE,
        service=SERVICE,
        partners={partner: KEYS[partner] for partner in PINNED},
        **limits,
    )


def voucher(signer: str, partner: str, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "signer": signer,
        "partner": partner,
        "public_key": KEYS[partner].public.raw,
        "centre": CENTRE.public.raw,
        "issued_at": NOON - timedelta(days=1),
        "expires_at": NOON + timedelta(days=30),
    }
    return sign_voucher(Voucher(**fields | changes), key=KEYS[signer])


def proposal(
    partners: Sequence[str], *, honest_minimum: int, vouchers: Mapping[str, Sequence[str]] | None = None
) -> RunProposal:
    written = written_proposal("run-1", partners={partner: KEYS[partner] for partner in partners}, steps=[TRAINING])
    payload = written.payload() | {"honest_minimum": honest_minimum}
    for entry in payload["roster"]:
        entry["vouchers"] = list((vouchers or {}).get(entry["partner"], ()))
    return RunProposal.parse(payload)


def faults(rules: Policy, run: RunProposal) -> str:
    """What is wrong with a run, in the vault's words; nothing if it is allowed."""
    try:
        require_allowed(rules, run, now=NOON)
    except PolicyViolationError as error:
        return error.what
    return ""


def echo_vouched_by(*signers: str, honest_minimum: int = 3) -> RunProposal:
    return proposal(
        (*PINNED, "echo"),
        honest_minimum=honest_minimum,
        vouchers={"echo": [voucher(signer, "echo") for signer in signers]},
    )


def test_a_policy_that_does_not_say_so_lets_nobody_in_by_vouchers() -> None:
    said = faults(policy(), echo_vouched_by(*PINNED))
    assert "partner echo in the roster is not pinned here." in said
    assert "voucher" not in said


def test_a_fifth_partner_takes_part_with_h_vouchers() -> None:
    assert faults(policy(vouchers_needed=2), echo_vouched_by("south", "east", "west")) == ""
    # The own word is one, too.
    assert faults(policy(vouchers_needed=2), echo_vouched_by("north", "east", "west")) == ""


def test_h_or_the_floor_is_needed_whichever_is_more() -> None:
    two, three = ("south", "east"), ("south", "east", "west")
    said = faults(policy(vouchers_needed=2), echo_vouched_by(*two))
    assert "partner echo in the roster is not pinned here, and 2 of 3 vouchers needed count (by south, east)" in said
    assert faults(policy(vouchers_needed=2), echo_vouched_by(*two, honest_minimum=2)) == ""
    assert faults(policy(vouchers_needed=2), echo_vouched_by(*two, honest_minimum=1)) == ""
    assert "1 of 2 vouchers" in faults(policy(vouchers_needed=2), echo_vouched_by("south", honest_minimum=1))
    assert "2 of 3 vouchers" in faults(policy(vouchers_needed=3), echo_vouched_by(*two, honest_minimum=1))
    assert faults(policy(vouchers_needed=3), echo_vouched_by(*three, honest_minimum=1)) == ""


@pytest.mark.parametrize(("colluding", "needed"), [(0, 0), (1, 1), (2, 2), (2, 1), (3, -1)])
def test_a_policy_in_which_colluders_alone_could_vouch_is_invalid(colluding: int, needed: int) -> None:
    with pytest.raises(ValidationError, match="vouchers_needed"):
        policy(colluding_partners=colluding, vouchers_needed=needed)
    assert policy(colluding_partners=colluding, vouchers_needed=colluding + 1)


# What they never count for: the sum may be made of keys of the centre's own.


def with_sybils(number: int, *, pinned: Sequence[str] = PINNED, honest_minimum: int) -> RunProposal:
    """New partners with every voucher that they need: as if all who are pinned here had been lied to."""
    new = NEW[:number]
    return proposal(
        (*pinned, *new),
        honest_minimum=honest_minimum,
        vouchers={partner: [voucher(signer, partner) for signer in PINNED] for partner in new},
    )


@pytest.mark.parametrize("number", range(1, 7))
def test_noise_counts_on_pinned_partners_only(number: int) -> None:
    rules = policy(vouchers_needed=2)
    assert faults(rules, with_sybils(number, honest_minimum=3)) == ""
    said = faults(rules, with_sybils(number, honest_minimum=4))
    assert "its noise counts on 4 honest partners of 4 pinned here, at most 3 here" in said
    # The centre would say: all but one of these are honest.
    assert "at most 3 here" in faults(policy(vouchers_needed=2), with_sybils(number, honest_minimum=3 + number))


@pytest.mark.parametrize(("colluding", "most"), [(0, 4), (1, 3), (2, 2), (3, 1)])
def test_h_honest_vaults_are_left_when_all_that_may_collude_do(colluding: int, most: int) -> None:
    rules = policy(colluding_partners=colluding, vouchers_needed=colluding + 1)
    for honest in range(1, 5):
        is_allowed = faults(rules, with_sybils(6, honest_minimum=honest)) == ""
        assert is_allowed is (honest <= most)
        # Of the pinned, so many remain whatever they do; the six who are vouched for are not counted on.
        assert not is_allowed or len(PINNED) - colluding >= honest


def test_minimum_partners_are_pinned_ones() -> None:
    run = with_sybils(6, pinned=("north", "south"), honest_minimum=1)
    assert faults(policy(vouchers_needed=2), run) == ""
    said = faults(policy(vouchers_needed=2, minimum_partners=3), run)
    assert "2 partners pinned here, at least 3 needed" in said


def test_who_is_vouched_for_vouches_for_nobody() -> None:
    vouchers = {
        "echo": [voucher(signer, "echo") for signer in PINNED],
        "fir": [voucher(signer, "fir") for signer in ("north", "south", "echo")],
    }
    said = faults(policy(vouchers_needed=2), proposal((*PINNED, "echo", "fir"), honest_minimum=3, vouchers=vouchers))
    assert "partner fir in the roster is not pinned here, and 2 of 3 vouchers needed count (by north, south)" in said
    assert "the voucher of echo is by a partner who is not pinned here" in said
    assert "partner echo" not in said


def test_a_pin_is_never_overridden() -> None:
    other = SigningKey.generate().public
    payload = echo_vouched_by("south", "east", "west").payload()
    payload["roster"][3] |= {
        "public_key": other.text,
        "vouchers": [voucher(signer, "west", public_key=other.raw) for signer in ("north", "south", "east")],
    }
    assert "the roster's key of west is not the pinned one" in faults(
        policy(vouchers_needed=2), RunProposal.parse(payload)
    )


def test_a_pinned_vault_does_not_stand_for_two() -> None:
    payload = proposal((*PINNED[:3], "echo"), honest_minimum=2).payload()
    west = KEYS["west"].public
    payload["roster"][3] |= {
        "public_key": west.text,
        "vouchers": [voucher(signer, "echo", public_key=west.raw) for signer in PINNED],
    }
    said = faults(policy(vouchers_needed=2), RunProposal.parse(payload))
    assert "0 of 2 vouchers needed count" in said
    assert "is pinned here as another partner's" in said


def test_a_voucher_lasts_as_long_as_the_proposal() -> None:
    ends = written_proposal("run-1", partners=KEYS, steps=[TRAINING]).expires_at
    for short, allowed in ((timedelta(0), True), (timedelta(seconds=1), False)):
        vouchers = {"echo": [voucher(signer, "echo", expires_at=ends - short) for signer in ("south", "east", "west")]}
        run = proposal((*PINNED, "echo"), honest_minimum=3, vouchers=vouchers)
        assert (faults(policy(vouchers_needed=2), run) == "") is allowed
