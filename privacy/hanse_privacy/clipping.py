"""Each customer's vector held to a norm: clipped as real numbers, and again once it is rounded to integers.

What a row becomes depends on that row alone, to the last bit: adding or removing a customer changes no other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def is_longer(rows: NDArray[np.float64], clip: float) -> NDArray[np.bool_]:
    """Say which rows are longer than a clip in L2 norm, to the last bit as :func:`clip_rows` measures them.

    Args:
        rows: Finite numbers[customers, size]; a zero row is never too long.
        clip: The block's clip.

    Returns:
        bool[customers]. Never leaves a vault as it is.
    """
    return _measured(np.ascontiguousarray(rows, dtype=np.float64), clip=clip).is_too_long[:, 0]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """Rows against a clip; a column per property, one entry per row."""

    direction: NDArray[np.float64]
    """The rows over their own largest entries."""
    relative: NDArray[np.float64]
    """Norms of the directions."""
    is_too_long: NDArray[np.bool_]


def _measured(part: NDArray[np.float64], *, clip: float) -> _Measured:
    # Measured against its largest entry, so that squaring a huge finite value cannot overflow.
    largest = np.abs(part).max(axis=1, initial=0.0)
    safe = np.where(largest > 0, largest, 1.0)[:, None]
    direction = part / safe
    relative = np.linalg.norm(direction, axis=1)[:, None]
    with np.errstate(over="ignore"):  # a tiny row makes the bound infinite: it is not too long
        return _Measured(direction=direction, relative=relative, is_too_long=relative > clip / safe)


def clip_rows(rows: NDArray[np.float64], *, clip: float) -> tuple[NDArray[np.float64], int]:
    """Bring each row to an L2 norm of the clip at most; return how many rows were longer.

    Args:
        rows: Finite float64[customers, size] in C order; huge ones are brought to the clip, too, and counted.
        clip: Above 0, in the rows' own unit.
    """
    row = _measured(rows, clip=clip)
    too_long = row.is_too_long
    clipped = np.where(too_long, row.direction * (clip / np.where(too_long, row.relative, 1.0)), rows)
    return clipped, int(too_long.sum())


def round_within(rows: NDArray[np.float64], *, squared_bound: int) -> tuple[NDArray[np.int64], int]:
    """Round to nearest; where a row's squared integer norm passes the bound, round toward zero instead.

    The rows' own squared norms are below ``squared_bound`` + 1, but for floating-point error. Rounding toward zero
    makes no row longer, and a squared integer norm that is below the next integer is at most the bound.
    """
    integers = np.rint(rows).astype(np.int64)
    over = _squared_norms(integers) > squared_bound
    refitted = int(over.sum())
    shrink, less = 1.0, 1e-9
    while over.any():
        integers[over] = np.trunc(rows[over] * shrink).astype(np.int64)
        over = _squared_norms(integers) > squared_bound
        # Only floating-point error in the clip can bring us here again; each time more is taken, so that it ends.
        shrink, less = max(1 - less, 0.0), 2 * less
    return integers, refitted


def _squared_norms(integers: NDArray[np.int64]) -> NDArray[np.int64]:
    norms: NDArray[np.int64] = np.einsum("ij,ij->i", integers, integers)
    return norms
