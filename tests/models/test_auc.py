"""AUC against scikit-learn and pair counting; its errors against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hanse_models.auc import auc, auc_difference, auc_from_histograms, score_histograms
from hanse_privacy.errors import InvalidValueError

rows = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.99, 1.0]), st.booleans()), max_size=20)


def columns(drawn):
    return np.array([s for s, _ in drawn], dtype=np.float64), np.array([y for _, y in drawn], dtype=np.bool_)


def pairs(scores, labels):
    """One row per positive, one column per negative: 1 won, 1/2 tied, 0 lost."""
    above, below = scores[labels][:, None], scores[~labels][None, :]
    return (above > below) + 0.5 * (above == below)


@given(rows)
def test_auc_equals_scikit_learn_and_delong_over_all_pairs(drawn) -> None:
    scores, labels = columns(drawn)
    estimate = auc(scores, labels)
    won = pairs(scores, labels)
    if won.size == 0:
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.standard_error)
        return
    assert estimate.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    if min(won.shape) < 2:
        assert math.isnan(estimate.standard_error)
        return
    variance = won.mean(axis=1).var(ddof=1) / won.shape[0] + won.mean(axis=0).var(ddof=1) / won.shape[1]
    assert estimate.standard_error == pytest.approx(math.sqrt(variance), abs=1e-12)


def draw_scores(generator, positives=40, negatives=160):
    labels = np.arange(positives + negatives) < positives
    return 1 / (1 + np.exp(-(generator.normal(size=len(labels)) + 1.5 * labels - 1.5))), labels


def test_delong_errors_are_those_of_repeated_samples() -> None:
    generator = np.random.default_rng(11)
    values, errors, differences, paired = [], [], [], []
    for _ in range(600):
        scores, labels = draw_scores(generator)
        other = np.clip(scores + 0.15 * generator.normal(size=len(scores)), 0, 1)
        estimate, difference = auc(scores, labels), auc_difference(scores, other, labels)
        values.append(estimate.value)
        errors.append(estimate.standard_error)
        differences.append(difference.value)
        paired.append(difference.standard_error)
        assert difference.value == pytest.approx(estimate.value - auc(other, labels).value)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)
    assert np.mean(paired) == pytest.approx(np.std(differences), rel=0.12)


@given(drawn=rows, bins=st.integers(2, 8))
def test_a_customer_adds_a_single_one(drawn, bins) -> None:
    scores, labels = columns(drawn)
    histograms = score_histograms(scores, labels, bins=bins).toarray()
    assert histograms.shape == (len(drawn), 2 * bins)
    for row, (value, positive) in zip(histograms, drawn, strict=True):
        place = min(int(value * bins), bins - 1) + (bins if positive else 0)
        assert row.tolist() == [float(column == place) for column in range(2 * bins)]


@given(drawn=rows, bins=st.integers(2, 8))
def test_exact_histograms_give_the_auc_of_the_binned_scores(drawn, bins) -> None:
    scores, labels = columns(drawn)
    total = score_histograms(scores, labels, bins=bins).toarray().sum(axis=0)
    released = auc_from_histograms(total[:bins], total[bins:], noise_standard_deviation=0.0)
    expected = auc(np.minimum(np.floor(scores * bins), bins - 1), labels)
    if math.isnan(expected.value):
        assert math.isnan(released.value)
    else:
        assert released.value == pytest.approx(expected.value, abs=1e-12)
        assert released.noise_standard_error == 0.0


def test_the_noise_error_is_that_of_repeated_noise_and_covers() -> None:
    generator = np.random.default_rng(2)
    bins, deviation = 10, 6.0
    scores, labels = draw_scores(generator, positives=400, negatives=1600)
    exact = score_histograms(scores, labels, bins=bins).toarray().sum(axis=0)
    binned = auc_from_histograms(exact[:bins], exact[bins:], noise_standard_deviation=0.0).value
    values, errors = [], []
    for _ in range(1000):
        noisy = exact + deviation * generator.normal(size=2 * bins)
        released = auc_from_histograms(noisy[:bins], noisy[bins:], noise_standard_deviation=deviation)
        values.append(released.value)
        errors.append(released.noise_standard_error)
    assert np.mean(values) == pytest.approx(binned, abs=0.003)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)
    covered = np.abs(np.array(values) - binned) <= 1.96 * np.array(errors)
    assert 0.93 <= covered.mean() <= 0.97


def test_negative_bins_are_used_as_they_are() -> None:
    """Flooring would pull the value towards one half; a total that noise took below 0 says nothing at all."""
    negatives, positives = np.array([50.0, -4.0, 4.0]), np.array([-5.0, 5.0, 20.0])
    won = sum(
        positives[i] * negatives[j] * (1.0 if i > j else 0.5 if i == j else 0.0) for i in range(3) for j in range(3)
    )
    released = auc_from_histograms(negatives, positives, noise_standard_deviation=3.0)
    assert released.value == pytest.approx(won / (50.0 * 20.0))
    assert released.standard_error == pytest.approx(
        math.hypot(released.noise_standard_error, released.sampling_standard_error)
    )
    lost = auc_from_histograms(negatives, -positives, noise_standard_deviation=3.0)
    assert math.isnan(lost.value)
    assert math.isnan(lost.standard_error)


def test_hanley_and_mcneil_agree_with_delong() -> None:
    generator = np.random.default_rng(4)
    scores, labels = draw_scores(generator, positives=300, negatives=700)
    total = score_histograms(scores, labels, bins=200).toarray().sum(axis=0)
    released = auc_from_histograms(total[:200], total[200:], noise_standard_deviation=0.0)
    assert released.sampling_standard_error == pytest.approx(auc(scores, labels).standard_error, rel=0.2)


def test_bad_arguments_are_named() -> None:
    scores, labels = np.array([0.2, 0.8]), np.array([False, True])
    with pytest.raises(InvalidValueError, match="NaN in 1 places"):
        auc(np.array([0.2, np.nan]), labels)
    with pytest.raises(InvalidValueError, match="labels is 'bool of shape"):
        auc(scores, labels[:1])
    with pytest.raises(InvalidValueError, match="labels is 'int64"):
        auc(scores, labels.astype(np.int64))
    with pytest.raises(InvalidValueError, match="from 0 to 1"):
        score_histograms(scores + 1, labels, bins=4)
    with pytest.raises(InvalidValueError, match="from 0 to 1"):
        score_histograms(scores * np.nan, labels, bins=4)
    with pytest.raises(InvalidValueError, match="bins is 1"):
        score_histograms(scores, labels, bins=1)
    with pytest.raises(InvalidValueError, match="positives' shape"):
        auc_from_histograms(np.ones(3), np.ones(4), noise_standard_deviation=0.0)
    with pytest.raises(InvalidValueError, match="histograms"):
        auc_from_histograms(np.ones(2), np.array([1.0, np.inf]), noise_standard_deviation=0.0)
    with pytest.raises(InvalidValueError, match="noise_standard_deviation"):
        auc_from_histograms(np.ones(2), np.ones(2), noise_standard_deviation=-1.0)
