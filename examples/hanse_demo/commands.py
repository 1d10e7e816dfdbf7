"""``hanse demo``: an example league, from purchases to report, in one command."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanse_demo.demonstration import Demonstration
from hanse_demo.display import Display
from hanse_demo.processes import ProcessGroup
from hanse_demo.story import load_story
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
    console = Console()
    source = league or league_folder("complete_journey")
    story = load_story(source)
    with lay_out(source, out.resolve()) as workshop, ProcessGroup(logs=out.resolve() / "logs") as group:
        with Display(console) as display:
            Demonstration(story=story, workshop=workshop, group=group, display=display).run()
        console.print(group.peak_pss_bytes)
