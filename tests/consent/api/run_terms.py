"""A run as the centre proposes it, a round as a vault asks for it, and what an officer says to it."""

import secrets
from datetime import timedelta
from typing import Any

from installed_service import RunningService
from league_files import CENTRE, PURCHASES, STATISTICS
from speakers import Person, now

from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortRequest
from hanse_privacy.protocol.proposal import RunProposal


def proposal(service: RunningService, *partners: str, **changes: Any) -> RunProposal:
    fields: dict[str, Any] = {
        "run": f"spring-{secrets.token_hex(4)}",
        "title": "Spring statistics",
        "data_categories": [PURCHASES],
        "recipients": [{"name": CENTRE, "country": "DE"}],
        "roster": [
            {"partner": name, "public_key": service.folder.keys[name].public.text}
            for name in partners or ("alster", "elbe")
        ],
        "catalogue": "0" * 64,
        "week_one": "2026-01-05",
        "minimum_cohort": 10,
        "honest_minimum": 1,
        "unit": "customer-at-one-partner",
        "units_per_clip": 65536,
        "epsilon": 1.0,
        "delta": 1e-5,
        "steps": [
            {
                "operation": "popularity-statistics",
                "purpose": STATISTICS,
                "tier": "standard",
                "noise_multiplier": 100.0,
                "last_week": 9,
                "half_life_weeks": 8.0,
                "items": 12,
                "rate": {"clip": 1.0, "share": 0.5},
                "breadth": {"clip": 1.0, "share": 0.4},
                "customers": {"clip": 1.0, "share": 0.1, "is_metric": True},
            }
        ],
        "created_at": now().isoformat(),
        "expires_at": (now() + timedelta(days=1)).isoformat(),
    }
    return RunProposal.parse(fields | changes)


def question(asked: RunProposal, party: str = "alster", **changes: Any) -> CohortRequest:
    fields = {"partner": party, "run": asked.run, "round": 1, "proposal": asked.digest, "purpose": STATISTICS}
    return CohortRequest.model_validate(
        fields | {"tier": "standard", "known": NO_PREVIOUS, "nonce": secrets.token_hex(16)} | changes
    )


def decide(person: Person, asked: RunProposal, verdict: str = "approve", **changes: Any) -> Any:
    said = {"controller": person.controller, "proposal": asked.digest, "verdict": verdict}
    return person.post(f"/v1/runs/{asked.run}/decisions", said | changes)
