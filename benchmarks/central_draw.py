"""What the league's draws are held against: one central draw, and a league whose partners are cut into three each.

A central draw is what a trusted centre that held everybody's rows would release at the same privacy loss.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from masked_league import new_league
from numpy.typing import NDArray

from hanse_client.vault.operations import Batch, Work, customer_batches
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_demo.workshop import Workshop
from hanse_models.popularity import SharedPopularity
from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import PopularityStep
from hanse_privacy.randomness import SystemRandomness
from hanse_privacy.release import ReleaseLayout, add_noise, sum_customers

PARTS = 3
"""Partners that each of the league's is cut into, for a league with three times as many."""


def central_popularity(
    workshop: Workshop, proposal: RunProposal, step: PopularityStep, consented: Mapping[str, frozenset[str]]
) -> SharedPopularity:
    """Sum the same clipped vectors of the same customers, and add the noise that the proposal's ε needs, once.

    Args:
        workshop: The league's folders.
        proposal: The run.
        step: Its one step.
        consented: Each partner's customers who granted its purpose, by pseudonym.
    """
    layout = replace(proposal.layout(step), honest_shares=1)
    batches = (
        batch
        for partner in workshop.partners
        for batch in _batches(workshop, proposal, step, partner=partner, cohort=consented[partner])
    )
    exact = sum_customers(layout, batches)
    return _popularity(layout, add_noise(layout, exact, source=SystemRandomness()))


def cut_popularity(
    workshop: Workshop, proposal: RunProposal, step: PopularityStep, consented: Mapping[str, frozenset[str]]
) -> SharedPopularity:
    """Sum what three times as many vaults send: each partner's customers by chance in three, one vault may collude."""
    cohorts = [
        (partner, frozenset(one for one in consented[partner] if _part(one) == part))
        for partner in workshop.partners
        for part in range(PARTS)
    ]
    layout = replace(proposal.layout(step), honest_shares=len(cohorts) - 1)
    source = SystemRandomness()
    vectors = []
    for partner, cohort in cohorts:
        exact = sum_customers(layout, _batches(workshop, proposal, step, partner=partner, cohort=cohort))
        vectors.append(add_noise(layout, exact, source=source))
    attempt = Attempt(round=1, step=0, attempt=1)
    return _popularity(layout, new_league(len(cohorts)).total(vectors, ring=proposal.ring, attempt=attempt))


def _part(pseudonym: str) -> int:
    return int.from_bytes(hashlib.sha256(pseudonym.encode()).digest()[:8]) % PARTS


def _popularity(layout: ReleaseLayout, released: NDArray[np.int64]) -> SharedPopularity:
    blocks = layout.decode(released)
    return SharedPopularity(rate=blocks["rate"], breadth=blocks["breadth"], customers=float(blocks["customers"][0]))


def _batches(
    workshop: Workshop, proposal: RunProposal, step: PopularityStep, *, partner: str, cohort: frozenset[str]
) -> Iterator[Batch]:
    store = PurchaseStore(path=workshop.node(partner).purchases)
    return customer_batches(
        Work(step=step, weights=None),
        data=store.in_weeks_from(proposal.week_one),
        cohort=store.known(sorted(cohort)),
    )


def against_central(
    found: Sequence[Mapping[str, Sequence[NDArray[np.float64]]]], *, key: str, suffix: str = ""
) -> dict[str, float]:
    """The league's draws less central ones over all partners' households; the error has households and draws in it.

    Args:
        found: For each partner, under ``key`` and ``central``, each draw's explore recall of every household; not a
            number where a household cannot be evaluated.
        key: Which league's draws.
        suffix: Of the figures' names.
    """
    served, trusted = (
        np.array([np.concatenate([one[name][draw] for one in found]) for draw in range(len(found[0][name]))])
        for name in (key, "central")
    )
    known = ~np.isnan(served[0])
    differences = (served - trusted)[:, known]
    by_household, by_draw = differences.mean(axis=0), differences.mean(axis=1)
    error = math.hypot(
        float(by_household.std(ddof=1)) / math.sqrt(len(by_household)),
        float(by_draw.std(ddof=1)) / math.sqrt(len(by_draw)) if len(by_draw) > 1 else 0.0,
    )
    return {
        f"explore_league{suffix}": float(served[:, known].mean()),
        f"explore_central_dp{suffix}": float(trusted[:, known].mean()),
        f"explore_league{suffix}_minus_central": float(differences.mean()),
        f"se{suffix}": error,
    }
