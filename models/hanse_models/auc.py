"""The area under the ROC curve: exact, with a standard error, and from released histograms.

The AUC is the chance that a random positive scores above a random negative, ties counting one half.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array
from hanse_privacy.validation import require, require_at_least, require_non_negative


@dataclass(frozen=True, kw_only=True)
class AucEstimate:
    """An exact AUC, or a paired difference of two.

    Args:
        value: NaN if either class is empty.
        standard_error: By DeLong, DeLong and Clarke-Pearson 1988; NaN if either class has fewer than two members.
    """

    value: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class ReleasedAuc:
    """An AUC from noisy histograms, with both sources of doubt.

    Args:
        value: NaN if a class's noisy total is not positive; may leave [0, 1] by noise.
        noise_standard_error: From the noise, by the delta method.
        sampling_standard_error: From the customers being a sample, by Hanley and McNeil 1982 (their exponential-score
            approximation; up to a fifth too wide for normal scores).
    """

    value: float
    noise_standard_error: float
    sampling_standard_error: float

    @property
    def standard_error(self) -> float:
        """Both together."""
        return math.hypot(self.noise_standard_error, self.sampling_standard_error)


def auc(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> AucEstimate:
    """Return the exact AUC of the scores for the positives (True).

    Raises:
        InvalidValueError: If lengths differ or a score is NaN.
    """
    of_positives, of_negatives = _placements(scores, labels)
    return _estimate(of_positives, of_negatives)


def auc_difference(
    scores: NDArray[np.float64], other_scores: NDArray[np.float64], labels: NDArray[np.bool_]
) -> AucEstimate:
    """Return the AUC of ``scores`` less that of ``other_scores`` on the same customers, with the paired DeLong error.

    Raises:
        InvalidValueError: If lengths differ or a score is NaN.
    """
    of_positives, of_negatives = _placements(scores, labels)
    other_positives, other_negatives = _placements(other_scores, labels)
    return _estimate(of_positives - other_positives, of_negatives - other_negatives)


def score_histograms(scores: NDArray[np.float64], labels: NDArray[np.bool_], *, bins: int) -> csr_array:
    """Return what each customer adds to the two histograms: a single 1.

    The bins are equal and public, bin b holding scores from b / bins to below (b + 1) / bins, the last one
    also 1. One customer changes the sum by one entry of size 1: L1 and L2 sensitivity 1.

    Args:
        scores: float64[customers], from 0 to 1.
        labels: bool[customers].
        bins: Bins of each histogram.

    Returns:
        Sparse float64[customers, 2 * bins]: the histogram of the negatives, then that of the positives.

    Raises:
        InvalidValueError: If lengths differ or a score is outside [0, 1].
    """
    require_at_least(2, bins=bins)
    _require_label_per_score(scores, labels)
    require(bool(((scores >= 0) & (scores <= 1)).all()), name="scores", value="not all inside", bound="from 0 to 1")
    place = np.minimum((scores * bins).astype(np.int64), bins - 1) + bins * labels.astype(np.int64)
    rows = np.arange(len(scores))
    return csr_array((np.ones(len(scores)), (rows, place)), shape=(len(scores), 2 * bins))


def auc_from_histograms(
    negatives: NDArray[np.float64], positives: NDArray[np.float64], *, noise_standard_deviation: float
) -> ReleasedAuc:
    """Return the AUC that two released histograms show, with its uncertainty.

    Scores in one bin count as ties, which draws the value slightly towards one half. Negative noisy bins are used
    as they are: flooring them at 0 would add counts where there are none and bias the value towards one half. The noise
    error is the first-order error of the ratio and is trustworthy only while both noisy totals stand several of
    their own standard deviations above 0.

    Args:
        negatives: float64[bins], customers who stayed, by score.
        positives: float64[bins], customers who left.
        noise_standard_deviation: Of the noise in every bin, all partners' noise together; 0 for exact counts.

    Raises:
        InvalidValueError: If the histograms differ in length, hold no bin or are not finite.
    """
    require_non_negative(noise_standard_deviation=noise_standard_deviation)
    require(
        negatives.ndim == 1 and len(negatives) > 0 and negatives.shape == positives.shape,
        name="positives' shape",
        value=positives.shape,
        bound=f"that of the negatives, {negatives.shape}, with at least one bin",
    )
    finite = bool(np.isfinite(negatives).all() and np.isfinite(positives).all())
    require(finite, name="histograms", value="not all finite", bound="finite numbers")
    total_negatives, total_positives = float(negatives.sum()), float(positives.sum())
    if total_negatives <= 0 or total_positives <= 0:
        return ReleasedAuc(value=math.nan, noise_standard_error=math.nan, sampling_standard_error=math.nan)
    # Share of the negatives below a positive in each bin, and share of the positives above a negative.
    below = (np.cumsum(negatives) - 0.5 * negatives) / total_negatives
    above = (total_positives - np.cumsum(positives) + 0.5 * positives) / total_positives
    value = float(below @ positives) / total_positives
    slopes = np.concatenate([(above - value) / total_negatives, (below - value) / total_positives])
    return ReleasedAuc(
        value=value,
        noise_standard_error=noise_standard_deviation * float(np.linalg.norm(slopes)),
        sampling_standard_error=_hanley_mcneil(value, total_positives, total_negatives),
    )


def _hanley_mcneil(value: float, positives: float, negatives: float) -> float:
    """Return the sampling error of an AUC known only by its value and the class sizes."""
    area = min(max(value, 0.0), 1.0)
    two_positives = area / (2.0 - area)
    two_negatives = 2.0 * area * area / (1.0 + area)
    variance = (
        area * (1.0 - area)
        + max(positives - 1.0, 0.0) * (two_positives - area * area)
        + max(negatives - 1.0, 0.0) * (two_negatives - area * area)
    ) / (positives * negatives)
    return math.sqrt(max(variance, 0.0))


def _placements(
    scores: NDArray[np.float64], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each positive the share of negatives below it, for each negative that of positives above it."""
    _require_label_per_score(scores, labels)
    missing = int(np.count_nonzero(np.isnan(scores)))
    require(missing == 0, name="scores", value=f"NaN in {missing} places", bound="a number for every customer")
    positives, negatives = np.sort(scores[labels]), np.sort(scores[~labels])
    below = np.searchsorted(negatives, scores[labels], "left") + np.searchsorted(negatives, scores[labels], "right")
    beyond = np.searchsorted(positives, scores[~labels], "left") + np.searchsorted(positives, scores[~labels], "right")
    return below / max(2.0 * len(negatives), 1.0), 1.0 - beyond / max(2.0 * len(positives), 1.0)


def _estimate(of_positives: NDArray[np.float64], of_negatives: NDArray[np.float64]) -> AucEstimate:
    positives, negatives = len(of_positives), len(of_negatives)
    value = float(of_positives.mean()) if min(positives, negatives) > 0 else math.nan
    if min(positives, negatives) < 2:
        return AucEstimate(value=value, standard_error=math.nan)
    variance = of_positives.var(ddof=1) / positives + of_negatives.var(ddof=1) / negatives
    return AucEstimate(value=value, standard_error=math.sqrt(variance))


def _require_label_per_score(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> None:
    require(
        scores.ndim == 1 and scores.shape == labels.shape and labels.dtype == np.bool_,
        name="labels",
        value=f"{labels.dtype} of shape {labels.shape}",
        bound=f"bool of shape {scores.shape}, one per score",
    )
