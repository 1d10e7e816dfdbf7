"""Merkle trees over SHA-256 as RFC 9162 section 2.1 defines them (the tree of RFC 6962), with proofs.

The caller gives leaf *hashes*, one after the other in one byte string; what they are hashes of is the caller's
matter. A leaf and an inner node are hashed under different prefixes, so that no inner node passes for a leaf. An odd
node at the end of a level is carried up as it is, never doubled: two different lists never have one root.

Every verification takes the number of leaves and the root. They must come from somebody's signed statement: a proof
shows what that statement binds its signer to, and nothing more.
"""

import hashlib
import struct
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hanse_privacy.errors import HanseError
from hanse_privacy.validation import require

LEAF_PREFIX = b"\x00"
NODE_PREFIX = b"\x01"
HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of a tree without leaves (RFC 9162, 2.1.1)."""


class ProofInvalidError(HanseError):
    """A proof does not lead to the root, or not in the way that the tree's size demands."""

    code = "PROOF_INVALID"


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 of a leaf's content under the leaf prefix."""
    return hashlib.sha256(LEAF_PREFIX + data).digest()


def leaf_hashes(data: bytes, *, width: int) -> bytes:
    """Hash leaves of equal length that follow each other in ``data``; their hashes follow each other likewise.

    Args:
        data: The leaves' contents.
        width: Bytes of each.

    Raises:
        InvalidValueError: If ``data`` is no whole number of leaves.
    """
    require(width >= 1, name="width", value=width, bound="1 or more")
    require(len(data) % width == 0, name="the length of data", value=len(data), bound=f"a multiple of {width}")
    return _hashed(LEAF_PREFIX, data, width=width)


def root_of(leaves: bytes) -> bytes:
    """Root of the tree over leaf hashes (RFC 9162, 2.1.1); ``EMPTY_ROOT`` if there are none.

    Raises:
        InvalidValueError: If ``leaves`` is no whole number of hashes.
    """
    _size_of(leaves)
    if not leaves:
        return EMPTY_ROOT
    level = leaves
    while len(level) > HASH_BYTES:
        level = _parents(level)
    return level


@dataclass(frozen=True, kw_only=True)
class InclusionProof:
    """That a leaf stands at a place: the hashes beside its way to the root, from the leaf up."""

    index: int
    leaf: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class AbsenceProof:
    """That a leaf is missing from a tree whose leaves are sorted: the two neighbours that leave it no place.

    At an end of the tree there is one neighbour; beside an empty tree there is none.
    """

    before: InclusionProof | None
    after: InclusionProof | None


def prove_inclusion(leaves: bytes, *indexes: int) -> tuple[InclusionProof, ...]:
    """Prove what stands at some places (RFC 9162, 2.1.3.1), in one pass over the tree.

    Raises:
        InvalidValueError: If a place is outside the tree.
    """
    size = _size_of(leaves)
    for index in indexes:
        require(0 <= index < size, name="index", value=index, bound=f"from 0 to below the tree's size, {size}")
    paths: list[list[bytes]] = [[] for _ in indexes]
    places = list(indexes)
    level = leaves
    while len(level) > HASH_BYTES:
        for which, place in enumerate(places):
            beside = _at(level, place ^ 1)
            if beside:
                paths[which].append(beside)
            places[which] = place >> 1
        level = _parents(level)
    return tuple(
        InclusionProof(index=index, leaf=_at(leaves, index), path=tuple(path))
        for index, path in zip(indexes, paths, strict=True)
    )


def verify_inclusion(proof: InclusionProof, *, size: int, root: bytes) -> None:
    """Accept a proof of inclusion (RFC 9162, 2.1.3.2) or raise.

    Args:
        proof: What is claimed.
        size: Leaves of the tree, from a signed statement.
        root: Its root, from the same.

    Raises:
        ProofInvalidError: If the leaf is not shown to stand there.
    """
    if not 0 <= proof.index < size or any(len(part) != HASH_BYTES for part in (proof.leaf, *proof.path)):
        raise _invalid("It names a place outside the tree, or holds something else than hashes.")
    place, last = proof.index, size - 1
    reached = proof.leaf
    for beside in proof.path:
        if last == 0:
            raise _invalid("It is longer than the tree is high.")
        if place & 1 or place == last:
            reached = _node(beside, reached)
            # Carried up unchanged as long as it was the odd one at its level's end.
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            reached = _node(reached, beside)
        place, last = place >> 1, last >> 1
    if last != 0 or reached != root:
        raise _invalid("It does not lead to the root.")


