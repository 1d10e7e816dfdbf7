"""Whether a released model still counts as personal data of one controller's customers.

It does, until an officer of that controller has signed an anonymity finding: which bound on the privacy loss it rests
on, how many vaults it presumes honest, which audit, and until when. A finding speaks for its own controller alone.
"""

from enum import StrEnum

from hanse_consent.domain.moments import to_microseconds
from hanse_consent.runs.errors import AnonymityUnfoundedError
from hanse_consent.runs.events import AnonymityFound
from hanse_consent.runs.standing import RunStage
from hanse_consent.runs.state import RunState
from hanse_privacy.protocol.proposal import RunProposal


class ModelStatus(StrEnum):
    """How a released model is to be treated."""

    PERSONAL_DATA = "personal-data"
    ANONYMOUS = "anonymous"


def model_status(state: RunState, *, at_us: int) -> ModelStatus:
    """How the model that a run released is to be treated at a moment (microseconds since 1970).

    The officer's last finding counts: a later one may shorten an earlier one.
    """
    if state.stage is not RunStage.FINISHED or not state.anonymity:
        return ModelStatus.PERSONAL_DATA
    last = state.anonymity[-1]
    in_force = last.at_us <= at_us < to_microseconds(last.valid_until)
    return ModelStatus.ANONYMOUS if in_force else ModelStatus.PERSONAL_DATA


def require_founded(finding: AnonymityFound, *, state: RunState, proposal: RunProposal) -> None:
    """Hold a finding against what the run really did.

    Raises:
        AnonymityUnfoundedError: If it rests on less than the run spent, on other honesty than the run's noise was
            sized for, or ends before it begins.
    """
    spent = state.outcome.epsilon_spent if state.outcome is not None else 0.0
    faults = []
    if finding.epsilon < spent:
        faults.append(f"it rests on epsilon {finding.epsilon:g}, and the run spent {spent:g}")
    if finding.honest_minimum != proposal.honest_minimum:
        faults.append(f"it presumes {finding.honest_minimum} honest vaults, the run {proposal.honest_minimum}")
    if to_microseconds(finding.valid_until) <= finding.at_us:
        faults.append("it has ended already")
    if faults:
        raise AnonymityUnfoundedError(
            f"The finding does not cover the run: {'; '.join(faults)}.", "State the run's own figures, or a later end."
        )
