"""The state machine of one run at one controller: a pure function from events to state.

::

    PROPOSED --checked--> REFUSED_BY_CHECK
             --checked--> AWAITING --enough officers--> APPROVED --outcome--> FINISHED
                                   --one officer------> REFUSED          --revoked--> REVOKED

An open or approved run becomes EXPIRED by the clock alone. A cohort that does not match its manifest makes any run
that was approved once FLAGGED. Nothing leads back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hanse_consent.runs.errors import RunStateError
from hanse_consent.runs.events import (
    AnonymityFound,
    Checked,
    CohortMismatched,
    OfficerApproved,
    OfficerRefused,
    OutcomeRecorded,
    Revoked,
    RunEvent,
)
from hanse_consent.runs.standing import Ending, Finding, RunOutcome, RunStage, RunStanding

_EXPIRES = frozenset({RunStage.PROPOSED, RunStage.AWAITING, RunStage.APPROVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run at one controller.

    Args:
        stage: Where it stands, expiry aside (see :meth:`at`).
        expires_us: When it ends by the clock: the proposal's end, or the approval's, if that is earlier.
        high_risk: Whether any check found the risk high: then two officers are needed.
        approved_by: Officers who approved, in order, each once.
        approved_us: When the last one needed approved; none before.
        findings: Of the last check.
        registry_version: That the last check read.
        pack_versions: That the last check read.
        ending: An officer's words, if an officer ended it.
        outcome: As the centre recorded it.
        mismatches: What did not match in cohorts, in the order of the reports, each once.
        anonymity: Officers' findings about the released model, in order.
    """

    stage: RunStage
    expires_us: int
    high_risk: bool = False
    approved_by: tuple[str, ...] = ()
    approved_us: int | None = None
    findings: tuple[Finding, ...] = ()
    registry_version: int = 0
    pack_versions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    approval_lasts_us: int = 0
    ending: Ending | None = None
    outcome: RunOutcome | None = None
    mismatches: tuple[str, ...] = ()
    anonymity: tuple[AnonymityFound, ...] = ()

    @property
    def officers_needed(self) -> int:
        """How many different officers must approve."""
        return 2 if self.high_risk else 1

    def at(self, at_us: int) -> "RunState":
        """The same, as the clock shows it: an open or approved run is over from ``expires_us`` on."""
        if self.stage in _EXPIRES and at_us >= self.expires_us:
            return replace(self, stage=RunStage.EXPIRED)
        return self

    def standing(self, controller: str) -> RunStanding:
        """What the centre may know of it."""
        return RunStanding(
            controller=controller,
            stage=self.stage,
            officers_needed=self.officers_needed,
            officers_approved=len(self.approved_by),
            findings=self.findings,
            ending=self.ending,
        )


def proposed(*, expires_us: int) -> RunState:
    """A run that was just submitted.

    Args:
        expires_us: The proposal's end, microseconds since 1970.
    """
    return RunState(stage=RunStage.PROPOSED, expires_us=expires_us)


def replay(events: Iterable[RunEvent], *, expires_us: int) -> RunState:
    """Compute the state from all events, in order; expiry by the clock is left to :meth:`RunState.at`."""
    state = proposed(expires_us=expires_us)
    for event in events:
        state = advance(state, event)
    return state


def advance(state: RunState, event: RunEvent) -> RunState:
    """The state after an event; the same state if the event says nothing new.

    Raises:
        RunStateError: If this cannot happen to the run in its state at the event's time.
    """
    now = state.at(event.at_us)
    match event:
        case Checked():
            following = _checked(now, event)
        case OfficerApproved():
            following = _approved(now, event)
        case OfficerRefused():
            _require(now, event, now.stage is RunStage.AWAITING)
            following = replace(now, stage=RunStage.REFUSED, ending=event.ending)
        case Revoked():
            _require(now, event, now.stage is RunStage.APPROVED)
            following = replace(now, stage=RunStage.REVOKED, ending=event.ending)
        case CohortMismatched():
            _require(now, event, now.approved_us is not None)
            mismatches = tuple(dict.fromkeys((*now.mismatches, event.why)))
            following = replace(now, stage=RunStage.FLAGGED, mismatches=mismatches)
        case OutcomeRecorded():
            following = _finished(now, event)
        case AnonymityFound():
            released = now.outcome is not None and now.outcome.completed
            _require(now, event, released and now.stage is RunStage.FINISHED)
            following = replace(now, anonymity=(*now.anonymity, event))
    return following


def _checked(state: RunState, event: Checked) -> RunState:
    _require(state, event, state.stage.is_open)
    return replace(
        state,
        stage=RunStage.REFUSED_BY_CHECK if event.findings else RunStage.AWAITING,
        findings=event.findings,
        # A risk that was high once stays so: the second officer is not argued away.
        high_risk=state.high_risk or event.high_risk,
        registry_version=event.registry_version,
        pack_versions=MappingProxyType(dict(event.pack_versions)),
        approval_lasts_us=event.approval_lasts_us,
    )


def _approved(state: RunState, event: OfficerApproved) -> RunState:
    _require(state, event, state.stage in (RunStage.AWAITING, RunStage.APPROVED))
    if event.officer in state.approved_by:
        return state
    _require(state, event, state.stage is RunStage.AWAITING)
    officers = (*state.approved_by, event.officer)
    if len(officers) < state.officers_needed:
        return replace(state, approved_by=officers)
    return replace(
        state,
        stage=RunStage.APPROVED,
        approved_by=officers,
        approved_us=event.at_us,
        expires_us=min(state.expires_us, event.at_us + state.approval_lasts_us),
    )


def _finished(state: RunState, event: OutcomeRecorded) -> RunState:
    if state.outcome == event.outcome:
        return state
    _require(state, event, state.approved_us is not None and state.outcome is None)
    # A run that was revoked or flagged stays so: its outcome is evidence, not an end that excuses.
    ended = state.stage in (RunStage.APPROVED, RunStage.EXPIRED)
    return replace(state, stage=RunStage.FINISHED if ended else state.stage, outcome=event.outcome)


def _require(state: RunState, event: RunEvent, possible: bool) -> None:  # noqa: FBT001 - a condition reads best last
    if not possible:
        raise RunStateError(
            f"The run is {state.stage.value} here: it cannot be {event.kind}.",
            "Look at the run; if it is over, changed terms are a new run.",
        )