def prove_absence(sorted_leaves: bytes, leaf: bytes) -> AbsenceProof:
    """Prove that a leaf is missing from sorted leaves.

    Raises:
        InvalidValueError: If ``leaf`` is among them, or they are not sorted, each once.
    """
    size = _size_of(sorted_leaves)
    require(len(leaf) == HASH_BYTES, name="the length of leaf", value=len(leaf), bound=f"{HASH_BYTES} bytes")
    require(is_sorted(sorted_leaves), name="sorted_leaves", value="out of order", bound="sorted, each once")
    place = place_of(sorted_leaves, leaf)
    require(_at(sorted_leaves, place) != leaf, name="leaf", value="in the tree", bound="missing from the tree")
    places = [neighbour for neighbour in (place - 1, place) if 0 <= neighbour < size]
    proofs = {proof.index: proof for proof in prove_inclusion(sorted_leaves, *places)}
    return AbsenceProof(before=proofs.get(place - 1), after=proofs.get(place))


def verify_absence(proof: AbsenceProof, leaf: bytes, *, size: int, root: bytes) -> None:
    """Accept that a sorted tree lacks a leaf, or raise.

    The proof holds for a tree whose leaves are sorted, each once. Whoever has seen all of them knows that; anybody
    else takes the word of who signed the root.

    Args:
        proof: What is claimed.
        leaf: The leaf that should be missing.
        size: Leaves of the tree, from a signed statement.
        root: Its root, from the same.

    Raises:
        ProofInvalidError: If the proof leaves room for the leaf.
    """
    before, after = proof.before, proof.after
    if before is None and after is None and (size != 0 or root != EMPTY_ROOT):
        raise _invalid("It names no neighbours, and the tree is not empty.")
    for neighbour in (before, after):
        if neighbour is not None:
            verify_inclusion(neighbour, size=size, root=root)
    first_after = after.index if after is not None else size
    last_before = before.index if before is not None else -1
    if first_after != last_before + 1:
        raise _invalid("Its two neighbours do not stand side by side.")
    if (before is not None and before.leaf >= leaf) or (after is not None and after.leaf <= leaf):
        raise _invalid("The leaf does not belong between its two neighbours.")


def is_sorted(leaves: bytes) -> bool:
    """Whether leaf hashes rise strictly: sorted, each once."""
    hashes = struct.iter_unpack(f"{HASH_BYTES}s", leaves)
    return all(one < other for one, other in pairwise(hashes))


def place_of(sorted_leaves: bytes, leaf: bytes) -> int:
    """Where a leaf stands among sorted ones, or would have to."""
    low, high = 0, _size_of(sorted_leaves)
    while low < high:
        middle = (low + high) // 2
        if _at(sorted_leaves, middle) < leaf:
            low = middle + 1
        else:
            high = middle
    return low


def _size_of(leaves: bytes) -> int:
    require(
        len(leaves) % HASH_BYTES == 0,
        name="the length of leaves",
        value=len(leaves),
        bound=f"a multiple of {HASH_BYTES}",
    )
    return len(leaves) // HASH_BYTES


def _at(level: bytes, place: int) -> bytes:
    return level[place * HASH_BYTES : (place + 1) * HASH_BYTES]


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def _parents(level: bytes) -> bytes:
    pairs = len(level) // (2 * HASH_BYTES)
    paired = pairs * 2 * HASH_BYTES
    return _hashed(NODE_PREFIX, level[:paired], width=2 * HASH_BYTES) + level[paired:]


def _hashed(prefix: bytes, data: bytes, *, width: int) -> bytes:
    # The prefixes are put in all at once: one allocation less for each hash, and this loop is what trees cost.
    rows = np.empty((len(data) // width, width + 1), dtype=np.uint8)
    rows[:, 0] = prefix[0]
    rows[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
    sha256 = hashlib.sha256
    return b"".join([sha256(row).digest() for (row,) in struct.iter_unpack(f"{width + 1}s", rows.tobytes())])


def _invalid(why: str) -> ProofInvalidError:
    return ProofInvalidError(f"The proof is not valid. {why}", "Ask for the proof again, and for the signed root.")
