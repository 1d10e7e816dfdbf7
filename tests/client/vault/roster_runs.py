"""Runs of one league that differ in their rosters, and north's policy on them."""

import itertools
from collections.abc import Sequence
from typing import Any

from written_terms import TRAINING, written_policy, written_proposal

from hanse_client.vault.policy import Policy
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal

CENTRE, SERVICE = SigningKey.generate(), SigningKey.generate()
KEYS = {partner: SigningKey.generate() for partner in ("north", "south", "east", "west", "inland")}
ALL = ("north", "south", "east", "west")
LAST_WEEK = 30
NAMES = itertools.count(1)


def run_of(
    partners: Sequence[str] = ALL, *steps: dict[str, Any], run: str | None = None, last_week: int = LAST_WEEK
) -> RunProposal:
    """A proposal to some partners; of training, unless steps say otherwise."""
    return written_proposal(
        run or f"run-{next(NAMES)}",
        partners={partner: KEYS[partner] for partner in partners},
        steps=[step | {"last_week": last_week} for step in steps or (TRAINING,)],
    )


def policy(centre: SigningKey = CENTRE, /, **limits: Any) -> Policy:
    """North's, with the rule's own defaults where nothing else is said."""
    operations = {
        "churn-gradient": {"purposes": ["churn-training", "care"], "lowest_tier": "standard"},
        "popularity-statistics": {"purposes": ["recommendation-statistics"], "lowest_tier": "standard"},
    }
    return written_policy(operations, centre=centre, service=SERVICE, partners=KEYS, **limits)
