"""One central draw: what a trusted centre that held everybody's rows would release at the same privacy loss."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hanse_client.vault.operations import Batch, Work, customer_batches
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_demo.workshop import Workshop
from hanse_models.popularity import SharedPopularity
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import PopularityStep
from hanse_privacy.randomness import SystemRandomness
from hanse_privacy.release import add_noise, sum_customers


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
    exact = sum_customers(layout, _batches(workshop, proposal, step, consented))
    blocks = layout.decode(add_noise(layout, exact, source=SystemRandomness()))
    return SharedPopularity(rate=blocks["rate"], breadth=blocks["breadth"], customers=float(blocks["customers"][0]))


def _batches(
    workshop: Workshop, proposal: RunProposal, step: PopularityStep, consented: Mapping[str, frozenset[str]]
) -> Iterator[Batch]:
    for partner in workshop.partners:
        store = PurchaseStore(path=workshop.node(partner).purchases)
        yield from customer_batches(
            Work(step=step, weights=None),
            data=store.in_weeks_from(proposal.week_one),
            cohort=store.known(sorted(consented[partner])),
        )


def against_central(found: Sequence[Mapping[str, Sequence[NDArray[np.float64]]]]) -> dict[str, float]:
    """The league's draws less central ones over all partners' households; the error has households and draws in it.

    Args:
        found: For each partner, under ``league`` and ``central``, each draw's explore recall of every household; not a
            number where a household cannot be evaluated.
    """
    served, trusted = (
        np.array([np.concatenate([one[key][draw] for one in found]) for draw in range(len(found[0][key]))])
        for key in ("league", "central")
    )
    known = ~np.isnan(served[0])
    differences = (served - trusted)[:, known]
    by_household, by_draw = differences.mean(axis=0), differences.mean(axis=1)
    error = math.hypot(
        float(by_household.std(ddof=1)) / math.sqrt(len(by_household)),
        float(by_draw.std(ddof=1)) / math.sqrt(len(by_draw)) if len(by_draw) > 1 else 0.0,
    )
    return {
        "explore_league": float(served[:, known].mean()),
        "explore_central_dp": float(trusted[:, known].mean()),
        "explore_league_minus_central": float(differences.mean()),
        "se": error,
    }
