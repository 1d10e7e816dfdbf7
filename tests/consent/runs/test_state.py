"""The state machine against a model that is written the other way round: from what happened, not from stages."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hanse_consent.runs.errors import RunStateError
from hanse_consent.runs.events import (
    AnonymityFound,
    Checked,
    CohortMismatched,
    OfficerApproved,
    OfficerRefused,
    OutcomeRecorded,
    Revoked,
)
from hanse_consent.runs.standing import Ending, Finding, RunOutcome, RunStage
from hanse_consent.runs.state import advance, proposed, replay

END_US = 1_000
LASTS_US = 400
WORDS = Ending(words="No.")
FINDING = Finding(rule="G-26", article="GDPR 26", code="AGREEMENT_MISSING", what="no agreement")
DONE = RunOutcome(proposal="a" * 64, completed=True, result_sha256="b" * 64, rounds=1, epsilon_spent=0.5)
LOST = RunOutcome(proposal="a" * 64, completed=False, rounds=1, epsilon_spent=0.5)
OFFICERS = st.sampled_from(["anna", "alex", "emma"])


def checked(at_us: int, *findings: Finding, high_risk: bool = False) -> Checked:
    return Checked(
        at_us=at_us,
        findings=findings,
        high_risk=high_risk,
        registry_version=1,
        pack_versions={"gdpr": "2026.11"},
        approval_lasts_us=LASTS_US,
    )


@dataclass
class Model:
    """What is known of a run without any stage: who said what, and when."""

    clean: bool = False
    forbidden: bool = False
    high_risk: bool = False
    said_yes: list[str] = field(default_factory=list)
    allowed_at: int | None = None
    said_no: bool = False
    taken_back: bool = False
    mismatch: bool = False
    outcome: RunOutcome | None = None
    outcome_ended_it: bool = False

    def end(self) -> int:
        return END_US if self.allowed_at is None else min(END_US, self.allowed_at + LASTS_US)

    def over(self, at_us: int) -> bool:
        return at_us >= self.end()

    def undecided(self, at_us: int) -> bool:
        return not (self.forbidden or self.said_no or self.allowed_at is not None or self.over(at_us))

    def usable(self, at_us: int) -> bool:
        """The one question that matters: may a round begin?"""
        return (
            self.allowed_at is not None
            and len(set(self.said_yes)) >= (2 if self.high_risk else 1)
            and self.clean
            and not (self.forbidden or self.said_no or self.taken_back or self.mismatch or self.outcome_ended_it)
            and not self.over(at_us)
        )


class RunMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[object] = []
        self.state = proposed(expires_us=END_US)
        self.model = Model()
        self.now = 0

    def offer(self, event: object, *, possible: bool) -> None:
        if not possible:
            with pytest.raises(RunStateError):
                advance(self.state, event)
            return
        self.state = advance(self.state, event)
        self.events.append(event)

    @rule(by=st.integers(1, 120))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule(high_risk=st.booleans(), forbidden=st.booleans())
    def check(self, high_risk: bool, forbidden: bool) -> None:
        possible = self.model.undecided(self.now)
        self.offer(checked(self.now, *([FINDING] if forbidden else []), high_risk=high_risk), possible=possible)
        if possible:
            self.model.clean |= not forbidden
            self.model.forbidden = forbidden
            self.model.high_risk |= high_risk

    @rule(officer=OFFICERS)
    def approve(self, officer: str) -> None:
        repeated = officer in self.model.said_yes and self.model.usable(self.now)
        open_ = self.model.clean and self.model.undecided(self.now)
        self.offer(OfficerApproved(at_us=self.now, officer=officer), possible=open_ or repeated)
        if open_:
            self.model.said_yes.append(officer)
            if len(set(self.model.said_yes)) >= (2 if self.model.high_risk else 1) and self.model.allowed_at is None:
                self.model.allowed_at = self.now

    @rule(officer=OFFICERS)
    def refuse(self, officer: str) -> None:
        possible = self.model.clean and self.model.undecided(self.now)
        self.offer(OfficerRefused(at_us=self.now, officer=officer, ending=WORDS), possible=possible)
        self.model.said_no |= possible

    @rule(officer=OFFICERS)
    def revoke(self, officer: str) -> None:
        possible = self.model.usable(self.now)
        self.offer(Revoked(at_us=self.now, officer=officer, ending=WORDS), possible=possible)
        self.model.taken_back |= possible

    @rule()
    def mismatch(self) -> None:
        possible = self.model.allowed_at is not None
        self.offer(CohortMismatched(at_us=self.now, why="round 1: other customers"), possible=possible)
        self.model.mismatch |= possible

    @rule(outcome=st.sampled_from([DONE, LOST]))
    def record_outcome(self, outcome: RunOutcome) -> None:
        possible = self.model.allowed_at is not None and self.model.outcome in (None, outcome)
        ends = not (self.model.taken_back or self.model.mismatch)
        self.offer(OutcomeRecorded(at_us=self.now, outcome=outcome), possible=possible)
        if possible and self.model.outcome is None:
            self.model.outcome, self.model.outcome_ended_it = outcome, ends

    @rule()
    def find_anonymous(self) -> None:
        finding = AnonymityFound(
            at_us=self.now,
            officer="anna",
            epsilon=1.0,
            honest_minimum=2,
            audit="canary-7",
            found_on="2026-03-01",
            valid_until="2027-03-01T00:00:00+00:00",
        )
        possible = self.model.outcome == DONE and self.model.outcome_ended_it and not self.model.mismatch
        self.offer(finding, possible=possible)

    @invariant()
    def approved_exactly_while_a_round_may_begin(self) -> None:
        assert (self.state.at(self.now).stage is RunStage.APPROVED) == self.model.usable(self.now)

    @invariant()
    def the_events_are_all_there_is(self) -> None:
        assert replay(self.events, expires_us=END_US) == self.state

    @invariant()
    def nobody_counts_twice(self) -> None:
        assert len(set(self.state.approved_by)) == len(self.state.approved_by)
        assert set(self.state.approved_by) == set(self.model.said_yes)


TestRunMachine = RunMachine.TestCase
TestRunMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_an_approval_ends_with_its_own_time_and_with_the_proposals() -> None:
    early = advance(advance(proposed(expires_us=END_US), checked(0)), OfficerApproved(at_us=10, officer="anna"))
    late = advance(advance(proposed(expires_us=END_US), checked(0)), OfficerApproved(at_us=900, officer="anna"))
    assert (early.at(409).stage, early.at(410).stage) == (RunStage.APPROVED, RunStage.EXPIRED)
    assert (late.at(999).stage, late.at(1000).stage) == (RunStage.APPROVED, RunStage.EXPIRED)


def test_a_risk_found_high_once_is_not_argued_away() -> None:
    state = advance(advance(proposed(expires_us=END_US), checked(0, high_risk=True)), checked(1))
    assert advance(state, OfficerApproved(at_us=2, officer="anna")).stage is RunStage.AWAITING


def test_what_the_centre_may_know_names_no_officer() -> None:
    state = advance(advance(proposed(expires_us=END_US), checked(0)), OfficerApproved(at_us=2, officer="anna"))
    assert "anna" not in state.standing("alster").model_dump_json()


@pytest.mark.parametrize("event", [checked(END_US), OfficerApproved(at_us=END_US, officer="anna")])
def test_the_last_moment_is_too_late(event: object) -> None:
    awaiting = advance(proposed(expires_us=END_US), checked(0))
    with pytest.raises(RunStateError, match="expired"):
        advance(awaiting, event)
