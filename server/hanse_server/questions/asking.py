"""From a question's terms to a proposal that can be signed."""

import difflib
import math
from collections.abc import Sequence
from datetime import datetime

from hanse_models.catalogue import Catalogue
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.question_steps import Grouping
from hanse_server.drafting import Draft, complete
from hanse_server.league import League, QuestionSettings
from hanse_server.questions.terms import QuestionInvalidError, Terms

_NAMED = 3
"""A title names so many groups, and counts more."""


def question_proposal(
    terms: Terms, *, only: Sequence[str], epsilon: float, league: League, catalogue: Catalogue, now: datetime
) -> RunProposal:
    """Write the proposal of a question.

    Args:
        terms: What is asked.
        only: The categories or store groups to ask for; none for all of them.
        epsilon: What the answer may cost.
        league: The league, with its settings for questions.
        catalogue: The league's public catalogue.
        now: When it is asked.

    Raises:
        QuestionInvalidError: If the league allows no questions, or a group is unknown.
        HanseError: If the proposal is not valid.
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise QuestionInvalidError(f"epsilon is {epsilon!r}.", "It is what the answer may cost: a number above 0.")
    settings = settings_for_questions(league)
    groups = _groups(terms.by, only, catalogue=catalogue, settings=settings)
    weeks = terms.weeks.last - terms.weeks.first + 1
    step = {
        "operation": terms.operation,
        "purpose": settings.purpose,
        "tier": settings.tier.value,
        "share": 1.0,
        "measure": terms.measure.value,
        "first_week": terms.weeks.first,
        "last_week": terms.weeks.last,
        "by": None if terms.by is None else terms.by.value,
        "groups": groups,
        **terms.parts(weeks if terms.by is Grouping.WEEK else len(groups) or 1),
    }
    for name, block in step.items():
        if isinstance(block, dict):
            # Terms speak of a customer at one partner; a unit may be one at each of several.
            block["clip"] *= settings.unit.vaults
            if name != "answer" or "over" not in step:
                block["clip"] = _on_grid(block["clip"], share=block["share"], units=settings.units_per_clip)
    draft = Draft(
        name="question",
        title=terms.in_words() + _of(only),
        data_categories=settings.data_categories,
        minimum_cohort=settings.minimum_cohort,
        honest_minimum=settings.honest_minimum,
        unit=settings.unit,
        units_per_clip=settings.units_per_clip,
        epsilon=epsilon,
        delta=settings.delta,
        valid_hours=settings.valid_hours,
        steps=(step,),
    )
    return complete(draft, league=league, catalogue=catalogue, now=now)


def _on_grid(clip: float, *, share: float, units: int) -> float:
    """A clip as long, or a little longer, at which one customer is a whole number of the grid's units: not rounded."""
    whole = math.sqrt(share) * units
    return whole / max(math.floor(whole / clip), 1)


def _of(only: Sequence[str]) -> str:
    """Which of the groups are asked for, for a title."""
    if not only:
        return ""
    return f" ({', '.join(only)})" if len(only) <= _NAMED else f" ({len(only)} chosen)"


def settings_for_questions(league: League) -> QuestionSettings:
    """What the league says of questions.

    Raises:
        QuestionInvalidError: If it allows none.
    """
    if league.questions is None:
        raise QuestionInvalidError(
            "league.toml has no section [questions].",
            "State there what questions are for (purpose, tier) and their floors; the partners have to allow them.",
        )
    return league.questions


def _groups(
    by: Grouping | None, only: Sequence[str], *, catalogue: Catalogue, settings: QuestionSettings
) -> tuple[str, ...]:
    match by:
        case Grouping.CATEGORY:
            known = catalogue.categories
        case Grouping.STORE_GROUP:
            known = settings.store_groups
            if not known:
                raise QuestionInvalidError(
                    "league.toml names no store groups.", "List them as store_groups under [questions]."
                )
        case _:
            if only:
                raise QuestionInvalidError(
                    "Only categories and store groups can be chosen.", "Leave --only away, or ask --by one of them."
                )
            return ()
    for name in only:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
            raise QuestionInvalidError(
                f"There is no {by.value} {name!r}.", f"Choose among {', '.join(near)} and others."
            )
    return tuple(dict.fromkeys(only)) or known
