"""The packs as a table for people: every rule with its article, what it demands, its outcome, source and test.

``python -m hanse_consent.law.documentation`` writes ``docs/law.md`` under the folder it is called in.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel

from hanse_consent.law.clock_rules import ClockRule
from hanse_consent.law.decision_rules import DecisionRule
from hanse_consent.law.duty_rules import DutyRule
from hanse_consent.law.packs import LawPack, LawPacks, load_shipped_packs
from hanse_consent.law.record_rules import RecordRule
from hanse_consent.law.registry_conditions import StatementDemand
from hanse_consent.law.rules import Provenance
from hanse_consent.law.write_rules import WriteRule

_AnyRule = DecisionRule | WriteRule | ClockRule | RecordRule | DutyRule

_INTRODUCTION = """# The law packs

What the consent service enforces, rule by rule. This page is written by `python -m hanse_consent.law.documentation`
from the packs themselves; a test holds the two equal.

A **law pack** is a file of rules: one for the General Data Protection Regulation, one for China's Personal Information
Protection Law with its implementing rules, and one, `house`, for what Hanse asks of everybody. Each rule names its
article, what it demands, a stable outcome code and its figures. A rule is enforced only because it stands in a pack:
for each one a test takes it out, and sees what it forbids happen. Another law is another file.

A law changes; what was decided under it before does not. A new version is a file of its own beside the old one, named
after law and version: `gdpr.toml`, then `gdpr-2027.3.toml`. It holds the whole law as it reads from then on, and says
from when it is in force; the version before it ends at that moment. What is asked about a moment, a decision, an act, a
notice, a clock or a record, is answered by the version of that moment, and names it. Rules keep their ids where they
mean the same. **A file that has decided is never changed**: a reading that turns out wrong is mended in a new version,
in force from the day of mending. After adding one, run `python -m hanse_consent.law.documentation` and the tests.

Rules come in five kinds.

- **Decisions** say when a customer may not be used, or what whoever uses them must do. One reason to exclude is enough.
- **Writes** say which acts and which registered notices and purposes are refused. An act that one pack refuses is
  refused, whichever law the customer is under. A notice is held against the packs of its controllers' countries, of the
  countries where they say that their customers live, and of those that it says data goes to; if its controllers are
  not all known, against all packs. Completeness is asked of a notice when it is published; later it is evidence.
- **Clocks** say by when something is due. Days are those of the calendar where the law applies, the day of the event is
  not counted, and the last day counts whole. Where a law gives more time because the last day is a holiday, that is
  not used: the clock is never later than the law's.
