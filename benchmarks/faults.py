"""Vaults and centres killed in the middle of runs (SIGKILL): what is paid, what comes back, whether the next run works.

The example league of two vaults, its training cut to four rounds. Fifty times a vault is killed at named points of an
attempt, fifty times at a random moment of a run; then the process that conducts a run, twenty-five times each way.
Every masked vector that ever comes out of a vault's socket is kept and compared, over all restarts.

- ``budget_errors``: entries of a vault's ledger that are lost, doubled, without an attempt or of another cost, attempts
  that were answered and are not in it, and statements of ε that are not that of the entries; and of the league's
  ledger, entries that are lost or changed, and attempts that a vault paid for which it did not charge.
- ``reused_masks``: vectors that came out for an attempt (of a vault, run and round) beside the first.
- ``repeat_errors``: attempts asked again after a restart that were neither sent as they were nor refused as void, or
  not the one of both that the point of death decides.
- ``next_run_errors``: whole runs after a kill that did not end, or whose sum is not the exact one but for the noise.
- ``kills_in_transaction``: the share of random kills of the vault that left an attempt paid for and not answered.
"""

import random
from itertools import cycle, islice

from faults_of_a_run.dying_centre import CentrePoint
from faults_of_a_run.dying_vault import FaultPoint
from faults_of_a_run.kills_of_centre import CentreKills
from faults_of_a_run.kills_of_vault import VaultKills
from faults_of_a_run.league_under_fire import league_under_fire
from reporting import Observations, destination, report

_VAULT_KILLS = 50
_CENTRE_KILLS = 25
"""At named points, and as many at random."""
_SEED = 20260504


def main() -> None:
    """Kill, look after, print the figures as JSON and write them."""
    path = destination("Vaults and centres killed in the middle of runs.", default="build/faults.json")
    observations, chance = Observations(), random.Random(_SEED)  # noqa: S311 - moments of death
    with league_under_fire() as league:
        vault = VaultKills(league=league, chance=chance, observations=observations)
        vault.measure([*islice(cycle(FaultPoint), _VAULT_KILLS), *([None] * _VAULT_KILLS)])
        centre = CentreKills(league=league, chance=chance, observations=observations)
        centre.measure([*islice(cycle(CentrePoint), _CENTRE_KILLS), *([None] * _CENTRE_KILLS)])
        courier = league.courier
    report(
        path,
        benchmark="faults",
        packages=("numpy", "cryptography", "duckdb"),
        draws={
            "vault_at_named_points": _VAULT_KILLS,
            "vault_at_random": _VAULT_KILLS,
            "centre_at_named_points": _CENTRE_KILLS,
            "centre_at_random": _CENTRE_KILLS,
        },
        units={
            "kills*": "processes killed",
            "kills_in_transaction": "share of random kills of the vault between paying and answering",
            "*_errors, reused_masks": "number of them",
            "attempts": "attempts that were answered, each with one vector",
            "runs_resumed": "of the runs whose centre was killed, those that ended well when conducted again",
        },
        figures={
            "kills": vault.kills + centre.kills,
            "kills_of_vault": vault.kills,
            "kills_of_centre": centre.kills,
            "kills_in_transaction": vault.at_random_in_transaction / max(vault.at_random, 1),
            "budget_errors": vault.books.errors + centre.budget_errors,
            "reused_masks": courier.reused_masks,
            "repeat_errors": vault.repeat_errors,
            "next_run_errors": vault.next_run_errors + centre.next_run_errors,
            "attempts": len(courier.received),
            "runs_resumed": centre.resumed,
        },
        observations=observations.values,
    )


if __name__ == "__main__":
    main()
