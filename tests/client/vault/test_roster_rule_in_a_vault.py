"""The rule on rosters where a vault applies it: at admission, and again before every round."""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from roster_runs import ALL, CENTRE, SERVICE, policy, run_of
from written_terms import NOON, Officers, taken_reports, written_instruction

from hanse_client.vault.admission import Admissions
from hanse_client.vault.roster_rule import RosterTooCloseError
from hanse_client.vault.run_register import Admission, RegisteredRun, RoundRecord, RunRegister
from hanse_privacy.canonical import canonical_bytes, canonical_digest
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import PrivacyLedger
from hanse_privacy.protocol.letters import AdmitParameters, NoParameters
from hanse_privacy.protocol.proposal import RunProposal


@dataclass
class Door:
    """North's admissions over a folder of state, as each start of its vault makes them."""

    folder: Path
    officers: Officers = field(default_factory=lambda: Officers(SERVICE))
    centre: SigningKey = CENTRE

    def __post_init__(self) -> None:
        rules = policy(self.centre)
        if not (self.folder / "ledger.db").exists():
            PrivacyLedger.create(self.folder / "ledger.db")
        self.register = RunRegister(self.folder / "runs.db")
        ledger = PrivacyLedger(self.folder / "ledger.db", caps=rules.caps, clock=lambda: NOON)
        self.admissions = Admissions(
            policy=rules,
            ledger=ledger,
            register=self.register,
            approvals=self.officers,
            catalogue_digest=lambda: "ab" * 32,
            known_groups=lambda _: frozenset(),
            budget=taken_reports(rules, ledger, self.register),
            clock=lambda: NOON,
        )

    def admit(self, run: RunProposal) -> RunProposal:
        signed = run.sign(self.centre)
        parameters = AdmitParameters(signed_proposal=signed, ledger_statement=b"")
        return self.admissions.admit(written_instruction(run, 0, parameters), parameters)

    def round(self, run: RunProposal, number: int = 1) -> RunProposal:
        return self.admissions.admitted(written_instruction(run, number, NoParameters()))

    def answer(self, run: RunProposal) -> None:
        self.register.record_round(
            RoundRecord(
                run=run.run,
                round=1,
                attempt=1,
                manifest_position=1,
                manifest_root="00" * 32,
                loaded_root="00" * 32,
                customers=30,
                clipped="",
            )
        )


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


def test_a_run_with_one_vault_fewer_is_not_admitted(door: Door, tmp_path: Path) -> None:
    whole, fewer = run_of(ALL), run_of(ALL[:3])
    door.admit(whole)
    door.answer(whole)
    asked = len(door.officers.asked)
    # After a restart, too.
    for one in (door, Door(tmp_path)):
        with pytest.raises(RosterTooCloseError, match="differ by 1 vault"):
            one.admit(fewer)
    assert door.register.find(fewer.run) is None
    assert len(door.officers.asked) == asked
    # The run that was answered goes on, and the same roster may have another.
    assert door.round(whole, 2) == whole
    assert door.admit(run_of(ALL))


def test_of_two_runs_admitted_together_only_one_is_answered(door: Door) -> None:
    whole, fewer = run_of(ALL), run_of(ALL[:3])
    for run in (whole, fewer):
        door.admit(run)
        assert door.round(run) == run
    door.answer(whole)
    for number in (1, 2):
        with pytest.raises(RosterTooCloseError):
            door.round(fewer, number)
    # Admitting it again does not help it.
    with pytest.raises(RosterTooCloseError):
        door.admit(fewer)
    assert door.round(whole, 2) == whole


def test_a_run_that_was_never_answered_is_in_nobodys_way(door: Door) -> None:
    whole, fewer = run_of(ALL), run_of(ALL[:3])
    door.admit(whole)
    door.admit(fewer)
    door.answer(fewer)
    assert door.round(fewer, 2) == fewer
    with pytest.raises(RosterTooCloseError):
        door.round(whole)


def test_earlier_runs_count_when_the_centre_has_a_new_key(door: Door, tmp_path: Path) -> None:
    whole = run_of(ALL)
    door.admit(whole)
    door.answer(whole)
    after = Door(tmp_path, centre=SigningKey.generate())
    assert after.admit(run_of(ALL))
    with pytest.raises(RosterTooCloseError):
        after.admit(run_of(ALL[:3]))


def test_earlier_runs_count_that_were_signed_for_an_earlier_protocol(door: Door) -> None:
    payload = run_of(ALL).payload()
    del payload["ring_bits"]
    signature = CENTRE.sign(context="run-proposal/1", message=canonical_bytes(payload))
    signed = canonical_bytes({"document": payload, "signature": base64.b64encode(signature).decode()})
    door.register.enter(
        RegisteredRun(
            run=payload["run"], digest=canonical_digest(payload), signed_proposal=signed, state=Admission.ADMITTED
        )
    )
    door.answer(run_of(ALL, run=payload["run"]))
    assert door.admit(run_of(ALL))
    with pytest.raises(RosterTooCloseError):
        door.admit(run_of(ALL[:3]))
