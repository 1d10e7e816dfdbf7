"""The random cases meet every rule and every reason often; else the properties held on them would say little."""

import os
import sys
from collections import Counter
from contextlib import nullcontext

import pytest
from strategies import random_case

from hanse_consent.decisions.decide import Decider
from hanse_consent.decisions.planning import make_plan
from hanse_consent.law.packs import load_shipped_packs

PACKS = load_shipped_packs()
WORLDS = 500
CUSTOMERS_EACH = 12
OFTEN = 100


def test_every_rule_and_every_reason_is_met_often(capsys: pytest.CaptureFixture[str]) -> None:
    rules: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    sole: Counter[str] = Counter()
    permitted = 0
    for seed in range(WORLDS):
        case = random_case(seed, customers=CUSTOMERS_EACH)
        decider = Decider(make_plan(case.question, registry=case.registry, packs=PACKS, at=case.at))
        for facts in case.customers:
            reasons = decider.reasons(facts, case.at_us)
            permitted += not reasons
            rules.update(reason.rule for reason in reasons)
            codes.update({reason.code for reason in reasons})
            sole.update({reason.code for reason in reasons} if len({reason.code for reason in reasons}) == 1 else ())
    denying = {rule.id: rule.code for pack in PACKS.packs for rule in pack.decisions if rule.code is not None}
    with capsys.disabled() if os.environ.get("HANSE_SHOW_COUNTS") else nullcontext():
        sys.stdout.write(
            f"\n{WORLDS * CUSTOMERS_EACH} decisions, {permitted} permitted\n"
            f"by rule: { {rule_id: rules[rule_id] for rule_id in sorted(denying)} }\n"
            f"by reason: {dict(sorted(codes.items()))}\nas the only reason: {dict(sorted(sole.items()))}\n"
        )
    assert not {rule_id: rules[rule_id] for rule_id in denying if rules[rule_id] < OFTEN}
    assert not {code: codes[code] for code in denying.values() if codes[code] < OFTEN}
    assert permitted >= OFTEN
