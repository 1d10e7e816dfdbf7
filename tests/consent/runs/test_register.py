"""The register over a real store: officers decide, nobody else; what vaults and manifests are told follows."""

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hanse_consent.errors import ConsentRefusal
from hanse_consent.runs.anonymity import ModelStatus
from hanse_consent.runs.deciding import AnonymityClaim
from hanse_consent.runs.errors import (
    AnonymityUnfoundedError,
    NoControllerHereError,
    NotTheCentreError,
    OfficerForeignError,
    ProposalDiffersError,
    ProposalInvalidError,
    RunStateError,
    RunUnknownError,
)
from hanse_consent.runs.standing import Ending, RunOutcome, RunStage
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.approval import RunApproval

NO = Ending(words="Too much for too little.", rule="G-5b", article="GDPR 5(1)(c)")


def outcome(asked: Any, **changes: Any) -> RunOutcome:
    fields = {
        "proposal": asked.digest,
        "completed": True,
        "result_sha256": "e" * 64,
        "rounds": 1,
        "epsilon_spent": asked.cost_epsilon(),
    }
    return RunOutcome.model_validate(fields | changes)


def refused(ask: Callable[[], Any]) -> str:
    with pytest.raises(ConsentRefusal) as error:
        ask()
    return error.value.code


# --- The ordinary way -------------------------------------------------------------------------------------------------


def test_an_approved_run_gets_a_signed_approval_bound_to_its_question(service: Any, world: Any) -> None:
    asked = world.proposal()
    report = service.submit(asked)
    assert [(one.controller, one.stage, one.officers_needed) for one in report.standings] == [
        ("alster", RunStage.AWAITING, 1),
        ("elbe", RunStage.AWAITING, 1),
    ]
    service.approve(asked, world.ANNA)
    question = service.question(asked)
    approval = RunApproval.verify(service.approvals.issue(question), key=world.SERVICE.public)
    assert {name: getattr(approval, name) for name in type(question).model_fields} == question.model_dump()
    assert (approval.approved_by, approval.approved_at, approval.high_risk) == (("anna",), world.START, False)
    assert (approval.registry_version, set(approval.pack_versions)) == (3, {"gdpr", "pipl", "house"})
    assert approval.expires_at == asked.expires_at


