"""The league's ledger, held against what vaults paid for: nothing lost or changed, and all charged that was paid."""

from faults_of_a_run.league_under_fire import LeagueUnderFire
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.league_ledger import LeagueLedger


class LeagueBooks:
    """The ledger of the centre, and what should be in it.

    Args:
        league: The league.
    """

    def __init__(self, league: LeagueUnderFire) -> None:
        self._league = league
        self._heads: tuple[str, ...] = ()
        self.errors = 0
        """Entries lost or changed, attempts that a vault paid for and the league did not charge, and other costs."""

    def compare(self, proposal: RunProposal, partner: str, paid: list[tuple[int, int]]) -> None:
        """Count as errors what is gone since the last look, and what a vault paid for in a run that is not charged.

        Args:
            proposal: The run.
            partner: The vault's owner.
            paid: Round and attempt of what its own ledger has.
        """
        reading = LeagueLedger.of(self._league.workshop.league).read()
        self.errors += reading.heads[: len(self._heads)] != self._heads
        self._heads = reading.heads
        charged = {
            (one.charge.round, one.charge.attempt): one
            for one in reading.asked
            if (one.partner, one.charge.run) == (partner, proposal.run)
        }
        for attempt in paid:
            if attempt not in charged:
                self.errors += 1
                continue
            one, step = charged[attempt], proposal.step_of(attempt[0])
            is_right = step is not None and one.charge.event == proposal.layout(step).event
            self.errors += not is_right or one.vaults_of_unit != proposal.unit.vaults
