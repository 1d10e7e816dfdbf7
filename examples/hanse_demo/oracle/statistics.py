"""The popularity sums that a recommender stands on, whole and with one fold of customers left out.

A customer served cold is a newcomer, so nothing of that customer may be in the sums. Customers are
dealt to five folds by a hash of their pseudonym; each fold is served from the sums without it. The
fold is left out of this partner's part alone: if a household shops at other partners, too, its
records there stay in the league's sums, under pseudonyms that nobody here can link.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse_demo.oracle.purchases import PartnerPurchases
from hanse_models.matrices import csr_array
from hanse_models.popularity import SharedPopularity, breadth_vectors, rate_vectors
from hanse_privacy.validation import require, require_at_least, require_positive

FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class RecommendationWindow:
    """Which weeks are history, and which are to be foretold.

    Args:
        last_week: The last week of history, as the popularity proposal states it.
        target_weeks: How many weeks after it are the target.
        half_life_weeks: Of the rate vectors, as the proposal states it.
    """

    last_week: int = 49
    target_weeks: int = 4
    half_life_weeks: float = 8.0

    def __post_init__(self) -> None:
        require_at_least(1, last_week=self.last_week, target_weeks=self.target_weeks)
        require_positive(half_life_weeks=self.half_life_weeks)


@dataclass(frozen=True, kw_only=True)
class ReleaseClips:
    """The clips of the popularity proposal's two vectors, as L2 norms."""

    rate: float
    breadth: float

    def __post_init__(self) -> None:
        require_positive(rate=self.rate, breadth=self.breadth)


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedPopularity:
    """Popularity sums for everybody, and for each fold without the fold's own customers."""

    everybody: SharedPopularity
    without_fold: tuple[SharedPopularity, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class CustomerVectors:
    """What each of a partner's customers gives to popularity sums, not clipped.

    Args:
        fold: int64[customers], from 0 to 4.
        shopped: bool[customers], who has a basket in the history.
        rate: Sparse float64[customers, items].
        breadth: Sparse float64[customers, items].
    """

    fold: NDArray[np.int64]
    shopped: NDArray[np.bool_]
    rate: csr_array
    breadth: csr_array


def folds_of(customers: tuple[str, ...]) -> NDArray[np.int64]:
    """Return each customer's fold, int64[customers], from 0 to 4: the same on every machine and in every run."""
    digests = (hashlib.sha256(customer.encode()).digest() for customer in customers)
    return np.array([int.from_bytes(digest[:8], "big") % FOLDS for digest in digests], dtype=np.int64)


def customer_vectors(purchases: PartnerPurchases, *, window: RecommendationWindow) -> CustomerVectors:
    """Compute every customer's vectors from the window's history."""
    past = purchases.history.until(window.last_week)
    shopped = np.zeros(past.customers, dtype=np.bool_)
    shopped[past.basket_weeks.customer] = True
    return CustomerVectors(
        fold=folds_of(purchases.customers),
        shopped=shopped,
        rate=rate_vectors(past, week=window.last_week, half_life_weeks=window.half_life_weeks),
        breadth=breadth_vectors(past, week=window.last_week),
    )


def own_popularity(vectors: CustomerVectors, *, members: NDArray[np.bool_]) -> FoldedPopularity:
    """Return the partner's own exact sums over ``members``: its own data cost it neither clip nor noise.

    Members with no basket in the history do not count, as in
    :func:`hanse_models.popularity.exact_popularity`.

    Args:
        vectors: What every customer gives.
        members: bool[customers], whose purchases are used.
    """
    parts = _sums_by_fold(vectors, vectors.rate, vectors.breadth, counted=members & vectors.shopped)
    return FoldedPopularity(
        everybody=_total(parts),
        without_fold=tuple(_total(parts[:fold] + parts[fold + 1 :]) for fold in range(FOLDS)),
    )


def league_popularity(
    vectors: CustomerVectors, *, members: NDArray[np.bool_], released: SharedPopularity, clips: ReleaseClips
) -> FoldedPopularity:
    """Return the released sums, and what the same release with the same noise had been without each fold.

    Every member with a basket in the history gave the release a clipped rate vector, a clipped breadth
    vector and 1 to the count. What a fold gave is subtracted exactly, but for the release's rounding to
    integer units.

    Args:
        vectors: What every customer gives.
        members: bool[customers], the cohort of the partner's own release.
        released: The sum of all partners' releases, decoded.
        clips: The proposal's.

    Raises:
        InvalidValueError: If ``released`` is over another catalogue.
    """
    items = vectors.rate.shape[1]
    require(released.items == items, name="released.items", value=released.items, bound=f"{items}, the purchases' own")
    gave = _sums_by_fold(
        vectors,
        _clipped(vectors.rate, clips.rate),
        _clipped(vectors.breadth, clips.breadth),
        counted=members & vectors.shopped,
    )
    return FoldedPopularity(
        everybody=released,
        without_fold=tuple(
            SharedPopularity(
                rate=released.rate - part.rate,
                breadth=released.breadth - part.breadth,
                customers=released.customers - part.customers,
            )
            for part in gave
        ),
    )


def _clipped(vectors: csr_array, clip: float) -> csr_array:
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    shrink = clip / np.maximum(norms, clip)
    shorter = vectors.copy()
    shorter.data = shorter.data * np.repeat(shrink, np.diff(shorter.indptr))
    return shorter


def _sums_by_fold(
    vectors: CustomerVectors, rate: csr_array, breadth: csr_array, *, counted: NDArray[np.bool_]
) -> tuple[SharedPopularity, ...]:
    return tuple(
        SharedPopularity(
            rate=_sum(rate, rows),
            breadth=_sum(breadth, rows),
            customers=float(len(rows)),
        )
        for rows in (np.flatnonzero(counted & (vectors.fold == fold)) for fold in range(FOLDS))
    )


def _sum(vectors: csr_array, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(vectors[rows].sum(axis=0), dtype=np.float64).ravel()


def _total(parts: tuple[SharedPopularity, ...]) -> SharedPopularity:
    return SharedPopularity(
        rate=np.sum([part.rate for part in parts], axis=0),
        breadth=np.sum([part.breadth for part in parts], axis=0),
        customers=sum(part.customers for part in parts),
    )
