"""Whether the league's noise has the variance that it is meant to have, through every step that it takes.

Each vault adds its share to the sum over no customer as in any release, masks it as in any round, and the centre adds
up. With n vaults of which h are counted on, the sum's variance should be n/h σ², where σ² is the variance that the
guarantee needs. ``variance_ratio_n_h`` is what was found over that; its standard error stands beside it.
"""

import math
from dataclasses import replace

import numpy as np
from masked_league import new_league
from reporting import Observations, destination, report

from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.ring import Ring, require_sum_fits
from hanse_privacy.randomness import SystemRandomness
from hanse_privacy.release import BlockLayout, CustomerSum, ReleaseLayout, add_noise

_LEAGUES = ((4, 4), (4, 3), (12, 12), (12, 11))
"""Vaults, and those counted on."""
_SIZE = 500_000
_ROUNDS = 4
_LAYOUT = ReleaseLayout(
    blocks=(BlockLayout(name="vector", size=_SIZE, clip=1.0, share=1.0),),
    units=2**12,
    noise_multiplier=2.0,
    honest_shares=1,
)


def main() -> None:
    """Measure, print the figures as JSON and write them."""
    path = destination("The league's noise: its variance.", default="build/distributed_noise.json")
    observations = Observations()
    figures: dict[str, float] = {}
    for vaults, honest in _LEAGUES:
        figures |= _measure(vaults, honest, observations)
    report(
        path,
        benchmark="distributed_noise",
        packages=("numpy", "cryptography"),
        draws={"rounds": _ROUNDS, "coordinates_per_round": _SIZE, "draws_per_figure": _ROUNDS * _SIZE},
        units={
            "variance_ratio_n_h": "mean square of the sum of n vaults' noise, over n/h of the variance that is needed",
            "*_standard_error": "of the ratio, from the fourth moment that was found",
            "mean_n_h": "mean of the sum, over its standard error",
        },
        figures=figures,
        observations=observations.values,
    )


def _measure(vaults: int, honest: int, observations: Observations) -> dict[str, float]:
    layout, league, source = replace(_LAYOUT, honest_shares=honest), new_league(vaults), SystemRandomness()
    require_sum_fits(Ring.BITS_32, vaults=vaults, largest_entry=layout.largest_entry(customers=0))
    nobody = CustomerSum(vector=np.zeros(_SIZE, dtype=np.int64), customers=0, clipped={"vector": 0}, refitted=0)
    expected = vaults / honest * (layout.noise_multiplier * layout.units) ** 2
    name = f"{vaults}_{honest}"
    for number in range(1, _ROUNDS + 1):
        shares = [add_noise(layout, nobody, source=source) for _ in range(vaults)]
        attempt = Attempt(round=number, step=0, attempt=1)
        total = league.total(shares, ring=Ring.BITS_32, attempt=attempt) / math.sqrt(expected)
        for power in (1, 2, 4):
            observations.note(f"moment_{power}_{name}", float((total**power).mean()))
    mean, ratio, fourth = (float(np.mean(observations.values[f"moment_{power}_{name}"])) for power in (1, 2, 4))
    draws = _ROUNDS * _SIZE
    return {
        f"variance_ratio_{name}": ratio,
        f"variance_ratio_{name}_standard_error": math.sqrt((fourth - ratio**2) / draws),
        f"mean_{name}": mean / math.sqrt(ratio / draws),
    }


if __name__ == "__main__":
    main()
