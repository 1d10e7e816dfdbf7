"""Draws who said yes, for an example league only: consent is in no purchase data."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from hanse_client.consent_acts import COLUMNS
from hanse_client.data.contract import load_contract
from hanse_client.data.reader import join_lines, list_stores, open_engine, read_export
from hanse_demo.story import Grants, Withdrawals
from hanse_models.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class DrawnGrants:
    """One partner's draw, in the partner's own customer numbers."""

    customers: int
    granted: Mapping[str, tuple[str, ...]]
    """For each purpose, the customers who said yes, sorted."""


def customers_of(node: Path, catalogue: Catalogue) -> list[str]:
    """Read a partner's own customer numbers from its export.

    Raises:
        HanseError: If contract or export cannot be read.
    """
    with open_engine() as engine:
        contract = load_contract(node / "contract.toml")
        export = read_export(engine, contract)
        lines = join_lines(engine, export, catalogue, stores=list_stores(engine, export))
        known = lines.select("customer").distinct().filter(lambda table: table.customer.notnull())
        names: list[str] = known.to_pyarrow()["customer"].to_pylist()
    return names


def draw_grants(grants: Grants, *, partner: str, customers: Sequence[str]) -> DrawnGrants:
    """Draw each purpose for each customer, independently; the same seed draws the same.

    Args:
        grants: Purposes and probabilities.
        partner: Makes the partners' draws differ.
        customers: The partner's own customer numbers.
    """
    ordered = sorted(customers)
    granted = {}
    for place, draw in enumerate(grants.purposes):
        generator = np.random.default_rng([grants.seed, place, *partner.encode()])
        said_yes = generator.random(len(ordered)) < draw.probability
        granted[draw.purpose] = tuple(name for name, yes in zip(ordered, said_yes, strict=True) if yes)
    return DrawnGrants(customers=len(ordered), granted=granted)


def draw_withdrawals(withdrawals: Withdrawals, *, seed: int, partner: str, granted: Sequence[str]) -> tuple[str, ...]:
    """Draw who of those that granted the purpose takes it back."""
    generator = np.random.default_rng([seed, 1_000_003, *partner.encode()])
    leaves = generator.random(len(granted)) < withdrawals.probability
    return tuple(name for name, yes in zip(sorted(granted), leaves, strict=True) if yes)


def write_grants(path: Path, grants: Grants, drawn: DrawnGrants) -> None:
    """Write the grants as the file that ``hanse node consent`` reads."""
    said_at = datetime.now(tz=UTC) - timedelta(days=grants.said_days_ago)
    _write(
        path,
        (
            {
                "key": f"grant-{draw.purpose}-{place}",
                "kind": "grant",
                "customer": customer,
                "purpose": draw.purpose,
                "tier": draw.tier.value,
                "notice": draw.notice,
                "said_at": said_at.isoformat(),
            }
            for draw in grants.purposes
            for place, customer in enumerate(drawn.granted[draw.purpose])
        ),
    )


def write_withdrawals(path: Path, *, purpose: str, customers: Sequence[str], said_at: datetime) -> None:
    """Write withdrawals as the file that ``hanse node consent`` reads."""
    _write(
        path,
        (
            {
                "key": f"withdrawal-{purpose}-{place}",
                "kind": "withdrawal",
                "customer": customer,
                "purpose": purpose,
                "tier": "",
                "notice": "",
                "said_at": said_at.isoformat(),
            }
            for place, customer in enumerate(customers)
        ),
    )


def _write(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
