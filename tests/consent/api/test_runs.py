"""A run from its proposal to its end: the centre, officers, vaults; and what an erasure leaves of its manifests."""

from collections.abc import Callable
from typing import Any

import pytest
from league_files import CENTRE
from run_terms import decide, proposal, question
from speakers import Node, Person, act, good, problem

from hanse_consent.errors import ConsentRefusedError
from hanse_consent.runs.standing import RunOutcome, RunStage
from hanse_privacy.protocol.approval import ApprovalRequest
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortReport, ReportOutcome
from hanse_privacy.protocol.proposal import RunProposal


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(ConsentRefusedError) as refused:
        call()
    return refused.value.refusal_code


def test_a_run_from_proposal_to_outcome(
    centre: Node, submit: Callable[..., RunProposal], node: Node, people: dict[str, Person], known: Callable[..., str]
) -> None:
    asked = submit()
    vault, approval = node.client(), {"partner": "alster", "run": asked.run, "proposal": asked.digest}
    request = ApprovalRequest.model_validate(approval | {"nonce": "ab" * 16})
    report = centre.client().run_state(asked.run)
    assert {one.controller: one.stage for one in report.standings} == {
        "alster": RunStage.AWAITING,
        "elbe": RunStage.AWAITING,
    }
    assert refusal(lambda: vault.run_approval(request)) == "RUN_NOT_APPROVED"
    assert refusal(lambda: vault.cohort_manifest(question(asked))) == "RUN_NOT_APPROVED"

    for name in ("anja", "petra", "sven", "till", "otto"):
        said = {"controller": "alster", "proposal": asked.digest, "verdict": "approve"}
        problem(people[name].post(f"/v1/runs/{asked.run}/decisions", said), 403, "OFFICER_FOREIGN")
    problem(decide(people["olga"], asked, proposal="0" * 64), 409, "PROPOSAL_DIFFERS")
    problem(decide(people["olga"], asked, verdict="refuse"), 400, "BODY_INVALID")
    detail = good(decide(people["olga"], asked))
    assert detail["standing"]["stage"] == "approved"
    assert detail["approved_by"] == ["olga"]
    signed = vault.run_approval(request)
    assert signed.approval.approved_by == ("olga",)
    assert refusal(lambda: Node(service=node.service, party="elbe").client().cohort_manifest(
        question(asked, "elbe"))) == "RUN_NOT_APPROVED"  # fmt: skip

    granted = [known() for _ in range(5)]
    withdrawn = known({}, {"kind": "withdrawal"})
    first = vault.cohort_manifest(question(asked))
    assert set(granted) <= set(first.customers)
    assert withdrawn not in first.customers
    assert first.manifest.previous == NO_PREVIOUS
    assert first.manifest.position == node.position()
    assert first.manifest.excluded_by_reason["CONSENT_WITHDRAWN"] >= 1
    for wrong, code in (
        ({"round": 2}, "STEP_MISMATCH"),
        ({"purpose": "churn-model"}, "STEP_MISMATCH"),
        ({"tier": "basic"}, "STEP_MISMATCH"),
        ({"proposal": "0" * 64}, "PROPOSAL_MISMATCH"),
        ({"run": "unheard-of"}, "RUN_UNKNOWN"),
    ):
        changed = question(asked).model_copy(update=wrong)
        assert refusal(lambda changed=changed: vault.cohort_manifest(changed)) == code
    assert refusal(lambda: vault.cohort_manifest(question(asked, "elbe"))) == "PARTNER_MISMATCH"

    # Erased between manifest and report: the manifest still verifies, and the report still compares.
    good(node.record(act("erasure", customer=granted[0]), act("withdrawal", customer=granted[1])))
    assert vault.report_cohort(first.report(first.customers)).outcome in ReportOutcome
    second = vault.cohort_manifest(question(asked, known=first.manifest.digest))
    assert (second.manifest.previous, second.missed) == (first.manifest.digest, ())
    # Whoever has not seen the second gets it, signed, with the third; what was never issued is not known here.
    third = vault.cohort_manifest(question(asked, known=first.manifest.digest))
    assert third.missed == (second.manifest,)
    stranger = question(asked, known="1" * 64)
    assert refusal(lambda: vault.cohort_manifest(stranger)) == "MANIFEST_CHAIN_BROKEN"
    assert set(first.customers) - set(second.customers) == set(granted[:2])
    problem(node.check(granted[0], at_least=node.position() + 1), 409, "POSITION_NOT_REACHED")

    outcome = RunOutcome(proposal=asked.digest, completed=False, rounds=1, epsilon_spent=0.1)
    ended = centre.client().record_outcome(asked.run, outcome)
    assert {one.controller: one.stage for one in ended.standings}["alster"] is RunStage.FINISHED
    assert refusal(lambda: vault.cohort_manifest(question(asked))) == "RUN_FINISHED"


def test_a_revocation_counts_at_the_next_manifest(
    submit: Callable[..., RunProposal], node: Node, people: dict[str, Person]
) -> None:
    asked = submit()
    problem(decide(people["otto"], asked, controller="alster"), 403, "OFFICER_FOREIGN")
    good(decide(people["olga"], asked))
    node.client().cohort_manifest(question(asked))
    said = {"controller": "alster", "ending": {"words": "The contract was ended."}}
    problem(people["anja"].post(f"/v1/runs/{asked.run}/revocations", said), 403, "OFFICER_FOREIGN")
    good(people["olga"].post(f"/v1/runs/{asked.run}/revocations", said))
    assert refusal(lambda: node.client().cohort_manifest(question(asked))) == "RUN_REVOKED"
    problem(decide(people["olga"], asked), 409, "RUN_STATE")


