"""Audits by canaries: lower bounds on ε of everything that is shipped, and of what a broken Hanse would release.

Each mechanism of benchmarks/audits/catalogue.py is played with a worst-case canary and without, many times, and what is
claimed of it at the same δ stands beside the lower bound. The same audit of mutants (noise off, half of its deviation,
no clip, a clip not divided over a person's vaults, a customer twice, shares sized for two vaults more than there are, a
share missing) has to find more than the claim, and with shares for one vault more than there are, more than
``gaussian_epsilon``: the claim is above that, since it is converted from zero-concentrated privacy. A lower bound below
a claim proves nothing: the audit fails to refute.

``one_run_*`` is a single release with many canaries, at a δ of its own: it costs one release and shows less.
"""

from audits.catalogue import DELTA, GAUSSIAN_EPSILON, Play, audited
from audits.machinery import MUTANTS, SHIPPED
from audits.one_release import CanariesGame
from reporting import Observations, destination, report

from hanse_privacy.auditing.worst_case import WorstCaseAudit
from hanse_privacy.randomness import SystemRandomness

_CONFIDENCES = {"": 1 - 1e-6, "_95": 0.95}
"""By their names among the figures."""
_RELEASES = {
    "gaussian noise": 4_000_000,
    "skellam noise": 4_000_000,
    "count release": 4_000_000,
    "popularity release": 500_000,
    "person at two partners": 500_000,
    "league release": 500_000,
    "popularity operation": 500_000,
    "churn operation": 500_000,
    "evaluation operation": 500_000,
    "count question": 500_000,
    "histogram question": 500_000,
    "quantile question": 500_000,
    "churn rounds": 100_000,
}
"""With the canary, and as many without: half of them choose the threshold."""
_ONE_RUN = CanariesGame(noise_multiplier=3.0, honest_shares=2, canaries=20_000, guesses=2_000)
_ONE_RUN_DELTA = 1e-9


def main() -> None:
    """Play, print the figures as JSON and write them."""
    path = destination("Audits by canaries.", default="build/audit.json")
    observations = Observations()
    figures: dict[str, float] = {"gaussian_epsilon": GAUSSIAN_EPSILON}
    for name, mechanism in audited().items():
        figures[_named("claimed_epsilon", name)] = mechanism.claimed_epsilon
        plays = {"": mechanism.shipped, **mechanism.mutants}
        for mutant, play in plays.items():
            figures |= _play(name, mutant, play, observations)
    figures |= _one_run(observations)
    report(
        path,
        benchmark="audit",
        packages=("numpy", "cryptography", "dp-accounting"),
        draws={
            "releases_of_either_kind": _RELEASES,
            "delta": DELTA,
            "confidences": list(_CONFIDENCES.values()),
            "one_run_canaries": _ONE_RUN.canaries,
            "one_run_guesses": _ONE_RUN.guesses,
            "one_run_delta": _ONE_RUN_DELTA,
        },
        units={
            "claimed_epsilon_*": "ε that the ledger counts for the mechanism, at the δ of the audit",
            "gaussian_epsilon": "exact ε of a Gaussian release whose deviation is its sensitivity, at the same δ",
            "lower_bound_*": "on ε, at a confidence of 1 - 10^-6",
            "lower_bound_95_*": "on ε, at a confidence of 0.95, from the same releases",
            "*_noise_off and so on": "of the mechanism with this broken",
            "one_run_*": "of one release with many canaries, at the delta one_run_delta",
        },
        figures=figures,
        observations=observations.values,
    )


def _named(what: str, *names: str) -> str:
    return "_".join([what, *(name.replace(" ", "_") for name in names if name)])


def _play(name: str, mutant: str, play: Play, observations: Observations) -> dict[str, float]:
    scores = play(_RELEASES[name], SystemRandomness())
    figures = {}
    for mark, confidence in _CONFIDENCES.items():
        found = scores.audit(delta=DELTA, confidence=confidence)
        figures[_named(f"lower_bound{mark}", name, mutant)] = found.epsilon_lower_bound
        _note(found, _named(mark.lstrip("_"), name, mutant), observations)
    return figures


def _one_run(observations: Observations) -> dict[str, float]:
    source = SystemRandomness()
    figures = {"one_run_claimed_epsilon": _ONE_RUN.claimed_epsilon(delta=_ONE_RUN_DELTA)}
    for mutant, machinery in {"": SHIPPED, **MUTANTS}.items():
        guessed = _ONE_RUN.play(machinery, source=source)
        for mark, confidence in _CONFIDENCES.items():
            found = guessed.audit(delta=_ONE_RUN_DELTA, confidence=confidence)
            figures[_named(f"one_run_lower_bound{mark}", mutant)] = found.epsilon_lower_bound
            observations.note(f"{_named('one_run', mutant)}/correct", found.correct)
    return figures


def _note(found: WorstCaseAudit, what: str, observations: Observations) -> None:
    observations.note(f"{what}/threshold", found.threshold)
    for count in ("above", "releases", "hits", "false_alarms"):
        observations.note(f"{what}/{count}", float(getattr(found, count)))


if __name__ == "__main__":
    main()
