"""One central draw: what a trusted centre that held everybody's rows would release at the same privacy loss."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hanse_client.vault.operations import Batch, Work, customer_batches
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_demo.workshop import Workshop
from hanse_models.popularity import SharedPopularity
from hanse_privacy.protocol.proposal import PopularityStep, RunProposal
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
