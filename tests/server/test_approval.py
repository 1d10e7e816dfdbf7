"""The centre waits for officers of every controller, and says who refused and why."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from written_league import written_league

from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_consent.runs.standing import Ending, Finding, RunOutcome, RunReport, RunStage, RunStanding
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.canonical import canonical_digest
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server import approval
from hanse_server.approval import NotApprovedError, record_outcome, require_approval, seek_approval
from hanse_server.consent_services import ServedPartners
from hanse_server.league import League, LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger
from hanse_server.league_ledger_file import LeagueLedgerError

PRIVATE = {name: SigningKey.generate() for name in ("north", "south", "consent")}
KEYS = {name: key.public.text for name, key in PRIVATE.items()}
NOW = datetime.now(tz=UTC)


@pytest.fixture
def proposal() -> RunProposal:
    block = {"clip": 1.0, "share": 1.0}
    step = {
        "operation": "churn-gradient",
        "purpose": "churn-training",
        "tier": "standard",
        "noise_multiplier": 100.0,
        "rounds": 3,
        "last_week": 9,
        "horizon_weeks": 4,
        "weights": 15,
        "gradient": block,
    }
    return RunProposal.parse(
        {
            "run": "churn-1",
            "title": "Churn",
            "data_categories": ["pd:PurchasesAndSpendingHabit"],
            "recipients": [{"name": "centre", "country": "DE"}],
            "roster": [{"partner": name, "public_key": KEYS[name]} for name in ("north", "south")],
            "catalogue": "0" * 64,
            "week_one": date(2026, 1, 5).isoformat(),
            "minimum_cohort": 10,
            "honest_minimum": 2,
            "unit": "customer-at-one-partner",
            "units_per_clip": 65536,
            "epsilon": 1.0,
            "delta": 1e-5,
            "steps": [step],
            "created_at": NOW.isoformat(),
            "expires_at": (NOW + timedelta(days=1)).isoformat(),
        }
    )


@dataclass
class Service:
    """Answers with one stage after the other, per controller; the last one stays. An error is raised instead."""

    digest: str
    stages: dict[str, list[RunStage | Exception]]
    submitted: list[bytes] = field(default_factory=list)
    outcomes: list[RunOutcome] = field(default_factory=list)
    budgets: list[LeagueBudgetReport] = field(default_factory=list)

    def submit_run(self, signed_proposal: bytes) -> RunReport:
        self.submitted.append(signed_proposal)
        return self.report(dict.fromkeys(self.stages, RunStage.AWAITING))

    def run_state(self, run: str) -> RunReport:
        now = {name: stages.pop(0) if len(stages) > 1 else stages[0] for name, stages in self.stages.items()}
        for stage in now.values():
            if isinstance(stage, Exception):
                raise stage
        return self.report(now)

    def record_outcome(self, run: str, outcome: RunOutcome) -> RunReport:
        self.outcomes.append(outcome)
        return self.report(dict.fromkeys(self.stages, RunStage.FINISHED))

    def report_league_budget(self, report: LeagueBudgetReport) -> BudgetReceipt:
        self.budgets.append(report)
        return BudgetReceipt(
            partner=report.partner,
            report=report.digest,
            received_at=report.said_at,
            outcome=BudgetOutcome.TAKEN,
            last_position=None,
        )

    def report(self, stages: dict[str, Any]) -> RunReport:
        return RunReport(
            run="churn-1",
            proposal=self.digest,
            standings=tuple(standing(name, stage) for name, stage in stages.items()),
        )


def standing(controller: str, stage: RunStage) -> RunStanding:
    finding = Finding(rule="G-26", article="GDPR 26", code="AGREEMENT_MISSING", what="no agreement with south")
    return RunStanding(
        controller=controller,
        stage=stage,
        officers_needed=2,
        officers_approved=1,
        findings=(finding,) if stage is RunStage.REFUSED_BY_CHECK else (),
        ending=Ending(words="Too dear.", article="PIPL 6") if stage is RunStage.REFUSED else None,
    )


def ask(proposal: RunProposal, *services: Service, timeout_s: float = 5.0) -> list[tuple[RunStanding, ...]]:
    told: list[tuple[RunStanding, ...]] = []
    served = [ServedPartners(service=service, partners=tuple(service.stages)) for service in services]
    require_approval(
        served, proposal=proposal, signed_proposal=b"signed", timeout_s=timeout_s, told=told.append, poll_s=0.001
    )
    return told


def test_it_waits_for_every_controller_of_every_service(proposal: RunProposal) -> None:
    north = Service(proposal.digest, {"north": [RunStage.AWAITING, RunStage.APPROVED]})
    south = Service(proposal.digest, {"south": [RunStage.AWAITING, RunStage.AWAITING, RunStage.APPROVED]})
    told = ask(proposal, north, south)
    assert (north.submitted, south.submitted) == ([b"signed"], [b"signed"])
    assert [[one.stage for one in standings] for standings in told] == [
        [RunStage.AWAITING, RunStage.AWAITING],
        [RunStage.APPROVED, RunStage.AWAITING],
        [RunStage.APPROVED, RunStage.APPROVED],
    ]
    assert told[0][0].in_words() == "north: awaiting (1 of 2 officers approved)"


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (RunStage.REFUSED_BY_CHECK, r"north: refused-by-check \(G-26 \(GDPR 26\): no agreement with south\)"),
        (RunStage.REFUSED, r"north: refused \(Too dear\. \[PIPL 6\]\)"),
        (RunStage.REVOKED, "north: revoked"),
        (RunStage.EXPIRED, "north: expired"),
        (RunStage.FLAGGED, "north: flagged"),
        (RunStage.FINISHED, "north: finished"),
    ],
)
def test_one_no_is_enough_and_is_told_with_its_article(proposal: RunProposal, stage: RunStage, words: str) -> None:
    service = Service(proposal.digest, {"north": [RunStage.AWAITING, stage], "south": [RunStage.APPROVED]})
    with pytest.raises(NotApprovedError, match=words):
        ask(proposal, service)


def test_time_is_up(proposal: RunProposal) -> None:
    service = Service(proposal.digest, {"north": [RunStage.APPROVED], "south": [RunStage.AWAITING]})
    with pytest.raises(NotApprovedError, match="still waits for officers of south"):
        ask(proposal, service, timeout_s=0.05)


def test_a_service_that_is_started_anew_meanwhile_is_waited_for(proposal: RunProposal) -> None:
    gone = ConsentUnavailableError("Gone.", "Start it.")
    assert len(ask(proposal, Service(proposal.digest, {"north": [gone, gone, RunStage.APPROVED]}))) == 1
    with pytest.raises(ConsentUnavailableError):
        ask(proposal, Service(proposal.digest, {"north": [gone]}), timeout_s=0.05)


def test_a_service_that_refuses_the_proposal_ends_it(proposal: RunProposal) -> None:
    refusal = ConsentRefusedError("No.", "Mend it.", status=409, refusal_code="PROPOSAL_DIFFERS", refusal_detail="No.")
    with pytest.raises(ConsentRefusedError):
        ask(proposal, Service(proposal.digest, {"north": [refusal]}))


def test_a_service_that_decides_on_less_is_no_approval(proposal: RunProposal) -> None:
    other = Service("0" * 64, {"north": [RunStage.APPROVED]})
    with pytest.raises(NotApprovedError, match="these terms"):
        ask(proposal, other)
    lacking = Service(proposal.digest, {"north": [RunStage.APPROVED]})
    served = [ServedPartners(service=lacking, partners=("north", "south"))]
    with pytest.raises(NotApprovedError, match="for south"):
        require_approval(served, proposal=proposal, signed_proposal=b"", timeout_s=1, told=lambda _: None, poll_s=0.001)


@pytest.fixture
def folder(proposal: RunProposal, tmp_path: Path) -> RunFolder:
    made = RunFolder(written_league(tmp_path, **PRIVATE), proposal.run)
    made.create(b"signed")
    return made


@pytest.fixture
def told(proposal: RunProposal, monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service(proposal.digest, {"north": [RunStage.APPROVED]})
    served = (ServedPartners(service=service, partners=("north",)),)
    monkeypatch.setattr(approval, "services_of", lambda home: served)
    return service


def test_an_outcome_counts_every_attempt_that_was_asked(
    proposal: RunProposal, folder: RunFolder, told: Service, tmp_path: Path
) -> None:
    asked = (*proposal.charges()[:2], proposal.charge(proposal.steps[0], round_number=2, attempt=2))
    for number in (1, 2):
        folder.note({"event": "round-started", "round": number})
    for charge in asked:
        LeagueLedger.of(LeagueHome(root=tmp_path)).ask(["north", "south"], charge, vaults_of_unit=1)
    folder.note({"event": "failed", "what": "no", "mend": "no"})
    record_outcome(LeagueHome(root=tmp_path), proposal=proposal)
    (outcome,) = told.outcomes
    assert (outcome.completed, outcome.result_sha256, outcome.rounds) == (False, None, 2)
    events = [charge.event for charge in asked]
    assert outcome.epsilon_spent == pytest.approx(epsilon_of(events, delta=proposal.delta))
    # With it, the service hears what is spent now.
    assert [(one.partner, one.ledger.position, one.runs[0].asked) for one in told.budgets] == [("north", 6, 3)]
    folder.write_result({"released": [1.5]})
    record_outcome(LeagueHome(root=tmp_path), proposal=proposal)
    assert (told.outcomes[1].completed, told.outcomes[1].result_sha256) == (True, canonical_digest({"released": [1.5]}))


def test_a_run_that_never_began_cost_nothing(
    proposal: RunProposal, folder: RunFolder, told: Service, tmp_path: Path
) -> None:
    record_outcome(LeagueHome(root=tmp_path), proposal=proposal)
    assert (told.outcomes[0].rounds, told.outcomes[0].epsilon_spent) == (0, 0.0)


def test_officers_hear_the_leagues_budget_before_they_are_asked(
    proposal: RunProposal, folder: RunFolder, told: Service, tmp_path: Path
) -> None:
    home = LeagueHome(root=tmp_path)
    seek_approval(home, proposal=proposal, timeout_s=1, told=lambda _: None, poll_s=0.001)
    assert ([one.ledger.position for one in told.budgets], told.submitted) == ([0], [b"signed"])
    # Where it is not taken, nothing is submitted.
    told.submitted.clear()
    home.ledger.unlink()
    home.ledger.write_bytes(b"no database at all" * 500)
    with pytest.raises(LeagueLedgerError):
        seek_approval(home, proposal=proposal, timeout_s=1, told=lambda _: None, poll_s=0.001)
    assert told.submitted == []


def test_every_partner_of_a_league_has_one_place_where_its_officers_decide() -> None:
    entry = {"url": "http://127.0.0.1:1", "public_key": KEYS["consent"], "partners": ["north", "south"]}
    fields: dict[str, Any] = {
        "name": "League",
        "centre": {"name": "centre", "country": "DE"},
        "week_one": date(2026, 1, 5),
        "roster": [{"partner": name, "public_key": KEYS[name]} for name in ("north", "south")],
        "budget": {"epsilon": 30.0, "delta": 1e-5},
    }
    assert League.model_validate(fields | {"consent_services": [entry]}).consent_services[0].key.text == KEYS["consent"]
    for wrong in ([], [entry, entry], [entry | {"partners": ["north"]}], [entry | {"public_key": "x"}]):
        with pytest.raises(ValidationError):
            League.model_validate(fields | {"consent_services": wrong})
