"""What all runs together may have cost one person: the charge that no vault can make, because none sees every run."""

from fractions import Fraction

from hanse_privacy.accounting import epsilon_from_rho, total_rho
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger


def epsilon_of_a_person(home: LeagueHome, *, delta: float) -> float:
    """ε at ``delta`` of everything that was asked, for a person who is a customer of every partner.

    Guarantee: an upper bound for whoever is one customer at each partner or at fewer. In a run with k partners whose
    unit may be at m, such a person weighs k/m times the unit; the runs' ρ are added up.

    Edge case: of a run whose proposal is no longer in its folder, or cannot be read, the unit is not known; it counts
    as the weakest, one customer at one partner.
    """
    rho = Fraction(0)
    for asked in LeagueLedger(home.ledger).runs():
        part = Fraction(asked.partners, _vaults_of_a_unit(home, asked.run))
        rho += total_rho(event.weighing(part) for event in asked.events)
    return epsilon_from_rho(rho, delta=delta)


def _vaults_of_a_unit(home: LeagueHome, run: str) -> int:
    try:
        # Its own signature, made when the run was proposed; the centre may have another key by now.
        return RunProposal.unverified(RunFolder(home, run).signed_proposal()).unit.vaults
    except HanseError:
        return 1
