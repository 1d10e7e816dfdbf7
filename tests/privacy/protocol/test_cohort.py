"""A manifest's members: salted leaves against a slow oracle, openings that were tampered with, what was loaded."""

import base64
import hashlib
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.errors import InvalidValueError
from hanse_privacy.identity import SigningKey
from hanse_privacy.merkle import root_of
from hanse_privacy.protocol.cohort import (
    Cohort,
    CohortAnswer,
    CohortExceededError,
    CohortOpeningError,
    SaltContext,
    absent_leaves,
    chosen_leaves,
    decode_answer,
    encode_answer,
    salted_leaves,
)
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest, CohortReport, LeafAlgorithm

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CONTEXT = SaltContext(partner="north", run="churn-1", round=1)
numbers = st.sets(st.integers(0, 2**128 - 1), max_size=24)


def octets(rows: Sequence[bytes], *, width: int) -> np.ndarray:
    return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), width)


def key_of(pseudonym: bytes) -> bytes:
    """Every customer of these tests has a key of its own, always the same."""
    return hashlib.sha256(b"key of " + pseudonym).digest()


def leaf_of(pseudonym: bytes, context: SaltContext = CONTEXT) -> tuple[bytes, bytes]:
    """Leaf and member as the module's first page defines them, one by one."""
    message = {"partner": context.partner, "run": context.run, "round": context.round, "use": "leaf-salt/1"}
    salt = hashlib.blake2b(canonical_bytes(message), key=key_of(pseudonym), digest_size=16).digest()
    return hashlib.sha256(b"\x00" + salt + pseudonym).digest(), salt + pseudonym


def manifest(*, count: int, root: str, **changes: Any) -> CohortManifest:
    fields: dict[str, Any] = {
        "partner": "north",
        "run": "churn-1",
        "round": 1,
        "proposal": "ab" * 32,
        "purpose": "churn-training",
        "tier": "standard",
        "known": NO_PREVIOUS,
        "nonce": "0f" * 16,
        "position": 7,
        "registry_version": 1,
        "pack_versions": {"gdpr": "2026.1"},
        "notice_versions": ("churn-model@1",),
        "issued_at": NOW,
        "expires_at": NOW + timedelta(minutes=5),
        "leaf_algorithm": LeafAlgorithm.BLAKE2B_SHA256,
        "count": count,
        "root": root,
        "excluded_by_reason": {"NO_CONSENT": 3},
        "previous": NO_PREVIOUS,
    }
    return CohortManifest.model_validate(fields | changes)


def pseudonyms_of(customers: set[int]) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in sorted(customers)]


def cohort_of(customers: set[int]) -> tuple[Cohort, bytes]:
    pairs = sorted(map(leaf_of, pseudonyms_of(customers)))
    members = b"".join(member for _, member in pairs)
    root = root_of(b"".join(leaf for leaf, _ in pairs)).hex()
    return Cohort(manifest(count=len(pairs), root=root), members=members), members


@given(numbers)
def test_leaves_are_salted_hashed_and_sorted_as_defined(customers: set[int]) -> None:
    pseudonyms = pseudonyms_of(customers)
    keys = octets([key_of(one) for one in pseudonyms], width=32)
    leaves = salted_leaves(octets(pseudonyms, width=16), keys, context=CONTEXT)
    pairs = sorted(map(leaf_of, pseudonyms))
    assert leaves.hashes == b"".join(leaf for leaf, _ in pairs)
    assert leaves.members == b"".join(member for _, member in pairs)
    assert [pseudonyms[place] for place in leaves.order] == [member[16:] for _, member in pairs]


@pytest.mark.parametrize(
    "other",
    [
        SaltContext(partner="north", run="churn-1", round=2),
        SaltContext(partner="north", run="churn-2", round=1),
        SaltContext(partner="south", run="churn-1", round=1),
    ],
)
def test_no_salt_and_no_leaf_returns_in_another_round_run_or_partner(other: SaltContext) -> None:
    keys = octets([secrets.token_bytes(32) for _ in range(50)], width=32)
    one, again = CONTEXT.salts(keys), CONTEXT.salts(keys)
    assert (one == again).all()
    assert not set(map(bytes, one)) & set(map(bytes, other.salts(keys)))


def test_leaves_need_the_key() -> None:
    """With another key nothing of a cohort is found again: that is what destroying a key does."""
    pseudonyms = octets(pseudonyms_of(set(range(50))), width=16)
    drawn = [octets([secrets.token_bytes(32) for _ in range(50)], width=32) for _ in range(2)]
    one, other = (salted_leaves(pseudonyms, keys, context=CONTEXT).hashes for keys in drawn)
    assert not {one[i : i + 32] for i in range(0, 1600, 32)} & {other[i : i + 32] for i in range(0, 1600, 32)}


