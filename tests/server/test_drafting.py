"""Drafts: the unit as a person writes it, and as the signed proposal says it."""

from pathlib import Path
from typing import Any

import pytest

from hanse_privacy.units import CustomerAcrossTheRoster, CustomerAtOnePartner, LinkedCustomer
from hanse_server.drafting import DraftInvalidError, load_draft

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_data" / "proposals" / "popularity.toml"
WRITTEN = 'unit = "customer-at-one-partner"'
ASSURANCE = f'{{ method = "cards", sha256 = "{"ab" * 32}", partners_at_most = 2 }}'


def draft(tmp_path: Path, unit: str) -> Any:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert WRITTEN in text
    path = tmp_path / "popularity.toml"
    path.write_text(text.replace(WRITTEN, unit), encoding="utf-8")
    return load_draft(path).unit


def test_units_as_people_write_them(tmp_path: Path) -> None:
    assert draft(tmp_path, WRITTEN) == CustomerAtOnePartner()
    across = 'unit = { kind = "customer-across-the-roster", partners_at_most = 2 }'
    assert draft(tmp_path, across) == CustomerAcrossTheRoster(partners_at_most=2)
    linked = draft(tmp_path, f'unit = {{ kind = "linked-customer", assurance = {ASSURANCE} }}')
    assert isinstance(linked, LinkedCustomer)
    assert linked.vaults == 2


@pytest.mark.parametrize(
    ("unit", "named"),
    [
        ('unit = "household"', "unit: .*customer-at-one-partner"),
        ('unit = "customer-across-the-roster"', "a table"),
        ('unit = { kind = "customer-across-the-roster", partners_at_most = 1 }', "for 1 the unit is"),
        ('unit = { kind = "customer-across-the-roster" }', "partners_at_most"),
    ],
)
def test_other_units_are_refused_by_name(tmp_path: Path, unit: str, named: str) -> None:
    with pytest.raises(DraftInvalidError, match=named):
        draft(tmp_path, unit)
