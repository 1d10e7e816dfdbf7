"""An audit by a distinguishing game: many releases with one worst-case canary, as many without it.

Somebody who knows everything but the noise sees one score per release, in which the canary stands out as far as it can
(for a noisy sum: the product with the canary's own vector), and says "it is in" above a threshold. A mechanism that is
(ε, δ)-private bounds how often that is right by how often it is wrong: P(E | in) ≤ e^ε P(E | out) + δ for every event
E, and the same with in and out exchanged. Both rates are bounded by Clopper and Pearson, as in Nasr, Songi, Thakurta,
Papernot and Carlini, "Adversary Instantiation: Lower Bounds for Differentially Private Machine Learning" (IEEE S&P
2021, arXiv:2101.04535).

A mechanism whose ε is that of zero-concentrated privacy makes a claim at every δ at once
(:func:`hanse_privacy.accounting.epsilon_of`). Refuting it at one δ refutes it, and the δ to audit at is the one at
which so many releases show most: one in a hundred, say, where the claim that is published is at one in a million.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.auditing.audit_result import AuditResult
from hanse_privacy.auditing.binomial import highest_rate, lowest_rate
from hanse_privacy.validation import require, require_at_least, require_probability


@dataclass(frozen=True, kw_only=True)
class WorstCaseAudit(AuditResult):
    """A lower bound on ε from a threshold on scores.

    Args:
        threshold: Chosen on scores that the bound does not use.
        above: Whether the event is "score above the threshold", which a canary makes likelier; else it is "score at or
            below", which a missing canary makes likelier.
        releases: Scores on either side that the bound uses.
        hits: How many of them had the event where it is likelier.
        false_alarms: How many had it where it is not.
    """

    threshold: float
    above: bool
    releases: int
    hits: int
    false_alarms: int


def epsilon_of_error_counts(*, hits: int, false_alarms: int, releases: int, delta: float, confidence: float) -> float:
    """Bound ε from below by how often an event happened; too high with probability at most 1 - ``confidence``.

    ln((p - δ) / q), with p a lower bound on the rate of hits and q an upper bound on that of false alarms, each at half
    of the error; 0 if that is negative.

    Args:
        hits: Releases with the event, of those where it should be likelier.
        false_alarms: Releases with the event, of the others.
        releases: How many of either kind there were, all independent.
        delta: Of the claim, from 0 to below 1.
        confidence: 1 - β.

    Raises:
        InvalidValueError: If an argument is out of range.
    """
    require(0 <= delta < 1, name="delta", value=delta, bound="from 0 to below 1")
    require_probability(confidence=confidence)
    error = (1 - confidence) / 2
    gain = lowest_rate(hits, trials=releases, error=error) - delta
    if gain <= 0:
        return 0.0
    return max(math.log(gain / highest_rate(false_alarms, trials=releases, error=error)), 0.0)


def audit_worst_case(
    *, with_canary: NDArray[np.float64], without_canary: NDArray[np.float64], delta: float, confidence: float
) -> WorstCaseAudit:
    """Choose a threshold on the first half of the scores and bound ε on the second half.

    Args:
        with_canary: float64[n], one score per independent release that the canary was in, higher the surer.
        without_canary: float64[n], of as many releases without it.
        delta: Of the claim to be audited.
        confidence: 1 - β.

    Raises:
        InvalidValueError: If there are not two scores or more of both kinds, as many of either, or one is no number.
    """
    require(
        with_canary.ndim == 1 and with_canary.shape == without_canary.shape,
        name="scores without the canary",
        value=without_canary.shape,
        bound=f"as many as with it, {with_canary.shape}",
    )
    require_at_least(2, scores=len(with_canary))
    require_probability(confidence=confidence)
    require(
        not (np.isnan(with_canary).any() or np.isnan(without_canary).any()),
        name="scores",
        value="NaN among them",
        bound="numbers",
    )
    half = len(with_canary) // 2
    threshold, above = _most_telling(with_canary[:half], without_canary[:half], delta=delta, confidence=confidence)
    likelier, other = with_canary[half:], without_canary[half:]
    if above:
        hits, false_alarms = int((likelier > threshold).sum()), int((other > threshold).sum())
    else:
        hits, false_alarms = int((other <= threshold).sum()), int((likelier <= threshold).sum())
    releases = len(likelier)
    return WorstCaseAudit(
        epsilon_lower_bound=epsilon_of_error_counts(
            hits=hits, false_alarms=false_alarms, releases=releases, delta=delta, confidence=confidence
        ),
        confidence=confidence,
        delta=delta,
        threshold=threshold,
        above=above,
        releases=releases,
        hits=hits,
        false_alarms=false_alarms,
    )


def _most_telling(
    with_canary: NDArray[np.float64], without_canary: NDArray[np.float64], *, delta: float, confidence: float
) -> tuple[float, bool]:
    """Return the threshold and side with the largest bound, by approximate rates: any choice made here is sound."""
    thresholds = np.unique(np.concatenate([with_canary, without_canary]))
    draws = len(with_canary)
    below_with, below_without = (
        np.searchsorted(np.sort(scores), thresholds, side="right") for scores in (with_canary, without_canary)
    )
    deviations = math.sqrt(2 * math.log(2 / (1 - confidence)))
    bounds = [
        _approximate_bound(hits, false_alarms, draws=draws, delta=delta, deviations=deviations)
        for hits, false_alarms in ((draws - below_with, draws - below_without), (below_without, below_with))
    ]
    above = bool(bounds[0].max() >= bounds[1].max())
    return float(thresholds[int(bounds[0 if above else 1].argmax())]), above


def _approximate_bound(
    hits: NDArray[np.int64], false_alarms: NDArray[np.int64], *, draws: int, delta: float, deviations: float
) -> NDArray[np.float64]:
    gain = np.maximum(_wilson(hits, draws=draws, deviations=-deviations) - delta, 1e-300)
    bound: NDArray[np.float64] = np.log(gain / _wilson(false_alarms, draws=draws, deviations=deviations))
    return bound


def _wilson(counts: NDArray[np.int64], *, draws: int, deviations: float) -> NDArray[np.float64]:
    """Return a rate so many standard deviations from the one that was seen (Wilson 1927)."""
    rates, excess = counts / draws, deviations**2 / draws
    spread = np.sqrt(rates * (1 - rates) * excess + excess**2 / 4)
    wilson: NDArray[np.float64] = (rates + excess / 2 + math.copysign(1, deviations) * spread) / (1 + excess)
    return wilson