@given(numbers)
def test_a_cohort_opens_to_its_sorted_customers(customers: set[int]) -> None:
    cohort, _ = cohort_of(customers)
    assert cohort.customers == tuple(f"{number:032x}" for number in sorted(customers))


@settings(max_examples=50)
@given(numbers, numbers)
def test_two_cohorts_have_one_root_exactly_if_they_are_equal(one: set[int], other: set[int]) -> None:
    roots = [cohort_of(customers)[0].manifest.root for customers in (one, other)]
    assert (roots[0] == roots[1]) == (one == other)


def tampered(members: bytes) -> dict[str, bytes]:
    rows = [members[start : start + 32] for start in range(0, len(members), 32)]
    stranger = leaf_of(b"s" * 16)[1]
    later = leaf_of(rows[0][16:], SaltContext(partner="north", run="churn-1", round=2))[1]
    flipped = bytes([members[0] ^ 1]) + members[1:]
    return {
        "two swapped": b"".join([rows[1], rows[0], *rows[2:]]),
        "one twice": b"".join([rows[0], rows[0], *rows[2:]]),
        "one replaced": b"".join(sorted([stranger, *rows[1:]], key=lambda row: hashlib.sha256(b"\x00" + row).digest())),
        "one with the salt of another round": b"".join(
            sorted([later, *rows[1:]], key=lambda row: hashlib.sha256(b"\x00" + row).digest())
        ),
        "one byte changed": flipped,
        "cut by one": b"".join(rows[:-1]),
        "cut inside one": members[:-1],
        "one more": members + stranger,
        "empty": b"",
        "in order of pseudonyms": b"".join(sorted(rows, key=lambda row: row[16:])),
        "salts and pseudonyms exchanged": b"".join(row[16:] + row[:16] for row in rows),
    }


@pytest.mark.parametrize("how", tampered(bytes(96)))
def test_an_opening_that_was_tampered_with_is_refused(how: str) -> None:
    cohort, members = cohort_of({3, 1, 4, 15, 9, 26})
    with pytest.raises(CohortOpeningError) as refused:
        Cohort(cohort.manifest, members=tampered(members)[how])
    assert not [customer for customer in cohort.customers if customer in str(refused.value)]


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_count_that_is_off_by_one_is_refused(difference: int) -> None:
    cohort, members = cohort_of({3, 1, 4})
    lying = cohort.manifest.model_copy(update={"count": 3 + difference})
    with pytest.raises(CohortOpeningError, match="number of members"):
        Cohort(lying, members=members)


def test_a_customer_who_stands_there_twice_under_two_salts_is_refused() -> None:
    """Signed even so: a service at fault could count one customer twice."""
    pseudonym = bytes(16)
    rows = sorted(
        [bytes(16) + pseudonym, bytes([1] * 16) + pseudonym], key=lambda row: hashlib.sha256(b"\x00" + row).digest()
    )
    root = root_of(b"".join(hashlib.sha256(b"\x00" + row).digest() for row in rows)).hex()
    with pytest.raises(CohortOpeningError, match="twice"):
        Cohort(manifest(count=2, root=root), members=b"".join(rows))


def test_a_tree_that_was_signed_out_of_order_is_refused() -> None:
    """Absence is proved by two neighbours: in an unsorted tree that would prove nothing."""
    pairs = sorted(map(leaf_of, pseudonyms_of({1, 2, 3})), reverse=True)
    root = root_of(b"".join(leaf for leaf, _ in pairs)).hex()
    with pytest.raises(CohortOpeningError, match="order of its leaves"):
        Cohort(manifest(count=3, root=root), members=b"".join(member for _, member in pairs))


def test_inner_nodes_do_not_pass_for_members() -> None:
    """Four members, opened as two made of the tree's inner nodes: the content would have to be 64 bytes long."""
    cohort, members = cohort_of({1, 2, 3, 4})
    leaves = b"".join(hashlib.sha256(b"\x00" + members[i : i + 32]).digest() for i in range(0, 128, 32))
    with pytest.raises(CohortOpeningError):
        Cohort(cohort.manifest.model_copy(update={"count": 4}), members=leaves)
    with pytest.raises(CohortOpeningError):
        Cohort(cohort.manifest.model_copy(update={"count": 2}), members=leaves[:64])


