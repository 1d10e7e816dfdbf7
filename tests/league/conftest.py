"""A small league of two shops with invented purchases, in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse_demo.memory_league import MemoryLeague, memory_league
from hanse_demo.story import load_story
from hanse_demo.workshop import lay_out

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def league(tmp_path: Path) -> Iterator[MemoryLeague]:
    """The league of examples/own_data, up, with grants recorded."""
    source = EXAMPLES / "own_data"
    with lay_out(source, tmp_path / "league") as workshop, memory_league(workshop) as up:
        up.record_grants(load_story(source).grants)
        yield up
