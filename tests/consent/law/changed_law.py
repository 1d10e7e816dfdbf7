"""An invented second version of the European law, in force from spring 2027: it asks other things of everything."""

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from hanse_consent.law.packs import LawPacks, read_packs

CHANGE = datetime(2027, 3, 1, 9, 30, tzinfo=UTC)
"""Within a day: at midnight plans end anyway."""
BEFORE = CHANGE - timedelta(microseconds=1)
SHIPPED = files("hanse_consent.law") / "packs"

# No league counts anything any more; who asks is answered within a fortnight; a box may be ticked beforehand.
_NEW_DECISION = """
[[decisions]]
id = "G-99"
article = "GDPR 99 (invented)"
title = "No league counts anything"
source = "Invented for a test"
provenance = "design"
code = "NOT_ANY_MORE"
condition = { name = "kind-not-for-league", kinds = ["statistics"] }
"""


def second_version(version: str = "2027.3", in_force_from: datetime = CHANGE) -> str:
    """The text of the new file."""
    text = (SHIPPED / "gdpr.toml").read_text(encoding="utf-8")
    text = re.sub(r'^version = ".*"$', f'version = "{version}"', text, count=1, flags=re.MULTILINE)
    date = in_force_from.isoformat()
    text = re.sub(r'^in_force_from = ".*"$', f'in_force_from = "{date}"', text, count=1, flags=re.MULTILINE)
    text = _without(text, "writes", "G-7.2")
    text = text.replace('{ name = "months", months = 1, extension_months = 2 }', '{ name = "days", days = 14 }')
    text = text.replace(
        '    { statement = "complaint", iso_29184 = "5.3.13" },\n',
        '    { statement = "complaint", iso_29184 = "5.3.13" },\n    { statement = "means", iso_29184 = "5.3.8" },\n',
    )
    text = text.replace('fields = ["reason", "complaint", "decided_at"]', 'fields = ["reason", "decided_by"]')
    text = text.replace('"event_state", "event_time",\n]', '"event_state", "event_time", "impact_assessment",\n]')
    text = text.replace('condition = { name = "entrusted-data-returned" }', 'condition = { name = "no-paper-ended" }')
    text = text.replace('code = "RETURN_NOT_ATTESTED"', 'code = "PAPER_ENDED"')
    return text + _NEW_DECISION


def _without(text: str, section: str, rule: str) -> str:
    blocks = re.split(r"(?m)^(?=\[\[)", text)
    kept = [block for block in blocks if not block.startswith(f'[[{section}]]\nid = "{rule}"\n')]
    if len(kept) != len(blocks) - 1:
        raise ValueError(f"{rule} does not stand once in {section}")
    return "".join(kept)


def lay_out(folder: Path, **more: str) -> Path:
    """The shipped files, and more beside them: name without its ending, and text."""
    for name in ("gdpr", "pipl", "house"):
        (folder / f"{name}.toml").write_text((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), encoding="utf-8")
    for name, text in more.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def changed_packs(folder: Path) -> LawPacks:
    """The shipped packs and the second version."""
    return read_packs(lay_out(folder, **{"gdpr-2027.3": second_version()}))
