"""``hanse demo``: an example league, from purchases to report, in one command."""

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from hanse_demo.collecting import collect_oracle, collect_released, evaluate, read_partners
from hanse_demo.demonstration import Demonstration
from hanse_demo.display import Display
from hanse_demo.processes import ProcessGroup
from hanse_demo.report.closing_table import closing_table
from hanse_demo.report.page import render_report
from hanse_demo.story import load_story
from hanse_demo.summary import Summary
from hanse_demo.workshop import lay_out

app = typer.Typer(pretty_exceptions_enable=False)
_HERE = Path(__file__).resolve().parent


def league_folder(name: str) -> Path:
    """Where an example league's files lie: beside this package in a checkout, inside it when installed."""
    beside = _HERE.parent / name
    return beside if beside.is_dir() else _HERE / "leagues" / name


@app.callback(invoke_without_command=True)
def demo(
    league: Annotated[Path | None, typer.Option(help="Folder of an example league; Complete Journey if none.")] = None,
    out: Annotated[Path, typer.Option(help="Where everything is written.")] = Path("build/demo"),
) -> None:
    """Run an example league on this machine and write summary.json and report.html."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    try:
        summary = run_demo(league or league_folder("complete_journey"), out.resolve(), console)
    except KeyboardInterrupt:
        console.print("Stopped. Every process that was started has ended.")
        raise typer.Exit(130) from None
    console.print(closing_table(summary, report=out / "report.html"))


def run_demo(source: Path, root: Path, console: Console) -> Summary:
    """Run an example league, let the oracle evaluate it, and write both files.

    Raises:
        HanseError: If anything fails; every process that was started has ended then.
    """
    started = time.monotonic()
    story = load_story(source)
    with lay_out(source, root) as workshop, Display(console) as display:
        with ProcessGroup(logs=root / "logs") as group:
            finished = Demonstration(story=story, workshop=workshop, group=group, display=display).run()
            display.step("Let the oracle, which owns all data, say what it was worth")
            purchases = read_partners(workshop)
            view = evaluate(finished, workshop=workshop, purchases=purchases)
            released = collect_released(finished, workshop=workshop)
            oracle = collect_oracle(finished, workshop=workshop, view=view, purchases=purchases)
            display.step("End every process and write the report")
        summary = Summary(
            league=story.title,
            data=story.data,
            grants=story.grants_in_words(),
            seconds=time.monotonic() - started,
            peak_pss_mb=group.peak_pss_bytes / 1e6,
            released=released,
            demo_oracle=oracle,
        )
        (root / "summary.json").write_text(summary.model_dump_json(indent=1), encoding="utf-8")
        (root / "report.html").write_text(render_report(summary), encoding="utf-8")
    return summary


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Treat SIGTERM as Ctrl-C: everything that was started is ended."""
    raise KeyboardInterrupt
