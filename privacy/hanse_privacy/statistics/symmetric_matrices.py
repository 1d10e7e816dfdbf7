"""Symmetric matrices as vectors of the same norm: one coordinate per pair, the off-diagonal ones times √2.

A clip of the packed vector is a clip of the matrix in Frobenius norm, and noise does not double for entries that occur
twice: the isometry of symmetric matrices ("svec" of semidefinite programming: Alizadeh, Haeberly and Overton,
"Primal-dual interior-point methods for semidefinite programming", SIAM Journal on Optimization 1998).
"""

import math

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.release import UnusableVectorError
from hanse_privacy.statistics.numeric_arrays import customers_numbers, released_numbers
from hanse_privacy.validation import require, require_at_least, require_non_negative

LARGEST_DIMENSION = 4096
"""So that a packed matrix stays below 2^24 coordinates."""


def packed_size(dimension: int) -> int:
    """Return the coordinates of a packed matrix: d (d + 1) / 2.

    Raises:
        InvalidValueError: If the dimension is below 1 or above 4,096.
    """
    require_at_least(1, dimension=dimension)
    require(dimension <= LARGEST_DIMENSION, name="dimension", value=dimension, bound=f"{LARGEST_DIMENSION} or less")
    return dimension * (dimension + 1) // 2


def pack_symmetric(matrices: NDArray[np.generic]) -> NDArray[np.float64]:
    """Turn symmetric matrices into vectors: the upper triangle row by row, what is off the diagonal times √2.

    Guarantee: a vector's L2 norm is its matrix's Frobenius norm, up to a relative rounding error of 2^-51 (norms below
    10^-300 excepted, where floating point is coarser). So if each customer's matrix has Frobenius norm at most C (for
    x xᵀ: if x has norm at most √C), adding or removing a customer changes the sum of all vectors by at most that in L2
    norm; the release's own clip holds it to the last bit.

    Args:
        matrices: Numbers[…, d, d], symmetric exactly: (m + mᵀ) / 2 is, and so is x xᵀ. Integers are taken as they are.

    Returns:
        float64[…, d (d + 1) / 2]; zero for a zero matrix, no row for no matrix.

    Raises:
        UnusableVectorError: If an entry is NaN or infinite, or so huge (above 10^308) that √2 times it is.
        InvalidValueError: If a matrix is not symmetric (no entry is shown), or not square, or d is out of bounds.
    """
    entries = customers_numbers("matrices", matrices)
    dimension = entries.shape[-1] if entries.ndim >= 2 else 0
    require(
        entries.shape[-2:] == (dimension, dimension), name="shape of matrices", value=entries.shape, bound="(…, d, d)"
    )
    packed_size(dimension)
    if not np.array_equal(entries, np.swapaxes(entries, -1, -2)):
        raise InvalidValueError(
            "matrices holds one that is not symmetric.", "Each must equal its transpose exactly, as (m + mᵀ) / 2 does."
        )
    rows, columns = np.triu_indices(dimension)
    with np.errstate(over="ignore"):
        packed: NDArray[np.float64] = entries[..., rows, columns] * np.where(rows == columns, 1.0, math.sqrt(2))
    if not np.isfinite(packed).all():
        raise UnusableVectorError(
            "matrices holds an entry that is too large.", "√2 times every entry must be a finite number."
        )
    return packed


def unpack_symmetric(vectors: NDArray[np.generic]) -> NDArray[np.float64]:
    """Turn vectors, noisy ones, too, back into matrices, which are symmetric exactly.

    Noise of the same variance in each coordinate becomes that of :func:`unpacked_variance`. A noisy sum of positive
    semidefinite matrices need not be one; nothing is mended here.

    Args:
        vectors: Numbers[…, d (d + 1) / 2]. Integers are taken as they are.

    Returns:
        float64[…, d, d].

    Raises:
        InvalidValueError: If an entry is NaN, infinite or beyond 2^53, or no matrix packs into so many coordinates.
    """
    coordinates = released_numbers("vectors", vectors)
    size = coordinates.shape[-1] if coordinates.ndim else 0
    dimension = (math.isqrt(8 * size + 1) - 1) // 2
    require(
        dimension >= 1 and packed_size(dimension) == size,
        name="shape of vectors",
        value=coordinates.shape,
        bound="(…, d (d + 1) / 2)",
    )
    rows, columns = np.triu_indices(dimension)
    entries = coordinates / np.where(rows == columns, 1.0, math.sqrt(2))
    matrices = np.empty((*coordinates.shape[:-1], dimension, dimension))
    matrices[..., rows, columns] = entries
    matrices[..., columns, rows] = entries
    return matrices


def unpacked_variance(dimension: int, *, variance: float) -> NDArray[np.float64]:
    """Return each entry's noise variance in an unpacked matrix: ``variance`` on the diagonal, half of it off it.

    Args:
        dimension: d, from 1 to 4,096.
        variance: Of the noise of each packed coordinate, 0 or more, in the square of the matrix's unit.

    Returns:
        float64[d, d]. The two entries of a pair are one and the same: their noise is not independent.

    Raises:
        InvalidValueError: If a number is out of its bounds.
    """
    packed_size(dimension)
    require_non_negative(variance=variance)
    return np.where(np.eye(dimension, dtype=bool), variance, variance / 2)
