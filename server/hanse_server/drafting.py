"""From a draft that a person writes to a proposal that can be signed: names, noise and dates filled in."""

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hanse_models.catalogue import Catalogue
from hanse_privacy.accounting import noise_multiplier_for, rho_for
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.vocabulary import RunId
from hanse_privacy.protocol.written_units import Unit, write_unit
from hanse_privacy.settings_files import read_settings
from hanse_privacy.units import PrivacyBudget
from hanse_server.league import League

_ROUNDING_MARGIN = 1 - 1e-6
"""Keeps the recomputed ε below the stated one through every conversion between decimal and binary."""


class DraftInvalidError(HanseError):
    """A draft cannot be read or is not valid."""

    code = "DRAFT_INVALID"
    exit_code = 2


class Draft(BaseModel):
    """A proposal file, such as ``proposals/popularity.toml``.

    Each step has a ``share`` of the run's privacy loss (of ρ; the shares add up to 1) in place of the
    noise multiplier that the centre computes from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: RunId
    title: str
    data_categories: tuple[str, ...]
    minimum_cohort: int = Field(ge=1)
    honest_minimum: int = Field(ge=1)
    unit: Unit
    units_per_clip: int
    epsilon: float = Field(gt=0)
    delta: float = Field(gt=0, lt=1)
    valid_hours: float = Field(gt=0, le=24 * 90)
    steps: tuple[dict[str, Any], ...] = Field(min_length=1)


def load_draft(path: Path) -> Draft:
    """Read a draft.

    Raises:
        DraftInvalidError: Naming the field and its bound.
    """
    return read_settings(path, Draft, error=DraftInvalidError, absent="Name another proposal file.")


def complete(draft: Draft, *, league: League, catalogue: Catalogue, now: datetime) -> RunProposal:
    """Fill in roster, run name, catalogue size, dates, and the noise that the budget asks for.

    Args:
        draft: What a person wrote.
        league: The league whose whole roster takes part.
        catalogue: The league's public catalogue.
        now: When the proposal is made.

    Raises:
        DraftInvalidError: If a step or the sum of shares is not valid.
    """
    rho = rho_for(PrivacyBudget(epsilon=draft.epsilon, delta=draft.delta)) * _ROUNDING_MARGIN
    payload = {
        "run": f"{draft.name}-{now:%Y%m%d}-{secrets.token_hex(3)}",
        "title": draft.title,
        "data_categories": draft.data_categories,
        "recipients": [league.centre.model_dump(mode="json")],
        "roster": [entry.model_dump(mode="json") for entry in league.roster],
        "catalogue": catalogue.digest,
        "week_one": league.week_one.isoformat(),
        "minimum_cohort": draft.minimum_cohort,
        "honest_minimum": draft.honest_minimum,
        "unit": write_unit(draft.unit),
        "units_per_clip": draft.units_per_clip,
        "epsilon": draft.epsilon,
        "delta": draft.delta,
        "steps": [_complete_step(step, rho=rho, items=len(catalogue.items)) for step in draft.steps],
        "created_at": now.isoformat(),
        "expires_at": (now + timedelta(hours=draft.valid_hours)).isoformat(),
    }
    shares = sum(float(step["share"]) for step in draft.steps)
    if shares > 1 + 1e-9:
        raise DraftInvalidError(f"The steps' shares add up to {shares:g}.", "They must add up to 1 at most.")
    return RunProposal.parse(payload)


def _complete_step(step: dict[str, Any], *, rho: float, items: int) -> dict[str, Any]:
    share, rounds = step.get("share"), step.get("rounds", 1)
    if not isinstance(share, int | float) or not 0 < share <= 1 or not isinstance(rounds, int) or rounds < 1:
        raise DraftInvalidError(
            f"A step has share {share!r} and rounds {rounds!r}.",
            "A share is above 0 and at most 1; rounds are 1 or more.",
        )
    completed = {key: value for key, value in step.items() if key != "share"}
    completed["noise_multiplier"] = noise_multiplier_for(rho=rho * share, releases=rounds)
    if step.get("operation") == "popularity-statistics":
        completed["items"] = items
    return completed
