"""The shipped packs keep every rule about decisions."""

import importlib.util
from pathlib import Path

import pytest

from hanse_consent.law.packs import load_shipped_packs

_SPEC = importlib.util.spec_from_file_location(
    "scenarios_decisions", Path(__file__).with_name("scenarios_decisions.py")
)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
PACKS = load_shipped_packs()


@pytest.mark.parametrize("rule_id", sorted(_MODULE.SCENARIOS))
def test_rule_is_kept(rule_id: str) -> None:
    _MODULE.SCENARIOS[rule_id](PACKS)


def test_every_decision_rule_has_a_scenario() -> None:
    rules = {rule.id for pack in PACKS.packs for rule in pack.decisions}
    assert rules == set(_MODULE.SCENARIOS)
