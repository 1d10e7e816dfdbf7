"""The table that ends ``hanse demo`` in a terminal of 80 columns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from hanse_demo.report.numbers import NONE, duration, epsilon, memory
from hanse_demo.report.words import Verdict, auc_of, by_size, is_within, row_of, verdict
from hanse_demo.summary import ChurnRow, Estimate, LeagueGain, PartnerTruth, RecommenderRow, ReleasedRun, Summary
from hanse_privacy.terminal import plain

DEFAULT_REPORT = Path("build/demo/report.html")
_OWN = "own data, consented"
_LEAGUE = "league"


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One measure of a partner: its own figure, the league's, and the paired gain."""

    name: str
    of: Callable[[RecommenderRow], Estimate]
    gain: Callable[[LeagueGain], Estimate]

    def cell(self, partner: PartnerTruth) -> Text:
        own, league = row_of(partner.recommenders, _OWN), row_of(partner.recommenders, _LEAGUE)
        found = Verdict.UNKNOWN if partner.gain is None else verdict(self.gain(partner.gain))
        return _pair(None if own is None else self.of(own), None if league is None else self.of(league), found)


_COLUMNS = (
    _Column(name="all", of=lambda row: row.recall_all, gain=lambda gain: gain.recall_all),
    _Column(name="explore", of=lambda row: row.recall_explore, gain=lambda gain: gain.recall_explore),
    _Column(name="cold 0", of=lambda row: row.recall_cold_0, gain=lambda gain: gain.recall_cold_0),
    _Column(name="cold 1", of=lambda row: row.recall_cold_1, gain=lambda gain: gain.recall_cold_1),
)
_SIGNS = {Verdict.BETTER: ("▲", "green"), Verdict.WORSE: ("▼", "red")}


def closing_table(summary: Summary, *, report: Path = DEFAULT_REPORT) -> Group:
    """Return what to print at the end: own data → league per partner, what it cost, where the report is."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
    )
    table.add_column("partner", overflow="fold", max_width=14)
    for column in _COLUMNS:
        table.add_column(column.name, justify="right", no_wrap=True)
    table.add_column("churn", justify="right", no_wrap=True)
    for partner in by_size(summary.demo_oracle.partners):
        cells = (column.cell(partner) for column in _COLUMNS)
        table.add_row(_plain(partner.partner), *cells, _churn(partner.churn, Verdict.UNKNOWN))
    difference = summary.demo_oracle.churn_difference
    if summary.demo_oracle.churn_all_partners:
        found = Verdict.UNKNOWN if difference is None else verdict(difference)
        table.add_row("together", "", "", "", "", _churn(summary.demo_oracle.churn_all_partners, found))
    title = Text("Exact, seen by no party of a real league: own data → league", style="bold")
    legend = Text("Recall@10; churn: AUC. ▲ better and ▼ worse, clear at 95 %; – not evaluated.\n", style="dim")
    return Group(title, table, legend, *(_run(run) for run in summary.released.runs), _end(summary, report))


def _plain(text: str) -> Text:
    """Names are data: neither rich's markup nor a terminal's control codes are obeyed."""
    return Text(plain(text))


def _short(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return NONE
    text = f"{estimate.value:.3f}"
    return text.removeprefix("0")


def _pair(own: Estimate | None, league: Estimate | None, found: Verdict) -> Text:
    own_figure, league_figure = _short(own), _short(league)
    sign, colour = _SIGNS.get(found, ("", ""))
    figures = NONE if own_figure == league_figure == NONE else f"{own_figure}→{league_figure}"
    return Text.assemble((sign, colour), figures)


def _churn(rows: tuple[ChurnRow, ...], found: Verdict) -> Text:
    return _pair(auc_of(rows, _OWN), auc_of(rows, _LEAGUE), found)


def _run(run: ReleasedRun) -> Text:
    said = Text.assemble(_plain(run.title), f": ε = {epsilon(run.epsilon_stated)} stated")
    recorded = run.epsilon_recorded.values()
    if not recorded:
        return said.append("; no vault's ledger was read", style="bold red")
    said.append(f"; at most {epsilon(max(recorded))} in the vaults' ledgers")
    if not is_within(max(recorded), run.epsilon_stated):
        said.append(" – MORE THAN STATED", style="bold red")
    return said


def _end(summary: Summary, report: Path) -> Text:
    used = f"{duration(summary.seconds)}, {memory(summary.peak_pss_mb)} at most in all processes."
    return Text.assemble(f"{used}\nReport: ", (str(report), "bold"))
