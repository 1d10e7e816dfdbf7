"""Masked vectors add up to the exact sum, and say nothing before all of them are added."""

import dataclasses
import hashlib
import hmac

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from rosters import league

from hanse_privacy.aggregation.centre_side import Collection, SumIncompleteError
from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.ring import Ring, require_sum_fits
from hanse_privacy.errors import InvalidValueError

FIRST = Attempt(round=1, step=0, attempt=1)
RINGS = pytest.mark.parametrize("ring", list(Ring))


def masked(vectors: list[np.ndarray], ring: Ring, attempt: Attempt = FIRST) -> dict[str, bytes]:
    identity, vaults = league(len(vectors))
    return {
        vault.partner: mask(
            vector,
            ring=ring,
            identity=identity,
            attempt=attempt,
            partner=vault.partner,
            pair_secrets=vault.pair_secrets,
        ).tobytes()
        for vault, vector in zip(vaults, vectors, strict=True)
    }


def collection(count: int, size: int, ring: Ring) -> Collection:
    return Collection(partners=league(count)[0].partners, attempt=FIRST, ring=ring, size=size)


def collected(sent: dict[str, bytes], size: int, ring: Ring) -> Collection:
    found = collection(len(sent), size, ring)
    for partner, data in sent.items():
        found = found.receive(partner, data)
    return found


@given(
    ring=st.sampled_from(Ring),
    entries=st.integers(1, 9).flatmap(
        lambda vaults: st.lists(
            st.lists(st.integers(-(2**27), 2**27), min_size=vaults, max_size=vaults), min_size=0, max_size=20
        ).map(lambda columns: np.array(columns, dtype=np.int64).reshape(len(columns), vaults).T)
    ),
)
def test_the_sum_is_exact(ring: Ring, entries: np.ndarray) -> None:
    vectors = list(entries)
    total = collected(masked(vectors, ring), entries.shape[1], ring).total()
    assert total.tolist() == entries.sum(axis=0).tolist()


@RINGS
def test_vectors_longer_than_one_piece_of_keystream(ring: Ring) -> None:
    size = 300_001
    chance = np.random.default_rng(1)
    vectors = [chance.integers(-(2**28), 2**28, size=size) for _ in range(3)]
    assert np.array_equal(collected(masked(vectors, ring), size, ring).total(), sum(vectors))


@RINGS
def test_the_largest_entries_come_back(ring: Ring) -> None:
    each = ring.largest // 3
    vectors = [np.array([each, -each]) for _ in range(3)]
    assert collected(masked(vectors, ring), 2, ring).total().tolist() == [3 * each, -3 * each]


