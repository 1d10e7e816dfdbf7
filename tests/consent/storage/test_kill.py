"""Killed at any moment, the store has lost nothing that it acknowledged and holds no half batch."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sayings import pseudonym

from hanse_consent.decisions.facts import FactState
from hanse_consent.storage.database import Database

WRITER = Path(__file__).parent / "writer_process.py"
BATCH = 3
"""Acts that the writer sends at once."""


def run_writer(location, point, *, after, seconds):
    """The positions it acknowledged before it died."""
    writer = subprocess.Popen(
        [sys.executable, str(WRITER), location.url.render_as_string(hide_password=False), point, str(after)]
        if not location.is_file
        else [sys.executable, str(WRITER), str(location.path), point, str(after)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline())]
    if point == "at random":
        time.sleep(seconds)
        writer.kill()
    acknowledged += [int(line) for line in writer.stdout]
    writer.stdout.close()
    assert writer.wait(timeout=60) == -9
    return acknowledged


@pytest.mark.parametrize(
    "point",
    [
        "before the acts",
        "after the acts",
        "while facts are superseded",
        "while facts are opened",
        "before the commit",
        "at random",
    ],
)
def test_nothing_acknowledged_is_lost(location, database, registry, open_store, point):
    open_store(database).register(registry)
    database.close()
    acknowledged = run_writer(location, point, after=3, seconds=random.uniform(0, 0.3))
    again = Database(location)
    store = open_store(again)
    position = store.position("alster")
    acts = store.acts_after("alster", 0, limit=10**6)
    assert position >= acknowledged[-1]
    assert position % BATCH == 0
    if point != "at random":
        assert position == acknowledged[-1] == 3 * BATCH
    assert [one.position for one in acts] == list(range(1, position + 1))
    for number in range(position // BATCH):
        if number != 5:
            facts = store.facts("alster", pseudonym(number)).facts.by_topic
            assert {topic: fact.state for topic, fact in facts.items()}["consent/statistics"] is FactState.WITHDRAWN
    assert store.facts("alster", pseudonym(position)).facts.by_topic == {}
    again.close()
