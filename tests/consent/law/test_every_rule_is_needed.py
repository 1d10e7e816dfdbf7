"""Take one rule away: its own scenarios fail, and no others do. So no rule is dead, and none hides behind another.

Scenarios lie in the modules ``scenarios_*.py`` beside this one: a ``SCENARIOS`` from rule id to a function that raises
AssertionError where the packs that it is given do not keep the rule. A module that names a ``SECTION`` is given packs
with that section only, so that rules of others need not be tried on it.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hanse_consent.law.packs import LawPacks, load_shipped_packs

PACKS = load_shipped_packs()
SECTIONS = ("decisions", "writes", "clocks", "records", "duties")


def _only(packs: LawPacks, section: str) -> LawPacks:
    emptied = dict.fromkeys(set(SECTIONS) - {section}, ())
    return LawPacks(packs=tuple(pack.model_copy(update=emptied) for pack in packs.packs))


@dataclass(kw_only=True)
class Module:
    """Scenarios of one module, and which of them failed for packs already tried."""

    scenarios: dict[str, Callable[[LawPacks], None]]
    section: str | None
    tried: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)

    def failing(self, packs: LawPacks) -> frozenset[str]:
        """Rules whose scenario fails."""
        if self.section is not None:
            packs = _only(packs, self.section)
        if packs.rule_ids not in self.tried:
            self.tried[packs.rule_ids] = frozenset(
                rule_id for rule_id, scenario in self.scenarios.items() if _fails(scenario, packs)
            )
        return self.tried[packs.rule_ids]


def _fails(scenario: Callable[[LawPacks], None], packs: LawPacks) -> bool:
    try:
        scenario(packs)
    except AssertionError:
        return True
    return False


def _collected() -> list[Module]:
    found = []
    for path in sorted(Path(__file__).parent.glob("scenarios_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(Module(scenarios=module.SCENARIOS, section=getattr(module, "SECTION", None)))
    return found


MODULES = _collected()


def test_every_rule_has_a_scenario() -> None:
    assert set(PACKS.rule_ids) == {rule_id for module in MODULES for rule_id in module.scenarios}


@pytest.mark.parametrize("rule_id", PACKS.rule_ids)
def test_without(rule_id: str) -> None:
    packs = PACKS.without(rule_id)
    for module in MODULES:
        assert module.failing(packs) == module.scenarios.keys() & {rule_id}
