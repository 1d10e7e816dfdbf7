"""No run without officers: what a vault admits when its consent service says yes, not yet, no, or nothing."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from written_terms import taken_reports

from hanse_client.vault.admission import Admissions, RefusedError, WaitingForApprovalError
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import Policy, load_policy
from hanse_client.vault.run_register import Admission, RunRegister
from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_demo.workshop import Workshop, lay_out
from hanse_models.catalogue import load_catalogue
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.approval import ApprovalRequest, RunApproval, SignedApproval
from hanse_privacy.protocol.letters import PROTOCOL_VERSION, AdmitParameters, Instruction, NoParameters
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.drafting import complete, load_draft

SOURCE = Path(__file__).parents[3] / "examples" / "own_data"


@dataclass
class Officers:
    """The consent service as the vault sees it."""

    key: SigningKey
    answer: Exception | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    asked: list[ApprovalRequest] = field(default_factory=list)

    def run_approval(self, request: ApprovalRequest) -> SignedApproval:
        self.asked.append(request)
        if self.answer is not None:
            raise self.answer
        now = datetime.now(tz=UTC)
        fields = {
            **request.model_dump(),
            "approved_by": ("anna",),
            "approved_at": now,
            "high_risk": False,
            "registry_version": 1,
            "pack_versions": {},
            "issued_at": now,
            "expires_at": now + timedelta(hours=1),
        }
        approval = RunApproval.model_validate(fields | self.changes)
        return SignedApproval(approval=approval, signed=approval.sign(self.key))


def refusal(code: str) -> ConsentRefusedError:
    words = "An officer's own words."
    return ConsentRefusedError(words, "Ask.", status=403, refusal_code=code, refusal_detail=words)


@dataclass
class Door:
    """A vault's admissions, and whoever answers them."""

    workshop: Workshop
    policy: Policy
    officers: Officers
    register: RunRegister
    admissions: Admissions
    now: list[datetime]

    def proposal(self) -> RunProposal:
        league = self.workshop.league.load()
        draft = load_draft(self.workshop.root / "proposals" / "popularity.toml").model_copy(update={"epsilon": 0.01})
        catalogue = load_catalogue(self.workshop.league.root / league.catalogue)
        return complete(draft, league=league, catalogue=catalogue, now=datetime.now(tz=UTC))

    def admit(self, proposal: RunProposal) -> None:
        signed = proposal.sign(self.workshop.league.key())
        self.admissions.admit(instruction(proposal, 0), AdmitParameters(signed_proposal=signed, ledger_statement=b""))

    def round(self, proposal: RunProposal) -> RunProposal:
        return self.admissions.admitted(instruction(proposal, 1))


def instruction(proposal: RunProposal, round_number: int) -> Instruction:
    return Instruction(
        protocol=PROTOCOL_VERSION,
        run=proposal.run,
        proposal=proposal.digest,
        round=round_number,
        attempt=min(round_number, 1),
        session_keys=[],
        operation="admit",
        operation_version=1,
        sender="centre",
        recipient="north",
        nonce=secrets.token_bytes(16),
        sent_at=datetime.now(tz=UTC),
        parameters=msgspec.Raw(msgspec.msgpack.encode(NoParameters())),
    )


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with lay_out(SOURCE, tmp_path / "league") as workshop:
        home = workshop.node("north")
        policy = load_policy(home.policy)
        catalogue = load_catalogue(workshop.league.root / workshop.league.load().catalogue)
        officers = Officers(key=SigningKey.load(workshop.consent / "keys" / "consent.key"))
        register, now = RunRegister(home.runs), [datetime.now(tz=UTC)]
        ledger = open_ledger(home, policy)
        admissions = Admissions(
            policy=policy,
            ledger=ledger,
            register=register,
            approvals=officers,
            catalogue_digest=lambda: catalogue.digest,
            known_groups=lambda _: frozenset(catalogue.categories),
            budget=taken_reports(policy, ledger, register),
            clock=lambda: now[0],
        )
        yield Door(workshop, policy, officers, register, admissions, now)


