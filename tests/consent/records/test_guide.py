"""The officer's guide is held against the code: its example record and its table of fields."""

import json
import re
from pathlib import Path

import pytest

from hanse_consent.records.receipt import make_receipt
from hanse_consent.records.record import make_record, standalone
from hanse_consent.records.requirements import FIELDS
from hanse_consent.records.wording import receipt_lines

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "consent-records.md"


def block(after, language):
    text = GUIDE.read_text(encoding="utf-8")
    return re.search(rf"{after}.*?```{language}\n(.*?)```", text, re.DOTALL).group(1)


@pytest.fixture
def example(shop):
    purpose = shop.purpose(data_categories={"basic": ("hanse:ProductGroupPurchase",)})
    registry = shop.registry(purposes=(purpose,), notices=(shop.notice(),))
    history = shop.recorded(shop.act(tier="basic", channel="app"))
    return make_record(history, shop.source(registry=registry), purpose=shop.name)


def test_the_example_is_what_the_code_makes(example):
    shown = json.loads(block("## An example", "json"))
    made = standalone(example)
    made.pop("@context")
    rights = made["dpv:hasProcess"][0]["dpv:hasRight"]
    made["dpv:hasProcess"][0]["dpv:hasRight"] = rights[:1]
    assert shown == made, json.dumps(made, indent=1, ensure_ascii=False)


def test_the_printed_receipt_is_what_the_command_prints(shop, example):
    receipt = make_receipt(example, packs=("gdpr",), service="north-consent", now=shop.source().at)
    assert block("## How a customer checks a receipt", "text").splitlines() == list(receipt_lines(receipt))


def test_every_field_stands_in_the_table_with_its_clause():
    text = GUIDE.read_text(encoding="utf-8")
    for field in FIELDS:
        needed = "yes" if field.required else "no"
        row = f"| `{field.name}` | {field.clause or '–'} | {field.guide} | `{field.term}` | {needed} |"
        assert row in text, row
