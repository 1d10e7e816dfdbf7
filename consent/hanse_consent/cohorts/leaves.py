"""The leaves of manifests issued earlier, computed again from the members' keys; they are stored nowhere."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap
from sqlmodel import Session, select

from hanse_consent.cohorts.source import CohortSource
from hanse_consent.cohorts.tables import IssuedManifest, KeptLeaf
from hanse_privacy.merkle import HASH_BYTES, place_of
from hanse_privacy.protocol.cohort import SaltContext, in_leaf_order, salted_leaves


@dataclass(frozen=True, kw_only=True)
class LeavesAgain:
    """A manifest's leaves, as far as they can still be had.

    Args:
        hashes: Leaf hashes, sorted, one after the other.
        missing: How many of the manifest's leaves are gone.
    """

    hashes: bytes
    missing: int


def pack_numbers(numbers: NDArray[np.uint32]) -> bytes:
    """Customers' numbers as a serialised Roaring bitmap."""
    bitmap = BitMap(numbers)
    bitmap.run_optimize()
    packed: bytes = bitmap.serialize()
    return packed


def unpack_numbers(packed: bytes) -> NDArray[np.uint32]:
    """Customers' numbers out of a serialised bitmap, sorted."""
    return np.array(BitMap.deserialize(packed).to_array(), dtype=np.uint32)


def context_of(manifest: IssuedManifest) -> SaltContext:
    """The salt context of a manifest's round."""
    return SaltContext(partner=manifest.controller, run=manifest.run, round=manifest.round)


def leaves_again(manifest: IssuedManifest, *, kept: Iterable[bytes], source: CohortSource) -> LeavesAgain:
    """Compute a manifest's leaves from the keys of its members who still have one, and add those that were kept.

    Args:
        manifest: As stored.
        kept: Leaves kept of members who were erased since (:func:`kept_leaves`).
        source: Where keys are.
    """
    members = source.members(manifest.controller, unpack_numbers(manifest.members))
    hashes = salted_leaves(members.pseudonyms, members.keys, context=context_of(manifest)).hashes
    more = b"".join(leaf for leaf in set(kept) if not _has(hashes, leaf))
    if more:
        hashes = in_leaf_order(hashes + more)
    return LeavesAgain(hashes=hashes, missing=manifest.member_count - len(hashes) // HASH_BYTES)


def kept_leaves(session: Session, manifest: IssuedManifest) -> tuple[bytes, ...]:
    """Leaves kept of a manifest's members who were erased since."""
    query = select(KeptLeaf.leaf).where(
        KeptLeaf.controller == manifest.controller, KeptLeaf.manifest == manifest.digest
    )
    return tuple(session.exec(query))


def keep_leaves(session: Session, *, controller: str, number: int, pseudonym: bytes, key: bytes) -> int:
    """Keep the leaves of a customer who is about to be erased; call it in the transaction that destroys the key.

    Without the key a leaf cannot be traced to anybody, and with it the roots of past manifests stay provable.

    Args:
        session: Of the erasing transaction.
        controller: Whose customer it is.
        number: The customer's number.
        pseudonym: 16 bytes.
        key: The customer's key, 32 bytes.

    Returns:
        Manifests that the customer was in.
    """
    query = select(IssuedManifest).where(IssuedManifest.controller == controller)
    count = 0
    for manifest in session.exec(query):
        if number not in BitMap.deserialize(manifest.members):
            continue
        leaf = salted_leaves(
            np.frombuffer(pseudonym, dtype=np.uint8).reshape(1, -1),
            np.frombuffer(key, dtype=np.uint8).reshape(1, -1),
            context=context_of(manifest),
        ).hashes
        session.add(KeptLeaf(controller=controller, manifest=manifest.digest, leaf=leaf))
        count += 1
    return count


def _has(sorted_leaves: bytes, leaf: bytes) -> bool:
    start = place_of(sorted_leaves, leaf) * HASH_BYTES
    return sorted_leaves[start : start + HASH_BYTES] == leaf
