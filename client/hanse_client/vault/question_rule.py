"""Questions that a vault can answer: it must know the groups that the answer is broken down by."""

from collections.abc import Callable

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping, Question


class GroupsUnknownError(HanseError):
    """A question is broken down by groups that this partner's data does not name."""

    code = "GROUPS_UNKNOWN"


def require_groups_known(proposal: RunProposal, *, partner: str, known: Callable[[Grouping], frozenset[str]]) -> None:
    """Refuse a question before anybody pays for it, if its groups mean nothing here.

    A category must be one of the league's catalogue. Of the store groups at least one must be named in this partner's
    contract: not every partner has stores of every kind. So a refusal tells whether it has any of those that are
    named, by its contract alone and never by a customer.

    Raises:
        GroupsUnknownError: If the groups are unknown.
    """
    for step in proposal.steps:
        if not isinstance(step, Question) or not step.groups or step.by is None:
            continue
        known_here = known(step.by)
        unknown = [name for name in step.groups if name not in known_here]
        if step.by is Grouping.STORE_GROUP and len(unknown) == len(step.groups):
            raise GroupsUnknownError(
                f"{partner}'s contract puts no store into any of the question's groups.",
                "Ask without store groups, or have the partner add [stores] to its contract.",
            )
        if step.by is Grouping.CATEGORY and unknown:
            raise GroupsUnknownError(
                f"{len(unknown)} of the question's categories are not in the league's catalogue, or sensitive.",
                "Ask for categories of the catalogue, spelt as there.",
            )
