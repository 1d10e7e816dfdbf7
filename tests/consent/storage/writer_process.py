"""A process that records batches and says so on its output, until it is killed: by itself at a named point, or not."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import Clock, accept_registry
from sayings import say

from hanse_consent.domain.acts import ActKind
from hanse_consent.law.packs import load_shipped_packs
from hanse_consent.storage import recording, standing_facts
from hanse_consent.storage.database import Database
from hanse_consent.storage.location import DatabaseLocation
from hanse_consent.storage.store import ConsentStore

POINTS = {
    "before the acts": (recording, "insert_rows"),
    "after the acts": (recording, "current_facts"),
    "while facts are superseded": (standing_facts, "close_facts"),
    "while facts are opened": (standing_facts, "insert_rows"),
    "before the commit": (recording, "write_stand"),
}


def main() -> None:
    address, point, after = sys.argv[1:]
    store = ConsentStore(
        Database(DatabaseLocation.parse(address)),
        packs=load_shipped_packs(),
        now=Clock(),
        check_registry=accept_registry,
    )
    begin = store.position("alster")
    if point in POINTS:
        module, name = POINTS[point]
        real = getattr(module, name)
    for number in range(1_000_000):
        if point in POINTS and number == int(after):
            setattr(module, name, lambda *given, **named: (real(*given, **named), die()))
        receipt = store.record(
            "alster", [say(customer=begin + number), say(customer=5), say(ActKind.WITHDRAWAL, customer=begin + number)]
        )
        sys.stdout.write(f"{receipt.position}\n")
        sys.stdout.flush()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
