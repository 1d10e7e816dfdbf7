"""A release: customers' vectors, clipped, put on integers, summed, noised. The one door out of a vault.

A release carries one or more *blocks* (say, purchase rates, breadth and the customer count). Each
block has its own clip and a share of the privacy loss; together they form one vector per privacy unit
whose L2 norm is at most 1, and one Gaussian mechanism covers it (splitting ρ by ``share`` is exactly
splitting zCDP). A unit that spans m vaults has a customer's vector at each, of norm at most 1/m. The noise
of that mechanism is made in shares, one per vault: what is released is the sum of all vaults' vectors, and
no vault's own.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hanse_privacy.accounting import ReleaseEvent
from hanse_privacy.clipping import clip_rows, round_within
from hanse_privacy.errors import HanseError
from hanse_privacy.noise.discrete_gaussian import largest_draw, sample_discrete_gaussian
from hanse_privacy.randomness import RandomSource
from hanse_privacy.units import CustomerAtOnePartner, PrivacyUnit
from hanse_privacy.validation import require, require_at_least, require_not_empty, require_positive

SMALLEST_NOISE_UNITS = 4
"""A share of noise narrower than this many integer units is refused: from there on τ is below 10^-67 (see
:func:`~hanse_privacy.accounting.tau`)."""

SMALLEST_GRID = 16
"""Integer units that a customer's norm at one vault has at least: on a coarser grid, rounding would be all there is."""

LARGEST_NOISE_MULTIPLIER = 1e6
SMALLEST_CLIP = 1e-6
LARGEST_CLIP = 1e12
SMALLEST_SHARE = 1e-6
"""Outside these the scaling from a block's unit to integers leaves floating point's safe range, and with it the bound
on a customer's integers."""


class UnusableVectorError(HanseError):
    """A customer's vector holds NaN or infinity: nothing is released."""

    code = "UNUSABLE_VECTOR"


@dataclass(frozen=True, kw_only=True)
class BlockLayout:
    """One named part of a release."""

    name: str
    size: int
    clip: float
    """Bound on each privacy unit's L2 norm in this block, all its vaults together, in the block's own unit: each vault
    clips a customer to the clip divided by the vaults that one unit may be at."""
    share: float
    """Part of the release's ρ that this block gets."""

    def __post_init__(self) -> None:
        require_at_least(1, size=self.size)
        require(
            SMALLEST_CLIP <= self.clip <= LARGEST_CLIP,
            name="clip",
            value=self.clip,
            bound=f"between {SMALLEST_CLIP:g} and {LARGEST_CLIP:g}",
        )
        require(
            SMALLEST_SHARE <= self.share <= 1, name="share", value=self.share, bound=f"between {SMALLEST_SHARE:g} and 1"
        )


