"""A run as the centre proposes it."""

import secrets
from datetime import timedelta
from typing import Any

from installed_service import RunningService
from league_files import CENTRE, PURCHASES, STATISTICS
from speakers import now

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
