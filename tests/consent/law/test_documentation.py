"""The page for compliance officers says what the packs say."""

import re
import subprocess
import sys
from pathlib import Path

from hanse_consent.law.documentation import law_page, law_table
from hanse_consent.law.packs import load_shipped_packs

PACKS = load_shipped_packs()
PAGE = Path(__file__).parents[3] / "docs" / "law.md"


def test_the_page_is_what_the_packs_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == law_page(PACKS), "run: python -m hanse_consent.law.documentation"


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    subprocess.run([sys.executable, "-m", "hanse_consent.law.documentation"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "docs" / "law.md").read_text(encoding="utf-8") == law_page(PACKS)


def test_every_rule_has_its_row_and_every_row_its_cells() -> None:
    rows = [line for line in law_table(PACKS).splitlines() if re.match(r"\| [A-Z]-", line)]
    assert len(rows) == sum(len(pack.rules) for pack in PACKS.packs)
    for row, rule in zip(rows, (rule for pack in PACKS.packs for rule in pack.rules), strict=True):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 8
        assert cells[:3] == [rule.id, rule.article, rule.title]
        assert all(cells), f"{rule.id} has an empty cell"


def test_a_rule_that_is_taken_out_leaves_the_table() -> None:
    assert "| G-33 |" in law_table(PACKS)
    assert "| G-33 |" not in law_table(PACKS.without("G-33"))