- **Records** say what is kept, for how long, and what may be left after an erasure.
- **Duties** say what a controller has to have in order, whoever the customer: nobody is excluded by them, and officers
  see what is missing ([findings](consent.md#findings)). A law's duties bind a controller if the law governs any of its
  customers. A row of the law may ask for a clock and for a duty; both then have its id.

## What to have confirmed

This is engineering, not legal advice. The table says how well each rule is known: `read` was read in the law, in an
official text or standard, or its article in the mapping that the source names; `secondary` in somebody's summary or
translation; **`own-knowledge` was not held against any text and needs your counsel** before you rely on it;
`source-document` and `design` are Hanse's own.
{unconfirmed} of the {all} rules here are `own-knowledge`.

Some answers are provisional. China's working days are published each autumn for the year after: until then the service
counts Monday to Friday and marks the date as provisional, also for the last days of December, which the next year's
arrangement may move. The retention maxima under PIPL 19 are Hanse's, since the law names no figure. Whether the updates
of a model are personal data that leaves a country is for a lawyer to judge; Hanse treats them as if they were.

## Tiers and bundling

A purpose may be offered at the tiers basic, standard and advanced, and such a ladder raises the share of customers who
agree. The law forbids the step from there to a bundle: many authorisations in one gesture have been fined. So a tier
orders how deeply *one* purpose may look, and grants nothing else. A grant names one purpose. Two purposes said yes to
in one gesture are refused as `BUNDLED_CONSENT`, as is a separate consent together with any other, and a box that was
ticked beforehand as `PRESELECTED_CONSENT`. The lowest tier must work without the higher ones, and no service may depend
on any of them. A gesture that is not named cannot be refused: a partner has to send the interaction with every grant.
Whoever said yes to many purposes within one second is found afterwards, and counted (H-S1).
"""

_HEAD = "| Rule | Article | What it demands | Checked as | Outcome | Source | Known | Test |"
_RULE = "|---|---|---|---|---|---|---|---|"
_MAX_LISTED = 6
"""Longer lists are given by their length; the pack's file holds them."""


def law_table(packs: LawPacks) -> str:
    """Every rule of every pack as Markdown tables, by pack and kind of rule."""
    return "\n".join(line for pack in packs.packs for line in _pack_lines(pack, packs))


def law_page(packs: LawPacks) -> str:
    """The whole page: an introduction for a compliance officer, then the table."""
    rules = [rule for pack in packs.packs for rule in pack.rules]
    unconfirmed = sum(rule.provenance is Provenance.OWN_KNOWLEDGE for rule in rules)
    introduction = _INTRODUCTION.replace("{unconfirmed}", str(unconfirmed)).replace("{all}", str(len(rules)))
    return f"{introduction}\n{law_table(packs)}"


def _pack_lines(pack: LawPack, packs: LawPacks) -> Iterator[str]:
    where = ", ".join(sorted(pack.territories)) or "everywhere"
    others = [other for other in packs.packs if other.name == pack.name and other is not pack]
    # Headings are places to link to: those of several versions differ.
    label = f"{pack.name} {pack.version}" if others else pack.name
    ends = min((other.in_force_from for other in others if other.in_force_from > pack.in_force_from), default=None)
    until = f" up to {ends.date().isoformat()}" if ends is not None else ""
    yield f"## {pack.title}{f', {pack.version}' if others else ''}"
    yield ""
    yield f"Pack `{pack.name}`, version {pack.version}, in force from {pack.in_force_from.date().isoformat()}{until}."
    yield f"Applies in: {where}."
    yield ""
    sections: tuple[tuple[str, tuple[_AnyRule, ...]], ...] = (
        ("Decisions", pack.decisions),
        ("Writes", pack.writes),
        ("Clocks", pack.clocks),
        ("Records", pack.records),
        ("Duties", pack.duties),
    )
    for title, rules in sections:
        if rules:
            yield f"### {title} ({label})"
            yield ""
            yield _HEAD
            yield _RULE
            yield from (_row(rule) for rule in rules)
            yield ""


def _row(rule: _AnyRule) -> str:
    cells = (
        rule.id,
        rule.article,
        rule.title,
        _checked_as(rule),
        _outcome(rule),
        rule.source,
        f"**{rule.provenance}**" if rule.provenance is Provenance.OWN_KNOWLEDGE else str(rule.provenance),
        f"`test_every_rule_is_kept[{rule.id}]`",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _outcome(rule: _AnyRule) -> str:
    told = [f"`{rule.code}`"] if rule.code is not None else []
    if isinstance(rule, DecisionRule) and rule.obligation is not None:
        told.append(f"obliges: `{rule.obligation.code}`")
    return "; ".join(told)


def _checked_as(rule: _AnyRule) -> str:
    condition = rule.condition
    figures = [
        f"{name.replace('_', ' ')}: {_figure(getattr(condition, name))}"
        for name, field in type(condition).model_fields.items()
        if name != "name" and getattr(condition, name) != field.default
    ]
    if isinstance(rule, ClockRule):
        figures.append(f"about: {', '.join(rule.matters)}")
    return f"{condition.name} ({'; '.join(figures)})" if figures else condition.name


def _figure(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{len(members)} {key}" for key, members in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return _listed(list(value), ordered=isinstance(value, tuple))
    return str(value)


def _listed(members: list[object], *, ordered: bool) -> str:
    if any(isinstance(member, BaseModel) for member in members):
        return "; ".join(_described(member) for member in members if isinstance(member, BaseModel))
    if len(members) > _MAX_LISTED:
        return f"{len(members)} of them"
    names = [str(member) for member in members]
    # A set has no order of its own: without one, the page would differ from run to run.
    return ", ".join(names if ordered else sorted(names))


def _described(member: BaseModel) -> str:
    if isinstance(member, StatementDemand):
        return f"{member.statement.replace('_', ' ')} (ISO/IEC 29184, {member.iso_29184})"
    return ", ".join(f"{name} {_figure(getattr(member, name))}" for name in type(member).model_fields)


def main() -> None:
    """Write ``docs/law.md``."""
    Path("docs/law.md").write_text(law_page(load_shipped_packs()), encoding="utf-8")


if __name__ == "__main__":
    main()
