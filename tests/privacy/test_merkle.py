"""The tree against the RFC's own recursion, its test vectors, and people who would like to prove something false."""

import hashlib
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.merkle import (
    EMPTY_ROOT,
    AbsenceProof,
    InclusionProof,
    ProofInvalidError,
    is_sorted,
    leaf_hash,
    leaf_hashes,
    place_of,
    prove_absence,
    prove_inclusion,
    root_of,
    verify_absence,
    verify_inclusion,
)

contents = st.lists(st.binary(max_size=8), max_size=40)


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def split(size: int) -> int:
    """The largest power of two below the size: k of the RFC."""
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def tree_hash(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not entries:
        return sha()
    if len(entries) == 1:
        return sha(b"\x00", entries[0])
    k = split(len(entries))
    return sha(b"\x01", tree_hash(entries[:k]), tree_hash(entries[k:]))


def path_of(place: int, entries: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1, word for word."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if place < k:
        return [*path_of(place, entries[:k]), tree_hash(entries[k:])]
    return [*path_of(place - k, entries[k:]), tree_hash(entries[:k])]


def hashes(entries: list[bytes]) -> bytes:
    return b"".join(map(leaf_hash, entries))


def in_order(entries: list[bytes]) -> bytes:
    return b"".join(sorted({leaf_hash(entry) for entry in entries}))


@given(contents)
def test_the_root_is_the_rfcs(entries: list[bytes]) -> None:
    assert root_of(hashes(entries)) == tree_hash(entries)


@pytest.mark.parametrize("size", range(1, 34))
def test_every_path_is_the_rfcs_and_is_accepted(size: int) -> None:
    entries = [bytes([number]) for number in range(size)]
    leaves, root = hashes(entries), tree_hash(entries)
    proofs = prove_inclusion(leaves, *range(size))
    for place, proof in enumerate(proofs):
        assert proof == InclusionProof(index=place, leaf=leaf_hash(entries[place]), path=tuple(path_of(place, entries)))
        verify_inclusion(proof, size=size, root=root)


def test_published_roots() -> None:
    """The eight inputs and roots of the certificate-transparency reference implementation's own tests."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    entries = [bytes.fromhex(text) for text in inputs]
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for size, root in roots.items():
        assert root_of(hashes(entries[:size])).hex() == root


@given(contents, contents)
def test_two_lists_never_have_one_root(one: list[bytes], other: list[bytes]) -> None:
    assert (root_of(hashes(one)) == root_of(hashes(other))) == (one == other)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11])
def test_a_doubled_tail_is_another_tree(size: int) -> None:
    """Trees that double the odd node have one root for both (CVE-2012-2459)."""
    entries = [bytes([number]) for number in range(size)]
    for tail in range(1, size + 1):
        assert root_of(hashes(entries)) != root_of(hashes(entries + entries[-tail:]))


def test_an_inner_node_is_no_leaf() -> None:
    entries = [bytes([number]) for number in range(4)]
    leaves, root = hashes(entries), tree_hash(entries)
    left, right = leaves[:64], leaves[64:]
    # As content of a leaf, in a tree of half the height.
    assert root_of(hashes([left, right])) != root
    # As a leaf hash: the root is the same, so only the signed size tells. A proof for size 4 needs two steps.
    inner = sha(b"\x01", left)
    short = InclusionProof(index=0, leaf=inner, path=(sha(b"\x01", right),))
    with pytest.raises(ProofInvalidError):
        verify_inclusion(short, size=4, root=root)
    with pytest.raises(ProofInvalidError):
        verify_inclusion(InclusionProof(index=0, leaf=leaf_hash(left), path=short.path), size=2, root=root)


@settings(max_examples=60)
@given(st.integers(1, 40), st.data())
def test_a_proof_holds_for_its_own_leaf_place_size_and_root_only(size: int, data: st.DataObject) -> None:
    entries = [number.to_bytes(2, "big") for number in range(size)]
    leaves, root = hashes(entries), tree_hash(entries)
    place = data.draw(st.integers(0, size - 1))
    (proof,) = prove_inclusion(leaves, place)
    forged = [
        InclusionProof(index=place, leaf=leaf_hash(b"another"), path=proof.path),
        InclusionProof(index=place, leaf=proof.leaf, path=(*proof.path, sha())),
        InclusionProof(index=place, leaf=proof.leaf[:-1], path=proof.path),
        InclusionProof(index=place, leaf=proof.leaf, path=(*proof.path[:-1], b"short")),
        InclusionProof(index=size, leaf=proof.leaf, path=proof.path),
        InclusionProof(index=-1, leaf=proof.leaf, path=proof.path),
    ]
    forged += [InclusionProof(index=other, leaf=proof.leaf, path=proof.path) for other in range(size) if other != place]
    if proof.path:
        forged.append(InclusionProof(index=place, leaf=proof.leaf, path=proof.path[:-1]))
        forged.append(InclusionProof(index=place, leaf=proof.leaf, path=(sha(b"x"), *proof.path[1:])))
    for claim in forged:
        with pytest.raises(ProofInvalidError):
            verify_inclusion(claim, size=size, root=root)
    with pytest.raises(ProofInvalidError):
        verify_inclusion(proof, size=size, root=sha(root))
    with pytest.raises(ProofInvalidError):
        verify_inclusion(proof, size=0, root=root)


@settings(max_examples=100)
@given(contents, st.binary(max_size=8))
def test_a_leaf_is_shown_to_be_there_or_to_be_missing(entries: list[bytes], content: bytes) -> None:
    leaves, leaf = in_order(entries), leaf_hash(content)
    size, root = len(leaves) // 32, root_of(leaves)
    if content in entries:
        (proof,) = prove_inclusion(leaves, place_of(leaves, leaf))
        assert proof.leaf == leaf
        verify_inclusion(proof, size=size, root=root)
        with pytest.raises(InvalidValueError, match="in the tree"):
            prove_absence(leaves, leaf)
    else:
        verify_absence(prove_absence(leaves, leaf), leaf, size=size, root=root)


@pytest.mark.parametrize("size", range(1, 12))
def test_no_two_places_show_a_present_leaf_to_be_missing(size: int) -> None:
    leaves = in_order([bytes([number]) for number in range(size)])
    root = root_of(leaves)
    places = (None, *prove_inclusion(leaves, *range(size)))
    for before, after in itertools.product(places, repeat=2):
        for number in range(size):
            with pytest.raises(ProofInvalidError):
                verify_absence(
                    AbsenceProof(before=before, after=after),
                    leaves[number * 32 : number * 32 + 32],
                    size=size,
                    root=root,
                )


def test_absence_from_another_tree_is_no_absence() -> None:
    leaves, leaf = in_order([b"a", b"b", b"c"]), leaf_hash(b"d")
    proof = prove_absence(leaves, leaf)
    for size, root in ((3, root_of(leaves[:64])), (2, root_of(leaves)), (4, root_of(leaves)), (0, EMPTY_ROOT)):
        with pytest.raises(ProofInvalidError):
            verify_absence(proof, leaf, size=size, root=root)
    nobody = AbsenceProof(before=None, after=None)
    verify_absence(nobody, leaf, size=0, root=EMPTY_ROOT)
    for size, root in ((3, root_of(leaves)), (0, root_of(leaves)), (3, EMPTY_ROOT)):
        with pytest.raises(ProofInvalidError):
            verify_absence(nobody, leaf, size=size, root=root)


def test_leaves_are_hashed_in_bulk_as_one_by_one() -> None:
    assert leaf_hashes(b"aabbcc", width=2) == leaf_hash(b"aa") + leaf_hash(b"bb") + leaf_hash(b"cc")
    assert leaf_hashes(b"", width=7) == b""


def test_order() -> None:
    low, high = bytes(32), b"\xff" * 32
    assert is_sorted(b"")
    assert is_sorted(low + high)
    assert not is_sorted(high + low)
    assert not is_sorted(low + low)
    assert [place_of(low + high, leaf) for leaf in (low, b"\x01" * 32, high)] == [0, 1, 1]


def test_what_is_no_whole_number_of_hashes_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="multiple of 32"):
        root_of(bytes(33))
    with pytest.raises(InvalidValueError, match="multiple of 3"):
        leaf_hashes(bytes(4), width=3)
    with pytest.raises(InvalidValueError, match="width"):
        leaf_hashes(b"", width=0)
    with pytest.raises(InvalidValueError, match="index is 2"):
        prove_inclusion(bytes(64), 2)
    with pytest.raises(InvalidValueError, match="out of order"):
        prove_absence(b"\xff" * 32 + bytes(32), b"\x01" * 32)
    with pytest.raises(InvalidValueError, match="32 bytes"):
        prove_absence(bytes(32), b"\x01")


def test_a_large_tree_takes_seconds_at_most() -> None:
    started = time.perf_counter()
    root_of(leaf_hashes(bytes(40_000 * 32), width=32))
    # Ten times what it takes here: a guard against a change of order, not a benchmark.
    assert time.perf_counter() - started < 1.5