def test_each_controller_decides_for_itself(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    assert refused(lambda: service.approvals.issue(service.question(asked, partner="elbe"))) == "RUN_NOT_APPROVED"
    service.decisions.refuse(asked.run, controller="elbe", officer=world.EMMA, proposal=asked.digest, ending=NO)
    report = service.proposals.report(asked.run, centre="centre")
    assert [one.stage for one in report.standings] == [RunStage.APPROVED, RunStage.REFUSED]
    assert "GDPR 5(1)(c)" in report.standings[1].in_words()
    assert service.approvals.issue(service.question(asked))


def test_a_proposal_may_be_sent_again_and_nothing_is_undone(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    again = service.submit(asked)
    assert again.standings[0].stage is RunStage.APPROVED
    assert len(service.register.run(asked.run, controller="alster").events) == 2


def test_what_became_of_a_run_is_kept_and_ends_it(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    report = service.proposals.record_outcome(asked.run, centre="centre", outcome=outcome(asked))
    assert [one.stage for one in report.standings] == [RunStage.FINISHED, RunStage.AWAITING]
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_FINISHED"
    service.proposals.record_outcome(asked.run, centre="centre", outcome=outcome(asked))
    lie = outcome(asked, epsilon_spent=0.0)
    assert refused(lambda: service.proposals.record_outcome(asked.run, centre="centre", outcome=lie)) == "RUN_STATE"


def test_runs_are_listed_newest_first_page_by_page(service: Any, world: Any) -> None:
    for number in range(5):
        service.submit(world.proposal(run=f"spring-{number}"))
        if number % 2:
            service.now += timedelta(seconds=1)
    found: list[str] = []
    before = None
    while page := service.register.runs(controller="alster", before=before, limit=2):
        found += [here.proposal.run for here in page]
        before = (page[-1].submitted_us, page[-1].proposal.run)
    assert sorted(found) == [f"spring-{number}" for number in range(5)]
    assert found[0] == "spring-4"
    assert service.register.runs(controller="isar", before=None, limit=10) == ()


# --- Attacks ----------------------------------------------------------------------------------------------------------


def test_an_approval_of_other_terms_is_none(service: Any, world: Any) -> None:
    seen, other = world.proposal(), world.proposal(minimum_cohort=1)
    service.submit(seen)
    # Said at once: a vault must not wait for officers who were asked about something else.
    assert refused(lambda: service.approvals.issue(service.question(seen, proposal=other.digest))) == "PROPOSAL_DIFFERS"
    with pytest.raises(ProposalDiffersError):
        service.decisions.approve(seen.run, controller="alster", officer=world.ANNA, proposal=other.digest)
    service.approve(seen, world.ANNA)
    assert refused(lambda: service.approvals.issue(service.question(seen, proposal=other.digest))) == "PROPOSAL_DIFFERS"
    with pytest.raises(ProposalDiffersError):
        service.submit(other)


def test_an_approval_of_another_run_is_none(service: Any, world: Any) -> None:
    first, second = world.proposal(), world.proposal(run="spring-2")
    service.submit(first)
    service.submit(second)
    service.approve(first, world.ANNA)
    assert refused(lambda: service.approvals.issue(service.question(second))) == "RUN_NOT_APPROVED"
    assert refused(lambda: service.approvals.issue(service.question(first, run="spring-3"))) == "RUN_UNKNOWN"


def test_an_officer_of_another_controller_decides_nothing(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    for attempt in (
        lambda: service.approve(asked, world.EMMA),
        lambda: service.decisions.refuse(
            asked.run, controller="alster", officer=world.EMMA, proposal=asked.digest, ending=NO
        ),
        lambda: service.decisions.revoke(asked.run, controller="alster", officer=world.EMMA, ending=NO),
        lambda: service.decisions.find_anonymous(
            asked.run, controller="alster", officer=world.EMMA, claim=claim(service.now, epsilon=1.0)
        ),
    ):
        with pytest.raises(OfficerForeignError):
            attempt()
    assert service.register.run(asked.run, controller="alster").state.approved_by == ()


def test_one_officer_is_not_two(service: Any, world: Any) -> None:
    service.registry = world.registry(purposes=(world.purpose(),))
    asked = world.proposal(steps=[world.step(tier="advanced")])
    service.submit(asked)
    here = service.approve(asked, world.ANNA, world.ANNA, world.ANNA)
    assert (here.state.stage, here.state.approved_by, here.state.officers_needed) == (RunStage.AWAITING, ("anna",), 2)
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_NOT_APPROVED"
    assert service.approve(asked, world.ALEX).state.stage is RunStage.APPROVED
    approval = RunApproval.verify(service.approvals.issue(service.question(asked)), key=world.SERVICE.public)
    assert (approval.approved_by, approval.high_risk) == (("anna", "alex"), True)


def test_after_a_revocation_there_is_no_next_round(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    assert service.approvals.approved_proposal(controller="alster", run=asked.run, at=service.now) == asked
    service.decisions.revoke(asked.run, controller="alster", officer=world.ALEX, ending=NO)
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_REVOKED"
    assert (
        refused(lambda: service.approvals.approved_proposal(controller="alster", run=asked.run, at=service.now))
        == "RUN_REVOKED"
    )
    with pytest.raises(RunStateError):
        service.approve(asked, world.ANNA)


def test_a_flagged_run_gets_no_further_round(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    for _ in range(2):
        service.register.flag(controller="alster", run=asked.run, why="round 1: other customers")
    service.register.flag(controller="alster", run="nobody-1", why="round 1: other customers")
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_FLAGGED"
    assert service.register.run(asked.run, controller="alster").state.mismatches == ("round 1: other customers",)


def test_nothing_is_approved_at_or_after_its_end(service: Any, world: Any) -> None:
    asked, late = world.proposal(), world.proposal(run="spring-2")
    service.submit(asked)
    service.submit(late)
    service.approve(asked, world.ANNA)
    service.now = asked.expires_at - timedelta(microseconds=1)
    assert service.approvals.issue(service.question(asked))
    service.now = asked.expires_at
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_EXPIRED"
    with pytest.raises(RunStateError):
        service.approve(late, world.ANNA)
    expired = world.proposal(run="spring-3")
    assert service.submit(expired).standings[0].stage is RunStage.EXPIRED


def test_an_approval_does_not_outlast_its_lifetime(database: Any, world: Any) -> None:
    service = world.Service(database=database, approval_lasts=timedelta(hours=2))
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    service.now += timedelta(hours=2)
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_EXPIRED"


def test_what_the_check_forbids_no_officer_approves(service: Any, world: Any) -> None:
    service.registry = world.registry(agreements=())
    asked = world.proposal()
    standing = service.submit(asked).standings[0]
    assert standing.stage is RunStage.REFUSED_BY_CHECK
    assert "GDPR 26" in standing.in_words()
    with pytest.raises(RunStateError):
        service.approve(asked, world.ANNA, world.ALEX)
    assert refused(lambda: service.approvals.issue(service.question(asked))) == "RUN_REFUSED"


def test_an_agreement_that_ended_meanwhile_ends_the_run_when_an_officer_would_approve(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.registry = world.registry(version=4, agreements=())
    here = service.approve(asked, world.ANNA)
    assert (here.state.stage, here.state.approved_by) == (RunStage.REFUSED_BY_CHECK, ())
    assert here.state.registry_version == 4


def test_only_the_centre_proposes_and_only_its_own(service: Any, world: Any) -> None:
    asked = world.proposal()
    with pytest.raises(NotTheCentreError):
        service.proposals.submit(asked.sign(world.CENTRE), centre="alster")
    with pytest.raises(ProposalInvalidError):
        service.proposals.submit(asked.sign(SigningKey.generate()), centre="centre")
    with pytest.raises(ProposalInvalidError):
        service.proposals.submit(b"[]", centre="centre")
    service.submit(asked)
    for ask in (
        lambda: service.proposals.report(asked.run, centre="another"),
        lambda: service.proposals.report("spring-9", centre="centre"),
        lambda: service.proposals.record_outcome(asked.run, centre="another", outcome=outcome(asked)),
    ):
        with pytest.raises(RunUnknownError):
            ask()


def test_a_run_that_concerns_nobody_here_is_not_taken(service: Any, world: Any) -> None:
    asked = world.proposal(roster=[{"partner": "isar", "public_key": world.KEYS["isar"].public.text}], honest_minimum=1)
    with pytest.raises(NoControllerHereError):
        service.submit(asked)


def test_a_clock_that_was_set_back_keeps_the_order_of_events(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.now -= timedelta(hours=1)
    here = service.approve(asked, world.ANNA)
    times = [event.at_us for event in here.events]
    assert times == sorted(times)


# --- Two at once ------------------------------------------------------------------------------------------------------


def test_officers_who_decide_at_once_are_both_heard_or_told_so(service: Any, world: Any) -> None:
    asked = world.proposal(steps=[world.step(tier="advanced")])
    service.submit(asked)
    heard: list[str] = []

    def decide(name: str) -> None:
        try:
            service.approve(asked, world.officer(name, "alster"))
        except ConsentRefusal:
            return
        heard.append(name)

    threads = [threading.Thread(target=decide, args=(f"officer{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = service.register.run(asked.run, controller="alster").state
    assert state.stage is RunStage.APPROVED
    assert sorted(state.approved_by) == sorted(heard)
    assert len(heard) == 2


# --- After the run ----------------------------------------------------------------------------------------------------


def claim(now: datetime, **changes: Any) -> AnonymityClaim:
    fields: dict[str, Any] = {
        "epsilon": 1.0,
        "honest_minimum": 2,
        "audit": "canary-7",
        "found_on": date(2026, 3, 1),
        "valid_until": now + timedelta(days=365),
    }
    return AnonymityClaim(**(fields | changes))


def test_a_model_is_personal_data_until_an_officer_finds_otherwise_and_again_afterwards(
    service: Any, world: Any
) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    find = service.decisions.find_anonymous
    with pytest.raises(RunStateError):
        find(asked.run, controller="alster", officer=world.ANNA, claim=claim(service.now))
    service.proposals.record_outcome(asked.run, centre="centre", outcome=outcome(asked))
    assert service.register.run(asked.run, controller="alster").model is ModelStatus.PERSONAL_DATA
    for unfounded in ({"epsilon": 1e-6}, {"honest_minimum": 3}, {"valid_until": service.now}):
        with pytest.raises(AnonymityUnfoundedError):
            find(asked.run, controller="alster", officer=world.ANNA, claim=claim(service.now, **unfounded))
    here = find(asked.run, controller="alster", officer=world.ANNA, claim=claim(service.now))
    assert here.model is ModelStatus.ANONYMOUS
    service.now += timedelta(days=365)
    assert service.register.run(asked.run, controller="alster").model is ModelStatus.PERSONAL_DATA


def test_a_run_that_released_nothing_has_no_model(service: Any, world: Any) -> None:
    asked = world.proposal()
    service.submit(asked)
    service.approve(asked, world.ANNA)
    broken = outcome(asked, completed=False, result_sha256=None)
    service.proposals.record_outcome(asked.run, centre="centre", outcome=broken)
    with pytest.raises(RunStateError):
        service.decisions.find_anonymous(asked.run, controller="alster", officer=world.ANNA, claim=claim(service.now))


# --- Whatever happens -------------------------------------------------------------------------------------------------

_DEEDS = st.lists(
    st.sampled_from(["anna", "alex", "emma", "submit", "no-agreement", "agreement", "revoke", "later", "flag"]),
    max_size=12,
)
_NUMBERS = count(1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=_DEEDS, risky=st.booleans())
def test_approved_only_by_enough_officers_of_its_own_after_a_clean_check(
    service: Any, world: Any, deeds: list[str], risky: bool
) -> None:
    service.now, service.registry = world.START, world.registry()
    # A run of its own each time: what happened to the one before cannot be deleted.
    asked = world.proposal(run=f"spring-{next(_NUMBERS)}", steps=[world.step(tier="advanced" if risky else "standard")])
    officers = {"anna": world.ANNA, "alex": world.ALEX, "emma": world.EMMA}
    yes: set[str] = set()
    ended = False
    for deed in deeds:
        before = service.registry.agreements
        try:
            match deed:
                case "submit":
                    service.submit(asked)
                case "no-agreement":
                    service.registry = world.registry(agreements=())
                case "agreement":
                    service.registry = world.registry()
                case "later":
                    service.now += timedelta(hours=11)
                case "revoke":
                    service.decisions.revoke(asked.run, controller="alster", officer=world.ANNA, ending=NO)
                    ended = True
                case "flag":
                    service.register.flag(controller="alster", run=asked.run, why="round 1")
                case _:
                    here = service.approve(asked, officers[deed])
                    if before and deed in here.state.approved_by:
                        yes.add(deed)
        except ConsentRefusal:
            continue
    try:
        service.approvals.issue(service.question(asked))
    except ConsentRefusal:
        return
    assert len(yes & {"anna", "alex"}) >= (2 if risky else 1)
    assert "emma" not in yes
    assert not ended
    assert service.now < asked.expires_at