def reason(ask: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as error:
        ask()
    assert "officer's own words" not in str(error.value)
    return error.value.reason


def test_an_approved_run_is_admitted_and_its_approval_kept(door: Door) -> None:
    run = door.proposal()
    door.admit(run)
    assert door.round(run) == run
    (question,) = door.officers.asked
    assert (question.partner, question.run, question.proposal) == ("north", run.run, run.digest)
    kept = door.register.approval(run.run)
    assert kept is not None
    assert RunApproval.verify(kept, key=door.policy.consent_key).approved_by == ("anna",)
    # Not asked again: a revocation is seen where the round's manifest is asked for.
    door.admit(run)
    assert len(door.officers.asked) == 1


def test_while_officers_are_awaited_the_vault_waits_and_remembers_nothing(door: Door) -> None:
    run = door.proposal()
    door.officers.answer = refusal("RUN_NOT_APPROVED")
    for _ in range(2):
        with pytest.raises(WaitingForApprovalError, match="compliance officers"):
            door.admit(run)
    assert door.register.find(run.run) is None
    assert reason(lambda: door.round(run)) == "RUN_NOT_ADMITTED"
    door.officers.answer = None
    door.admit(run)
    assert door.round(run) == run
    assert len({question.nonce for question in door.officers.asked}) == 3


@pytest.mark.parametrize(
    "code",
    [
        "RUN_UNKNOWN",
        "RUN_REFUSED",
        "RUN_REVOKED",
        "RUN_EXPIRED",
        "RUN_FLAGGED",
        "RUN_FINISHED",
        "PROPOSAL_DIFFERS",
    ],
)
def test_a_no_is_a_no_under_its_own_code(door: Door, code: str) -> None:
    run = door.proposal()
    door.officers.answer = refusal(code)
    assert reason(lambda: door.admit(run)) == code
    assert door.register.find(run.run) is None


def test_what_the_service_says_otherwise_and_its_silence_admit_nothing(door: Door) -> None:
    run = door.proposal()
    for answer in (refusal("PARTNER_MISMATCH"), ConsentUnavailableError("Gone.", "Start it.")):
        door.officers.answer = answer
        with pytest.raises(type(answer)):
            door.admit(run)
        assert door.register.find(run.run) is None
        assert door.register.approval(run.run) is None


def test_an_approval_ends(door: Door) -> None:
    run = door.proposal()
    door.admit(run)
    door.now[0] += timedelta(minutes=59)
    assert door.round(run) == run
    door.now[0] += timedelta(minutes=2)
    assert reason(lambda: door.round(run)) == "RUN_EXPIRED"


def test_nobody_is_asked_about_what_the_policy_forbids(door: Door) -> None:
    payload = door.proposal().payload() | {"recipients": [{"name": "stranger", "country": "DE"}]}
    with pytest.raises(Exception, match="recipient stranger is not allowed"):
        door.admit(RunProposal.parse(payload))
    assert door.officers.asked == []


def test_a_run_admitted_before_there_were_approvals_needs_one_now(door: Door) -> None:
    run = door.proposal()
    door.admit(run)
    with door.register._file.writing() as connection:
        connection.execute("DELETE FROM approval")
    assert reason(lambda: door.round(run)) == "RUN_NOT_APPROVED"
    door.admit(run)
    assert door.round(run) == run


@pytest.mark.parametrize("changes", [{"partner": "south"}, {"proposal": "0" * 64}])
def test_a_kept_approval_of_something_else_is_none(door: Door, changes: dict[str, str]) -> None:
    run = door.proposal()
    door.officers.changes = changes
    door.admit(run)
    assert reason(lambda: door.round(run)) == "PROPOSAL_DIFFERS"


def test_a_kept_approval_under_another_key_is_none(door: Door) -> None:
    run = door.proposal()
    door.officers.key = SigningKey.generate()
    door.admit(run)
    with pytest.raises(Exception, match="does not match"):
        door.round(run)


def test_the_owners_word_is_asked_for_after_the_officers(door: Door) -> None:
    asking = door.policy.model_copy(update={"limits": door.policy.limits.model_copy(update={"ask_a_person": True})})
    door.admissions._policy = asking
    run = door.proposal()
    door.officers.answer = refusal("RUN_NOT_APPROVED")
    with pytest.raises(WaitingForApprovalError, match="officers"):
        door.admit(run)
    door.officers.answer = None
    with pytest.raises(WaitingForApprovalError, match="asks a person"):
        door.admit(run)
    door.register.decide(run.run, Admission.ADMITTED)
    assert door.round(run) == run
