"""Runs as people read them in a terminal. Every text goes through one door, because others wrote most of them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pydantic import BaseModel
from rich import box
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hanse_consent.budgets.bodies import BudgetPage
from hanse_consent.commands.budget_pages import budget_beside
from hanse_consent.domain.moments import from_microseconds, in_words
from hanse_consent.runs.bodies import RunDetail, RunSummary
from hanse_consent.runs.events import (
    AnonymityFound,
    Checked,
    CohortMismatched,
    OfficerApproved,
    OfficerRefused,
    OutcomeRecorded,
    Revoked,
    RunEvent,
)
from hanse_consent.runs.standing import Ending, Finding, RunOutcome, RunStanding
from hanse_privacy.protocol.proposal import RunProposal, Step
from hanse_privacy.protocol.steps import Block
from hanse_privacy.terminal import as_text, plain

_NOTHING = "–"
_IN_COLUMNS = frozenset({"operation", "version", "purpose", "tier", "rounds", "noise_multiplier"})
"""Of a step: what has a column of its own, or is part of its operation's name."""


def show(page: Group | Table | Text) -> None:
    """Print a page on standard output."""
    Console(markup=False, highlight=False, emoji=False).print(page)


def list_page(runs: Iterable[RunSummary]) -> Table:
    """A line per run."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for heading in ("run", "stage", "officers", "ε", "purposes", "submitted", "title"):
        table.add_column(heading, overflow="fold")
    for run in runs:
        standing = run.standing
        table.add_row(
            as_text(run.run),
            as_text(standing.stage.value),
            as_text(f"{standing.officers_approved} of {standing.officers_needed}"),
            as_text(f"{run.epsilon:g}"),
            as_text(", ".join(run.purposes)),
            as_text(f"{run.submitted_at.astimezone(UTC):%Y-%m-%d}"),
            as_text(run.title),
        )
    return table


def run_page(detail: RunDetail, *, budget: BudgetPage, now: datetime) -> Group:
    """Everything about one run at one controller; its terms in full, every number as it is; and what it would take."""
    terms = detail.document
    parts: list[Text | Table | Padding] = [
        Text(plain(f"{terms.run} at {detail.standing.controller}"), style="bold"),
        _lines(_standing(detail)),
        _heading("Terms"),
        _lines(_terms(terms)),
        Padding(_steps(terms.steps), (0, 0, 0, 2), expand=False),
        _heading("Budget"),
        _lines(budget_beside(budget, terms, now=now)),
    ]
    if detail.standing.findings:
        parts += [_heading("What forbids it"), *map(_finding, detail.standing.findings)]
    parts.append(_heading("Events"))
    parts += [_event(number, event) for number, event in enumerate(detail.events, start=1)]
    # Last, so that it stands above the question whether to approve; unbroken, so that it can be copied.
    parts += [_heading("Digest of the terms"), as_text(f"  {terms.digest}")]
    return Group(*parts)


def standing_line(standing: RunStanding) -> Text:
    """Where a run stands, in one line."""
    return as_text(standing.in_words())


def _standing(detail: RunDetail) -> Iterator[tuple[str, str]]:
    standing = detail.standing
    yield "stage", standing.stage.value
    yield "officers", f"{standing.officers_approved} of {standing.officers_needed} approved"
    yield "approved by", ", ".join(detail.approved_by) or _NOTHING
    yield "risk", "high: two different officers must approve" if detail.high_risk else "not high: one officer approves"
    yield "submitted", in_words(detail.submitted_at)
    yield "ends", f"{in_words(detail.expires_at)} by itself"
    yield "checked under", _versions(detail.registry_version, detail.pack_versions)
    if standing.ending is not None:
        yield "ended", _ending(standing.ending)
    for mismatch in detail.mismatches:
        yield "mismatch", mismatch
    if detail.outcome is not None:
        yield "outcome", _outcome(detail.outcome)
        yield "model", f"to be treated as {detail.model.value.replace('-', ' ')}"


def _terms(terms: RunProposal) -> Iterator[tuple[str, str]]:
    yield "title", terms.title
    yield "purposes", ", ".join(terms.purposes())
    yield "tiers", ", ".join(dict.fromkeys(step.tier.value for step in terms.steps))
    yield "data categories", ", ".join(terms.data_categories)
    yield "recipients", ", ".join(f"{recipient.name} ({recipient.country})" for recipient in terms.recipients)
    for entry in terms.roster:
        vouchers = f", vouchers: {len(entry.vouchers)}" if entry.vouchers else ""
        yield "roster", f"{entry.partner}, key {entry.key.fingerprint}{vouchers}"
    yield "privacy", f"ε = {terms.epsilon} at δ = {terms.delta} for each {terms.unit.name}"
    yield "which means", terms.guarantee.explain()
    if terms.unit.vaults > 1:
        yield "clips", f"a vault gives each customer 1/{terms.unit.vaults} of what a step states"
    yield "metrics", f"{terms.metrics_share():.0%} of the privacy loss buys figures that judge the run"
    yield "units", f"{terms.units_per_clip} for each clip, sums modulo 2^{terms.ring_bits}"
    yield "floor", f"{terms.minimum_cohort} customers at each vault in each round"
    yield "honest vaults", f"{terms.honest_minimum} presumed"
    yield "rounds", str(terms.rounds)
    yield "week 1", f"begins on {terms.week_one.isoformat()}"
    yield "catalogue", terms.catalogue
    yield "proposed", terms.created_at.astimezone(UTC).isoformat()
    yield "good until", terms.expires_at.astimezone(UTC).isoformat()


def _steps(steps: Iterable[Step]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for heading in ("rounds", "operation", "purpose", "tier", "noise", "with"):
        table.add_column(heading, overflow="fold")
    for step in steps:
        rest = [f"{name} {_value(value)}" for name, value in step if name not in _IN_COLUMNS and value is not None]
        table.add_row(
            as_text(str(step.rounds)),
            as_text(f"{step.operation}/{step.version}"),
            as_text(step.purpose),
            as_text(step.tier.value),
            as_text(f"σ = {step.noise_multiplier}"),
            as_text("; ".join(rest)),
        )
    return table


def _value(value: object) -> str:
    if isinstance(value, Block):
        return f"(clip {value.clip}, share {value.share}{', a metric' if value.is_metric else ''})"
    if isinstance(value, BaseModel):
        return f"({', '.join(f'{name} {_value(part)}' for name, part in value)})"
    return str(value)


def _finding(finding: Finding) -> Text:
    return as_text(f"  {finding.rule} ({finding.article}), {finding.code}: {finding.what}")


def _event(number: int, event: RunEvent) -> Text:
    return as_text(f"  {number}. {in_words(from_microseconds(event.at_us))}  {_what_happened(event)}")


def _what_happened(event: RunEvent) -> str:
    match event:
        case Checked():
            said = _check(event)
        case OfficerApproved():
            said = f"{event.officer} approved"
        case OfficerRefused():
            said = f"{event.officer} refused: {_ending(event.ending)}"
        case Revoked():
            said = f"{event.officer} revoked: {_ending(event.ending)}"
        case CohortMismatched():
            said = f"flagged: {event.why}"
        case OutcomeRecorded():
            said = f"outcome: {_outcome(event.outcome)}"
        case AnonymityFound():
            said = (
                f"{event.officer} found the model anonymous until {in_words(event.valid_until)}, on {event.found_on},"
                f" by ε = {event.epsilon}, {event.honest_minimum} honest vaults and the audit {event.audit}"
            )
    return said


def _check(event: Checked) -> str:
    forbidden = "; ".join(f"{finding.rule} ({finding.article}), {finding.code}" for finding in event.findings)
    needed = f"{event.officers_needed} officer{'s' if event.officers_needed > 1 else ''} needed"
    versions = _versions(event.registry_version, event.pack_versions)
    return f"checked under {versions}: {f'forbidden by {forbidden}' if forbidden else needed}"


def _ending(ending: Ending) -> str:
    cited = " ".join(part for part in (ending.rule, ending.article) if part)
    return f"{ending.words}{f' [{cited}]' if cited else ''}"


def _outcome(outcome: RunOutcome) -> str:
    said = f"{outcome.rounds} rounds, ε = {outcome.epsilon_spent} spent"
    return f"{said}, released {outcome.result_sha256}" if outcome.completed else f"{said}, nothing released"


def _versions(registry_version: int, packs: dict[str, str]) -> str:
    return ", ".join([f"registry {registry_version}", *(f"{name} {version}" for name, version in packs.items())])


def _heading(words: str) -> Text:
    return Text(f"\n{words}", style="bold")


def _lines(pairs: Iterable[tuple[str, str]]) -> Padding:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    named = ""
    for name, value in pairs:
        grid.add_row(name if name != named else "", as_text(value))
        named = name
    return Padding(grid, (0, 0, 0, 2), expand=False)
