"""Vouchers, tried on an installed vault over its socket by whoever holds the centre's key: sybils stay outside.

North has pinned the south, alder and birch; echo it has not. One of those that it has pinned may collude, so that at
least two of them must vouch for echo, or h if that is more.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.letters import Answer, MaskedResult, Outcome, decode
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.vouchers import LONGEST_LIFE, Voucher, sign_voucher

PINNED = ("north", "south", "alder", "birch")
FIVE = (*PINNED, "echo")
SMALL = 2**45
"""Entries of a vector are below it, words under a mask are not."""


def voucher(trial, signer: str, partner: str = "echo", *, key: SigningKey | None = None, **changes: Any) -> str:
    """A partner's word for another's key, signed with the signer's own unless ``key`` says otherwise."""
    now = datetime.now(tz=UTC)
    fields: dict[str, Any] = {
        "signer": signer,
        "partner": partner,
        "public_key": trial.key_of("echo").public.raw,
        "centre": trial.centre.public.raw,
        "issued_at": now - timedelta(minutes=1),
        "expires_at": now + timedelta(days=30),
    }
    return sign_voucher(Voucher(**fields | changes), key=key or trial.key_of(signer))


def proposal(
    trial,
    *,
    vouchers: Mapping[str, Sequence[str]],
    honest_minimum: int = 2,
    partners: Sequence[str] = FIVE,
    keys: Mapping[str, SigningKey] | None = None,
    weeks_before: int = 12,
) -> RunProposal:
    roster = [
        {
            "partner": partner,
            "public_key": ((keys or {}).get(partner) or trial.key_of(partner)).public.text,
            "vouchers": list(vouchers.get(partner, ())),
        }
        for partner in partners
    ]
    payload = trial.payload(roster=roster, honest_minimum=honest_minimum)
    for step in payload["steps"]:
        # Over other purchases than all other tests', so that no roster here is in their way.
        step["last_week"] -= weeks_before
    return RunProposal.parse(payload)


def require_outside(trial, run: RunProposal, words: str, *, node: str = "north") -> Answer:
    """It is refused before anybody is asked and anything is paid or kept, and no round of it is answered."""
    answer = trial.admit(run, node=node)
    trial.require_refused(answer, "POLICY_VIOLATION")
    assert words in answer.explanation, answer.explanation
    vault = trial.nodes[node]
    assert vault.register().find(run.run) is None
    assert vault.entries(run.run) == []
    return answer


# The good case.


def test_a_fifth_partner_takes_part_with_h_vouchers(trial) -> None:
    vouchers = {"echo": [voucher(trial, signer) for signer in ("south", "alder", "birch")]}
    run = proposal(trial, vouchers=vouchers, honest_minimum=3)
    answer = trial.admit(run)
    assert answer.outcome is Outcome.DONE, answer.explanation
    first = trial.ask(run, 1)
    assert first.outcome is Outcome.DONE, first.explanation
    # Echo's session key, signed with the key that the others vouch for, takes its mask off like everybody's.
    vector = trial.vector(run, first, 1)
    assert len(vector) == 16
    assert np.abs(vector).max() < SMALL
    words = np.frombuffer(decode(first.result, MaskedResult).masked, dtype="<i8")
    assert np.abs(words).max() > SMALL
    assert trial.ask(run, 2).outcome is Outcome.DONE
    assert [(entry.round, entry.attempt) for entry in trial.north.entries(run.run)] == [(1, 1), (2, 1)]


def test_a_stranger_cannot_send_a_session_key_in_the_newcomers_name(trial) -> None:
    vouchers = {"echo": [voucher(trial, signer) for signer in ("south", "alder")]}
    run = proposal(trial, vouchers=vouchers)
    assert trial.admit(run).outcome is Outcome.DONE
    *others, _ = trial.session_keys(run)
    forged = trial.made[(run.digest, "echo")].message(run.identity, partner="echo", key=trial.key_of("alder"))
    trial.require_refused(trial.ask(run, 1, session_keys=[*others, forged]), "SIGNATURE_INVALID")
    assert trial.north.entries(run.run) == []


# Sybils.


def test_sybils_that_vouch_for_each_other_stay_outside(trial) -> None:
    sybils = {f"sybil-{number}": SigningKey.generate() for number in range(6)}
    vouchers = {
        one: [
            voucher(trial, other, one, key=sybils[other], public_key=sybils[one].public.raw)
            for other in sybils
            if other != one
        ]
        for one in sybils
    }
    run = proposal(trial, vouchers=vouchers, partners=(*PINNED, *sybils), keys=sybils, honest_minimum=3)
    answer = require_outside(trial, run, "partner sybil-0 in the roster is not pinned here, and 0 of 3 vouchers needed")
    for one in sybils:
        assert f"partner {one} in the roster is not pinned" in answer.explanation
        assert f"the voucher of {one} is by a partner who is not pinned here" in answer.explanation