@RINGS
def test_what_does_not_fit_is_refused_and_never_wraps(ring: Ring) -> None:
    require_sum_fits(ring, vaults=4, largest_entry=ring.largest // 4)
    with pytest.raises(InvalidValueError, match=f"words of {ring.value} bits"):
        require_sum_fits(ring, vaults=4, largest_entry=ring.largest // 4 + 1)


def test_an_entry_too_large_for_32_bits_is_refused() -> None:
    for entry in (2**31, -(2**31), np.iinfo(np.int64).min):
        with pytest.raises(InvalidValueError, match="largest entry"):
            masked([np.array([entry]), np.array([0])], Ring.BITS_32)


@RINGS
def test_without_one_vault_the_rest_is_uniform(ring: Ring) -> None:
    size, chance = 40_000, np.random.default_rng(2)
    vectors = [chance.integers(0, 2, size=size) for _ in range(4)]
    sent = masked(vectors, ring)
    words = [ring.read(data, size=size) for data in sent.values()]
    for subset in ([0], [0, 1], [1, 2, 3], [0, 3]):
        left = np.zeros(size, dtype=ring.dtype)
        for index in subset:
            left += words[index]
        # Each byte of the words: 256 values, chi-squared against the uniform distribution.
        counted = np.bincount(np.frombuffer(left.tobytes(), dtype=np.uint8), minlength=256)
        expected = counted.sum() / 256
        assert ((counted - expected) ** 2 / expected).sum() < 255 + 6 * np.sqrt(2 * 255)


@RINGS
def test_every_attempt_round_and_run_has_masks_of_its_own(ring: Ring) -> None:
    zeros = [np.zeros(64, dtype=np.int64)] * 3
    seen = set()
    for attempt in (FIRST, *(dataclasses.replace(FIRST, **{name: 7}) for name in ("round", "step", "attempt"))):
        seen.update(masked(zeros, ring, attempt).values())
    identity, vaults = league(3)
    for other in (
        dataclasses.replace(identity, proposal="00" * 32),
        dataclasses.replace(identity, roster=identity.roster[::-1]),
    ):
        for vault in vaults:
            words = mask(
                zeros[0],
                ring=ring,
                identity=other,
                attempt=FIRST,
                partner=vault.partner,
                pair_secrets=vault.pair_secrets,
            )
            seen.add(words.tobytes())
    assert len(seen) == 6 * 3


def test_a_mask_written_out_by_hand() -> None:
    """HKDF-Expand (RFC 5869) by HMAC, the keystream in one piece, words one by one."""
    identity, vaults = league(2)
    first, second = vaults
    secret = first.pair_secrets[second.partner]
    assert secret == second.pair_secrets[first.partner]
    info = msgspec.msgpack.encode(
        (b"hanse mask/1", identity.proposal, identity.roster_digest, 1, 0, 1, first.partner, second.partner)
    )
    key = hmac.digest(secret, info + b"\x01", hashlib.sha256)
    stream = Cipher(algorithms.AES256(key), modes.CTR(bytes(16))).encryptor().update(bytes(12))
    numbers = [int.from_bytes(stream[place : place + 4], "little") for place in (0, 4, 8)]
    vector = [5, -6, 7]
    sent = masked([np.array(vector), np.array(vector)], Ring.BITS_32)
    plus = [(entry + number) % 2**32 for entry, number in zip(vector, numbers, strict=True)]
    minus = [(entry - number) % 2**32 for entry, number in zip(vector, numbers, strict=True)]
    assert sent[first.partner] == b"".join(number.to_bytes(4, "little") for number in plus)
    assert sent[second.partner] == b"".join(number.to_bytes(4, "little") for number in minus)


@RINGS
def test_no_sum_before_every_vector_is_there(ring: Ring) -> None:
    sent = masked([np.arange(3)] * 3, ring)
    found = collection(3, 3, ring)
    for partner, data in list(sent.items())[:2]:
        found = found.receive(partner, data)
    assert found.missing == ("partner-2",)
    with pytest.raises(SumIncompleteError, match="partner-2"):
        found.total()


def test_what_does_not_belong_is_refused() -> None:
    sent = masked([np.arange(3)] * 2, Ring.BITS_64)
    found = collection(2, 3, Ring.BITS_64).receive("partner-0", sent["partner-0"])
    assert found.receive("partner-0", sent["partner-0"]) == found
    with pytest.raises(SumIncompleteError, match="two different"):
        found.receive("partner-0", sent["partner-1"])
    with pytest.raises(SumIncompleteError, match="roster"):
        found.receive("partner-9", sent["partner-1"])
    with pytest.raises(InvalidValueError, match="24 bytes"):
        found.receive("partner-1", sent["partner-1"][:-1])


@pytest.mark.parametrize(("name", "value"), [("round", 0), ("attempt", 0), ("step", -1)])
def test_attempts_are_counted_from_one(name: str, value: int) -> None:
    with pytest.raises(InvalidValueError, match=name):
        dataclasses.replace(FIRST, **{name: value})


def test_what_is_no_vector_of_integers_is_refused() -> None:
    """Rows of a matrix would share masks, and a float would be cut off."""
    for wrong in (np.zeros((4, 2), dtype=np.int64), np.array([0.5, 1.0]), np.array([1, 2], dtype=np.int32)):
        with pytest.raises(InvalidValueError, match=r"dimensions|type of entries"):
            masked([wrong, wrong], Ring.BITS_64)
