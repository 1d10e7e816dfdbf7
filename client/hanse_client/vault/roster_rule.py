"""Rosters that differ by one vault: the difference of their sums would be that vault's own, but for the noise.

Inside one sum nobody sees less than the sum of the honest vaults. Across sums only the noise protects, and it protects
a customer, not a partner's total. So a vault takes no part in a run whose roster is nearly that of an earlier one over
the same purchases.

Only vaults whose keys are pinned here make a difference large enough: of the others, however many are vouched for, all
may collude, and a colluder's part of a difference hides nobody.
"""

from collections.abc import Iterable, Set

from hanse_client.vault.policy import LimitSection
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal, Step
from hanse_privacy.protocol.question_steps import Question


class RosterTooCloseError(HanseError):
    """A run's roster is nearly that of an earlier run over the same purchases."""

    code = "ROSTER_TOO_CLOSE"


def require_roster_apart(
    limits: LimitSection, proposal: RunProposal, earlier: Iterable[RunProposal], *, pinned: Set[str]
) -> None:
    """Refuse a run whose roster differs from an earlier one's by some vaults, and by too few.

    Args:
        limits: How many vaults are enough, and how far apart two periods are.
        proposal: The run.
        earlier: Runs that this vault has answered.
        pinned: The keys that are pinned here, as text.

    Raises:
        RosterTooCloseError: If it does.
    """
    for other in earlier:
        if other.run == proposal.run or not _same_data(limits, proposal, other):
            continue
        changed = _members(proposal) ^ _members(other)
        known = len(changed & pinned)
        if changed and known < limits.minimum_roster_change:
            which = "" if known == len(changed) else " pinned here"
            raise RosterTooCloseError(
                f"Run {proposal.run} and run {other.run} differ by {known} vault{'s' if known != 1 else ''}{which} over"
                " the same purchases: the difference of their sums could be one vault's own total.",
                f"Propose it to the same roster, to one that differs by at least {limits.minimum_roster_change} pinned"
                f" vaults, or over another period ({limits.roster_period_weeks} weeks on; questions: with no week in"
                " common, either).",
            )


def _members(proposal: RunProposal) -> frozenset[str]:
    return frozenset(entry.public_key for entry in proposal.roster)


def _same_data(limits: LimitSection, first: RunProposal, second: RunProposal) -> bool:
    return any(_close(limits, one, other) for one in first.steps for other in second.steps)


def _close(limits: LimitSection, one: Step, other: Step) -> bool:
    if one.purpose != other.purpose:
        return False
    near = abs(one.last_week - other.last_week) < limits.roster_period_weeks
    if isinstance(one, Question) or isinstance(other, Question):
        # They can hold the same sum, whatever they compute: bins add up to a count, and a week is a cell of both.
        return near or (_first_week(one) <= other.last_week and _first_week(other) <= one.last_week)
    # Whatever they compute: most operations also count customers.
    return near


def _first_week(step: Step) -> int:
    return step.first_week if isinstance(step, Question) else 1
