"""A run that the retailer's officers have approved: what a manifest is asked for."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from consent.world import ASKED, CATEGORIES, CENTRE, EXCHANGE, NEIGHBOUR, RETAILER, World
from hanse_consent.api.application import APPROVAL_LASTS
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.runs.checking import ProposalChecker
from hanse_consent.runs.deciding import Decisions
from hanse_consent.runs.officers import Officer
from hanse_consent.runs.proposing import Proposals
from hanse_consent.runs.register import RunRegister
from hanse_consent.storage.database import Database
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortRequest
from hanse_privacy.protocol.proposal import RunProposal

_STEP: dict[str, Any] = {
    "operation": "popularity-statistics",
    "purpose": ASKED,
    "tier": "advanced",
    "noise_multiplier": 100.0,
    "last_week": 9,
    "half_life_weeks": 8.0,
    "items": 12,
    "rate": {"clip": 1.0, "share": 0.5},
    "breadth": {"clip": 1.0, "share": 0.4},
    "customers": {"clip": 1.0, "share": 0.1, "is_metric": True},
}


def checker_of(store: ConsentStore) -> ProposalChecker:
    """What holds proposals against the law, as the service has it."""
    return ProposalChecker(registry=store.registry, packs=load_shipped_packs(), approval_lasts=APPROVAL_LASTS)


def approve_run(
    database: Database, store: ConsentStore, *, world: World, now: Callable[[], datetime], run: str = "offers-1"
) -> RunProposal:
    """Submit a run that asks the world's question and let two officers of the retailer approve it.

    Raises:
        HanseError: If the law forbids the run.
    """
    proposal = _proposal(world, run=run)
    register = RunRegister(database, now=now)
    checker = checker_of(store)
    centre = world.keys.centre
    proposals = Proposals(register, checker=checker, centres={CENTRE: centre.public})
    proposals.submit(proposal.sign(centre), centre=CENTRE)
    decisions = Decisions(register, checker=checker)
    for name in ("anna", "alex"):
        officer = Officer(name=name, controllers=frozenset({RETAILER}))
        decisions.approve(proposal.run, controller=RETAILER, officer=officer, proposal=proposal.digest)
    return proposal


def ask_for_cohort(proposal: RunProposal, *, known: str = NO_PREVIOUS) -> CohortRequest:
    """The retailer's vault, which knows a manifest of the run or none, asks who may be used in its first round."""
    return CohortRequest.model_validate(
        {
            "partner": RETAILER,
            "run": proposal.run,
            "round": 1,
            "proposal": proposal.digest,
            "purpose": ASKED,
            "tier": "advanced",
            "known": known,
            "nonce": secrets.token_hex(16),
        }
    )


def _proposal(world: World, *, run: str) -> RunProposal:
    keys = {RETAILER: world.keys.retailer, NEIGHBOUR: world.keys.neighbour}
    return RunProposal.parse(
        {
            "run": run,
            "title": "Offers that suit",
            "data_categories": CATEGORIES,
            "recipients": [{"name": EXCHANGE, "country": "SG"}, {"name": CENTRE, "country": "DE"}],
            "roster": [{"partner": name, "public_key": key.public.text} for name, key in keys.items()],
            "catalogue": "0" * 64,
            "week_one": (world.began_at - timedelta(days=100)).date().isoformat(),
            "minimum_cohort": 10,
            "honest_minimum": 2,
            "unit": "customer-at-one-partner",
            "units_per_clip": 65536,
            "epsilon": 1.0,
            "delta": 1e-5,
            "steps": [_STEP],
            "created_at": world.began_at.isoformat(),
            "expires_at": (world.began_at + timedelta(days=2)).isoformat(),
        }
    )