def test_noise_does_not_count_on_sybils_whoever_vouches_for_them(trial) -> None:
    """All who are pinned were deceived. The sybils come in, and the centre gets no less noise for it."""
    sybils = {f"sybil-{number}": SigningKey.generate() for number in range(6)}
    vouchers = {
        one: [voucher(trial, signer, one, public_key=sybils[one].public.raw) for signer in PINNED] for one in sybils
    }
    for honest in (4, 9):
        run = proposal(trial, vouchers=vouchers, partners=(*PINNED, *sybils), keys=sybils, honest_minimum=honest)
        require_outside(trial, run, f"its noise counts on {honest} honest partners of 4 pinned here, at most 3 here")
    run = proposal(
        trial, vouchers=vouchers, partners=(*PINNED, *sybils), keys=sybils, honest_minimum=3, weeks_before=20
    )
    # Those are no joint controllers in any paper: what keeps them out now is the consent service.
    trial.require_refused(trial.admit(run), "RUN_REFUSED")


def test_north_with_sybils_and_one_other_has_two_partners_and_no_more(trial) -> None:
    vouchers = {"echo": [voucher(trial, signer) for signer in ("south", "alder")]}
    run = proposal(trial, vouchers=vouchers, partners=("north", "echo"), honest_minimum=1)
    require_outside(trial, run, "1 partners pinned here, at least 2 needed")


def test_a_sybil_in_birchs_place_does_not_tell_birchs_total(trial) -> None:
    """Two rosters that differ by two vaults, of which one is the centre's own."""
    fir = SigningKey.generate()
    vouchers = {
        "echo": [voucher(trial, signer) for signer in ("south", "alder")],
        "fir": [voucher(trial, signer, "fir", public_key=fir.public.raw) for signer in ("south", "alder")],
    }
    whole = proposal(trial, vouchers=vouchers)
    assert trial.admit(whole).outcome is Outcome.DONE
    assert trial.ask(whole, 1).outcome is Outcome.DONE
    partners = ("north", "south", "alder", "echo", "fir")
    answer = trial.admit(proposal(trial, vouchers=vouchers, partners=partners, keys={"fir": fir}))
    trial.require_refused(answer, "ROSTER_TOO_CLOSE")
    assert "differ by 1 vault pinned here" in answer.explanation


# Vouchers that do not count.


def test_an_unpinned_key_and_the_newcomers_own_do_not_vouch(trial) -> None:
    oak = SigningKey.generate()
    cases = [
        (voucher(trial, "oak", key=oak), "the voucher of oak is by a partner who is not pinned here"),
        (voucher(trial, "echo"), "the voucher of echo is for echo itself"),
        (voucher(trial, "alder", key=oak), "the voucher of alder is not signed with its key"),
        (voucher(trial, "alder", key=trial.key_of("echo")), "the voucher of alder is not signed with its key"),
        (voucher(trial, "alder", key=trial.centre), "the voucher of alder is not signed with its key"),
    ]
    for second, words in cases:
        run = proposal(trial, vouchers={"echo": [voucher(trial, "south"), second]})
        answer = require_outside(trial, run, "1 of 2 vouchers needed count (by south)")
        assert words in answer.explanation


def test_too_few_vouch(trial) -> None:
    south, alder = voucher(trial, "south"), voucher(trial, "alder")
    require_outside(trial, proposal(trial, vouchers={}), "0 of 2 vouchers needed count")
    require_outside(trial, proposal(trial, vouchers={"echo": [south]}), "1 of 2 vouchers needed count (by south)")
    # The centre may write a small h: the floor of this partner's policy stands.
    run = proposal(trial, vouchers={"echo": [south]}, honest_minimum=1)
    require_outside(trial, run, "1 of 2 vouchers needed count (by south)")
    run = proposal(trial, vouchers={"echo": [south, alder]}, honest_minimum=3)
    require_outside(trial, run, "2 of 3 vouchers needed count (by south, alder)")