def test_a_refused_run_stays_refused(submit: Callable[..., RunProposal], node: Node, people: dict[str, Person]) -> None:
    asked = submit()
    ending = {"words": "Not this spring.", "rule": "G-6", "article": "GDPR 6"}
    good(decide(people["olga"], asked, "refuse", ending=ending))
    problem(decide(people["olga"], asked), 409, "RUN_STATE")
    assert refusal(lambda: node.client().cohort_manifest(question(asked))) == "RUN_REFUSED"


def test_a_report_of_others_than_were_named_flags_the_run(
    submit: Callable[..., RunProposal], node: Node, people: dict[str, Person], known: Callable[..., str]
) -> None:
    known()
    asked = submit()
    good(decide(people["olga"], asked))
    vault = node.client()
    cohort = vault.cohort_manifest(question(asked))
    fields = cohort.report(cohort.customers).model_dump()
    wrong = CohortReport.model_validate(fields | {"loaded_root": "0" * 64})
    assert refusal(lambda: vault.report_cohort(wrong)) == "COHORT_MISMATCH"
    assert refusal(lambda: vault.cohort_manifest(question(asked))) == "RUN_FLAGGED"
    unknown = CohortReport.model_validate(fields | {"manifest": "0" * 64})
    assert refusal(lambda: vault.report_cohort(unknown)) in ("MANIFEST_UNKNOWN", "COHORT_MISMATCH")


def test_only_the_pinned_centre_proposes(centre: Node, node: Node, submit: Callable[..., RunProposal]) -> None:
    folder, asked = centre.service.folder, proposal(centre.service)
    problem(node.post("/v1/runs", asked.sign(folder.keys["alster"])), 403, "NOT_THE_CENTRE")
    problem(centre.post("/v1/runs", asked.sign(folder.keys["alster"])), 422, "PROPOSAL_INVALID")
    problem(centre.post("/v1/runs", b"{}"), 422, "PROPOSAL_INVALID")
    problem(centre.post("/v1/runs", b"[" * 100_000), 422, "PROPOSAL_INVALID")
    problem(centre.post("/v1/runs", b'{"document": ' + b"9" * 5000 + b', "signature": ""}'), 422, "PROPOSAL_INVALID")
    problem(node.get(f"/v1/runs/{submit().run}/report"), 404, "RUN_UNKNOWN")
    problem(centre.get(f"/v1/runs/{asked.run}/report"), 404, "RUN_UNKNOWN")
    assert centre.get("/v1/runs/a%00b/report").status_code in (400, 404)


def test_a_proposal_that_the_law_forbids_is_refused_by_the_check(
    centre: Node, people: dict[str, Person], node: Node
) -> None:
    recipients = [{"name": CENTRE, "country": "DE"}, {"name": "insight", "country": "US"}]
    asked = proposal(centre.service, recipients=recipients)
    report = centre.client().submit_run(asked.sign(centre.service.folder.keys[CENTRE]))
    alster = next(one for one in report.standings if one.controller == "alster")
    assert alster.stage is RunStage.REFUSED_BY_CHECK
    assert any("GDPR" in finding.article for finding in alster.findings)
    problem(decide(people["olga"], asked), 409, "RUN_STATE")
    assert refusal(lambda: node.client().cohort_manifest(question(asked))) == "RUN_REFUSED"


def test_runs_are_listed_page_by_page(submit: Callable[..., RunProposal], officer: Person) -> None:
    mine = [submit().run for _ in range(3)]
    listed: list[str] = []
    after = ""
    while True:
        page = good(officer.get(f"/v1/runs?controller=alster&limit=2{after}"))
        listed += [run["run"] for run in page["runs"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert listed[:3] == mine[::-1]
    assert len(set(listed)) == len(listed)
    assert good(officer.get(f"/v1/runs/{mine[0]}?controller=alster"))["run"] == mine[0]
    problem(officer.get(f"/v1/runs/{mine[0]}?controller=elbe"), 403, "OFFICER_FOREIGN")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/runs?controller=alster&after=nothing",
        "/v1/runs?controller=alster&after=1.%00",
        "/v1/runs?controller=alster&after=1.a%00b",
        "/v1/runs?controller=alster&after=99999999999999999999.a",
        "/v1/runs?controller=alster&limit=x",
        "/v1/runs?controller=a%00b",
        "/v1/runs/%00?controller=alster",
        "/v1/runs/a%00b?controller=alster",
        "/v1/runs/%ED%A0%80?controller=alster",
        "/v1/runs/unheard-of",
        "/v1/runs/unheard-of?controller=alster",
    ],
)
def test_addresses_of_no_run(officer: Person, path: str) -> None:
    answer = officer.get(path)
    problem(answer, answer.status_code, answer.json()["code"])
    assert answer.json()["code"] in ("BODY_INVALID", "REQUEST_INVALID", "RUN_UNKNOWN", "OFFICER_FOREIGN")


@pytest.mark.parametrize("name", ["unheard-of", "%00", "a%00b"])
def test_decisions_about_no_run(officer: Person, name: str) -> None:
    said = {"controller": "alster", "proposal": "0" * 64, "verdict": "approve"}
    assert officer.post(f"/v1/runs/{name}/decisions", said).json()["code"] in ("RUN_UNKNOWN", "REQUEST_INVALID")
