"""Every rule of the shipped packs is kept. That it is kept only because it stands in its pack is tested beside this."""

from datetime import UTC, datetime

import pytest
from tests.consent.law import (
    scenarios_clocks,
    scenarios_decisions,
    scenarios_duties,
    scenarios_records,
    scenarios_writes,
)

from hanse_consent.law.errors import RecordMustBeKeptError
from hanse_consent.law.packs import LawPacks, load_shipped_packs
from hanse_consent.law.record_checks import keep_until, require_may_delete
from hanse_consent.law.record_rules import KeepAtLeast, RecordKind

PACKS = load_shipped_packs()
BY_SECTION = {
    module.SECTION: module.SCENARIOS
    for module in (scenarios_decisions, scenarios_writes, scenarios_clocks, scenarios_records)
} | {"duties": scenarios_duties.SCENARIOS}
RULES = sorted({rule_id for scenarios in BY_SECTION.values() for rule_id in scenarios})


@pytest.mark.parametrize("section", sorted(BY_SECTION))
def test_every_rule_has_its_scenario(section: str) -> None:
    assert {rule.id for pack in PACKS.packs for rule in getattr(pack, section)} == set(BY_SECTION[section])


@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_is_kept(rule_id: str) -> None:
    # One row of a law may be a rule in two sections.
    for scenarios in BY_SECTION.values():
        if rule_id in scenarios:
            scenarios[rule_id](PACKS)


def test_of_two_periods_the_longer_one_counts() -> None:
    made = datetime(2023, 6, 15, 12, 0, tzinfo=UTC)
    pipl = PACKS.pack("pipl", at=made)
    assert pipl is not None
    kept = next(rule for rule in pipl.records if rule.id == "P-rec")
    five_years = KeepAtLeast(name="keep-at-least", record=RecordKind.PROVISION, months=60)
    longer = pipl.model_copy(
        update={
            "name": "elsewhere",
            "records": (kept.model_copy(update={"id": "X-1", "condition": five_years}),),
            "decisions": (),
            "writes": (),
            "clocks": (),
            "duties": (),
        }
    )
    for order in ((longer, *PACKS.packs), (*PACKS.packs, longer)):
        packs = LawPacks(packs=order)
        assert keep_until(RecordKind.PROVISION, made, packs=packs, at=made) == datetime(2028, 6, 17, tzinfo=UTC)
        with pytest.raises(RecordMustBeKeptError, match=r"2028-06-17 .*P-rec.*X-1|2028-06-17 .*X-1.*P-rec"):
            require_may_delete(RecordKind.PROVISION, made, datetime(2027, 1, 1, tzinfo=UTC), packs=packs)
    assert keep_until(RecordKind.DECISION, made, packs=PACKS, at=made) is None