def test_one_partner_has_one_voice(trial) -> None:
    run = proposal(
        trial, vouchers={"echo": [voucher(trial, "south"), voucher(trial, "south"), voucher(trial, "south")]}
    )
    answer = require_outside(trial, run, "1 of 2 vouchers needed count (by south)")
    assert answer.explanation.count("another voucher of south counts already") == 2


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((timedelta(days=-30), timedelta(seconds=-1)), "has expired"),
        ((timedelta(days=-30), timedelta(hours=1)), "ends before the run's proposal does"),
        ((timedelta(hours=1), timedelta(days=30)), "is from the future"),
    ],
)
def test_a_voucher_out_of_its_time_does_not_count(trial, times: tuple[timedelta, timedelta], words: str) -> None:
    now = datetime.now(tz=UTC)
    late = voucher(trial, "alder", issued_at=now + times[0], expires_at=now + times[1])
    run = proposal(trial, vouchers={"echo": [voucher(trial, "south"), late]})
    answer = require_outside(trial, run, "1 of 2 vouchers needed count (by south)")
    assert f"the voucher of alder {words}" in answer.explanation


def test_a_voucher_for_ever_does_not_count(trial, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever signs it has changed the program.
    monkeypatch.setattr("hanse_privacy.protocol.vouchers.LONGEST_LIFE", timedelta(days=40_000))
    now = datetime.now(tz=UTC)
    endless = voucher(trial, "alder", expires_at=now + LONGEST_LIFE + timedelta(days=1))
    run = proposal(trial, vouchers={"echo": [voucher(trial, "south"), endless]})
    answer = require_outside(trial, run, "1 of 2 vouchers needed count (by south)")
    assert "the voucher of alder counts for 181 days" in answer.explanation


def test_a_good_voucher_replayed_for_another_key_name_or_league_does_not_count(trial) -> None:
    """What partners really said, shown for something else."""
    stolen = SigningKey.generate()
    real = [voucher(trial, signer) for signer in ("south", "alder")]
    run = proposal(trial, vouchers={"echo": real}, keys={"echo": stolen})
    answer = require_outside(trial, run, "0 of 2 vouchers needed count")
    assert answer.explanation.count("is for another key") == 2
    renamed = proposal(trial, vouchers={"fir": real}, partners=(*PINNED, "fir"), keys={"fir": trial.key_of("echo")})
    answer = require_outside(trial, renamed, "partner fir in the roster is not pinned here, and 0 of 2 vouchers")
    assert answer.explanation.count("is for another partner") == 2
    another_centre = SigningKey.generate().public.raw
    elsewhere = [voucher(trial, signer, centre=another_centre) for signer in ("south", "alder")]
    answer = require_outside(trial, proposal(trial, vouchers={"echo": elsewhere}), "0 of 2 vouchers needed count")
    assert answer.explanation.count("is for another league") == 2


def test_a_pin_is_never_overridden(trial) -> None:
    stolen = SigningKey.generate()
    vouchers = [voucher(trial, signer, "birch", public_key=stolen.public.raw) for signer in ("south", "alder")]
    run = proposal(trial, vouchers={"birch": vouchers}, partners=PINNED, keys={"birch": stolen})
    require_outside(trial, run, "the roster's key of birch is not the pinned one")
    # Nor does birch's vault come in as a second partner.
    birch = trial.key_of("birch")
    vouchers = [voucher(trial, signer, public_key=birch.public.raw) for signer in ("south", "alder")]
    run = proposal(
        trial, vouchers={"echo": vouchers}, partners=("north", "south", "alder", "echo"), keys={"echo": birch}
    )
    answer = require_outside(trial, run, "0 of 2 vouchers needed count")
    assert "is pinned here as another partner's" in answer.explanation


def test_vouchers_do_not_chain(trial) -> None:
    fir = SigningKey.generate()
    vouchers = {
        "echo": [voucher(trial, signer) for signer in ("south", "alder")],
        "fir": [voucher(trial, signer, "fir", public_key=fir.public.raw) for signer in ("south", "echo")],
    }
    run = proposal(trial, vouchers=vouchers, partners=(*FIVE, "fir"), keys={"fir": fir})
    answer = require_outside(trial, run, "partner fir in the roster is not pinned here, and 1 of 2 vouchers needed")
    assert "partner echo" not in answer.explanation


def test_a_policy_that_does_not_say_so_lets_nobody_in_by_vouchers(trial) -> None:
    """The south's is such a one; it has pinned north and itself."""
    vouchers = {"echo": [voucher(trial, signer) for signer in ("north", "south")]}
    run = proposal(trial, vouchers=vouchers, partners=("north", "south", "echo"), honest_minimum=1)
    answer = require_outside(trial, run, "partner echo in the roster is not pinned here.", node="south")
    assert "voucher" not in answer.explanation
