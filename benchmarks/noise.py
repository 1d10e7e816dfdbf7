"""How fast exact noise is made: the discrete Gaussian and Skellam noise of the same variance, against OpenDP.

All three are exact samplers of integers from secure randomness, in one thread. Each standard deviation has its draws in
turns (discrete Gaussian, Skellam, OpenDP), so that a busy moment of the machine meets all of them. OpenDP's sampler is
called as its users call it: a measurement over a vector of zeros, which is a Python list going in and coming out.

A sampler of ours has a table that depends on the standard deviation alone and is computed once per process;
``*table_s_*`` is what that costs, and no draw's time holds it.
"""

import opendp.prelude as dp
from reporting import Observations, destination, report

from hanse_privacy.noise.discrete_gaussian import DiscreteGaussianShape, sample_discrete_gaussian
from hanse_privacy.noise.poisson import PoissonShape
from hanse_privacy.noise.skellam import sample_skellam
from hanse_privacy.noise.stepped_envelope import SteppedEnvelope
from hanse_privacy.randomness import SystemRandomness

_DEVIATIONS = {"4": 4, "2e10": 2**10, "2e16": 2**16, "2e20": 2**20}
"""By their names among the figures, where 2e10 is two to the tenth."""
_REPEATS = 7
_SAMPLES = 1_000_000
_OPENDP_SAMPLES = 50_000
_TABLES = 3


def main() -> None:
    """Measure, print the figures as JSON and write them."""
    path = destination("Exact noise: how fast it is made.", default="build/noise.json")
    observations = Observations()
    figures: dict[str, float] = {}
    for name, deviation in _DEVIATIONS.items():
        figures |= _measure(name, deviation, observations)
    figures["vs_opendp_ratio"] = figures["vs_opendp_ratio_2e10"]
    report(
        path,
        benchmark="noise",
        packages=("numpy", "cryptography", "opendp"),
        draws={
            "repeats": _REPEATS,
            "samples_per_repeat": _SAMPLES,
            "samples_per_repeat_opendp": _OPENDP_SAMPLES,
            "tables": _TABLES,
        },
        units={
            "*samples_per_s_*": "integers per processor second, median; by standard deviation, 2e10 being 2^10",
            "skellam_*": "Skellam noise of the same variance",
            "vs_opendp_ratio_*": "samples_per_s divided by OpenDP's; vs_opendp_ratio is that of 2e10",
            "*table_s_*": "processor seconds until the first draw of a process, median",
        },
        figures=figures,
        observations=observations.values,
    )


def _measure(name: str, deviation: int, observations: Observations) -> dict[str, float]:
    source, variance = SystemRandomness(), deviation**2
    opendp, zeros = _opendp_sampler(deviation), [0] * _OPENDP_SAMPLES

    def ours(size: int) -> None:
        sample_discrete_gaussian(variance_parameter=variance, size=size, source=source)

    def skellam(size: int) -> None:
        sample_skellam(mean=variance // 2, size=size, source=source)

    for _ in range(_TABLES):
        gaussian_shape, poisson_shape = (
            DiscreteGaussianShape(variance_parameter=variance),
            PoissonShape(mean=variance // 2),
        )
        observations.time(
            f"table_s_{name}", lambda shape=gaussian_shape: SteppedEnvelope(shape).sample(1, source=source)
        )
        observations.time(
            f"skellam_table_s_{name}", lambda shape=poisson_shape: SteppedEnvelope(shape).sample(1, source=source)
        )
    ours(1)
    skellam(1)
    for _ in range(_REPEATS):
        observations.time(f"s_{name}", lambda: ours(_SAMPLES))
        observations.time(f"skellam_s_{name}", lambda: skellam(_SAMPLES))
        observations.time(f"opendp_s_{name}", lambda: opendp(zeros))
    per_s = {side: _SAMPLES / observations.median(f"{side}s_{name}") for side in ("", "skellam_")}
    opendp_per_s = _OPENDP_SAMPLES / observations.median(f"opendp_s_{name}")
    return {
        f"samples_per_s_{name}": per_s[""],
        f"skellam_samples_per_s_{name}": per_s["skellam_"],
        f"opendp_samples_per_s_{name}": opendp_per_s,
        f"vs_opendp_ratio_{name}": per_s[""] / opendp_per_s,
        f"table_s_{name}": observations.median(f"table_s_{name}"),
        f"skellam_table_s_{name}": observations.median(f"skellam_table_s_{name}"),
    }


def _opendp_sampler(deviation: int) -> dp.Measurement:
    dp.enable_features("contrib")
    domain = dp.vector_domain(dp.atom_domain(T="i64"))
    return dp.m.make_gaussian(domain, dp.l2_distance(T="f64"), float(deviation))


if __name__ == "__main__":
    main()