@dataclass(frozen=True, kw_only=True)
class ReleaseLayout:
    """What one release looks like and how much noise it carries; public, fixed before any data is read.

    Guarantee: a sum of vectors made by :func:`sum_customers` under this layout, to which at least ``honest_shares``
    vaults have added discrete Gaussian noise of ``share_variance_parameter`` in every coordinate, satisfies the zCDP of
    :attr:`event` for adding or removing one :attr:`unit`, against everybody who does not know those shares. The unit's
    vectors come from at most m = ``unit.vaults`` vaults, one from each, and each is of integer norm at most
    ``units`` / m: whatever their directions, they change the sum by at most ``units``, by the triangle inequality.

    Edge cases: where m does not divide ``units``, each vault's bound is the largest integer squared norm that keeps to
    ``units`` / m, so that nothing is rounded up. k vectors instead of m have a sensitivity of ``units`` · k / m.
    Whoever is at a colluding vault, too, is protected for the vectors that the other vaults have, which are fewer.
    """

    blocks: tuple[BlockLayout, ...]
    units: int
    """Integer units per unit of norm: the grid's fineness and the integer L2 sensitivity."""
    noise_multiplier: float
    """σ as a multiple of the sensitivity, of the shares together that the guarantee counts on."""
    honest_shares: int
    """h: so many vaults' shares make up that σ."""
    unit: PrivacyUnit = field(default_factory=CustomerAtOnePartner)
    """Whom the noise protects, and so how much of the norm one vault's vector of a customer may have."""

    def __post_init__(self) -> None:
        require_not_empty(blocks=self.blocks)
        require_positive(noise_multiplier=self.noise_multiplier)
        require(
            self.noise_multiplier <= LARGEST_NOISE_MULTIPLIER,
            name="noise_multiplier",
            value=self.noise_multiplier,
            bound=f"at most {LARGEST_NOISE_MULTIPLIER:g}",
        )
        require(16 <= self.units <= 2**24, name="units", value=self.units, bound="between 16 and 2^24")
        vaults, smallest = self.unit.vaults, SMALLEST_GRID * self.unit.vaults
        require(
            self.units >= smallest,
            name="units",
            value=self.units,
            bound=f"{smallest} or more: {SMALLEST_GRID} for each of {vaults} partners that a unit may be at",
        )
        total = math.fsum(block.share for block in self.blocks)
        require(total <= 1 + 1e-12, name="sum of shares", value=total, bound="at most 1")
        require_at_least(1, honest_shares=self.honest_shares)
        noise_units = self.noise_multiplier * self.units / math.sqrt(self.honest_shares)
        require(
            noise_units >= SMALLEST_NOISE_UNITS,
            name="a share of noise in integer units",
            value=noise_units,
            bound=f"{SMALLEST_NOISE_UNITS} or more",
        )

    @property
    def size(self) -> int:
        """Coordinates in all blocks together."""
        return sum(block.size for block in self.blocks)

    @property
    def squared_customer_norm(self) -> int:
        """The largest squared integer norm of one customer's vector at one vault: (units / m)², rounded down."""
        return self.units**2 // self.unit.vaults**2

    @property
    def share_variance_parameter(self) -> int:
        """σ²/h in squared integer units, rounded up: what each vault adds."""
        return math.ceil((self.noise_multiplier * self.units) ** 2 / self.honest_shares)

    @property
    def event(self) -> ReleaseEvent:
        """What one release under this layout costs for one unit."""
        return ReleaseEvent(
            squared_sensitivity=self.units**2,
            variance_parameter=self.share_variance_parameter,
            shares=self.honest_shares,
            size=self.size,
        )

    def largest_entry(self, *, customers: int) -> int:
        """The largest magnitude of an entry of one vault's vector, its noise included."""
        return customers * (self.units // self.unit.vaults) + largest_draw(
            variance_parameter=self.share_variance_parameter
        )

    def decode(self, vector: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Turn a released sum back into each block's own unit.

        A unit that spans vaults shortens vectors, and no coordinate's scale: what was within its part of the clip comes
        back as it was.
        """
        require(vector.shape == (self.size,), name="vector shape", value=vector.shape, bound=f"({self.size},)")
        parts, start = {}, 0
        for block in self.blocks:
            piece = vector[start : start + block.size].astype(np.float64)
            parts[block.name] = piece * self._step(block)
            start += block.size
        return parts

    def standard_deviation(self, name: str, *, vaults: int) -> float:
        """Noise per coordinate of a block in its own unit, in the sum of so many vaults: n/h of what is counted on."""
        block = next(block for block in self.blocks if block.name == name)
        return math.sqrt(self.share_variance_parameter * vaults) * self._step(block)

    def _step(self, block: BlockLayout) -> float:
        return block.clip / (math.sqrt(block.share) * self.units)


@dataclass(frozen=True, kw_only=True)
class CustomerSum:
    """The exact sum and what was done to get it. Never leaves a vault as it is."""

    vector: NDArray[np.int64]
    customers: int
    clipped: dict[str, int]
    """Customers whose vector was longer than their part of the clip, by block."""
    refitted: int
    """Customers whose rounding would have passed the integer bound, so it went toward zero instead."""


def sum_customers(layout: ReleaseLayout, batches: Iterable[Mapping[str, NDArray[np.float64]]]) -> CustomerSum:
    """Clip, scale, round, enforce the integer norm and add up.

    Args:
        layout: The release's public layout.
        batches: Customers in batches of any size (so that memory stays bounded). A batch holds, for each
            block, one row per customer, shape (customers, block.size), in the same order in every block.
            Each customer must be in one batch only.

    Raises:
        UnusableVectorError: If any entry is NaN or infinite.
        InvalidValueError: If a block is missing or a shape does not fit.

    Edge cases: no customer at all gives the zero vector (which then still gets its noise); a zero row
    stays zero; an integer input is used as it is; a huge finite entry is clipped with its row and counted.
    """
    vector = np.zeros(layout.size, dtype=np.int64)
    clipped = {block.name: 0 for block in layout.blocks}
    refitted = customers = 0
    for batch in batches:
        scaled = []
        count = _customers_in(layout, batch)
        customers += count
        # int64 holds 2^63: the sum of all customers' bounded coordinates must stay well inside.
        require(
            customers * layout.units < 2**62,
            name="customers times units",
            value=customers,
            bound="below 2^62",
        )
        for block in layout.blocks:
            checked = _checked(batch, block, count)
            part, too_long = clip_rows(checked, clip=block.clip / layout.unit.vaults)
            clipped[block.name] += too_long
            # The whole clip is the scale, whatever part of it a customer may have: all vaults' integers mean the same.
            scaled.append(part * (math.sqrt(block.share) * layout.units / block.clip))
        integers, adjusted = round_within(np.concatenate(scaled, axis=1), squared_bound=layout.squared_customer_norm)
        refitted += adjusted
        vector += integers.sum(axis=0, dtype=np.int64)
    return CustomerSum(vector=vector, customers=customers, clipped=clipped, refitted=refitted)


def _customers_in(layout: ReleaseLayout, batch: Mapping[str, NDArray[np.float64]]) -> int:
    names = {block.name for block in layout.blocks}
    require(set(batch) == names, name="blocks", value=sorted(batch), bound=f"exactly {sorted(names)}")
    counts = {part.shape[0] for part in batch.values()}
    require(len(counts) == 1, name="customers per block", value=sorted(counts), bound="the same in every block")
    return int(counts.pop())


def _checked(batch: Mapping[str, NDArray[np.float64]], block: BlockLayout, count: int) -> NDArray[np.float64]:
    # In one order of memory: a norm's last bit must not depend on how many customers are in the batch.
    part = np.ascontiguousarray(batch[block.name], dtype=np.float64)
    require(part.shape == (count, block.size), name=block.name, value=part.shape, bound=str((count, block.size)))
    if not np.isfinite(part).all():
        raise UnusableVectorError(
            f"Block {block.name!r} holds a value that is not a finite number.",
            "Mend the data or the feature that makes it; nothing was released.",
        )
    return part


def add_noise(layout: ReleaseLayout, exact: CustomerSum, *, source: RandomSource) -> NDArray[np.int64]:
    """Add a fresh share of noise to every coordinate: what may be masked and leave, once it is paid for."""
    noise = sample_discrete_gaussian(
        variance_parameter=layout.share_variance_parameter, size=layout.size, source=source
    )
    noisy: NDArray[np.int64] = exact.vector + noise
    return noisy
