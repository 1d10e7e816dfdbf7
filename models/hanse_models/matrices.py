"""Customer-by-item matrices: sparse, one row per customer, one column per item of the catalogue."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["csr_array", "dense_rows", "is_marked", "sum_into_matrix"]


def sum_into_matrix(
    rows: NDArray[np.int32], columns: NDArray[np.int32], values: NDArray[np.float64], *, shape: tuple[int, int]
) -> csr_array:
    """Return the matrix whose entries are the sums of the values at each place, in row and column order."""
    matrix = csr_array((values, (rows, columns)), shape=shape, dtype=np.float64)
    matrix.sum_duplicates()
    return matrix


def dense_rows(matrix: csr_array, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the named rows of a sparse matrix as a dense array, float64[len(rows), columns]."""
    return np.asarray(matrix[rows].toarray(), dtype=np.float64)


def is_marked(matrix: csr_array, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where the named rows hold something other than zero, bool[len(rows), columns]."""
    marked: NDArray[np.bool_] = dense_rows(matrix, rows) != 0
    return marked