@settings(max_examples=60)
@given(numbers, st.data())
def test_a_report_is_of_exactly_what_was_loaded(customers: set[int], data: st.DataObject) -> None:
    cohort, _ = cohort_of(customers)
    loaded = data.draw(st.sets(st.sampled_from(sorted(customers)))) if customers else set()
    report = cohort.report([f"{number:032x}" for number in data.draw(st.permutations(sorted(loaded)))])
    pairs = sorted(map(leaf_of, pseudonyms_of(customers)))
    wanted = [leaf for leaf, member in pairs if int.from_bytes(member[16:], "big") in loaded]
    assert report.loaded_root == root_of(b"".join(wanted)).hex()
    assert report.loaded_count == len(loaded)
    assert (report.loaded_root == cohort.manifest.root) == (loaded == customers)
    absent = absent_leaves(report, count=len(customers))
    assert [leaf for (leaf, _), gone in zip(pairs, absent, strict=True) if not gone] == wanted
    assert chosen_leaves(b"".join(leaf for leaf, _ in pairs), ~absent) == b"".join(wanted)
    assert (report.partner, report.run, report.round) == ("north", "churn-1", 1)
    assert report.manifest == cohort.manifest.digest


def test_nobody_outside_the_cohort_and_nobody_twice_can_be_reported() -> None:
    cohort, _ = cohort_of({1, 2, 2**127})
    for stranger in (0, 3, 2**128 - 1):
        with pytest.raises(CohortExceededError, match="does not name"):
            cohort.report([f"{1:032x}", f"{stranger:032x}"])
    with pytest.raises(CohortExceededError, match="twice"):
        cohort.report([f"{1:032x}", f"{1:032x}"])
    with pytest.raises(CohortExceededError):
        cohort_of(set())[0].report([f"{1:032x}"])


@pytest.mark.parametrize("absent", ["", "AA==", "AAAAAA==", "AAA", "AAE=", "AIA!"])
def test_a_bitmap_has_one_bit_for_each_leaf(absent: str) -> None:
    cohort, _ = cohort_of(set(range(9)))
    report = cohort.report(cohort.customers[:-1]).model_copy(update={"absent": absent})
    with pytest.raises(InvalidValueError, match="absent is"):
        absent_leaves(report, count=9)
    assert absent_leaves(report.model_copy(update={"absent": "AIA="}), count=9).tolist() == [False] * 8 + [True]


def test_an_answer_travels_as_json_that_anybody_can_read() -> None:
    key = SigningKey.generate()
    cohort, members = cohort_of({1, 2, 3})
    missed = [manifest(count=0, root=root_of(b"").hex(), nonce=f"{number:032x}") for number in range(2)]
    signed = tuple(one.sign(key) for one in missed)
    answer = encode_answer(CohortAnswer(manifest=cohort.manifest.sign(key), missed=signed, members=members))
    plain = json.loads(answer)
    assert base64.b64decode(plain["opening"]) == members
    # In another layout, too.
    for text in (answer, json.dumps(plain, indent=2).encode()):
        received = decode_answer(text)
        assert CohortManifest.verify(received.manifest, key=key.public) == cohort.manifest
        assert [CohortManifest.verify(one, key=key.public) for one in received.missed] == missed
        assert received.members == members


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"manifest": {}, "missed": [], "opening": 5}',
        b'{"manifest": {}, "opening": ""}',
        b'{"manifest": {}, "missed": {}, "opening": ""}',
        b'{"manifest": {}, "missed": [' + b"{}," * 64 + b'{}], "opening": ""}',
        b"[" * 100_000,
        b'{"manifest":{}}',
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(CohortOpeningError):
        decode_answer(answer)


def test_shapes_are_checked() -> None:
    with pytest.raises(InvalidValueError, match="keys is 'uint8 of shape"):
        CONTEXT.salts(np.zeros((2, 31), dtype=np.uint8))
    with pytest.raises(InvalidValueError, match="pseudonyms is 'int64"):
        salted_leaves(np.zeros((2, 16), dtype=np.int64), np.zeros((2, 32), dtype=np.uint8), context=CONTEXT)
    with pytest.raises(InvalidValueError, match="number of keys is 1"):
        salted_leaves(np.zeros((2, 16), dtype=np.uint8), np.zeros((1, 32), dtype=np.uint8), context=CONTEXT)


def test_a_report_names_nobody() -> None:
    cohort, _ = cohort_of({2**127 + number for number in range(30)})
    words = CohortReport.sign(cohort.report(cohort.customers[:20]), SigningKey.generate()).decode()
    assert not [customer for customer in cohort.customers if customer in words]
    assert not [one for one in cohort.customers if base64.b64encode(bytes.fromhex(one)).decode()[:20] in words]
