"""A vault's ledger, held against what its vault answered: nothing lost, nothing twice, nothing too much."""

import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from faults_of_a_run.league_under_fire import LeagueUnderFire
from hanse_client.vault.policy import load_policy
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.ledger import LedgerEntry, PrivacyLedger
from hanse_privacy.protocol.proposal import RunProposal


class Books:
    """One vault's ledger as it lies on the disk, and what should be in it.

    Args:
        league: The league.
        partner: Whose ledger.
    """

    def __init__(self, league: LeagueUnderFire, partner: str) -> None:
        self._league = league
        self._partner = partner
        self._seen: tuple[LedgerEntry, ...] = ()
        self.errors = 0
        """Entries lost, doubled, without a cause or of another cost, and ε that is not that of the entries."""

    def entries(self) -> tuple[LedgerEntry, ...]:
        """What is in it; every entry that was seen before must be there still.

        A copy is read, journal and all: whoever opens the file itself would mend it before the vault does.
        """
        home = self._league.workshop.node(self._partner)
        with tempfile.TemporaryDirectory() as folder:
            for path in home.ledger.parent.glob("ledger.db*"):
                shutil.copy(path, folder)
            caps = load_policy(home.policy).caps
            ledger = PrivacyLedger(Path(folder) / home.ledger.name, caps=caps, clock=lambda: datetime.now(tz=UTC))
            entries = ledger.entries()
            statement = ledger.statement()
        self.errors += len(set(self._seen) - set(entries))
        everything = statement.caps[0]
        expected = epsilon_of([entry.event for entry in entries], delta=everything.cap.budget.delta)
        self.errors += everything.spent_epsilon != expected or statement.end.position != len(entries)
        self._seen = entries
        return entries

    def attempts(self, run: str) -> list[tuple[int, int]]:
        """Round and attempt of a run's entries, in the order in which they were paid."""
        return [(entry.round, entry.attempt) for entry in self.entries() if entry.run == run]

    def compare(self, proposal: RunProposal, expected: Iterable[tuple[int, int]]) -> None:
        """Count as errors what a run's entries have too few, too many, or at another price."""
        left = sorted(expected)
        for entry in self.entries():
            if entry.run != proposal.run:
                continue
            step = proposal.step_of(entry.round)
            if (entry.round, entry.attempt) in left:
                left.remove((entry.round, entry.attempt))
                self.errors += step is None or entry.event != proposal.layout(step).event
            else:
                self.errors += 1
        self.errors += len(left)

    def compare_total(self, attempts: int) -> None:
        """Count as errors how many entries there are beside those of all runs together."""
        self.errors += abs(len(self.entries()) - attempts)
