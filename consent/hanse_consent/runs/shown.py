"""A run at one controller as it is sent to the people who may see it."""

from typing import Any

from hanse_consent.domain.moments import from_microseconds
from hanse_consent.runs.bodies import RunDetail, RunSummary
from hanse_consent.runs.register import RunHere


def summary_of(here: RunHere) -> RunSummary:
    """One line of a list."""
    return RunSummary(**_line(here))


def detail_of(here: RunHere) -> RunDetail:
    """Everything about it."""
    return RunDetail(
        **_line(here),
        document=here.proposal,
        registry_version=here.state.registry_version,
        pack_versions=dict(here.state.pack_versions),
        mismatches=here.state.mismatches,
        outcome=here.state.outcome,
        model=here.model,
        events=here.events,
    )


def _line(here: RunHere) -> dict[str, Any]:
    proposal, state = here.proposal, here.state
    return {
        "run": proposal.run,
        "title": proposal.title,
        "proposal": proposal.digest,
        "standing": state.standing(here.controller),
        "high_risk": state.high_risk,
        "approved_by": state.approved_by,
        "submitted_at": from_microseconds(here.submitted_us),
        "expires_at": from_microseconds(state.expires_us),
        "purposes": proposal.purposes(),
        "epsilon": proposal.epsilon,
        "delta": proposal.delta,
    }
